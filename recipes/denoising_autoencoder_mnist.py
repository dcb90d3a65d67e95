"""Denoising autoencoder (Vincent et al. 2008) on MNIST.

    python recipes/denoising_autoencoder_mnist.py
    python recipes/denoising_autoencoder_mnist.py --corruption masking --noise-level 0.25

Gaussian noise of deviation 0.5 is that of the Keras blog, masking a quarter that of the paper.
Measured time, machine and results: results/denoising_autoencoder_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "autoencoders", "title": "Denoising autoencoder", "paper": "Vincent et al. 2008"}


def main(
    data: str = "mnist",
    image_size: int = 28,
    filters: tuple[int, ...] = (32, 32),
    corruption: str = "gaussian",
    noise_level: float = 0.5,
    batch_size: int = 128,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an autoencoder to take noise off images, and measures how much of it goes.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4, with two filters.
        filters: channels of the encoder's convolutions.
        corruption: gaussian or masking.
        noise_level: deviation of gaussian noise, or share of the values that are masked.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 10 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import numpy as np

    from keras_gen.artifacts import save_labelled_grid
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import decode_in_chunks, encode_in_chunks
    from keras_gen.models import DenoisingAutoencoder
    from keras_gen.models.autoencoders.denoising_autoencoder import psnr_db
    from keras_gen.training import Run

    run = Run("denoising_autoencoder_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))

    with run.strategy.scope():
        model = DenoisingAutoencoder(train.example_shape, filters, corruption, noise_level)
        model.compile()
    epochs = 10 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        images = (test.examples / 255.0).astype("float32")
        noisy = model.corrupt(images, (seed, 0))
        restored = decode_in_chunks(model, encode_in_chunks(model, noisy))
        rows, names = np.stack([noisy, restored, images])[:, :12], ["noisy", "denoised", "clean"]
        save_labelled_grid(rows, (0.0, 1.0), run.folder / "denoised.png", row_labels=names)
        measured = {
            "psnr_in_db": psnr_db(images, noisy),
            "psnr_out_db": psnr_db(images, restored),
            "reconstruction_mse": np.mean((restored - images) ** 2),
        }
        noise = f"{corruption} noise of level {noise_level:g}, mean over images"
        protocol = f"{len(images):,} {test.name} {test.split} images, grey pixels, {noise}"
        run.finish(model, {name: (value, protocol) for name, value in measured.items()})
    return run


if __name__ == "__main__":
    command_line(main)
