"""alpha-GAN (Rosca et al. 2017, arXiv:1706.04987) on MNIST.

    python recipes/alpha_gan_mnist.py
    python recipes/alpha_gan_mnist.py --reconstruction-weight 1      the GAN alone, almost

The encoder and decoder that the family is compared on. Measured time, machine and result:
results/alpha_gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "adversarial_autoencoders", "title": "alpha-GAN", "paper": "arXiv:1706.04987"}


def main(
    data: str = "mnist",
    image_size: int | tuple[int, int] = 28,
    latent_dim: int = 8,
    hidden_units: tuple[int, ...] = (1000, 1000),
    reconstruction_weight: float = 50.0,
    learning_rate: float = 5e-4,
    discriminator_learning_rate: float = 1e-4,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an alpha-GAN and measures its samples, reconstructions and codes.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images, or height and width.
        latent_dim: size of a latent.
        hidden_units: of the encoder and the discriminator of images, backwards of the decoder.
        reconstruction_weight: weight of the distance of pixels beside the discriminators.
        learning_rate: of encoder and decoder.
        discriminator_learning_rate: of both discriminators.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, latents and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into, save_reconstructions
    from keras_gen.metrics.codes import code_metrics
    from keras_gen.models import AlphaGAN
    from keras_gen.training import Run

    run = Run("alpha_gan_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = AlphaGAN(
            train.example_shape,
            latent_dim,
            hidden_units,
            discriminator_units=hidden_units,
            reconstruction_weight=reconstruction_weight,
        )
        rates = 2 * [learning_rate] + 2 * [discriminator_learning_rate]
        adams = [keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9) for rate in rates]
        model.compile(*adams)
    epochs = 50 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        metrics = evaluate_into(run.folder, model, test, train, seed=seed)
        run.finish(model, metrics | code_metrics(model, train, test, seed))
    return run


if __name__ == "__main__":
    command_line(main)
