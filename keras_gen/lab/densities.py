"""Pictures of what a flow has made of the plane: its density, and its warped grid."""

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure

_CHUNK = 10_000  # points that a model takes at a time


def log_density_of(model, points):
    """The log-density of a model of points.

    Args:
        model: has `log_prob` of images `(N, 1, 1, 2)`.
        points: `(..., 2)`.

    Returns:
        Nats, float64 `(...)`.
    """
    flat = np.reshape(points, (-1, 1, 1, 2)).astype("float32")
    parts = [model.log_prob(flat[start : start + _CHUNK]) for start in range(0, len(flat), _CHUNK)]
    return tf.concat(parts, axis=0).numpy().astype("float64").reshape(np.shape(points)[:-1])


def lattice(low, high, count):
    """A square of points, float64 `(count, count, 2)`, rows along y, and the area of each."""
    ticks = np.linspace(low, high, count)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    return points, (ticks[1] - ticks[0]) ** 2


def save_densities(model, data, path, count=300):
    """Draws a model's density beside the true one, on the same colours, as PNG.

    Args:
        model: has `log_prob` of images `(N, 1, 1, 2)`.
        data: points with `log_density`.
        path: where to.
        count: points along each side.
    """
    limit = 1.15 * float(np.abs(data.examples).max())
    points, _ = lattice(-limit, limit, count)
    learned, true = (np.exp(log_density_of(model, points)), np.exp(data.log_density(points)))
    figure = Figure(figsize=(8.4, 4.3), layout="constrained")
    for axis, density, title in zip(
        figure.subplots(1, 2), (learned, true), ("learned density", "true density"), strict=True
    ):
        axis.imshow(
            density,
            origin="lower",
            extent=(-limit, limit, -limit, limit),
            vmin=0.0,
            vmax=float(true.max()),
            cmap="viridis",
        )
        axis.set_title(title)
    save_figure(figure, path)


def save_warped_grid(model, data, path, lines=21, reach=3.0):
    """Draws a square grid of latents, and where the model takes its lines, as PNG.

    Args:
        model: has `decode` of latents `(N, 2)`.
        data: points, shown beneath.
        path: where to.
        lines: in each direction.
        reach: of the grid, in deviations of the latents.
    """
    ticks, along = np.linspace(-reach, reach, lines), np.linspace(-reach, reach, 400)
    figure = Figure(figsize=(8.4, 4.3), layout="constrained")
    before, after = figure.subplots(1, 2)
    after.scatter(*data.examples.reshape(-1, 2)[:2_500].T, s=2, color="0.8", linewidths=0)
    for axis_of_line, color in ((0, "tab:blue"), (1, "tab:orange")):
        for tick in ticks:
            line = np.full((len(along), 2), tick, "float32")
            line[:, axis_of_line] = along
            before.plot(*line.T, color=color, linewidth=0.6)
            after.plot(*np.reshape(model.decode(line), (-1, 2)).T, color=color, linewidth=0.6)
    limit = 1.15 * float(np.abs(data.examples).max())
    after.set(xlim=(-limit, limit), ylim=(-limit, limit), title="where the flow takes it")
    before.set_title("a grid of latents")
    for axis in (before, after):
        axis.set_aspect("equal")
    save_figure(figure, path)
