"""Autoencoder (Hinton and Salakhutdinov 2006) on MNIST, beside PCA with codes of the same size.

    python recipes/autoencoder_mnist.py
    python recipes/autoencoder_mnist.py --latent-dim 3
    python recipes/autoencoder_mnist.py --hidden-units --code-activation relu

The last is the one-layer autoencoder of the Keras blog (50 epochs of batches of 256), whose figure
is 0.09 nats per pixel. Measured time, machine and results: results/autoencoder_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 32,
    hidden_units: tuple[int, ...] = (128, 64),
    code_activation: str = "linear",
    batch_size: int = 256,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an autoencoder and measures what codes of that size lose, against PCA.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        latent_dim: size of a code.
        hidden_units: units of the encoder's hidden layers; none for the one-layer autoencoder.
        code_activation: activation of the code: linear, relu, ...
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import latent_features, nearest_neighbours, save_neighbours
    from keras_gen.metrics.embedding import embedding_figure
    from keras_gen.metrics.pca import autoencoder_metrics, save_reconstructions_beside_pca
    from keras_gen.models import Autoencoder
    from keras_gen.training import Run

    run = Run(
        "autoencoder_mnist",
        arguments,
        family="autoencoders",
        title="Autoencoder",
        paper="Hinton and Salakhutdinov 2006, Science 313",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = Autoencoder(train.example_shape, latent_dim, hidden_units, code_activation)
        model.compile()
    if steps is None and epochs is None:
        epochs = 50
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        folder = run.folder
        save_reconstructions_beside_pca(model, train, test, folder / "reconstructions.png")
        encode = latent_features(model)
        similar = nearest_neighbours(test.examples[:8], train.examples, 8, encode)
        save_neighbours(similar, model.value_range, folder / "similar_images.png")
        if test.labels is not None:
            method = "tsne" if model.latent_dim > 8 else "pca"
            embedding_figure(encode(test.examples), test.labels, folder / "latents.png", method)
        run.finish(model, autoencoder_metrics(model, train, test))
    return run


if __name__ == "__main__":
    command_line(main)
