"""`load`: any data set by its name or folder; `load_or_stand_in`: that, or the embedded digits."""

from __future__ import annotations

import dataclasses
import logging
import os
import warnings
from pathlib import Path

from keras_gen.data import named
from keras_gen.data.arguments import (
    checked_count,
    checked_image_size,
    checked_seed,
    checked_value_range,
)
from keras_gen.data.dataset import DataSet
from keras_gen.data.digits import load_digits
from keras_gen.data.errors import DataError, DataUnavailableError
from keras_gen.data.folder import load_folder
from keras_gen.data.grammar import load_grammar
from keras_gen.data.points import NAMES as POINT_SETS
from keras_gen.data.points import load_points
from keras_gen.data.shapes import load_shapes

SHAPES_SIDES = {"shapes": None, "shapes32": 32, "shapes64": 64}
EMBEDDED = ("digits", *SHAPES_SIDES, *POINT_SETS, "grammar")
TWO_GIBIBYTES = 2 * 2**30

logger = logging.getLogger("keras_gen")


def load(
    name_or_folder,
    *,
    split: str = "train",
    image_size=None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    seed: int = 0,
    memory_budget_bytes: int = TWO_GIBIBYTES,
) -> DataSet:
    """Load one split of a data set.

    Args:
        name_or_folder: an embedded set (`digits`, `shapes`, `shapes32`, `shapes64`, `ring`,
            `grid`, `moons`, `swiss_roll`, `grammar`); a folder of images; or any image set of
            tensorflow-datasets, which is found in `TFDS_DATA_DIR` or downloaded. An embedded name
            comes before a folder of that name (write `./digits` for the folder), and an existing
            folder before a set of tensorflow-datasets.
        split: the split's name, "train" or "test" for most sets.
        image_size: pixels a side, or `(height, width)`, or None for the natural size. Images of
            another size are resized with their aspect kept and cropped at the centre.
        value_range: `(low, high)` of the float images in batches; ignored for points.
        seed: the seed of sets that are drawn (`shapes`, the 2-D toys and `grammar`).
        memory_budget_bytes: a larger set is decoded once into a cache folder and memory-mapped.

    Returns:
        The split. What loading converted stands in its `notes` and is logged as a warning.

    Raises:
        DataError: a wrong name, folder, file, split or argument.
        DataUnavailableError: a set that is neither prepared nor can be downloaded.
    """
    value_range = checked_value_range(value_range)
    budget = checked_count("memory_budget_bytes", memory_budget_bytes, least=0)
    size, seed = checked_image_size(image_size), checked_seed(seed)
    name = _text(name_or_folder)
    folder = Path(name).expanduser()
    if not isinstance(split, str) or not split:
        raise DataError(f"split must be the name of a split such as 'train', not {split!r}.")
    if name == "digits":
        data = load_digits(split, size, budget)
    elif name in SHAPES_SIDES:
        data = load_shapes(split, _shapes_size(name, size), seed, budget)
    elif name in POINT_SETS:
        data = load_points(name, split, size, seed)
    elif name == "grammar":
        data = load_grammar(split, size, seed)
    elif folder.is_dir():
        data = load_folder(folder, split, size, budget)
    else:
        _check_no_path(name, folder)
        data = named.load_named(name, split, size, budget, EMBEDDED)
    for note in data.notes:
        logger.warning("%s (%s): %s", name, split, note)
    return dataclasses.replace(data, value_range=value_range)


def load_or_stand_in(name_or_folder, *, strict: bool = False, **arguments) -> DataSet:
    """Load a data set, or the embedded `digits` where a known set cannot be had now.

    Only `DataUnavailableError` leads to the stand-in, with one warning that says why and what to
    do; a wrong name, an empty folder or a damaged file remain errors. The digits come in the size
    asked for, else in the natural size of the set they stand in for.

    Args:
        name_or_folder: see `load`.
        strict: raise DataUnavailableError instead.
        **arguments: the keyword arguments of `load`.

    Returns:
        The set; where it stands in, `stand_in_for` is the name asked for.
    """
    try:
        return load(name_or_folder, **arguments)
    except DataUnavailableError as error:
        if strict:
            raise
        data = _stand_in(arguments, error.natural_size)
        height, width = data.example_shape[:2]
        warnings.warn(
            f"{error} Going on with the embedded digits, scaled to {height}x{width}, which stand "
            f"in for {name_or_folder}: results are not comparable. --strict-data makes this an "
            f"error.",
            stacklevel=2,
        )
        return dataclasses.replace(data, stand_in_for=_text(name_or_folder))


def _stand_in(arguments: dict, natural_size) -> DataSet:
    split = arguments.get("split", "train")
    # Splits like trainA or validation exist only in the set that is missing.
    for known, beginnings in {"train": ("train",), "test": ("test", "val")}.items():
        if isinstance(split, str) and split.startswith(beginnings):
            split = known
            break
    size = arguments.get("image_size")
    size = natural_size if size is None else size
    return load("digits", **{**arguments, "split": split, "image_size": size})


def _text(name_or_folder) -> str:
    if not isinstance(name_or_folder, str | os.PathLike) or not os.fspath(name_or_folder):
        raise DataError(
            f"name_or_folder must be the name of a data set or the path of a folder of images, "
            f"not {name_or_folder!r}; embedded are {', '.join(EMBEDDED)}."
        )
    return os.fspath(name_or_folder)


def _shapes_size(name: str, size: tuple[int, int] | None) -> tuple[int, int] | None:
    side = SHAPES_SIDES[name]
    if side is None:
        return size
    if size not in (None, (side, side)):
        raise DataError(
            f"image_size={size} contradicts the name {name}; ask for shapes with that image_size."
        )
    return side, side


def _check_no_path(name: str, folder: Path) -> None:
    """Refuse a path that leads nowhere.

    Raises:
        DataError: `name` is a file, or looks like a path and not like `set/config`.
    """
    if folder.exists():
        raise DataError(f"{name} is a file; give the folder that holds the images.")
    has_separator = any(mark in name for mark in {"/", os.sep, os.altsep} if mark)
    if has_separator and not named.is_known(name):
        raise DataError(
            f"The folder {name} does not exist (looked for {folder.absolute()}); give an existing "
            f"folder of images or the name of a data set."
        )
