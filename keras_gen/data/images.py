"""Images as NumPy arrays: fitting to a size, conversion to 8 bits, many at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps

LANCZOS = Image.Resampling.LANCZOS
BICUBIC = Image.Resampling.BICUBIC
AT_ONCE = 256  # images under way in threads: bounds the memory that waiting results take


def fit_image(image: np.ndarray, size: tuple[int, int], resample=LANCZOS) -> np.ndarray:
    """Resize an image to cover `size`, its aspect kept, and cut off what protrudes at the centre.

    Args:
        image: uint8 `(H, W, 1)` or `(H, W, 3)`.
        size: the wanted `(height, width)`.
        resample: one of Pillow's resampling filters.

    Returns:
        uint8 `(height, width, C)`; the image itself where it has that size already.
    """
    if image.shape[:2] == tuple(size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    fitted = ImageOps.fit(picture, (size[1], size[0]), method=resample)
    return np.asarray(fitted).reshape(*size, image.shape[-1])


def over_black(image: np.ndarray) -> np.ndarray:
    """Compose a transparent image over black: uint8 `(H, W, 4)` -> `(H, W, 3)`."""
    alpha = image[..., 3:].astype(np.uint16)
    return ((image[..., :3] * alpha + 127) // 255).astype(np.uint8)


def from_16_bit(image: np.ndarray) -> np.ndarray:
    """Scale 0..65535 to uint8 0..255, to the nearest value."""
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def fill_in_threads(examples: np.ndarray, items: Iterable, function: Callable) -> int:
    """Set `examples[i] = function(items[i])` for every i, several at a time.

    Args:
        examples: the array to fill, in memory or memory-mapped.
        items: at most as many items as `examples` has; drawn little by little.
        function: item -> array of an example's shape. Pillow works outside the interpreter lock.

    Returns:
        The number of items.
    """
    filled, items = 0, iter(items)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while chunk := list(itertools.islice(items, AT_ONCE)):
            for image in pool.map(function, chunk):
                examples[filled] = image
                filled += 1
    return filled
