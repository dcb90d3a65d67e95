"""Modes of image models: stacked digits, class histograms, duplicates.

Stacked MNIST (Metz et al. 2017, arXiv:1611.02163; the settings of Lin et al. 2018, PacGAN,
arXiv:1712.04086, section 4.2): three digits drawn at random are the three colour channels of an
image, 10^3 modes in all. A classifier of single digits names the mode of each generated image.

    modes  modes with at least one of 26,000 generated images
    kl     sum_k p_k log(p_k / q_k), p = shares of the generated images by mode, q = 1 / 1000

q is uniform in the authors' code; shares of real stacks may be given in its place. Neither number
is perfect for real data: n images in equal shares cover 1000 (1 - (1 - 1/1000)^n) modes on
average (`expected_modes`) and have a KL of about 999 / (2 n); and what the classifier gets wrong
invents modes. Measure real stacks of the test split beside the model.

Shapes: digits uint8 (N, H, W, 1); stacks uint8 (N, H, W, 3); probabilities (N, K).
"""

from typing import NamedTuple

import numpy as np

from keras_gen.metrics.neighbours import nearest_rows, squared_distances
from keras_gen.metrics.streaming import check_images, check_rows

_CLASSIFIED = 512  # images classified at a time


class StackedModes(NamedTuple):
    """What `stacked_modes` gives.

    Attributes:
        modes: modes with at least one image.
        num_modes: modes that there are: classes cubed.
        kl: nats; from the images' shares of the modes to `reference`'s.
        counts: images of each mode, int64 `(num_modes,)`; mode = 100 red + 10 green + blue.
    """

    modes: int
    num_modes: int
    kl: float
    counts: np.ndarray


def stack_digits(images, labels, num_images, seed, num_classes=10):
    """Draws images for the three channels independently, with replacement.

    Args:
        images: `(N, H, W, 1)`.
        labels: integers `(N,)`.
        num_images: stacks to draw.
        seed: a non-negative integer.
        num_classes: classes of the labels.

    Returns:
        `(stacks, modes)`: `(num_images, H, W, 3)` of the images' type, and int64 `(num_images,)`
        from 0 to `num_classes**3 - 1`.

    Raises:
        ValueError: images of another shape, or labels that do not go with them.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or images.shape[-1] != 1 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"images of shape {images.shape} and labels of shape {labels.shape}: give "
            "(N, H, W, 1) and (N,)."
        )
    chosen = np.random.default_rng(seed).integers(len(images), size=(num_images, 3))
    stacks = np.concatenate([images[chosen[:, channel]] for channel in range(3)], axis=-1)
    return stacks, _mode(labels[chosen], num_classes)


def stacked_modes(images, classifier, reference=None):
    """Which of the modes of stacked digits images show.

    Args:
        images: uint8 `(N, H, W, 3)`; the paper takes 26,000.
        classifier: takes uint8 images `(B, H, W, 1)` and gives an object whose `probabilities`
            are `(B, K)`. The most probable class counts.
        reference: None for equal shares; or counts of the K^3 modes in real data, such as
            `np.bincount(modes, minlength=1000)` of `stack_digits`.

    Returns:
        `StackedModes`. Its KL is infinite where an image shows a mode that `reference` lacks.

    Raises:
        ValueError: other images, or a reference of another size.
    """
    images = check_images("images", images)
    if images.shape[-1] != 3 or not len(images):
        raise ValueError(f"images of shape {images.shape}: give stacks (N, H, W, 3).")
    digits = []
    for channel in range(3):
        answers = [
            classifier(np.ascontiguousarray(images[at : at + _CLASSIFIED, ..., channel, None]))
            for at in range(0, len(images), _CLASSIFIED)
        ]
        probabilities = np.concatenate([np.asarray(answer.probabilities) for answer in answers])
        digits.append(probabilities.argmax(axis=1))
    num_classes = probabilities.shape[1]
    num_modes = num_classes**3
    counts = np.bincount(_mode(np.stack(digits, axis=1), num_classes), minlength=num_modes)
    reference = np.ones(num_modes) if reference is None else np.asarray(reference, "float64")
    if reference.shape != counts.shape:
        raise ValueError(f"reference of shape {reference.shape}: give counts ({num_modes},).")
    return StackedModes(int((counts > 0).sum()), num_modes, _divergence(counts, reference), counts)


def expected_modes(num_images, shares=1000):
    """How many modes perfect data show on average: `sum_k 1 - (1 - share_k)^num_images`.

    Args:
        num_images: images drawn.
        shares: shares `(K,)` of the modes, or a number of modes in equal shares.

    Returns:
        A float.
    """
    shares = np.full(shares, 1.0 / shares) if np.ndim(shares) == 0 else np.asarray(shares)
    return float((1.0 - (1.0 - shares) ** num_images).sum())


def class_histogram(probabilities):
    """Shares of the images by their most probable class.

    Args:
        probabilities: `(N, K)`, what a classifier answers for N images.

    Returns:
        float64 `(K,)`, sums to 1.
    """
    probabilities = check_rows("probabilities", probabilities, minimum=1)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return counts / counts.sum()


def duplicate_share(rows, threshold=0.0):
    """Share of the samples that have a near-identical other sample in the set.

    By the birthday paradox a generator that gives D images shows duplicates among some sqrt(D)
    samples (Arora and Zhang 2017, arXiv:1706.08224), where people had to compare them by eye.
    The share grows with the number of samples: compare sets of one size.

    Args:
        rows: images `(N, H, W, C)`, uint8 so that equal pixels are equal, or features `(N, D)`.
        threshold: the largest Euclidean distance that still counts, in the unit of the rows; 0
            for exact duplicates. `duplicate_threshold` gives one from real data.

    Returns:
        A float from 0 to 1.

    Raises:
        ValueError: fewer than two samples, or values that are not finite.
    """
    return float((_nearest_distances(rows) <= threshold).mean())


def duplicate_threshold(real, percentile=1.0):
    """A distance within which real samples hardly ever have a neighbour.

    Args:
        real: real images or features, as many as generated ones will be looked at: more samples
            lie nearer to each other.
        percentile: of the distances to the nearest other sample; so `duplicate_share(real)` is
            about that many hundredths.

    Returns:
        A distance for `duplicate_share`.
    """
    return float(np.percentile(_nearest_distances(real), percentile))


def _nearest_distances(rows):
    rows = np.asarray(rows)
    rows = check_rows("rows", rows.reshape(len(rows), -1), minimum=2).astype("float64")
    nearest = nearest_rows(None, rows, 1)[:, 0]
    return np.sqrt(squared_distances(rows, np.arange(len(rows)), rows, nearest))


def _mode(digits, num_classes):
    """The modes `(N,)` of digits `(N, 3)`."""
    return digits.astype("int64") @ np.array([num_classes**2, num_classes, 1])


def _divergence(counts, reference):
    from scipy.special import rel_entr  # p log(p / q), 0 at p = 0

    return float(rel_entr(counts / counts.sum(), reference / reference.sum()).sum())
