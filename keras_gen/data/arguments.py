"""Checks of the arguments that several loaders share; each raises DataError with the remedy."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

from keras_gen.data.errors import DataError


def checked_image_size(image_size) -> tuple[int, int] | None:
    """`image_size` as `(height, width)`; None stays None (the natural size).

    Args:
        image_size: None, a positive int (square) or a pair of positive ints.

    Raises:
        DataError: anything else.
    """
    if image_size is None:
        return None
    sides = (image_size, image_size) if _is_int(image_size) else image_size
    is_pair = isinstance(sides, Sequence) and not isinstance(sides, str) and len(sides) == 2
    if not (is_pair and all(_is_int(side) and side > 0 for side in sides)):
        raise DataError(
            f"image_size must be a positive whole number of pixels or a pair (height, width) of "
            f"them, not {image_size!r}; give e.g. image_size=64, or None for the natural size."
        )
    return int(sides[0]), int(sides[1])


def checked_value_range(value_range) -> tuple[float, float]:
    """`value_range` as `(low, high)` floats with low < high.

    Raises:
        DataError: not a pair of finite numbers, or low >= high.
    """
    try:
        low, high = (float(bound) for bound in value_range)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    # Comparisons with NaN are false, so what is no pair of numbers ends here too.
    if not (low < high and math.isfinite(low) and math.isfinite(high)):
        raise DataError(
            f"value_range must be a pair (low, high) of finite numbers with low < high, not "
            f"{value_range!r}; give e.g. (-1.0, 1.0) or (0.0, 1.0)."
        )
    return low, high


def checked_count(name: str, value, least: int) -> int:
    """`value` as an int of at least `least`.

    Args:
        name: the argument's name, for the message.
        value: what was received.
        least: the smallest value that is right.

    Raises:
        DataError: not a whole number, or smaller than `least`.
    """
    if not _is_int(value) or value < least:
        raise DataError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def checked_seed(seed) -> int:
    """`seed` as an int in [0, 2**63).

    Raises:
        DataError: not a whole number, or outside that range.
    """
    if not _is_int(seed) or not 0 <= seed < 2**63:
        raise DataError(f"seed must be a whole number from 0 to 2**63 - 1, not {seed!r}.")
    return int(seed)


def check_split(name: str, split: str, known: Sequence[str]) -> None:
    """Accept `split` only where it is one of `known`.

    Raises:
        DataError: it is not; the message lists those that are.
    """
    if split not in known:
        raise DataError(f"split={split!r} is not a split of {name}; it has {', '.join(known)}.")


def _is_int(value) -> bool:
    # bool is a subclass of int, but image_size=True is a mistake; NumPy's ints are welcome.
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
