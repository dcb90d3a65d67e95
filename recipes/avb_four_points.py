"""Four points: posteriors of adversarial variational Bayes and of a VAE beside the exact ones.

    python recipes/avb_four_points.py
    python recipes/avb_four_points.py --adversary-steps 1     the adversary lags behind

Section 6.2 of Mescheder et al. 2017 (arXiv:1701.04722), on smaller networks than theirs and for
fewer steps. Measured time, machine and result: results/avb_four_points.json. What to see:
docs/avb.md.
"""

from keras_gen.training import command_line


def main(
    hidden_units: tuple[int, ...] = (64, 64, 64),
    adversary_units: tuple[int, ...] = (128, 128, 128),
    adversary_steps: int = 2,
    learning_rate: float = 3e-4,
    adversary_learning_rate: float = 1e-3,
    batch_size: int = 128,
    steps: int = 40_000,
    draws: int = 500_000,
    seed: int = 0,
    out: str | None = None,
):
    """Trains both on four images with two latent coordinates, and measures what each has learned.

    Args:
        hidden_units: units of the hidden layers of encoders, and backwards of decoders.
        adversary_units: units of the hidden layers of AVB's adversary.
        adversary_steps: its steps for one of encoder and decoder.
        learning_rate: of encoders and decoders; falls along a cosine to zero, which it is in the
            last fifth of the steps, so that the adversary catches up.
        adversary_learning_rate: of the adversary, likewise at the end to a tenth of it.
        batch_size: images in a batch.
        steps: training steps of each model.
        draws: of each posterior, for histograms.
        seed: decides weights, noise and batches.
        out: folder for pictures and numbers. Default: runs/avb_four_points/TIME.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.lab.four_points import IMAGES, compare, save_posteriors
    from keras_gen.models import AVB, VAE
    from keras_gen.training import Demonstration
    from keras_gen.training.graph_loop import train_in_graph

    demonstration = Demonstration(
        "avb_four_points", arguments, title="Four points", paper="arXiv:1701.04722"
    )
    decay = keras.optimizers.schedules.CosineDecay
    adam = keras.optimizers.Adam
    shape = IMAGES.shape[1:]

    vae = VAE(shape, 2, hidden_units, "relu")
    falling = {"initial_learning_rate": learning_rate, "decay_steps": max(4 * steps // 5, 1)}
    vae.compile(adam(decay(**falling)))
    # Noise beside the image and the prior for a contrast: the toy of the paper.
    sizes = (hidden_units, 64, 0, "prior", adversary_units, adversary_steps)
    avb = AVB(shape, 2, *sizes)
    slower = decay(adversary_learning_rate, steps * adversary_steps, alpha=0.1)
    avb.compile(adam(decay(**falling)), adam(slower))
    for model in (vae, avb):
        train_in_graph(model, IMAGES, batch_size=batch_size, steps=steps, seed=seed)
    metrics, clouds = compare({"VAE": vae, "AVB": avb}, draws, seed=seed)

    demonstration.open()
    save_posteriors(clouds, demonstration.folder / "posteriors.png")
    demonstration.finish(metrics)
    return demonstration


if __name__ == "__main__":
    command_line(main)
