"""IWAE (Burda et al. 2016, arXiv:1509.00519) on dynamically binarized MNIST.

    python recipes/iwae_mnist.py
    python recipes/iwae_mnist.py --importance-samples 5
    python recipes/iwae_mnist.py --importance-samples 1        the VAE of the paper

The paper's network and training: two layers of 200 tanh units, batches of 20, Adam with epsilon
1e-4, and 3^i passes at the rate 0.001 * 10^(-i/7) for i = 0 ... 7. The default stops after the
first 10 of those 3280 passes. Measured time, machine and results: results/iwae_mnist*.json.
"""

import itertools

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "dynamic",
    latent_dim: int = 50,
    importance_samples: int = 50,
    evaluation_samples: int = 5000,
    evaluated: int = 2000,
    batch_size: int = 20,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an IWAE and measures its likelihood on the test split.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: dynamic, static, threshold, or none for grey pixels.
        latent_dim: size of a latent.
        importance_samples: draws of a latent for each image in training, the paper's k.
        evaluation_samples: draws of a latent for each test image.
        evaluated: how many test images; 10,000 take five times as long.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 10 epochs where epochs is not given either.
        epochs: passes through the data in all, 3280 in the paper; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import binarize, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import likelihood_metrics, save_reconstructions
    from keras_gen.models import IWAE
    from keras_gen.training import Run

    run = Run(
        "iwae_mnist", arguments, family="autoencoders", title="IWAE", paper="arXiv:1509.00519"
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    passes = itertools.accumulate(3**stage for stage in range(7))
    rates = keras.optimizers.schedules.PiecewiseConstantDecay(
        [count * train.steps_per_epoch(batch_size) for count in passes],
        [1e-3 * 10 ** (-stage / 7) for stage in range(8)],
    )

    with run.strategy.scope():
        model = IWAE(train.example_shape, latent_dim, importance_samples=importance_samples)
        model.compile(keras.optimizers.Adam(rates, epsilon=1e-4))
    epochs = 10 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        run.finish(model, likelihood_metrics(model, test, evaluation_samples, seed, evaluated))
    return run


if __name__ == "__main__":
    command_line(main)
