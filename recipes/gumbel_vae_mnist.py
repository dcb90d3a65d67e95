"""VAE with discrete latents by the Gumbel-softmax (Jang et al. 2017, arXiv:1611.01144) on MNIST.

    python recipes/gumbel_vae_mnist.py                       20 variables of 10 classes
    python recipes/gumbel_vae_mnist.py --latent bernoulli    200 variables of two

Published runs and what differs: docs/gumbel_vae.md. Measured: results/gumbel_vae_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "static",
    latent: str = "categorical",
    num_variables: int | None = None,
    num_classes: int = 10,
    straight_through: bool = False,
    annealing_rate: float = 3e-5,
    warm_up_steps: int = 20_000,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a VAE with discrete latents and measures its bound on the test split.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, threshold, or none for grey pixels.
        latent: categorical or bernoulli.
        num_variables: how many; by default 20 categorical or 200 Bernoulli ones.
        num_classes: classes of a categorical variable.
        straight_through: decode discrete latents in training, with the gradient of relaxed ones.
        annealing_rate: how fast the temperature falls, per training step.
        warm_up_steps: training steps in which the divergence's weight rises from 0; 0 for none.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 80,000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import binarize, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import likelihood_metrics, save_reconstructions
    from keras_gen.models import GumbelVAE
    from keras_gen.training import Run, WarmUp, total_steps

    run = Run(
        "gumbel_vae_mnist",
        arguments,
        family="autoencoders",
        title="Gumbel-softmax VAE",
        paper="arXiv:1611.01144",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 80_000)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, total)

    with run.strategy.scope():
        sizes = (num_variables, num_classes, (512, 256))
        model = GumbelVAE(train.example_shape, latent, *sizes, straight_through, annealing_rate)
        model.compile(keras.optimizers.Adam(rate))
    warm_up = [WarmUp("beta", 0.0, 1.0, warm_up_steps)] if warm_up_steps else []
    run.fit(model, train, batch_size=batch_size, steps=total, extra=warm_up)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        run.finish(model, likelihood_metrics(model, test, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
