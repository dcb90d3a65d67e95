"""DCGAN (Radford et al. 2016, arXiv:1511.06434) on MNIST.

    python recipes/dcgan_mnist.py
    python recipes/dcgan_mnist.py --data path/to/your/images --image-size 64 --filters 128

Measured time, machine and result: results/dcgan_mnist.json. Differences from the paper's settings:
28x28 images and 64 filters instead of 128, so that two CPU cores finish within a quarter of an
hour. The moving average of the generator is ours; --ema-decay None turns it off.
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
    """Trains a DCGAN, draws samples and exports it for serving.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        latent_dim: size of a latent.
        filters: channels beside the images; layers further in have two, four, ... times as many.
        ema_decay: decay of the generator's moving average; None for none.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 5000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into
    from keras_gen.models import DCGAN
    from keras_gen.training import Run

    run = Run("dcgan_mnist", arguments, family="gans", title="DCGAN", paper="arXiv:1511.06434")
    images, test_images = (
        load_or_stand_in(
            data,
            split=split,
            image_size=image_size,
            value_range=DCGAN.value_range,
            strict=options.strict_data,
        )
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = DCGAN(images.example_shape, latent_dim, filters, ema_decay=ema_decay)
        model.compile()
    if steps is None and epochs is None:
        steps = 5000  # eleven passes through MNIST
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        # Exported before the run counts as finished, so that a failing export can be resumed.
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, evaluate_into(run.folder, model, test_images, images, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
