"""Checks of arguments that layers and models share."""

import numpy as np


def check_positive(**sizes):
    """Raises ValueError, by name, unless every size is an integer of at least 1."""
    for name, value in sizes.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name}={value!r}: give an integer of at least 1.")


def check_choice(name, value, allowed):
    """Raises ValueError, by the argument's name, unless the value is among those allowed."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: give one of {', '.join(map(str, allowed))}.")
