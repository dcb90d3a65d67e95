"""GAN (Goodfellow et al. 2014, arXiv:1406.2661) on MNIST.

    python recipes/gan_mnist.py
    python recipes/gan_mnist.py --generator-loss minimax        the objective as it stands

The paper's dense networks, batches of 100, stochastic gradient descent with momentum. Measured
time, machine and result: results/gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 100,
    generator_loss: str = "non_saturating",
    ema_decay: float | None = None,
    simultaneous: bool = False,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a GAN on dense networks, draws samples and exports it for serving.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        latent_dim: size of a latent.
        generator_loss: non_saturating or minimax.
        ema_decay: decay of the generator's moving average; None for none.
        simultaneous: move both networks at once, by one pass of the discriminator: faster.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 30_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into
    from keras_gen.models import GAN
    from keras_gen.training import Run

    run = Run("gan_mnist", arguments, family="gans", title="GAN", paper="arXiv:1406.2661")
    load = {"value_range": GAN.value_range, "strict": options.strict_data}
    images, test_images = (
        load_or_stand_in(data, split=split, image_size=image_size, **load)
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = GAN(
            images.example_shape,
            latent_dim,
            generator_loss=generator_loss,
            ema_decay=ema_decay,
            simultaneous=simultaneous,
        )
        model.compile()
    if steps is None and epochs is None:
        steps = 30_000
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, evaluate_into(run.folder, model, test_images, images, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
