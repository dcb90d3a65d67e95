"""Least-squares GAN (Mao et al. 2017, arXiv:1611.04076) on MNIST.

    python recipes/least_squares_gan_mnist.py

The networks and settings of recipes/dcgan_mnist.py with the other loss, so that the two compare.
Measured time, machine and result: results/least_squares_gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 100,
    filters: int = 64,
    ema_decay: float | None = 0.999,
    batch_size: int = 128,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a least-squares GAN, draws samples and exports it for serving.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        latent_dim: size of a latent.
        filters: channels beside the images; layers further in have two, four, ... times as many.
        ema_decay: decay of the generator's moving average; None for none.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 5_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into
    from keras_gen.models import LSGAN
    from keras_gen.training import Run

    run = Run(
        "least_squares_gan_mnist",
        arguments,
        family="gans",
        title="Least-squares GAN",
        paper="arXiv:1611.04076",
    )
    load = {"value_range": LSGAN.value_range, "strict": options.strict_data}
    images, test_images = (
        load_or_stand_in(data, split=split, image_size=image_size, **load)
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = LSGAN(images.example_shape, latent_dim, filters, ema_decay=ema_decay)
        model.compile()
    if steps is None and epochs is None:
        steps = 5_000
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, evaluate_into(run.folder, model, test_images, images, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
