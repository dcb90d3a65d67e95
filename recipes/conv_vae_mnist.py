"""Convolutional VAE (Kingma and Welling 2014, arXiv:1312.6114) on MNIST, two latents.

    python recipes/conv_vae_mnist.py

The networks and the training of Chollet's example at keras.io: grey pixels, batches of 128, 30
epochs of Adam(1e-3). Its loss in the last epoch is 146.95; it trains on both splits together, ours
on the training split alone. Measured time, machine and result: results/conv_vae_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 2,
    beta: float = 1.0,
    batch_size: int = 128,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a convolutional VAE and draws its latent space.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        latent_dim: size of a latent; with 2 the manifold is drawn.
        beta: weight of the divergence.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 30 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import numpy as np

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import draw_manifold, latent_features, save_manifold
    from keras_gen.metrics import embedding_figure, reconstruction_error, save_reconstructions
    from keras_gen.models import ConvVAE
    from keras_gen.training import Run

    run = Run(
        "conv_vae_mnist",
        arguments,
        family="autoencoders",
        title="Convolutional VAE",
        paper="arXiv:1312.6114",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = ConvVAE(train.example_shape, latent_dim, beta=beta)
        model.compile()
    epochs = 30 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)
    train_loss = float(model.trackers["negative_elbo_nats"].result())  # the last epoch's mean

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        if latent_dim == 2:
            save_manifold(draw_manifold(model), model.value_range, run.folder / "manifold.png")
        if test.labels is not None:
            latents = latent_features(model)(test.examples)
            embedding_figure(latents, test.labels, run.folder / "latents.png", method="pca")
        images = (test.examples / 255.0).astype("float32")
        protocol = f"{len(images):,} {test.name} test images, grey pixels"
        measured = {"test_loss": -np.mean(model.elbo(images, seed))}
        measured |= reconstruction_error(model, images)
        metrics = {name: (value, protocol) for name, value in measured.items()}
        on_train = f"mean over the last epoch, {train.name} train, grey pixels"
        run.finish(model, {"train_loss": (train_loss, on_train)} | metrics)
    return run


if __name__ == "__main__":
    command_line(main)
