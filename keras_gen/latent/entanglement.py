"""Entanglement: what else changes when one feature of generated images is moved.

The matrix has a row for each factor moved and a column for each factor observed. Entry (i, j) is
the share of images whose factor j is read as another value after factor i has been moved. A
perfect control has 1 on the diagonal and 0 elsewhere. Low values elsewhere mean nothing where the
diagonal is low too: a latent that hardly moves changes nothing.

The measure is only as good as the classifier, whose errors on generated images count as changes.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure, save_labelled_grid
from keras_gen.latent.access import decode_in_chunks
from keras_gen.latent.directions import label_latents, move


class Entanglement(NamedTuple):
    """What moves have changed. F factors observed, M factors moved; each in order.

    Attributes:
        moved: names of the factors moved, the rows.
        observed: names of the factors observed, the columns.
        changed: float64 `(M, F)`: share of images whose factor is read as another value.
        shifted: float64 `(M, F)`: mean change of the factor's probabilities, half of the sum of
            absolute differences, in [0, 1]: also sees changes that stay below the boundary.
        reached: float64 `(M,)`: share of images that show the value they were moved to; NaN for a
            factor with ordered values, whose moves aim at none.
    """

    moved: tuple
    observed: tuple
    changed: np.ndarray
    shifted: np.ndarray
    reached: np.ndarray


def measure_entanglement(model, classifier, latents, moved):
    """Reads images before and after moves and counts what changed.

    Images that show a value already are left out of the moves to it. A factor's row is the mean
    over its features, each with the same weight.

    Args:
        model: a model with `decode` and `latent_dim`.
        classifier: a callable from images `(B, H, W, C)` in the model's value range to
            `{factor: (B, K)}`, logits or log-probabilities.
        latents: `(N, D)` before the move.
        moved: `{(factor, value): (N, D)}` after the move of each feature.

    Returns:
        An `Entanglement`.

    Raises:
        ValueError: nothing is moved, or a moved factor is none of the classifier's.
    """
    before = label_latents(model, classifier, latents=latents)
    observed = tuple(before.log_probabilities)
    unknown = [factor for factor, _ in moved if factor not in observed]
    if not moved or unknown:
        raise ValueError(
            f"moved={list(moved)!r}: give features of at least one of {', '.join(observed)}."
        )
    rows = {factor: [] for factor in observed}
    for (factor, value), after in moved.items():
        count = before.values(factor) != value if value is not None else slice(None)
        if len(before.latents[count]):
            after = label_latents(model, classifier, latents=np.asarray(after)[count])
            rows[factor].append(_changes(before, count, after, factor, value))
    rows = {factor: np.mean(changes, axis=0) for factor, changes in rows.items() if changes}
    table = np.stack(list(rows.values()))
    width = len(observed)
    return Entanglement(tuple(rows), observed, table[:, :width], table[:, width:-1], table[:, -1])


def _changes(before, count, after, factor, value):
    """One feature's row: shares changed, shifts of probability, and the share that reached it."""
    changed, shifted = [], []
    for name, log_probabilities in before.log_probabilities.items():
        changed.append(np.mean(before.values(name)[count] != after.values(name)))
        difference = np.exp(log_probabilities[count]) - np.exp(after.log_probabilities[name])
        shifted.append(np.abs(difference).sum(axis=-1).mean() / 2)
    reached = np.nan if value is None else np.mean(after.values(factor) == value)
    return np.array([*changed, *shifted, reached])


def control(entanglement):
    """The mean share changed of the factors moved, and of all others: diagonal and the rest.

    Args:
        entanglement: an `Entanglement` of at least two observed factors.

    Returns:
        `(moved, others)`, floats in [0, 1]; 1 and 0 are perfect.

    Raises:
        ValueError: only one factor is observed.
    """
    if len(entanglement.observed) < 2:
        raise ValueError("One factor alone cannot be entangled: observe at least two.")
    own = np.array(
        [[row == column for column in entanglement.observed] for row in entanglement.moved]
    )
    return float(entanglement.changed[own].mean()), float(entanglement.changed[~own].mean())


