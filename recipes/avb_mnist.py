"""AVB (Mescheder et al. 2017, arXiv:1701.04722) on statically binarized MNIST.

    python recipes/avb_mnist.py
    python recipes/avb_mnist.py --posterior gaussian      a VAE of the same size, trained alike
    python recipes/avb_mnist.py --contrast diagonal       the paper's adaptive contrast
    python recipes/avb_mnist.py --contrast prior          the adversary against the prior itself

What to see and what goes wrong: docs/avb.md. Measured results: results/avb_mnist*.json.
"""

from typing import Literal

from keras_gen.training import Options, RunOptions, command_line

TITLES = {"implicit": "AVB", "gaussian": "VAE of the size of AVB"}


def main(
    data: str = "mnist",
    image_size: int = 28,
    posterior: Literal["implicit", "gaussian"] = "implicit",
    contrast: Literal["full", "diagonal", "prior"] = "full",
    hidden_units: tuple[int, ...] = (1000, 1000),
    adversary_units: tuple[int, ...] = (500, 500),
    held_steps: int = 1000,
    evaluated: int = 200,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains AVB, and measures its bound, its likelihood, its codes and its samples.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        posterior: implicit, or gaussian for a VAE with latents of 8 numbers likewise.
        contrast: Gaussians of a posterior's covariances, or of its variances, or the prior.
        hidden_units: units of the encoder, and backwards of the decoder.
        adversary_units: units of the adversary's network of images, and of that of latents.
        held_steps: training steps in which the networks wait for the adversary.
        evaluated: test images whose likelihood is estimated by annealing.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 100 epochs where epochs is missing too.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras.optimizers import Adam, schedules

    from keras_gen.data import binarize, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import annealed_likelihood_metrics, evaluate_into, save_reconstructions
    from keras_gen.metrics.codes import code_metrics
    from keras_gen.models import AVB, VAE
    from keras_gen.training import Run

    about = {"title": TITLES[posterior], "paper": "arXiv:1701.04722"}
    run = Run("avb_mnist", arguments, family="adversarial_autoencoders", **about)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, "static", seed) for split in splits)
    rates = schedules.PiecewiseConstantDecay([held_steps], [0.0, 1e-4])

    with run.strategy.scope():
        model = VAE(train.example_shape, 8, hidden_units)
        adams = [Adam(rates, beta_1=0.5)]
        if posterior == "implicit":
            noise = (64, 32, contrast)
            model = AVB(train.example_shape, 8, hidden_units, *noise, adversary_units)
            adams.append(Adam(1e-4, beta_1=0.5))
        model.compile(*adams)
    epochs = 100 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        metrics = evaluate_into(run.folder, model, splits[1], splits[0], seed=seed)
        metrics |= code_metrics(model, train, test, seed, targets=splits[1])
        run.finish(model, metrics | annealed_likelihood_metrics(model, test, evaluated, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
