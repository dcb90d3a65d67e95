"""Pictures: image grids, labelled grids, animations and curves."""

import io
import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from keras_gen.artifacts.files import write_atomic

_UNITS = {"second": "images / s", "dim": "bits / dimension"}  # by the end of a name


def image_grid(images, value_range, columns=None, padding=1):
    """Lays images out in rows and columns, nearest to a square.

    Args:
        images: `(N, H, W, C)` in `value_range`, C 1 or 3.
        value_range: `(low, high)`; low becomes black, high white; values beyond are clipped.
        columns: images in a row; by default the root of N, rounded up.
        padding: black pixels between images.

    Returns:
        uint8 `(rows, columns)` for C = 1, else `(rows, columns, 3)`.

    Raises:
        ValueError: not a batch of images.
    """
    images = np.asarray(images, "float32")
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(f"images of shape {images.shape}: give (N, H, W, C) with C 1 or 3.")
    low, high = value_range
    pixels = np.clip((images - low) / (high - low), 0.0, 1.0) * 255.0
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    grid = np.zeros(
        (rows * (height + padding) - padding, columns * (width + padding) - padding, channels),
        "uint8",
    )
    for index, image in enumerate(np.round(pixels).astype("uint8")):
        top = index // columns * (height + padding)
        left = index % columns * (width + padding)
        grid[top : top + height, left : left + width] = image
    return grid[..., 0] if channels == 1 else grid


def point_cloud(points, value_range, pixels=300):
    """Draws points in the plane.

    Args:
        points: `(N, 2)`.
        value_range: `(low, high)` of both axes.
        pixels: side of the picture.

    Returns:
        uint8 `(pixels, pixels, 3)`.
    """
    figure = Figure(figsize=(3, 3), dpi=pixels / 3)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=value_range, ylim=value_range)
    axes.scatter(*np.asarray(points).T, s=2, color="tab:blue", linewidths=0)
    axes.set_axis_off()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_image(array, path):
    """Writes a uint8 array `(H, W)` or `(H, W, 3)` as PNG, atomically."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    write_atomic(path, buffer.getvalue())


def save_animation(frame_paths, path, milliseconds=150):
    """Writes picture files as an endless GIF whose last frame stays for two seconds.

    Args:
        frame_paths: picture files of one size, in order; at least one.
        path: where to.
        milliseconds: how long a frame stays.
    """
    frames = []
    for frame_path in frame_paths:
        with Image.open(frame_path) as frame:
            frames.append(_paletted(frame))
    _save_gif(frames, path, [milliseconds] * (len(frames) - 1) + [2000])


def save_frames(arrays, path, milliseconds=80):
    """Writes uint8 arrays `(H, W)` or `(H, W, 3)` as a GIF that runs to its end and back, endless.

    Args:
        arrays: frames of one size, in order; at least one.
        path: where to.
        milliseconds: how long a frame stays.
    """
    frames = [_paletted(Image.fromarray(array)) for array in arrays]
    frames += frames[-2:0:-1]
    _save_gif(frames, path, [milliseconds] * len(frames))


def _paletted(frame):
    # The colours of the frame itself: the default palette would dither.
    return frame.quantize(256) if frame.mode == "RGB" else frame.convert("P")


def _save_gif(frames, path, durations):
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    write_atomic(path, buffer.getvalue())


def save_curves(rows, path, title):
    """Plots the columns of a history against the step, one panel for each unit.

    Where the first twentieth of the training would press the rest of it into a flat line, it runs
    out of the panel; so does one value in a hundred, which is then said in the panel.

    Args:
        rows: dicts with `step` and the logged values.
        path: where to, PNG.
        title: the figure's title.
    """
    names = [name for name in rows[0] if name not in ("step", "epoch", "seconds")]
    # What ends alike is of one unit and shares a panel: losses, probabilities, images a second.
    panels = {}
    for name in names:
        panels.setdefault(name.rsplit("_", 1)[-1], []).append(name)
    figure = Figure(figsize=(8, 2.6 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    steps = [row["step"] for row in rows]
    for axis, (unit, members) in zip(axes, panels.items(), strict=True):
        for name in members:
            axis.plot(steps, [row[name] for row in rows], label=name.replace("_", " "))
        axis.set_ylabel(_UNITS.get(unit, unit))
        if limits := _limits([[row[name] for row in rows] for name in members]):
            axis.set_ylim(limits)
            kept = [row[name] for name in members for row in rows[len(rows) // 20 :]]
            if min(kept) < limits[0] or max(kept) > limits[1]:
                beyond = f"peaks from {min(kept):.4g} to {max(kept):.4g}"
                axis.text(0.01, 0.03, beyond, transform=axis.transAxes, fontsize="small")
        axis.grid(alpha=0.3)
        axis.legend(loc="best", fontsize="small")
    axes[0].set_title(title)
    axes[-1].set_xlabel("training step")
    save_figure(figure, path)


def _limits(columns):
    """The lowest and highest value to show; None to show all.

    Args:
        columns: lists of a value at each step.
    """
    whole = [value for column in columns for value in column]
    rest = [value for column in columns for value in column[len(column) // 20 :]]
    low, high = min(rest), max(rest)
    inner = np.quantile(rest, [0.005, 0.995])
    if 0.0 < 10.0 * np.ptp(inner) < high - low:
        low, high = inner
    elif not 0.0 < 2.0 * (high - low) < max(whole) - min(whole):
        return None
    span = high - low
    return low - 0.1 * span, high + 0.1 * span


def save_figure(figure, path):
    """Writes a matplotlib figure as PNG, atomically.

    Make it as `matplotlib.figure.Figure(layout="constrained")`: pyplot would keep it alive.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomic(path, buffer.getvalue())


def save_labelled_grid(
    images, value_range, path, *, title=None, row_labels=None, column_labels=None
):
    """Draws rows of images with a label beside each row and over each column, as PNG.

    Args:
        images: `(rows, columns, H, W, C)` in `value_range`, C 1 or 3.
        value_range: `(low, high)`; low becomes black, high white; values beyond are clipped.
        path: where to.
        title: the figure's title, or None.
        row_labels: one text for each row, or None.
        column_labels: one text for each column, or None.

    Raises:
        ValueError: not such images, or another number of labels than rows or columns.
    """
    images = np.asarray(images, "float32")
    if images.ndim != 5:
        raise ValueError(f"images of shape {images.shape}: give (rows, columns, H, W, C).")
    rows, columns, height, width, _ = images.shape
    for name, labels, count in (
        ("row_labels", row_labels, rows),
        ("column_labels", column_labels, columns),
    ):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{name}: {len(labels)} texts for {count} {name.split('_')[0]}s.")
    grid = image_grid(images.reshape(-1, *images.shape[2:]), value_range, columns=columns)
    side = min(1.0, 14.0 / columns)  # inches an image
    figure = Figure(figsize=(columns * side + 1.5, rows * side * height / width + 0.9))
    figure.set_layout_engine("constrained")
    axis = figure.subplots()
    axis.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_xticks([column * (width + 1) + width / 2 for column in range(columns)])
    axis.set_xticklabels(column_labels or [""] * columns, fontsize="small")
    axis.set_yticks([row * (height + 1) + height / 2 for row in range(rows)])
    axis.set_yticklabels(row_labels or [""] * rows, fontsize="small")
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if title:
        figure.suptitle(title, fontsize="medium")
    save_figure(figure, path)
