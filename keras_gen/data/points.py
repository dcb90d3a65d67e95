"""The embedded 2-D toys: points whose distribution is known, two of them in closed form."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from keras_gen.data.arguments import check_split
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError

# points in (train, test)
COUNTS = {
    "ring": (50_000, 10_000),
    "grid": (50_000, 10_000),
    "moons": (3_000, 1_000),
    "swiss_roll": (10_000, 2_000),
}
NAMES = tuple(COUNTS)
RING_SCALE = 0.01
GRID_SCALE = 0.05
MOONS_NOISE = 0.05
ROLL_NOISE = 1.0
# The moons' mean and deviation in closed form. x: half circles about 0 and 1, variance 1/2 each.
# y: sin(t) and 1/2 - sin(t) with t uniform in [0, pi], so E[y] = 1/4, E[y^2] = 5/8 - 1/pi.
MOONS_MEAN = (0.5, 0.25)
MOONS_DEVIATION = (
    math.sqrt(0.75 + MOONS_NOISE**2),
    math.sqrt(0.625 - 1 / math.pi - 0.0625 + MOONS_NOISE**2),
)
ROLL_DEVIATION = 7.0


@dataclass(frozen=True, eq=False, repr=False)
class PointSet(DataSet):
    """Points in the plane, with the density that they are drawn from.

    Examples are float32 `(N, 2)`, and batches give them as they are: `value_range` is ignored.

    Attributes:
        modes: the centres of the K Gaussians, float64 `(K, 2)`, or None.
        scale: their common standard deviation, or None.
        curve: for `moons` and `swiss_roll`, equally likely places along the curve that noise is
            added to, float64 `(M, 2)`.
        curve_scale: the noise's deviation in both coordinates, float64 `(2,)`.
    """

    modes: np.ndarray | None = None
    scale: float | None = None
    curve: np.ndarray | None = None
    curve_scale: np.ndarray | None = None

    def as_images(self) -> PointSet:
        """The same points as images `(1, 1, 2)`, which models take."""
        return dataclasses.replace(self, examples=self.examples.reshape(-1, 1, 1, 2))

    @property
    def entropy_nats(self) -> float:
        """The entropy log K + log(2 pi e sigma^2), in nats.

        Exact as far as the Gaussians do not overlap; here they lie 20 deviations or more apart.

        Raises:
            DataError: the density is not known.
        """
        if self.modes is None:
            raise DataError(
                f"The entropy of {self.name} is not known in closed form; ring and grid have one."
            )
        return math.log(len(self.modes)) + math.log(2 * math.pi * math.e * self.scale**2)

    def log_density(self, points) -> np.ndarray:
        """The log-density of the distribution that the points are drawn from.

        `log p(x) = logsumexp_k(-|x - mode_k|^2 / (2 sigma^2)) - log K - log(2 pi sigma^2)`

        Exact for Gaussians; for a curve with noise the integral along it is a sum over `curve`,
        whose places lie closer together than the noise is wide.

        Args:
            points: `(..., 2)`.

        Returns:
            Nats, float64 `(...)`.

        Raises:
            DataError: points of another shape.
        """
        centres = self.curve if self.modes is None else self.modes
        scales = self.curve_scale if self.modes is None else np.full(2, self.scale)
        points = np.asarray(points, np.float64)
        if points.ndim == 0 or points.shape[-1] != 2:
            raise DataError(f"points must have the shape (..., 2), not {points.shape}.")
        constant = math.log(len(centres)) + math.log(2 * math.pi * scales[0] * scales[1])
        log_sums = [
            # In chunks, for a curve has thousands of centres.
            logsumexp(-0.5 * (((chunk[:, None] - centres) / scales) ** 2).sum(axis=-1), axis=-1)
            for chunk in np.split(points.reshape(-1, 2), range(1000, points.size // 2, 1000))
        ]
        return np.concatenate(log_sums).reshape(points.shape[:-1]) - constant


def load_points(name: str, split: str, image_size, seed: int) -> PointSet:
    """Draw one of the toys.

    Args:
        name: `ring`: 8 Gaussians on the unit circle, deviation 0.01, label = mode. `grid`: 25
            Gaussians at {-4, -2, 0, 2, 4}^2, deviation 0.05, label = mode. `moons`: scikit-learn's
            two moons, noise 0.05, standardized with the distribution's own mean and deviation,
            label = moon. `swiss_roll`: axes 0 and 2 of scikit-learn's roll with noise 1, divided
            by 7, no label.
        split: "train" or "test", which are drawn from independent streams.
        image_size: must be None: points have no size.
        seed: the seed of the drawing.

    Raises:
        DataError: another split, or an image size.
    """
    check_split(name, split, ("train", "test"))
    if image_size is not None:
        raise DataError(
            f"image_size={image_size!r} has no meaning for the points of {name}; "
            f"leave it out, or choose an image set such as digits."
        )
    is_test = split == "test"
    count = COUNTS[name][is_test]
    generator = np.random.default_rng([seed, NAMES.index(name), int(is_test)])
    if name in ("ring", "grid"):
        return _gaussians(name, split, count, generator)
    draw, curve = (_moons, _moons_curve) if name == "moons" else (_roll, _roll_curve)
    points, labels = draw(count, generator)
    centres, scale = curve()
    return PointSet(
        name=name,
        split=split,
        examples=points.astype(np.float32),
        labels=labels,
        curve=centres,
        curve_scale=scale,
    )


def _gaussians(name: str, split: str, count: int, generator) -> PointSet:
    modes, scale = (_ring_modes(), RING_SCALE) if name == "ring" else (_grid_modes(), GRID_SCALE)
    labels = generator.integers(len(modes), size=count)
    points = modes[labels] + scale * generator.standard_normal((count, 2))
    return PointSet(
        name=name,
        split=split,
        examples=points.astype(np.float32),
        labels=labels.astype(np.int64),
        modes=modes,
        scale=scale,
    )


def _ring_modes() -> np.ndarray:
    angles = 2 * np.pi * np.arange(8) / 8
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _grid_modes() -> np.ndarray:
    ticks = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)


def _moons(count: int, generator) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import make_moons  # slow to import, and only needed here

    points, moons = make_moons(count, noise=MOONS_NOISE, random_state=_sklearn_seed(generator))
    return (points - MOONS_MEAN) / MOONS_DEVIATION, moons.astype(np.int64)


def _moons_curve() -> tuple[np.ndarray, np.ndarray]:
    """Two half circles, and the noise after standardization."""
    angles = np.pi * (np.arange(500) + 0.5) / 500
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    curve = np.concatenate([outer, [1.0, 0.5] - outer])
    deviation = np.array(MOONS_DEVIATION)
    return (curve - MOONS_MEAN) / deviation, MOONS_NOISE / deviation


def _roll_curve() -> tuple[np.ndarray, np.ndarray]:
    """A spiral whose radius is its angle, 3/2 pi to 9/2 pi."""
    angles = 1.5 * np.pi * (1.0 + 2.0 * (np.arange(1000) + 0.5) / 1000)
    curve = angles[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return curve / ROLL_DEVIATION, np.full(2, ROLL_NOISE / ROLL_DEVIATION)


def _roll(count: int, generator) -> tuple[np.ndarray, None]:
    from sklearn.datasets import make_swiss_roll  # slow to import, and only needed here

    points, _ = make_swiss_roll(count, noise=ROLL_NOISE, random_state=_sklearn_seed(generator))
    return points[:, [0, 2]] / ROLL_DEVIATION, None


def _sklearn_seed(generator) -> int:
    return int(generator.integers(2**32))
