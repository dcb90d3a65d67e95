"""GAN with spectral normalization (Miyato et al. 2018, arXiv:1802.05957) on MNIST.

    python recipes/sn_gan_mnist.py
    python recipes/sn_gan_mnist.py --loss non_saturating

The paper's standard networks with half of their filters, Adam(2e-4, 0.5), batches of 64. Measured
time, machine and result: results/sn_gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 128,
    filters: int = 32,
    loss: str = "hinge",
    discriminator_steps: int = 1,
    ema_decay: float | None = None,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an SN-GAN, draws samples and exports it for serving.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        latent_dim: size of a latent.
        filters: channels beside the images; layers further in have two, four, ... times as many.
        loss: hinge or non_saturating.
        discriminator_steps: discriminator steps in each training step, each with its own batch.
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
    from keras_gen.models import SNGAN
    from keras_gen.training import Run

    run = Run("sn_gan_mnist", arguments, family="gans", title="SN-GAN", paper="arXiv:1802.05957")
    load = {"value_range": SNGAN.value_range, "strict": options.strict_data}
    images, test_images = (
        load_or_stand_in(data, split=split, image_size=image_size, **load)
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = SNGAN(
            images.example_shape,
            latent_dim,
            filters,
            loss,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
        )
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
