"""Memorization: are generated samples nearer to the training set than new real ones are?

Meehan, Chaudhuri and Dasgupta, 2020, A Non-Parametric Test to Detect Data-Copying in Generative
Models, arXiv:2004.05675. Held-out test samples are independent of the training set, so their
distances to its nearest members show how near is near; a generator that copies stays below.

    distance(x) = min over training samples t of |x - t|
    z = (U - m n / 2) / sqrt(m n (m + n + 1) / 12),
    U = number of pairs with distance(generated) > distance(test), of m generated and n test

z is about N(0, 1) where generated samples are as new as test ones, far below zero where they are
copies, far above where they lie off the data. It is the paper's Z_U over the whole space; the
paper's C_T averages it over the cells of a k-means partition. A few copies hardly move it: the
share below the test distances' first percentile is there for those.

Shapes: rows (N, D), in a feature space or pixels.
"""

import dataclasses

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.neighbours import nearest_rows, squared_distances
from keras_gen.metrics.streaming import KeptRows, check_two_sets


@dataclasses.dataclass(frozen=True)
class Memorization:
    """What `memorization` gives.

    Attributes:
        share_nearer: share of generated samples whose distance to the training set is at most
            `threshold`; about `percentile` / 100 for new samples, 1 for copies.
        test_share: the same share of the test samples: `percentile` / 100, or more where the test
            set itself holds that many duplicates of training samples.
        percentile: which percentile of the test samples' distances `threshold` is.
        threshold: distance, in the rows' unit.
        generated_median: of the generated samples' distances.
        test_median: of the test samples' distances.
        z_score: of the Mann-Whitney test; far below 0 is copying.
        generated_indices: `(M,)`, the generated samples from nearest to the training set on.
        training_indices: `(M,)`, the training sample that is nearest to each of these.
        distances: `(M,)`, how far it is, ascending.
    """

    share_nearer: float
    test_share: float
    percentile: float
    threshold: float
    generated_median: float
    test_median: float
    z_score: float
    generated_indices: np.ndarray
    training_indices: np.ndarray
    distances: np.ndarray

    def numbers(self):
        """The attributes that are single numbers, as a dict."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if np.isscalar(value)}


def memorization(generated, training, test, percentile=1.0):
    """Compares generated samples' distances to the training set with test samples'.

    Args:
        generated: `(M, D)`.
        training: `(N, D)`: what the model was trained on.
        test: `(T, D)`: real samples that it was not trained on.
        percentile: of the test samples' distances, above 0 and up to 100.

    Returns:
        A `Memorization`.

    Raises:
        ValueError: the sets are not such, or the percentile is none.
    """
    if not 0.0 < percentile <= 100.0:
        raise ValueError(f"percentile={percentile}: give more than 0 and at most 100.")
    training, generated = check_two_sets("training", training, "generated", generated)
    _, test = check_two_sets("training", training, "test", test)
    from scipy.stats import ranksums

    nearest, distances = _nearest(generated, training)
    _, test_distances = _nearest(test, training)
    threshold = np.percentile(test_distances, percentile, method="inverted_cdf")
    order = np.argsort(distances, kind="stable")
    return Memorization(
        share_nearer=float(np.mean(distances <= threshold)),
        test_share=float(np.mean(test_distances <= threshold)),
        percentile=float(percentile),
        threshold=float(threshold),
        generated_median=float(np.median(distances)),
        test_median=float(np.median(test_distances)),
        z_score=float(ranksums(distances, test_distances).statistic),
        generated_indices=order,
        training_indices=nearest[order],
        distances=distances[order],
    )


def _nearest(queries, training):
    nearest = nearest_rows(queries, training, 1)[:, 0]
    return nearest, np.sqrt(squared_distances(queries, np.arange(len(queries)), training, nearest))


def save_memorization_grid(
    result, generated_images, training_images, path, value_range=(0, 255), columns=10
):
    """Draws the generated samples nearest to the training set over their nearest members, as PNG.

    Args:
        result: a `Memorization`.
        generated_images: `(M, H, W, C)`, in the order that `memorization` had them in.
        training_images: `(N, H, W, C)`, likewise.
        path: where to.
        value_range: `(low, high)` of both; low becomes black, high white.
        columns: how many pairs, from the nearest on; fewer where there are fewer samples.

    Raises:
        ValueError: another number of generated images than in `result`, or too few training ones.
    """
    if len(generated_images) != len(result.generated_indices):
        raise ValueError(
            f"generated_images: {len(generated_images)} images for a result on "
            f"{len(result.generated_indices)}."
        )
    if len(training_images) <= result.training_indices.max():
        raise ValueError(
            f"training_images: {len(training_images)} images; the result names number "
            f"{result.training_indices.max()}."
        )
    count = min(columns, len(generated_images))
    # One image at a time: either set may be an array on disk or a whole training set.
    pairs = [
        [images[int(index)] for index in indices[:count]]
        for images, indices in (
            (generated_images, result.generated_indices),
            (training_images, result.training_indices),
        )
    ]
    save_labelled_grid(
        np.array(pairs),
        value_range,
        path,
        title="generated samples nearest to training ones, and how far these are "
        f"({100 * result.test_share:.3g} % of test samples are within {result.threshold:.3g})",
        row_labels=["generated", "training"],
        column_labels=[f"{distance:.3g}" for distance in result.distances[:count]],
    )


class MemorizationCheck:
    """`memorization` of sets that arrive in batches; keeps their rows in memory.

    Args:
        extractor: None where batches are rows `(N, D)`; else a callable that takes uint8 images
            `(N, H, W, C)` and gives an object with `.features`.
        percentile: as in `memorization`.
    """

    def __init__(self, extractor=None, percentile=1.0):
        self._generated = KeptRows("generated", extractor)
        self._training = KeptRows("training", extractor)
        self._test = KeptRows("test", extractor)
        self._percentile = percentile

    def update_generated(self, batch):
        """Takes generated rows, or uint8 images with an extractor."""
        self._generated.add(batch)

    def update_training(self, batch):
        """Takes rows of the training set, or uint8 images with an extractor."""
        self._training.add(batch)

    def update_test(self, batch):
        """Takes held-out rows, or uint8 images with an extractor."""
        self._test.add(batch)

    def result(self):
        """The `Memorization` so far."""
        return memorization(
            self._generated.rows(), self._training.rows(), self._test.rows(), self._percentile
        )
