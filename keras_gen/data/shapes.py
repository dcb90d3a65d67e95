"""The embedded `shapes`: drawn images whose factors of variation are all known."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

import numpy as np

from keras_gen.data.arguments import check_split, checked_count
from keras_gen.data.cache import Annotations, held_examples
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError

TRAIN_COUNT = 10_000
TEST_COUNT = 2_000
DEFAULT_SIDE = 32
LEAST_SIDE = 16
DRAWN_AT_ONCE = 2**21  # pixels: bounds the memory that drawing takes

HALF_LENGTHS = np.linspace(0.10, 0.22, 6)  # of the frame's side
WIDTH_TO_LENGTH = 0.5  # elongated, so that every rotation in [0, 180) looks different
CENTRES = np.linspace(0.28, 0.72, 8)  # the largest shape, 0.246 from centre to corner, fits
DEGREES = 22.5 * np.arange(8)
HUES = ("red", "orange", "lime", "green", "cyan", "blue", "violet", "magenta")

FACTOR_NAMES: dict[str, tuple[str, ...]] = {
    "shape": ("ellipse", "rectangle", "triangle"),
    "colour": HUES,
    "size": tuple(f"{length:.3f}" for length in HALF_LENGTHS),
    "x": tuple(f"{centre:.3f}" for centre in CENTRES),
    "y": tuple(f"{centre:.3f}" for centre in CENTRES),
    "rotation": tuple(f"{angle:g}" for angle in DEGREES),
}
FACTOR_SIZES = tuple(len(names) for names in FACTOR_NAMES.values())  # 3 * 8 * 6 * 8 * 8 * 8


def load_shapes(
    split: str, image_size: tuple[int, int] | None, seed: int, memory_budget_bytes: int
) -> DataSet:
    """10,000 train or 2,000 test images of one coloured shape on black, with their factors.

    The 73,728 combinations of factors are put into an order drawn from the seed; train is its
    first part, test the part after: no combination is in both.

    Args:
        split: "train" or "test".
        image_size: `(side, side)`, at least 16, or None for 32.
        seed: the seed of the order.
        memory_budget_bytes: the most that may be held in memory.

    Returns:
        RGB images with the factors shape, colour, size, x, y and rotation; labels = shape.

    Raises:
        DataError: another split, or a size that is not square or too small.
    """
    check_split("shapes", split, ("train", "test"))
    side = _side(image_size)
    factors = _drawn_factors(split, seed)
    count = len(factors["shape"])

    def decode(examples):
        step = max(1, DRAWN_AT_ONCE // side**2)
        for start in range(0, count, step):
            rows = slice(start, start + step)
            examples[rows] = draw_shapes({k: v[rows] for k, v in factors.items()}, side)
        return Annotations()

    examples, _ = held_examples(
        (count, side, side, 3),
        decode,
        source={"shapes": 1, "split": split, "seed": seed},
        memory_budget_bytes=memory_budget_bytes,
    )
    return DataSet(
        name="shapes",
        split=split,
        examples=examples,
        labels=factors["shape"].copy(),
        label_names=FACTOR_NAMES["shape"],
        factors=factors,
        factor_names=FACTOR_NAMES,
    )


def draw_shapes(factors: Mapping[str, np.ndarray], image_size: int = DEFAULT_SIDE) -> np.ndarray:
    """Draw one shape an image, anti-aliased; a pure function of the factors.

    Args:
        factors: for each name in `FACTOR_NAMES` the index of its value, int `(N,)`.
        image_size: the side of the images in pixels, at least 16.

    Returns:
        uint8 `(N, image_size, image_size, 3)`.

    Raises:
        DataError: a missing factor, an index out of its range, or a size below 16.
    """
    side = checked_count("image_size", image_size, least=LEAST_SIDE)
    shape, colour, size, x, y, rotation = (_index(factors, name) for name in FACTOR_NAMES)
    along, across = _shape_axes(side, CENTRES[x], CENTRES[y], DEGREES[rotation])
    length = HALF_LENGTHS[size].astype(np.float32)[:, None, None]
    distance = np.empty(along.shape, np.float32)  # signed, negative inside, in frame sides
    for value, measure in enumerate((_ellipse, _rectangle, _triangle)):
        rows = shape == value
        distance[rows] = measure(along[rows], across[rows], length[rows])
    # A pixel is covered by as much of it as lies inside an edge through its neighbourhood.
    coverage = np.clip(0.5 - distance * side, 0.0, 1.0)
    return np.rint(coverage[..., None] * _colours()[colour][:, None, None, :]).astype(np.uint8)


def _side(image_size: tuple[int, int] | None) -> int:
    height, width = image_size or (DEFAULT_SIDE, DEFAULT_SIDE)
    if height != width or height < LEAST_SIDE:
        raise DataError(
            f"image_size={image_size} is not one that shapes are drawn at: they are square and "
            f"at least {LEAST_SIDE} pixels wide; give e.g. 32 or 64."
        )
    return height


def _drawn_factors(split: str, seed: int) -> dict[str, np.ndarray]:
    order = np.random.default_rng([seed, 0]).permutation(int(np.prod(FACTOR_SIZES)))
    first, count = (0, TRAIN_COUNT) if split == "train" else (TRAIN_COUNT, TEST_COUNT)
    values = np.unravel_index(order[first : first + count], FACTOR_SIZES)
    return {k: v.astype(np.int64) for k, v in zip(FACTOR_NAMES, values, strict=True)}


def _index(factors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in factors:
        raise DataError(f"factors must hold {', '.join(FACTOR_NAMES)}; {name} is missing.")
    index, count = np.asarray(factors[name]), len(FACTOR_NAMES[name])
    if index.ndim != 1 or index.dtype.kind not in "iu" or np.any((index < 0) | (index >= count)):
        raise DataError(f"factors[{name!r}] must be whole numbers in [0, {count}), shape (N,).")
    return index


def _shape_axes(side: int, x, y, degrees) -> tuple[np.ndarray, np.ndarray]:
    """The pixels' centres in each shape's own axes, two float32 `(N, side, side)`."""
    ticks = ((np.arange(side) + 0.5) / side).astype(np.float32)
    radians = np.deg2rad(degrees)
    cos, sin = (f(radians).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    right = ticks[None, None, :] - x.astype(np.float32)[:, None, None]
    up = y.astype(np.float32)[:, None, None] - ticks[None, :, None]  # rows count downwards
    return right * cos + up * sin, up * cos - right * sin


def _ellipse(along, across, length):
    width = length * WIDTH_TO_LENGTH
    radius = np.sqrt((along / length) ** 2 + (across / width) ** 2)
    slope = np.sqrt((along / length**2) ** 2 + (across / width**2) ** 2)
    # Distance to first order: f / |grad f| with f = radius - 1 and |grad f| = slope / radius.
    # At the centre that is 0 / 0; the nearest edge lies at -width.
    return np.where(slope > 1e-6, (radius - 1.0) * radius / np.maximum(slope, 1e-6), -width)


def _rectangle(along, across, length):
    return np.maximum(np.abs(along) - length, np.abs(across) - length * WIDTH_TO_LENGTH)


def _triangle(along, across, length):
    """Apex at +length on the long axis, a base of the rectangle's width at -length."""
    width = length * WIDTH_TO_LENGTH
    norm = np.hypot(2 * length, width)
    sides = (np.abs(across) * 2 * length + (along - length) * width) / norm
    # Bounded beyond the apex too, where the distance to the long sides' lines is too small.
    return np.maximum(sides, np.abs(along) - length)


def _colours() -> np.ndarray:
    hues = [colorsys.hsv_to_rgb(index / len(HUES), 1.0, 1.0) for index in range(len(HUES))]
    return np.asarray(hues, np.float32) * 255.0
