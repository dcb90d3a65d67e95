"""Frechet distance (FD) between real and generated features.

Dowson and Landau, 1982, The Frechet distance between multivariate normal distributions; on
features of an image classifier: Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, 2017, GANs
Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, arXiv:1706.08500,
eq. 6:

    FD = |mean_1 - mean_2|^2 + Tr(cov_1 + cov_2 - 2 (cov_1 cov_2)^(1/2))

It is a squared distance, in squared units of the features, and its value means something only
together with the features, the number of images (it is biased upwards, see `bias`) and the set.

The trace of the matrix square root is computed without a square root of a product, which would be
unsymmetric and, where a covariance is singular, ill-conditioned. With cov = half half^T,

    Tr (cov_1 cov_2)^(1/2) = Tr (cov_1^(1/2) cov_2 cov_1^(1/2))^(1/2)
                           = sum of the singular values of half_1^T half_2

which is real for any two covariances, also of fewer images than features.

Shapes: features (N, D); means (D,); covariances (D, D).
"""

import numpy as np

from keras_gen.metrics.streaming import BlockedRows, check_rows


def frechet_distance(real_features, generated_features):
    """Frechet distance of the Gaussians with the sets' means and covariances.

    Args:
        real_features: `(N, D)`, N at least 2.
        generated_features: `(M, D)`, M at least 2.

    Returns:
        A float, at least 0. Float64 throughout, covariances with divisor N - 1.

    Raises:
        ValueError: the sets are not such, or hold NaN or infinity.
    """
    distance = FrechetDistance()
    distance.update_real(real_features)
    distance.update_generated(generated_features)
    return distance.result()


def frechet_distance_from_moments(mean_1, cov_1, mean_2, cov_2):
    """Frechet distance of two Gaussians, arXiv:1706.08500 eq. 6.

    Args:
        mean_1: `(D,)`.
        cov_1: `(D, D)`, symmetric, no eigenvalue below zero but by rounding.
        mean_2: `(D,)`.
        cov_2: as `cov_1`.

    Returns:
        A float, at least 0.

    Raises:
        ValueError: not such moments.
    """
    mean_1, cov_1 = _check_moments("1", mean_1, cov_1)
    mean_2, cov_2 = _check_moments("2", mean_2, cov_2)
    if mean_1.shape != mean_2.shape:
        raise ValueError(f"mean_2: {len(mean_2)} values beside {len(mean_1)} of mean_1.")
    difference = mean_1 - mean_2
    halves = _half("cov_1", cov_1).T @ _half("cov_2", cov_2)
    root_trace = np.linalg.svd(halves, compute_uv=False).sum()
    distance = difference @ difference + np.trace(cov_1) + np.trace(cov_2) - 2.0 * root_trace
    return max(0.0, float(distance))


def _check_moments(number, mean, cov):
    mean, cov = np.asarray(mean, "float64"), np.asarray(cov, "float64")
    if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
        raise ValueError(
            f"mean_{number}, cov_{number}: shapes {mean.shape} and {cov.shape}: "
            "give (D,) and (D, D)."
        )
    check_rows(f"mean_{number}", mean[None])
    check_rows(f"cov_{number}", cov)
    if not np.allclose(cov, cov.T, rtol=1e-6, atol=1e-9 * np.abs(cov).max()):
        raise ValueError(f"cov_{number} is not symmetric.")
    return mean, cov


def _half(name, cov):
    """A `half` with `half @ half.T == cov`, for a positive semidefinite `cov`."""
    try:
        return np.linalg.cholesky(cov)  # any half will do; this is the quickest, where it exists
    except np.linalg.LinAlgError:
        eigenvalues, eigenvectors = np.linalg.eigh(cov)
    least, greatest = eigenvalues[0], eigenvalues[-1]
    if least < -1e-6 * max(greatest, 0.0) - 1e-12:
        raise ValueError(
            f"{name} is no covariance: its eigenvalues go from {least:g} to {greatest:g}."
        )
    # What is below zero by rounding is zero.
    return eigenvectors * np.sqrt(np.maximum(eigenvalues, 0.0))


class Moments:
    """Mean and covariance of a set that arrives in batches, in float64 and bounded memory.

    Blocks are merged by Chan, Golub and LeVeque (1979): each is centred by its own mean, so that
    a mean far from zero costs no digits.

    Args:
        name: what the set is called in errors.
        extractor: None where batches are features; else a callable that takes uint8 images
            `(N, H, W, C)` and gives an object with `.features`, `(N, D)`.
    """

    def __init__(self, name, extractor=None):
        self._rows = BlockedRows(name, extractor)
        self._total = None  # count, mean, sum of outer products of deviations

    def add(self, batch):
        """Takes a batch."""
        self._total = _merge(self._total, self._rows.add(batch))

    def result(self):
        """Count, mean `(D,)` and covariance `(D, D)` so far; raises ValueError below two rows."""
        if self._rows.count < 2:
            raise ValueError(f"{self._rows.name}: {self._rows.count} rows: give at least 2.")
        count, mean, scatter = _merge(self._total, self._rows.rest())
        return count, mean, scatter / (count - 1)


def _merge(total, blocks):
    for block in blocks:
        block = block.astype("float64")
        block_count, block_mean = len(block), block.mean(axis=0)
        block -= block_mean
        block_scatter = block.T @ block
        if total is None:
            total = block_count, block_mean, block_scatter
            continue
        count, mean, scatter = total
        shift, weight = block_mean - mean, block_count / (count + block_count)
        total = (
            count + block_count,
            mean + shift * weight,
            scatter + block_scatter + np.outer(shift, shift * (count * weight)),
        )
    return total


class FrechetDistance:
    """Frechet distance of sets that arrive in batches of any size.

    The result has the same bits however the sets are batched.

    Args:
        extractor: None where batches are features `(N, D)`; else a callable that takes uint8
            images `(N, H, W, C)` and gives an object with `.features`.
    """

    def __init__(self, extractor=None):
        self._real, self._generated = Moments("real", extractor), Moments("generated", extractor)

    def update_real(self, batch):
        """Takes real features, or uint8 images with an extractor."""
        self._real.add(batch)

    def update_generated(self, batch):
        """Takes generated features, or uint8 images with an extractor."""
        self._generated.add(batch)

    def result(self):
        """The distance so far, a float; raises ValueError where a set has less than two rows."""
        _, mean_1, cov_1 = self._real.result()
        _, mean_2, cov_2 = self._generated.result()
        if len(mean_1) != len(mean_2):
            raise ValueError(
                f"generated: rows of {len(mean_2)} values beside real rows of {len(mean_1)}."
            )
        return frechet_distance_from_moments(mean_1, cov_1, mean_2, cov_2)
