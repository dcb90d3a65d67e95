"""Which modes generators of points find: GAN, PacGAN2, WGAN, WGAN-GP, SN-GAN and VAE side by side.

    python recipes/mode_collapse_lab.py
    python recipes/mode_collapse_lab.py --data ring --models GAN PacGAN2 --seeds 1

The measures and mixtures of PacGAN (Lin et al. 2018, arXiv:1712.04086), smaller networks and fewer
steps. Measured: results/mode_collapse_lab.json. What to see: docs/mode_collapse.md.
"""

from keras_gen.training import command_line

# name -> class in keras_gen.models.points, and for each of its networks an optimizer, its settings
LAB = {
    "GAN": ("PointGAN", [("Adam", {"beta_1": 0.5})] * 2),
    "PacGAN2": ("PointPacGAN", [("Adam", {"beta_1": 0.5})] * 2),
    "WGAN": ("PointWGAN", [("RMSprop", {})] * 2),
    "WGAN-GP": ("PointWGANGP", [("Adam", {"beta_1": 0.0, "beta_2": 0.9})] * 2),
    "SN-GAN": ("PointSNGAN", [("Adam", {"beta_1": 0.5})] * 2),
    "VAE": ("PointVAE", [("Adam", {})]),
}


def main(
    data: tuple[str, ...] = ("ring", "grid", "swiss_roll"),
    models: tuple[str, ...] = tuple(LAB),
    steps: int = 15_000,
    batch_size: int = 100,
    seeds: int = 5,
    seed: int = 0,
    out: str | None = None,
):
    """Trains each model on each set from several seeds, and counts the modes that it found.

    Args:
        data: ring, grid, swiss_roll or moons.
        models: names from the table above.
        steps: training steps of each.
        batch_size: points in a batch.
        seeds: how many runs of each, from `seed` on.
        seed: of the first run: decides weights, noise and batches.
        out: folder for pictures and numbers. Default: runs/mode_collapse_lab/TIME.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load
    from keras_gen.lab import mode_collapse, mode_seeking
    from keras_gen.models import points
    from keras_gen.training import Demonstration
    from keras_gen.training.graph_loop import train_in_graph

    lab = Demonstration(
        "mode_collapse_lab", arguments, title="Mode collapse", paper="arXiv:1712.04086"
    )
    metrics = mode_seeking.compare()
    lab.open()
    mode_seeking.save_fits(metrics, lab.folder / "mode_seeking.png")

    def train(label, number, after):
        cls, optimizers = LAB[label]
        keras.utils.set_random_seed(number)
        model = getattr(points, cls)()
        made = (getattr(keras.optimizers, make)(5e-4, **kw) for make, kw in optimizers)
        model.compile(*made)
        loop = {"steps_per_call": max(steps // 20, 1), "after": lambda step: after(step, model)}
        train_in_graph(model, examples, batch_size=batch_size, steps=steps, seed=number, **loop)
        return model

    for name in data:
        known, test = (load(name, split=split) for split in ("train", "test"))
        examples, real = known.as_images().examples, test.examples
        mixture = (known.modes, known.scale)
        all_seeds = range(seed, seed + seeds)
        found, frames = mode_collapse.compare(train, models, all_seeds, real, *mixture)
        print(f"\n{name}\n{mode_collapse.table(found)}", flush=True)
        mode_collapse.save_scatters(frames[steps], real, lab.folder / f"{name}.png")
        mode_collapse.save_movie(frames, real, lab.folder / f"{name}.gif")
        metrics |= mode_collapse.as_metrics(name, found, f"{seeds} runs of {steps:,} steps")
    lab.finish(metrics)
    return lab


if __name__ == "__main__":
    command_line(main)
