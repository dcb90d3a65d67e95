"""Pictures of what the latent tools give: a labelled PNG of each, and a GIF of what moves.

Each function takes the result of one tool, the model's value range and a path, and writes
atomically.
"""

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import image_grid, save_figure, save_frames, save_labelled_grid

MOST_COLUMNS = 11  # of a path: more of them are too small to see; the GIF shows all
MOST_IMAGES = 16
MOST_EXAMPLES = 4
GIF_SIDE = 480  # pixels: small frames are enlarged by a whole number, up to this


def save_interpolation(result, value_range, path, gif_path=None, title="Interpolation"):
    """Draws an `Interpolation`: a row for each pair, from its start on the left to its end.

    Args:
        result: what `interpolate` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG.
        gif_path: None, or where to write all steps as a GIF that runs forth and back.
        title: the figure's title.
    """
    shown = _spread(len(result.fractions), MOST_COLUMNS)
    save_labelled_grid(
        result.images[:, shown],
        value_range,
        path,
        title=title,
        row_labels=[f"pair {pair}" for pair in range(len(result.images))],
        column_labels=[f"{fraction:.2f}" for fraction in result.fractions[shown]],
    )
    _save_gif(result.images, value_range, gif_path)


def save_traversal(result, value_range, path, gif_path=None, title="Traversal"):
    """Draws a `Traversal`: a row for each coordinate, with the values that it takes.

    Args:
        result: what `traverse` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG.
        gif_path: None, or where to write all values as a GIF that runs forth and back.
        title: the figure's title.
    """
    shown = _spread(result.values.shape[1], MOST_COLUMNS)
    rows = [f"z[{coordinate}]" for coordinate in result.coordinates]
    columns = None
    if (result.values == result.values[0]).all():
        columns = [f"{value:.2f}" for value in result.values[0, shown]]
    else:  # quantiles of coordinates with priors of their own
        ends = result.values[:, [0, -1]]
        rows = [
            f"{row}\n{low:.2g} to {high:.2g}" for row, (low, high) in zip(rows, ends, strict=True)
        ]
    save_labelled_grid(
        result.images[:, shown],
        value_range,
        path,
        title=title,
        row_labels=rows,
        column_labels=columns,
    )
    _save_gif(result.images, value_range, gif_path)


def save_arithmetic(result, value_range, path, title="Latent arithmetic"):
    """Draws an `Arithmetic`: three columns of examples with their mean below, then the results.

    Args:
        result: what `latent_arithmetic` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG. Of each concept, the first examples are shown.
        title: the figure's title.
    """
    rows = max(min(len(each), MOST_EXAMPLES) for each in result.examples)
    figure = Figure(figsize=(9.0, 1.2 * rows + 2.2), layout="constrained")
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 3), height_ratios=(rows, 1))
    for column, (name, examples) in enumerate(
        zip(("A", "\N{MINUS SIGN} B", "+ C"), result.examples, strict=True)
    ):
        shown = examples[:MOST_EXAMPLES]
        caption = f"{name}\n{len(shown)} of {len(examples)}"
        column_of_images = image_grid(shown, value_range, columns=1)
        _panel(figure.add_subplot(grid[0, column]), column_of_images, caption)
        mean = image_grid(result.means[column : column + 1], value_range)
        _panel(figure.add_subplot(grid[1, column]), mean, "mean")
    neighbours = image_grid(result.images, value_range, columns=3)
    caption = "= A \N{MINUS SIGN} B + C in the centre,\nwith noise around it"
    _panel(figure.add_subplot(grid[:, 3]), neighbours, caption)
    figure.suptitle(title, fontsize="medium")
    save_figure(figure, path)


def save_manifold(result, value_range, path, title="Manifold"):
    """Draws a `Manifold`, with the values of both coordinates.

    Args:
        result: what `draw_manifold` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG.
        title: the figure's title.
    """
    save_labelled_grid(
        result.images,
        value_range,
        path,
        title=f"{title}: z[0] to the right, z[1] upwards",
        row_labels=[f"{value:.2f}" for value in result.values[::-1, 1]],
        column_labels=[f"{value:.2f}" for value in result.values[:, 0]],
    )


