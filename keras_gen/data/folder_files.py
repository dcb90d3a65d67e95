"""Which files of a folder are its images, and to which class and split each belongs."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_gen.data.arguments import check_split
from keras_gen.data.errors import DataError

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jfif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
)
SPLIT_FOLDERS = ("train", "test", "val", "valid", "validation")
TEST_ONE_IN = 10
LEAST_HELD_OUT = 2


class ImageFile(NamedTuple):
    """One image file.

    Attributes:
        path: where it lies.
        relative: the path below the folder, with forward slashes.
        class_name: the sub-folder that names its class, or None in a flat folder.
        split: "train", "test" or another of `SPLIT_FOLDERS`.
    """

    path: Path
    relative: str
    class_name: str | None
    split: str


class Listing(NamedTuple):
    """What a folder holds.

    Attributes:
        files: the images of all splits, sorted by relative path.
        splits: the splits that may be asked for, "all" included.
        ignored: how many files were left out, by suffix or reason.
    """

    files: list[ImageFile]
    splits: tuple[str, ...]
    ignored: Counter


def list_images(folder: Path) -> Listing:
    """Find the images of a folder.

    The images lie in the folder itself, or in one sub-folder (of any depth) for each class.
    Sub-folders `train` and `test` (and `val`, `valid`, `validation`), each laid out so, are taken
    as splits. Without them a fixed tenth is held out: an image is a test image if the SHA-256 of
    its relative path, read as a number, divides by ten. That depends on nothing but its own
    path, so that images added later move no other one across.

    Raises:
        DataError: no images, or images beside class folders.
    """
    found, ignored = _find(folder)
    predefined = _split_folders(folder)
    files = []
    for relative in found:
        top, _, rest = relative.partition("/")
        if not predefined:
            files.append(_image_file(folder, relative, relative, _hashed_split(relative)))
        elif rest and top in predefined:
            files.append(_image_file(folder, relative, rest, top))
        else:
            ignored[f"images outside of {', '.join(predefined)}"] += 1
    _check_found(folder, files, ignored)
    return Listing(files, (*(predefined or ("train", "test")), "all"), ignored)


def files_of_split(folder: Path, listing: Listing, split: str) -> list[ImageFile]:
    """The images of one split, in the order of the hashes of their paths.

    So the first of them, however many, are of all classes, not of those first by name.

    Raises:
        DataError: no such split, or next to nothing in it.
    """
    check_split(f"the folder {folder}", split, listing.splits)
    files = [file for file in listing.files if split in (file.split, "all")]
    if len(files) < (1 if split in ("train", "all") else LEAST_HELD_OUT):
        raise DataError(
            f"split={split!r} of the folder {folder} has {len(files)} of its "
            f"{len(listing.files)} images, too few to measure anything; sort the images into "
            f"sub-folders train and test, add images, or ask for split='all'."
        )
    return sorted(files, key=lambda file: _digest(file.relative))


def _find(folder: Path) -> tuple[list[str], Counter]:
    ignored: Counter = Counter()
    found = []
    for relative in _visible_files(folder, ignored):
        suffix = os.path.splitext(relative)[1].lower()
        if suffix in IMAGE_SUFFIXES:
            found.append(relative)
        else:
            ignored[suffix or "without suffix"] += 1
    return sorted(found), ignored


def _visible_files(folder: Path, ignored: Counter) -> Iterator[str]:
    seen = set()
    # Links are followed, since people gather images with them; a link back up only once.
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        folders[:] = [] if real in seen else [name for name in folders if name[0] != "."]
        for name in [] if real in seen else files:
            if name.startswith("."):
                ignored["hidden"] += 1
            else:
                yield os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")
        seen.add(real)


def _split_folders(folder: Path) -> tuple[str, ...]:
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    names = {entry.name for entry in entries if entry.is_dir()}
    # A class may be named "train" (next to "bus" and "car"): it takes both, or nothing else.
    if {"train", "test"} <= names or (names and names <= set(SPLIT_FOLDERS)):
        return tuple(name for name in SPLIT_FOLDERS if name in names)
    return ()


def _image_file(folder: Path, relative: str, below_split: str, split: str) -> ImageFile:
    top, _, rest = below_split.partition("/")
    return ImageFile(folder / relative, relative, top if rest else None, split)


def _hashed_split(relative: str) -> str:
    return "test" if _digest(relative) % TEST_ONE_IN == 0 else "train"


def _digest(relative: str) -> int:
    # One system stores an accented name composed, another decomposed: one form for the hash.
    name = unicodedata.normalize("NFC", relative).encode()
    return int(hashlib.sha256(name).hexdigest(), 16)


def _check_found(folder: Path, files: list[ImageFile], ignored: Counter) -> None:
    if not files:
        other = f"; it holds other files: {counted(ignored)}" if ignored else "; it is empty"
        raise DataError(
            f"The folder {folder} holds no images{other}. Images are files that end in "
            f"{', '.join(IMAGE_SUFFIXES)}, in the folder itself or in a sub-folder for each class."
        )
    flat = next((file for file in files if file.class_name is None), None)
    sorted_ = next((file for file in files if file.class_name is not None), None)
    if flat and sorted_:
        raise DataError(
            f"The folder {folder} holds images both without a class ({flat.relative}) and in "
            f"class folders ({sorted_.relative}); move them all to one level."
        )


def counted(counts: Counter) -> str:
    """Counts in words: `3 .txt, 1 hidden`."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