def matching_amounts(model, classifier, latents, directions, share=0.5, limit=8.0, steps=7):
    """How far to move along the directions of each factor until it changes in a given share.

    Directions that hold others are weaker: the same amount moves less along them, and what moves
    less changes less. Only at amounts that change the moved factor equally often does it show in
    the other columns whether holding has helped.

    Args:
        model: as for `measure_entanglement`.
        classifier: as for `measure_entanglement`.
        latents: `(N, D)` before the move.
        directions: `{(factor, value): (D,)}`, of length 1.
        share: of images whose moved factor shall be read as another value.
        limit: the most that is tried, and the answer where it is not enough.
        steps: halvings of the interval from 0 to `limit`.

    Returns:
        `{factor: amount}`.
    """
    amounts = {}
    for factor in dict.fromkeys(factor for factor, _ in directions):
        own = {feature: each for feature, each in directions.items() if feature[0] == factor}
        low, high = 0.0, limit
        for _ in range(steps):
            middle = (low + high) / 2
            result = measure_entanglement(model, classifier, latents, move(latents, own, middle))
            enough = result.changed[0, result.observed.index(factor)] >= share
            low, high = (low, middle) if enough else (middle, high)
        amounts[factor] = high
    return amounts


def save_entanglement(entanglements, path, title=None):
    """Draws matrices of shares changed side by side, with their numbers, as PNG.

    Args:
        entanglements: `{title: Entanglement}`, at least one.
        path: where to.
        title: the figure's title, or None.
    """
    first = next(iter(entanglements.values()))
    side = 0.75 * len(first.observed)
    figure = Figure(
        figsize=((side + 1.6) * len(entanglements) + 0.6, 0.75 * len(first.moved) + 1.6),
        layout="constrained",
    )
    axes = figure.subplots(1, len(entanglements), squeeze=False)[0]
    for axis, (name, entanglement) in zip(axes, entanglements.items(), strict=True):
        picture = _draw(axis, entanglement)
        axis.set_title(name, fontsize="medium")
    axes[0].set_ylabel("factor moved")
    figure.colorbar(picture, ax=axes, label="share of images changed", shrink=0.8)
    if title:
        figure.suptitle(title)
    save_figure(figure, path)


def _draw(axis, entanglement):
    picture = axis.imshow(entanglement.changed, vmin=0.0, vmax=1.0, cmap="viridis")
    axis.set_xticks(range(len(entanglement.observed)), entanglement.observed, rotation=40)
    axis.set_yticks(range(len(entanglement.moved)), entanglement.moved)
    axis.set_xlabel("factor that changed")
    for (row, column), share in np.ndenumerate(entanglement.changed):
        colour = "black" if share > 0.6 else "white"
        axis.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour)
    return picture


def save_moves(model, latent, directions, amounts, path, title=None, names=None):
    """Draws what one latent becomes along each direction, a labelled row each, as PNG.

    Args:
        model: a model with `decode`, `latent_dim` and `value_range`.
        latent: `(D,)`, where all rows start.
        directions: `{(factor, value): (D,)}` of length 1.
        amounts: how far, one column each.
        path: where to.
        title: the figure's title, or None.
        names: `{factor: names of its values}`, or None to number them.
    """
    amounts = np.asarray(amounts, "float32")
    steps = amounts[:, None] * np.stack(list(directions.values()))[:, None]
    save_labelled_grid(
        decode_in_chunks(model, np.asarray(latent) + steps),
        model.value_range,
        path,
        title=title,
        # On two lines: there is little room beside the picture.
        row_labels=[feature_name(each, names).replace(" ", "\n", 1) for each in directions],
        column_labels=[f"{amount:+.1f}" if amount else "0" for amount in amounts],
    )


def save_values(model, latent, moved, path, title=None):
    """Draws one image and what it becomes when moved to each value, a row each factor, as PNG.

    Args:
        model: a model with `decode`, `latent_dim` and `value_range`.
        latent: `(D,)` before the move, shown first in every row.
        moved: `{(factor, value): (D,)}` after the move.
        path: where to.
        title: the figure's title, or None.
    """
    factors = list(dict.fromkeys(factor for factor, _ in moved))
    count = 1 + max(value for _, value in moved)
    images = decode_in_chunks(model, np.stack([latent, *moved.values()]))
    # Factors with fewer values leave the rest of their row black.
    rows = np.full((len(factors), 1 + count, *images.shape[1:]), model.value_range[0], "float32")
    rows[:, 0] = images[0]
    for (factor, value), image in zip(moved, images[1:], strict=True):
        rows[factors.index(factor), 1 + value] = image
    columns = ["start", *map(str, range(count))]
    save_labelled_grid(
        rows, model.value_range, path, title=title, row_labels=factors, column_labels=columns
    )


def feature_name(feature, names=None):
    """A feature as text: `hair 2`, `direction front`, or `size` for ordered values."""
    factor, value = feature
    if value is None:
        return factor
    return f"{factor} {names[factor][value] if names and names.get(factor) else value}"
