"""Directions of features in the latent space of a frozen generator, found with a classifier.

Shen, Gu, Tang and Zhou, 2020, Interpreting the Latent Space of GANs for Semantic Face Editing
(InterFaceGAN), arXiv:1907.10786. Nothing is trained but linear boundaries: latents are drawn,
decoded and read by a classifier; the unit normal n of the boundary between images with a feature
and without it is the feature's direction, and z + amount * n has more of it ("single attribute
manipulation"). Where directions of several features are not at right angles, moving along one
moves the others; with their span taken out of n they stay ("conditional manipulation"), exactly
so where scores are linear in z.

A feature is a pair `(factor, value)`: one value against the rest, such as `("hair", 2)`;
or `(factor, None)` for a factor whose values are ordered, such as a size.

Differences from the paper: logistic regression for the support vector machine; and the images
without a feature are, in equal parts, those that show each other value best, not those with the
lowest score, which in a factor of many values would all show the same one.

Shapes: latents (N, D); scores {factor: (N, K)}; a direction (D,), of length 1.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax
from sklearn.linear_model import LinearRegression, LogisticRegression

from keras_gen.latent.access import CHUNK, as_latents, check_count, decode_in_chunks
from keras_gen.latent.prior import draw_latents

HELD_OUT = 0.3  # of the latents, as in the paper
MINIMUM = 20  # latents on either side of a boundary


class Labelled(NamedTuple):
    """Latents and what a classifier reads in their images.

    Attributes:
        latents: float32 `(N, D)`.
        log_probabilities: `{factor: float32 (N, K)}`, of each of the factor's K values.
    """

    latents: np.ndarray
    log_probabilities: dict

    def values(self, factor):
        """The most probable value of a factor in each image, `(N,)`."""
        return self.log_probabilities[factor].argmax(axis=-1)


def label_latents(model, classifier, num_latents=None, *, latents=None, seed=0, chunk=CHUNK):
    """Draws latents, decodes them and has the classifier read the images.

    Args:
        model: a model with `decode` and `latent_dim`.
        classifier: a callable from images `(B, H, W, C)` in the model's value range to
            `{factor: (B, K)}`, logits or log-probabilities.
        num_latents: how many to draw, N.
        latents: `(N, D)`, to be taken instead of drawn ones.
        seed: an integer that decides the drawn latents.
        chunk: images decoded and read at a time: bounds the memory.

    Returns:
        A `Labelled`.

    Raises:
        ValueError: neither or both of `num_latents` and `latents` are given, or the classifier
            gives anything but such scores.
    """
    if (num_latents is None) == (latents is None):
        raise ValueError("Give either num_latents or latents.")
    check_count("chunk", chunk)
    latents = draw_latents(model, num_latents, seed) if latents is None else latents
    latents = as_latents(model, latents)
    parts = []
    for start in range(0, len(latents), chunk):
        scores = classifier(decode_in_chunks(model, latents[start : start + chunk], chunk))
        if not isinstance(scores, dict) or not scores:
            raise ValueError(
                f"classifier gave {type(scores).__name__}: give one that returns "
                "{factor: scores (B, K)}."
            )
        parts.append({name: log_softmax(np.asarray(s), axis=-1) for name, s in scores.items()})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Labelled(latents, joined)


class Boundary(NamedTuple):
    """The direction of a feature and how well a linear boundary separates it.

    Attributes:
        direction: float32 `(D,)` of length 1, towards more of the feature.
        fit: on latents that had no part in the fit: the share on the right side of the boundary,
            half of them with the feature; for ordered factors the coefficient of determination.
    """

    direction: np.ndarray
    fit: float


def fit_boundaries(labelled, ordered=(), samples=500, seed=0):
    """The boundaries of all features that the images show.

    For one value against the rest, the `samples` latents that show the value with most confidence
    stand against as many that show others, in equal parts by value. A value that is read in less
    than 20 of the images is left out.

    Args:
        labelled: a `Labelled`.
        ordered: names of factors whose values are ordered: one direction each, by regression of
            the expected value on the latents.
        samples: how many latents with the feature, at most; as many without it.
        seed: an integer that decides which latents are held out.

    Returns:
        `{(factor, value): Boundary}`, in the order of the factors and values.

    Raises:
        ValueError: `ordered` names a factor that is not there, or `samples` is less than 20.
    """
    check_count("samples", samples, least=MINIMUM)
    unknown = sorted(set(ordered) - set(labelled.log_probabilities))
    if unknown:
        known = ", ".join(labelled.log_probabilities)
        raise ValueError(f"ordered={ordered!r}: {unknown[0]!r} is no factor; there are {known}.")
    boundaries = {}
    for factor, log_probabilities in labelled.log_probabilities.items():
        if factor in ordered:
            boundaries[factor, None] = _regression(labelled, factor, seed)
            continue
        for value in range(log_probabilities.shape[-1]):
            boundary = _one_against_rest(labelled, factor, value, samples, seed)
            if boundary is not None:
                boundaries[factor, value] = boundary
    return boundaries


def _one_against_rest(labelled, factor, value, samples, seed):
    """The `Boundary` of a value, or None where it, or all other values, are hardly ever shown."""
    best = _most_confident(labelled, factor)
    with_value = best[value][:samples]
    others = [rows for other, rows in best.items() if other != value and len(rows)]
    if len(with_value) < MINIMUM or sum(map(len, others)) < MINIMUM:
        return None
    without = _evenly(others, len(with_value))
    rows = np.concatenate([with_value, without])
    shown = np.repeat([1, 0], [len(with_value), len(without)])
    fitted, held_out = _split(len(rows), seed)
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    classifier.fit(labelled.latents[rows[fitted]], shown[fitted])
    right = classifier.predict(labelled.latents[rows[held_out]]) == shown[held_out]
    shares = [right[shown[held_out] == side].mean() for side in (0, 1)]
    return Boundary(_unit(classifier.coef_[0]), float(np.mean(shares)))


def _most_confident(labelled, factor):
    """For each value, the latents whose images are read as it, the most confident first."""
    log_probabilities = labelled.log_probabilities[factor]
    values = labelled.values(factor)
    # Of all other values together: log(1 - p) would round to 0 where p is nearly 1.
    rest = np.where(np.arange(log_probabilities.shape[-1]) == values[:, None], -np.inf, 0.0)
    doubt = np.logaddexp.reduce(log_probabilities + rest, axis=-1)
    order = np.argsort(doubt, kind="stable")
    return {value: order[values[order] == value] for value in range(log_probabilities.shape[-1])}


def _evenly(groups, count):
    """At most `count` rows, the first of each group in turn until they are enough."""
    turns = [(turn, row) for group in groups for turn, row in enumerate(group[:count])]
    return np.array([row for _, row in sorted(turns, key=lambda pair: pair[0])[:count]])


def _regression(labelled, factor, seed):
    log_probabilities = labelled.log_probabilities[factor]
    expected = np.exp(log_probabilities) @ np.arange(log_probabilities.shape[-1])
    fitted, held_out = _split(len(expected), seed)
    regression = LinearRegression().fit(labelled.latents[fitted], expected[fitted])
    score = regression.score(labelled.latents[held_out], expected[held_out])
    return Boundary(_unit(regression.coef_), float(score))


def _split(count, seed):
    order = np.random.default_rng(seed).permutation(count)
    held_out = max(1, round(HELD_OUT * count))
    return order[held_out:], order[:held_out]


def _unit(vector):
    vector = np.asarray(vector, "float64")
    return (vector / np.linalg.norm(vector)).astype("float32")


# ---------------------------------------------------------------------- holding others


def project_out(direction, held):
    """The part of a direction at right angles to all held ones, with length 1 again.

    n' = n - H^T c with c from least squares, so that held directions that are not at right angles
    to each other, or depend on each other, need no care. For one held direction of length 1 this is
    the paper's n1 - (n1^T n2) n2.

    Args:
        direction: `(D,)`.
        held: `(M, D)`, the directions to hold, of any length; M may be 0.

    Returns:
        float32 `(D,)` of length 1.

    Raises:
        ValueError: nothing is left: the held directions span the direction.
    """
    direction = np.asarray(direction, "float64")
    held = np.asarray(held, "float64").reshape(-1, len(direction))
    coefficients = np.linalg.lstsq(held.T, direction, rcond=None)[0]
    remainder = direction - held.T @ coefficients
    if np.linalg.norm(remainder) < 1e-6 * np.linalg.norm(direction):
        raise ValueError(
            f"Nothing is left of the direction: the {len(held)} held ones span it. Hold fewer, or "
            "take a model with more latent dimensions."
        )
    return _unit(remainder)


def hold_other_factors(directions):
    """Every direction with those of all other factors projected out.

    Directions of the same factor stay: more of one value is less of the others.

    Args:
        directions: `{(factor, value): (D,)}`.

    Returns:
        The same features with directions that hold the other factors.
    """
    return {
        feature: project_out(
            direction, [other for (name, _), other in directions.items() if name != feature[0]]
        )
        for feature, direction in directions.items()
    }


def move(latents, directions, amount):
    """Moves latents along each direction: z + amount * n.

    Args:
        latents: `(N, D)`.
        directions: `{(factor, value): (D,)}`, of length 1.
        amount: how far, in units of z (a standard deviation of a normal prior is 1); a number, or
            `{factor: number}`.

    Returns:
        `{(factor, value): float32 (N, D)}`.
    """
    return {
        (factor, value): np.asarray(
            latents + (amount[factor] if isinstance(amount, dict) else amount) * direction,
            "float32",
        )
        for (factor, value), direction in directions.items()
    }
