"""Kernel distance (KD): the squared maximum mean discrepancy of features under a cubic kernel.

Binkowski, Sutherland, Arbel and Gretton, 2018, Demystifying MMD GANs, arXiv:1801.01401, section 4:

    kernel(x, y) = (x . y / D + 1)^3
    KD = mean of kernel(x, x') over pairs of two different real rows
       + mean of kernel(y, y') over pairs of two different generated rows
       - 2 mean of kernel(x, y)

Unlike the Frechet distance it is unbiased for any number of images (so it may fall below zero) and
assumes no Gaussians. It is given as mean and standard deviation over random subsets.

Shapes: features (N, D).
"""

import numpy as np

from keras_gen.metrics.streaming import KeptSets, check_two_sets


def kernel_distance(real_features, generated_features, subsets=100, subset_size=1000, seed=0):
    """Mean and standard deviation of the kernel distance over random subsets.

    Args:
        real_features: `(N, D)`, N at least 2.
        generated_features: `(M, D)`, M at least 2.
        subsets: how many pairs of subsets are drawn.
        subset_size: rows in each subset, drawn without replacement; all rows of the smaller set
            where that has fewer.
        seed: of the draw of subsets.

    Returns:
        `(mean, std)`, floats; `std` is the spread of single subsets (divisor `subsets`), not the
        error of the mean.

    Raises:
        ValueError: the sets are not such, or a number is too small.
    """
    real, generated = check_two_sets("real", real_features, "generated", generated_features, 2)
    if subsets < 1 or subset_size < 2:
        raise ValueError(
            f"subsets={subsets}, subset_size={subset_size}: give at least 1 subset of 2 rows."
        )
    size = min(subset_size, len(real), len(generated))
    random = np.random.default_rng(seed)
    distances = [
        unbiased_cubic_mmd(
            real[random.choice(len(real), size, replace=False)],
            generated[random.choice(len(generated), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(distances)), float(np.std(distances))


def unbiased_cubic_mmd(first, second):
    """The unbiased estimate of the squared discrepancy, from float64 `(N, D)` and `(M, D)`."""
    return (
        _mean_of_different_pairs(first)
        + _mean_of_different_pairs(second)
        - 2.0 * _kernel(first, second).mean()
    )


def _kernel(first, second):
    values = first @ second.T
    values /= first.shape[1]
    values += 1.0
    # Two products: numpy's power of 3 is many times slower.
    cubes = values * values
    cubes *= values
    return cubes


def _mean_of_different_pairs(rows):
    values = _kernel(rows, rows)
    np.fill_diagonal(values, 0.0)
    return values.sum() / (len(rows) * (len(rows) - 1))


class KernelDistance(KeptSets):
    """Kernel distance of sets that arrive in batches; keeps their features in memory.

    Args:
        extractor: None where batches are features `(N, D)`; else a callable that takes uint8
            images `(N, H, W, C)` and gives an object with `.features`.
        subsets: as in `kernel_distance`.
        subset_size: as in `kernel_distance`.
        seed: as in `kernel_distance`.
    """

    def __init__(self, extractor=None, subsets=100, subset_size=1000, seed=0):
        super().__init__(extractor)
        self._subsets, self._subset_size, self._seed = subsets, subset_size, seed

    def result(self):
        """`(mean, std)` so far, as `kernel_distance` gives them."""
        return kernel_distance(
            self._real.rows(), self._generated.rows(), self._subsets, self._subset_size, self._seed
        )
