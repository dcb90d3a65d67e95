"""Sliced Wasserstein distance (SWD): transport between sets, one random direction at a time.

Rabin, Peyre, Delon and Bernot, 2011, Wasserstein Barycenter and Its Application to Texture Mixing;
on the patches of a Laplacian pyramid: Karras, Aila, Laine and Lehtinen, 2018, Progressive Growing
of GANs, arXiv:1710.10196, section 5.

Along a unit direction both sets are numbers, and the cheapest transport of numbers keeps their
order. With quantile functions F^-1 and G^-1 of the two sets' projections,

    W_p^p(direction) = integral over u from 0 to 1 of |F^-1(u) - G^-1(u)|^p
    SWD_p = (mean over directions of W_p^p)^(1/p)

It has the unit of the rows. Of two sets shifted by t against each other SWD_2 is about
|t| / sqrt(D): the mean square of a shift along a random direction.

Shapes: rows (N, D); images uint8 (N, H, W, C).
"""

import numpy as np

from keras_gen.metrics.streaming import KeptSets, check_images, check_two_sets

_DIRECTIONS = 32  # directions projected on at once
_PATCH = 7
_KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0], "float32") / 16.0


def sliced_wasserstein(real, generated, projections=512, order=2, seed=0):
    """Sliced Wasserstein distance of two sets of rows, which may differ in number.

    Args:
        real: `(N, D)`: features, or images as `images.reshape(len(images), -1)`.
        generated: `(M, D)`.
        projections: how many random directions.
        order: p, 1 or 2.
        seed: of the directions.

    Returns:
        A float, in the rows' unit.

    Raises:
        ValueError: the sets are not such, or a number is none of the above.
    """
    real, generated = check_two_sets("real", real, "generated", generated)
    if order not in (1, 2) or projections < 1:
        raise ValueError(
            f"order={order}, projections={projections}: give order 1 or 2 and at least 1."
        )
    return _mean_transport(real, generated, projections, order, seed)


