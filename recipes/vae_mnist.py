"""VAE (Kingma and Welling 2014, arXiv:1312.6114) on binarized MNIST.

    python recipes/vae_mnist.py
    python recipes/vae_mnist.py --latent-dim 2 --epochs 50   with a picture of the manifold
    python recipes/vae_mnist.py --beta 20 --epochs 30        latents too dear; 0.01: too cheap

The published run and what differs: docs/vae.md. Measured results: results/vae_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "static",
    latent_dim: int = 40,
    likelihood: str = "bernoulli",
    latent: str = "normal",
    divergence: str = "kl",
    beta: float = 1.0,
    warm_up_steps: int | None = None,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a VAE and measures its likelihood on the test split.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, threshold, or none for grey pixels.
        latent_dim: size of a latent; 2 for a picture of the manifold.
        likelihood: bernoulli, or for grey pixels gaussian or discretized_logistic.
        latent: normal or log_normal.
        divergence: of the posterior from the prior: kl, js_geometric or js_monte_carlo.
        beta: weight of the divergence.
        warm_up_steps: training steps in which that weight rises from 0; None for none.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 300 epochs where epochs is missing too.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import binarize, check_pixels, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import draw_manifold, save_manifold
    from keras_gen.metrics import likelihood_metrics, save_reconstructions
    from keras_gen.models import VAE
    from keras_gen.training import Run, WarmUp

    if likelihood != "bernoulli":  # which takes grey pixels, too, as intensities
        check_pixels(likelihood, binarization)
    run = Run("vae_mnist", arguments, family="autoencoders", title="VAE", paper="arXiv:1312.6114")
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    drops = [epoch * train.steps_per_epoch(batch_size) for epoch in (200, 233, 267, 283)]
    values = [1e-3, 4e-4, 1.6e-4, 6e-5, 2.5e-5]
    rates = keras.optimizers.schedules.PiecewiseConstantDecay(drops, values)

    with run.strategy.scope():
        choices = (likelihood, latent, divergence, beta)
        model = VAE(train.example_shape, latent_dim, (400,), "relu", *choices)
        model.compile(keras.optimizers.Adam(rates))
    warm_up = [WarmUp("beta", 0.0, beta, warm_up_steps)] if warm_up_steps else []
    epochs = 300 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, extra=warm_up)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        if latent_dim == 2 and latent == "normal":
            save_manifold(draw_manifold(model), model.value_range, run.folder / "manifold.png")
        run.finish(model, likelihood_metrics(model, test, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
