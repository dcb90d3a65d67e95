"""Convolutional autoencoder (Masci et al. 2011) on MNIST, beside PCA with codes of the same size.

    python recipes/conv_autoencoder_mnist.py
    python recipes/conv_autoencoder_mnist.py --filters 16 8 8 --latent-dim None --epochs 50

The second is the network of the Keras blog, whose code of 128 numbers is a 4x4 image: 0.094 nats
per pixel. PCA loses less, by 128 directions of the whole image; the default has dense layers around
its code, which see the whole image too. Measured: results/conv_autoencoder_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    filters: tuple[int, ...] = (16, 32),
    latent_dim: int | None = 128,
    batch_size: int = 128,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a convolutional autoencoder and measures what its codes lose, against PCA.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images: 28, or a multiple of 2 for each filter, of 8 for three.
        filters: channels of the encoder's convolutions.
        latent_dim: size of a code that dense layers make; None for the last convolution's output.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 15 epochs where epochs is not given either.
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
    from keras_gen.models import ConvAutoencoder
    from keras_gen.training import Run

    run = Run(
        "conv_autoencoder_mnist",
        arguments,
        family="autoencoders",
        title="Convolutional autoencoder",
        paper="Masci et al. 2011, ICANN",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = ConvAutoencoder(train.example_shape, filters, latent_dim)
        model.compile()
    if steps is None and epochs is None:
        epochs = 15
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
