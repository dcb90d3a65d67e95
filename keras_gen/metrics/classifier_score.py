"""Classifier score (CS): the formula of the Inception Score on any classifier.

Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, Improved Techniques for Training
GANs, arXiv:1606.03498, section 4:

    score = exp(E_x KL(p(y | x) || p(y))),   p(y) = E_x p(y | x)

From 1 (every image gets the same answer) to K (each of K classes is answered with certainty and
equally often). It never sees a real image: one perfect image for each class is enough for K.

Shapes: probabilities (N, K).
"""

import numpy as np

from keras_gen.metrics.streaming import KeptRows, check_rows


def classifier_score(probabilities, splits=10):
    """Mean and standard deviation of the score over equal consecutive parts of the set.

    The samples must be in an order that has nothing to do with their classes: parts that each
    hold one class would score 1.

    Args:
        probabilities: `(N, K)`, what the classifier answers for N generated images; rows sum to 1.
        splits: how many parts; at most N. The score of a part grows with its size.

    Returns:
        `(mean, std)`, floats; `std` with divisor `splits`.

    Raises:
        ValueError: not probabilities, or fewer rows than splits.
    """
    if splits < 1:
        raise ValueError(f"splits={splits}: give at least 1.")
    probabilities = check_rows("probabilities", probabilities, minimum=splits).astype("float64")
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0.0 or np.abs(sums - 1.0).max() > 1e-3:
        raise ValueError(
            f"probabilities: values from {probabilities.min():g}, rows that sum to {sums.min():g} "
            f"to {sums.max():g}: give softmax outputs, not logits."
        )
    probabilities /= sums[:, None]  # float32 sums are off by 1e-7
    edges = np.arange(splits + 1) * len(probabilities) // splits
    scores = [
        _score(probabilities[low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    return float(np.mean(scores)), float(np.std(scores))


def _score(probabilities):
    from scipy.special import rel_entr  # p log(p / q), 0 at p = 0

    return np.exp(rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1).mean())


class ClassifierScore:
    """Classifier score of a set that arrives in batches; keeps its probabilities in memory.

    Args:
        extractor: None where batches are probabilities `(N, K)`; else a callable that takes uint8
            images `(N, H, W, C)` and gives an object with `.probabilities`.
        splits: as in `classifier_score`.
    """

    def __init__(self, extractor=None, splits=10):
        self._generated = KeptRows("generated", extractor, "probabilities")
        self._splits = splits

    def update_generated(self, batch):
        """Takes probabilities of generated images, or uint8 images with an extractor."""
        self._generated.add(batch)

    def result(self):
        """`(mean, std)` so far, as `classifier_score` gives them."""
        return classifier_score(self._generated.rows(), self._splits)