def _mean_transport(real, generated, projections, order, seed):
    directions = np.random.default_rng(seed).standard_normal((projections, real.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions.astype(real.dtype)
    widths, real_at, generated_at = _common_quantiles(len(real), len(generated))
    total = 0.0
    for at in range(0, projections, _DIRECTIONS):
        block = directions[at : at + _DIRECTIONS]
        real_sorted = np.sort(block @ real.T, axis=1)
        generated_sorted = np.sort(block @ generated.T, axis=1)
        if len(real) != len(generated):
            real_sorted = real_sorted[:, real_at]
            generated_sorted = generated_sorted[:, generated_at]
        total += np.sum(np.abs(real_sorted - generated_sorted) ** order @ widths)
    return float((total / projections) ** (1.0 / order))


def _common_quantiles(first, second):
    """Cuts [0, 1] where the quantile function of either of two sets jumps.

    Returns:
        The widths of the pieces, and for each piece which sorted value of either set it shows.
    """
    # Jumps at i / first and j / second, as whole multiples of 1 / (first * second).
    jumps = np.union1d(
        np.arange(1, first + 1, dtype="int64") * second,
        np.arange(1, second + 1, dtype="int64") * first,
    )
    widths = np.diff(jumps, prepend=0) / (first * second)
    return widths, (jumps - 1) // second, (jumps - 1) // first


def sliced_wasserstein_pyramid(
    real_images, generated_images, patches=128, projections=512, smallest_side=16, seed=0
):
    """Sliced Wasserstein distance of image patches, for each level of a Laplacian pyramid.

    The finest level compares sharp edges and noise, the coarsest the large shapes. At each level,
    7x7 patches are drawn at random, each channel of a set is brought to mean 0 and deviation 1
    over that set's patches, and the distance of order 1 is taken.

    Args:
        real_images: uint8 `(N, H, W, C)`.
        generated_images: uint8 `(M, H, W, C)`.
        patches: how many of each image; N * patches * 49 * C float32 values in memory.
        projections: how many random directions.
        smallest_side: images are halved while both sides are even and stay at least this, 7 or
            more; the paper's coarsest level is 16x16.
        seed: of the patches and the directions.

    Returns:
        A dict from the level's `"HxW"` to the distance times 1000, finest first, as the paper's
        tables have it.

    Raises:
        ValueError: not such images.

    Reference:
        arXiv:1710.10196 section 5: 16,384 images, 128 patches of each, 512 projections.
    """
    real_images = check_images("real_images", real_images)
    generated_images = check_images("generated_images", generated_images)
    if real_images.shape[1:] != generated_images.shape[1:]:
        raise ValueError(
            f"generated_images of shape {generated_images.shape[1:]} beside real_images of "
            f"{real_images.shape[1:]}: give images of one size."
        )
    if smallest_side < _PATCH or min(real_images.shape[1:3]) < smallest_side:
        raise ValueError(
            f"smallest_side={smallest_side}: give {_PATCH} or more, up to the images' smaller side."
        )
    if patches < 1 or projections < 1 or not len(real_images) or not len(generated_images):
        raise ValueError(
            f"patches={patches}, projections={projections}, {len(real_images)} real_images, "
            f"{len(generated_images)} generated_images: give at least 1 of each."
        )
    random = np.random.default_rng(seed)
    distances = {}
    real_levels = _laplacian_pyramid(real_images, smallest_side)
    generated_levels = _laplacian_pyramid(generated_images, smallest_side)
    for real, generated in zip(real_levels, generated_levels, strict=True):
        distance = _mean_transport(
            _normalized_patches(real, patches, random),
            _normalized_patches(generated, patches, random),
            projections,
            order=1,
            seed=seed,
        )
        distances[f"{real.shape[1]}x{real.shape[2]}"] = 1000.0 * distance
    return distances


def _laplacian_pyramid(images, smallest_side):
    """Levels `(N, H, W, C)` float32, finest first; the last is the small image itself."""
    levels = [images.astype("float32")]
    while all(side % 2 == 0 and side // 2 >= smallest_side for side in levels[-1].shape[1:3]):
        smaller = _blur(levels[-1])[:, ::2, ::2]
        spread = np.zeros_like(levels[-1])
        spread[:, ::2, ::2] = 4.0 * smaller
        levels[-1] -= _blur(spread)
        levels.append(smaller)
    return levels


def _blur(images):
    from scipy.ndimage import convolve1d

    return convolve1d(convolve1d(images, _KERNEL, 1, mode="mirror"), _KERNEL, 2, mode="mirror")


def _normalized_patches(images, patches, random):
    """Random patches `(N * patches, 49 * C)`, each channel with mean 0 and deviation 1."""
    count, height, width, channels = images.shape
    windows = np.lib.stride_tricks.sliding_window_view(images, (_PATCH, _PATCH), axis=(1, 2))
    which = np.repeat(np.arange(count), patches)
    rows = random.integers(0, height - _PATCH + 1, len(which))
    columns = random.integers(0, width - _PATCH + 1, len(which))
    drawn = windows[which, rows, columns]  # (N * patches, C, 7, 7)
    drawn -= drawn.mean(axis=(0, 2, 3), keepdims=True, dtype="float64").astype("float32")
    deviation = drawn.std(axis=(0, 2, 3), keepdims=True, dtype="float64").astype("float32")
    # A channel that is constant stays at 0.
    drawn /= np.where(deviation > 0.0, deviation, 1.0)
    return drawn.reshape(len(drawn), -1)


class SlicedWasserstein(KeptSets):
    """Sliced Wasserstein distance of sets that arrive in batches; keeps their rows in memory.

    Args:
        extractor: None where batches are rows `(N, D)`; else a callable that takes uint8 images
            `(N, H, W, C)` and gives an object with `.features`.
        projections: as in `sliced_wasserstein`.
        order: as in `sliced_wasserstein`.
        seed: as in `sliced_wasserstein`.
    """

    def __init__(self, extractor=None, projections=512, order=2, seed=0):
        super().__init__(extractor)
        self._projections, self._order, self._seed = projections, order, seed

    def result(self):
        """The distance so far, a float."""
        return sliced_wasserstein(
            self._real.rows(), self._generated.rows(), self._projections, self._order, self._seed
        )
