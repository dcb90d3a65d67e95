"""Which modes of points in the plane a generator has found, over models and seeds.

Lin, Khetan, Fanti and Oh, 2018, PacGAN, arXiv:1712.04086, section 4.1: 2,500 samples, a 3-sigma
rule, means over runs with their standard errors (see `keras_gen.metrics.mode_coverage`).

Shapes: points (N, 2).
"""

import io
import math

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_animation, save_figure
from keras_gen.metrics import mode_coverage, sliced_wasserstein


def measure(points, real, modes=None, scale=None):
    """The coverage of one model's samples, beside what perfect samples would have on average.

    Args:
        points: samples `(N, 2)`.
        real: held-out points `(M, 2)`.
        modes: centres `(K, 2)` of a mixture of equal Gaussians, or None where there is none.
        scale: their deviation.

    Returns:
        `{name: (value, perfect)}`: `modes`, `high_quality_share` and `reverse_kl`; without modes
        `sliced_wasserstein` of order 1, for which the perfect value is that of the held-out points
        in two halves.
    """
    if modes is None:
        half = len(real) // 2
        floor = sliced_wasserstein(real[:half], real[half:], order=1)
        return {"sliced_wasserstein": (sliced_wasserstein(real, points, order=1), floor)}
    found = mode_coverage(points, modes, scale)
    # Where no sample is good there is no share of modes: as bad as one mode alone.
    reverse_kl = math.log(len(modes)) if math.isnan(found.reverse_kl) else found.reverse_kl
    return {
        "modes": (found.modes, len(modes)),
        "high_quality_share": (found.high_quality_share, found.ceiling),
        "reverse_kl": (reverse_kl, (len(modes) - 1) / (2 * len(points))),
    }


def compare(train, labels, seeds, real, modes=None, scale=None, samples=2_500):
    """Trains models from several seeds and measures each.

    Args:
        train: a function of a label, a seed and `after` that trains a model and gives it, with
            `sample`; it calls `after(step, model)` as often as the movie shall have pictures.
        labels: which models, N.
        seeds: integers, at least one.
        real: held-out points `(M, 2)`.
        modes: as for `measure`.
        scale: likewise.
        samples: points that are judged.

    Returns:
        `(summaries, frames)`: `{label: what summarize gives}` over the seeds, and for the first
        seed `{step: {label: points}}`.
    """
    runs, frames = {label: [] for label in labels}, {}

    def draw(model):
        return np.asarray(model.sample(samples, seed=0)).reshape(-1, 2)

    for seed in seeds:
        for label in labels:

            def after(step, model, label=label, shown=seed == seeds[0]):
                if shown:
                    frames.setdefault(step, {})[label] = draw(model)

            model = train(label, seed, after)
            runs[label].append(measure(draw(model), real, modes, scale))
    return {label: summarize(each) for label, each in runs.items()}, frames


def as_metrics(name, summaries, protocol):
    """Summaries as `Demonstration.finish` takes them.

    Args:
        name: of the set of points, put before each metric's name.
        summaries: what `compare` gave.
        protocol: how it was measured.

    Returns:
        `{name: (mean, perfect, protocol with the standard error)}`.
    """
    return {
        f"{name}_{label}_{metric}": (mean, perfect, f"{protocol}, standard error {error:.3g}")
        for label, summary in summaries.items()
        for metric, (mean, perfect, error) in summary.items()
    }


def summarize(runs):
    """Means over runs.

    Args:
        runs: what `measure` gave for each seed, at least one.

    Returns:
        `{name: (mean, perfect, standard error)}`; of one run the error is 0.
    """
    summary = {}
    for name, (_, perfect) in runs[0].items():
        values = np.array([run[name][0] for run in runs], "float64")
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        summary[name] = (float(values.mean()), float(perfect), float(spread / len(values) ** 0.5))
    return summary


def table(summaries):
    """A table for people.

    Args:
        summaries: `{model: what summarize gave}`, of one set of points.

    Returns:
        Markdown, a row for each model and one for perfect data.
    """
    first = next(iter(summaries.values()))
    lines = ["| model | " + " | ".join(first) + " |", "| --- " * (len(first) + 1) + "|"]
    for model, summary in summaries.items():
        cells = (f"{mean:.3f} +- {error:.3f}" for mean, _, error in summary.values())
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    perfect = (f"{value:.3f}" for _, value, _ in first.values())
    return "\n".join([*lines, "| perfect data | " + " | ".join(perfect) + " |"])


def save_scatters(samples, real, path, title=None):
    """Draws the samples of several models side by side over the data, as PNG.

    Args:
        samples: `{model: points (N, 2)}`.
        real: held-out points `(M, 2)`.
        path: where to.
        title: over the whole, or None.
    """
    save_figure(_scatters(samples, real, title), path)


def save_movie(frames, real, path):
    """Draws how the samples of several models move in training, as GIF.

    Args:
        frames: `{training step: {model: points (N, 2)}}`, in order.
        real: held-out points `(M, 2)`.
        path: where to.
    """
    pictures = []
    for step, samples in frames.items():
        pictures.append(io.BytesIO())
        _scatters(samples, real, f"step {step:,}").savefig(pictures[-1], format="png", dpi=70)
    save_animation(pictures, path, milliseconds=250)


def _scatters(samples, real, title):
    low, high = real.min(axis=0), real.max(axis=0)
    margin = 0.2 * (high - low).max()
    columns = min(3, len(samples))
    rows = math.ceil(len(samples) / columns)
    figure = Figure(figsize=(3.2 * columns, 3.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(samples) :]:
        axis.set_axis_off()
    for axis, (model, points) in zip(axes, samples.items(), strict=False):
        axis.scatter(*real[:2500].T, s=2, color="0.8", linewidths=0)
        axis.scatter(*points.T, s=2, color="tab:blue", linewidths=0)
        axis.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
        axis.set_aspect("equal")
        axis.set_title(model, fontsize="medium")
        axis.tick_params(labelsize="small")
    if title:
        figure.suptitle(title)
    return figure
