"""Reading one image file with Pillow: what it is, and its pixels as 8-bit grey or RGB."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from keras_gen.data.errors import DataError
from keras_gen.data.images import fit_image, from_16_bit, over_black

# What Pillow raises on damaged files, depending on the format and the damage.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
TURNED_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
ORIENTATION_TAG = 0x0112


class Header(NamedTuple):
    """What the head of an image file tells.

    Attributes:
        size: `(height, width)`, upright.
        is_colour: whether grey would lose something.
    """

    size: tuple[int, int]
    is_colour: bool


class Decoded(NamedTuple):
    """A decoded image file.

    Attributes:
        image: uint8 `(H, W, C)`.
        conversions: what was done to it, in words that follow a count of images.
    """

    image: np.ndarray
    conversions: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Look at an image file without decoding its pixels.

    Raises:
        DataError: the file is no image; the message names it.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            # PNG may keep EXIF behind the pixels, which would have to be decoded to look there.
            exif = {} if picture.format == "PNG" else picture.getexif()
            if exif.get(ORIENTATION_TAG) in TURNED_SIDEWAYS:
                width, height = height, width
            return Header((height, width), not _is_grey(picture))
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def decode_file(path: Path, size: tuple[int, int], colour: bool) -> Decoded:
    """Decode an image file: upright, 8 bits, opaque, RGB or grey, and fitted to a size.

    Args:
        path: the file.
        size: the wanted `(height, width)`.
        colour: give RGB, else grey.

    Raises:
        DataError: the file is damaged or of a kind that has no 8-bit form; the message names it.
    """
    try:
        with Image.open(path) as opened:
            conversions = _conversions(opened, colour)
            upright = ImageOps.exif_transpose(opened)
            if opened.getexif().get(ORIENTATION_TAG, 1) != 1:
                conversions.append("turned upright as their EXIF data say")
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    image = _pixels(path, upright, colour)
    if image.shape[:2] != size:
        conversions.append(f"resized and cropped to {size[0]}x{size[1]}")
    return Decoded(fit_image(image, size), tuple(conversions))


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P":
        palette = np.asarray(picture.getpalette("RGB")).reshape(-1, 3)
        return bool(np.all(palette == palette[:, :1]))
    return picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I")


def _conversions(picture: Image.Image, colour: bool) -> list[str]:
    done = []
    if getattr(picture, "n_frames", 1) > 1:
        done.append("cut to the first of several frames")
    if picture.mode.startswith("I"):
        done.append("scaled from 16 bits to 8")
    if picture.has_transparency_data:
        done.append("composed over black, having transparency")
    if colour and _is_grey(picture):
        done.append("turned from grey to RGB")
    elif picture.mode not in ("1", "L", "LA", "RGB", "RGBA", "P") and colour:
        done.append(f"turned from {picture.mode} to RGB")
    return done


def _pixels(path: Path, picture: Image.Image, colour: bool) -> np.ndarray:
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(_from_deep(path, picture))
    elif picture.has_transparency_data:
        picture = Image.fromarray(over_black(np.asarray(picture.convert("RGBA"))))
    converted = np.asarray(picture.convert("RGB" if colour else "L"))
    return converted if colour else converted[..., None]


def _from_deep(path: Path, picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"{path} holds {values.dtype} values from {values.min()} to {values.max()}, which "
            f"have no fixed 8-bit form; save it with 8 or 16 bits a channel."
        )
    return from_16_bit(values)


def _unreadable(path: Path, error: BaseException) -> DataError:
    return DataError(
        f"{path} cannot be read as an image ({type(error).__name__}: {error}); repair it, or "
        f"remove it from the folder."
    )
