"""Sparse autoencoder (L1 penalty on the code; Ng 2011) on MNIST, beside PCA of the same size.

    python recipes/sparse_autoencoder_mnist.py
    python recipes/sparse_autoencoder_mnist.py --sparsity 0

The figure of the Keras blog is 0.10 nats per pixel. Measured time, machine and results:
results/sparse_autoencoder_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "autoencoders", "title": "Sparse autoencoder", "paper": "Ng 2011, CS294A notes"}


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 32,
    hidden_units: tuple[int, ...] = (128, 64),
    sparsity: float = 1e-4,
    batch_size: int = 256,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an autoencoder with a sparse code and shows what its units stand for.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        latent_dim: size of a code.
        hidden_units: units of the encoder's hidden layers; none for the one-layer autoencoder.
        sparsity: weight of the penalty.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import numpy as np

    from keras_gen.artifacts import save_labelled_grid
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import latent_features
    from keras_gen.metrics.embedding import embedding_figure
    from keras_gen.metrics.pca import autoencoder_metrics, save_reconstructions_beside_pca
    from keras_gen.models import SparseAutoencoder
    from keras_gen.training import Run

    run = Run("sparse_autoencoder_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = SparseAutoencoder(train.example_shape, latent_dim, hidden_units, sparsity)
        model.compile()
    epochs = 50 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        folder = run.folder
        save_reconstructions_beside_pca(model, train, test, folder / "reconstructions.png")
        latents = latent_features(model)(test.examples)
        # What each unit stands for: the test images that it answers to most.
        units = np.argsort(-latents.mean(axis=0))[:12]
        strongest = np.stack([test.examples[np.argsort(-latents[:, unit])[:10]] for unit in units])
        names = [f"unit {unit}: {np.mean(latents[:, unit] > 0):.0%}" for unit in units]
        save_labelled_grid(strongest, (0, 255), folder / "units.png", row_labels=names)
        if test.labels is not None:
            embedding_figure(latents, test.labels, folder / "latents.png")
        metrics = autoencoder_metrics(model, train, test)
        active = np.mean(np.sum(latents > 0, axis=1))
        metrics["active_units"] = (active, f"units of a code above 0, mean over {test.split}")
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
