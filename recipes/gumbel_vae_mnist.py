"""VAE with discrete latents by the Gumbel-softmax (Jang et al. 2017, arXiv:1611.01144) on MNIST.

    python recipes/gumbel_vae_mnist.py                                20 variables of 10 classes
    python recipes/gumbel_vae_mnist.py --latent bernoulli             200 Bernoulli variables
    python recipes/gumbel_vae_mnist.py --straight-through             discrete in training too

Published -ELBO on fixed binarized MNIST: 101.5 and 105.0; straight through 107.8 and 111.5. The
networks, Adam(1e-3) times 0.9 every 1000 of 50,000 steps and the temperature are those of the
author's notebook. Measured time, machine and results: results/gumbel_vae_mnist*.json.
"""

import keras

from keras_gen.data import binarize, load_or_stand_in
from keras_gen.export import export_model
from keras_gen.metrics import likelihood_metrics, save_reconstructions
from keras_gen.models import GumbelVAE
from keras_gen.training import Options, Run, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "static",
    latent: str = "categorical",
    num_variables: int | None = None,
    num_classes: int = 10,
    straight_through: bool = False,
    annealing_rate: float = 3e-5,
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
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50,000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    run = Run(
        "gumbel_vae_mnist",
        locals(),
        family="autoencoders",
        title="Gumbel-softmax VAE",
        paper="arXiv:1611.01144",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1000, 0.9, staircase=True)

    with run.strategy.scope():
        sizes = (num_variables, num_classes, (512, 256))
        model = GumbelVAE(train.example_shape, latent, *sizes, straight_through, annealing_rate)
        model.compile(keras.optimizers.Adam(rate))
    steps = 50_000 if steps is None and epochs is None else steps
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        run.finish(model, likelihood_metrics(model, test, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