def save_truncation(result, value_range, path, title="Truncation"):
    """Draws a `Truncation`: a row for each threshold.

    Args:
        result: what `sample_truncated` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG. At each threshold the first images are shown.
        title: the figure's title.
    """
    sign = "factor" if result.kind == "factor" else "|z| \N{LESS-THAN OR EQUAL TO}"
    save_labelled_grid(
        result.images[:, :MOST_IMAGES],
        value_range,
        path,
        title=title,
        row_labels=[
            "no truncation" if each is None else f"{sign} {each:g}" for each in result.thresholds
        ],
    )


def save_truncation_curve(rows, path, fidelity="precision", diversity="recall", title=None):
    """Plots fidelity against diversity, each point labelled with its threshold, or "none".

    Args:
        rows: what `truncation_curve` gave.
        path: where to, PNG.
        fidelity: the entry of the rows that is plotted upwards.
        diversity: the entry that is plotted to the right.
        title: the figure's title; by default it names the two.

    Raises:
        ValueError: the rows have no such entry.
    """
    for name, entry in (("fidelity", fidelity), ("diversity", diversity)):
        if not all(entry in row for row in rows):
            raise ValueError(f"{name}={entry!r}: the rows have {', '.join(rows[0])}. Give one.")
    # Thresholds that change nothing give the same point, which then has several labels.
    labels = {}
    for row in rows:
        label = "none" if row["truncation"] is None else f"{row['truncation']:g}"
        labels.setdefault((row[diversity], row[fidelity]), []).append(label)
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.plot([row[diversity] for row in rows], [row[fidelity] for row in rows], marker="o")
    for point, names in labels.items():
        axis.annotate(", ".join(names), point, xytext=(6, 6), textcoords="offset points")
    axis.set_xlabel(f"{diversity} (diversity)")
    axis.set_ylabel(f"{fidelity} (fidelity)")
    axis.margins(0.2)  # room for the labels
    axis.grid(alpha=0.3)
    axis.set_title(title or "Truncation: fidelity against diversity", fontsize="medium")
    save_figure(figure, path)


def save_projection(result, value_range, path, title="Projection"):
    """Draws a `Projection`: targets, reconstructions and their absolute difference, with errors.

    Args:
        result: what `project` gave.
        value_range: `(low, high)` of the images.
        path: where to, PNG. The first images are shown.
        title: the figure's title.
    """
    targets, images = result.targets[:MOST_IMAGES], result.images[:MOST_IMAGES]
    differences = value_range[0] + np.abs(targets - images)  # no difference is black
    save_labelled_grid(
        np.stack([targets, images, differences]),
        value_range,
        path,
        title=f"{title}: {len(targets)} of {len(result.targets)} images, mean squared error each",
        row_labels=["target", "reconstruction", "difference"],
        column_labels=[f"{error:.3g}" for error in result.errors[:MOST_IMAGES]],
    )


def save_neighbours(result, value_range, path, title="Nearest neighbours"):
    """Draws `Neighbours`: each query in the first column, its neighbours with distances after it.

    Args:
        result: what `nearest_neighbours` gave.
        value_range: `(low, high)` of the images; uint8 ones are 0 to 255 whatever it is.
        path: where to, PNG. The first queries are shown.
        title: the figure's title.
    """
    if result.queries.dtype == np.uint8:
        value_range = (0, 255)
    rows = np.concatenate([result.queries[:, None], result.images], axis=1)[:MOST_IMAGES]
    figure = Figure(figsize=(1.1 * rows.shape[1], 1.35 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), rows.shape[1], squeeze=False)
    for row in range(len(rows)):
        captions = ["query", *(f"{distance:.3g}" for distance in result.distances[row])]
        for axis, image, caption in zip(axes[row], rows[row], captions, strict=True):
            _panel(axis, image_grid(image[None], value_range), caption)
    figure.suptitle(f"{title}: distances over them", fontsize="medium")
    save_figure(figure, path)


def _panel(axis, pixels, caption):
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_title(caption, fontsize="small")
    axis.set_axis_off()


def _spread(count, most):
    """Indices of at most `most` of `count` things, first and last among them, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _save_gif(images, value_range, path):
    """Writes `(rows, steps, H, W, C)` as a GIF of one frame a step, enlarged where small."""
    if path is None:
        return
    frames = [image_grid(images[:, step], value_range) for step in range(images.shape[1])]
    times = max(1, GIF_SIDE // max(frames[0].shape[:2]))
    save_frames([frame.repeat(times, axis=0).repeat(times, axis=1) for frame in frames], path)
