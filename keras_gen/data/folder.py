"""A folder of images as a data set."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_gen.data.cache import Annotations, held_examples
from keras_gen.data.dataset import DataSet
from keras_gen.data.folder_files import ImageFile, Listing, counted, files_of_split, list_images
from keras_gen.data.folder_images import Header, decode_file, read_header
from keras_gen.data.images import fill_in_threads


def load_folder(
    folder: Path,
    split: str,
    image_size: tuple[int, int] | None,
    memory_budget_bytes: int,
    listing: Listing | None = None,
) -> DataSet:
    """Read a folder of images; see `list_images` for classes and splits.

    All images are brought to one size, by an aspect-preserving resize and a centre crop, and to
    one form: RGB if any image of the folder (in any split) has colour, else grey. Transparency is
    composed over black, EXIF orientation is applied, 16 bits become 8. `notes` counts all that.

    Args:
        folder: an existing folder.
        split: "train", "test" or "all", or what split sub-folders it has.
        image_size: `(height, width)`, or None for the most common size in the folder.
        memory_budget_bytes: the most that may be held in memory.
        listing: what `list_images` found in the folder, or a part of it; None to look.

    Raises:
        DataError: no images, no such split, or a file that cannot be read as an image.
    """
    listing = list_images(folder) if listing is None else listing
    files = files_of_split(folder, listing, split)
    # Over all splits: train and test must agree on size, channels and classes.
    headers = _headers(listing.files)
    size = image_size or Counter(header.size for header in headers).most_common(1)[0][0]
    colour = any(header.is_colour for header in headers)

    def decode(examples):
        return Annotations(notes=_decode_all(examples, files, size, colour))

    examples, annotations = held_examples(
        (len(files), *size, 3 if colour else 1),
        decode,
        source={"folder": [_identity(file) for file in files]},
        memory_budget_bytes=memory_budget_bytes,
    )
    labels, names = _labels(files, listing)
    return DataSet(
        name=str(folder),
        split=split,
        examples=examples,
        labels=labels,
        label_names=names,
        notes=(*_size_notes(headers, size, image_size), *annotations.notes, *_ignored(listing)),
    )


def _headers(files: list[ImageFile]) -> list[Header]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda file: read_header(file.path), files))


def _decode_all(examples, files: list[ImageFile], size, colour: bool) -> tuple[str, ...]:
    conversions: list[str] = []

    def decode(file):
        decoded = decode_file(file.path, size, colour)
        conversions.extend(decoded.conversions)
        return decoded.image

    fill_in_threads(examples, files, decode)
    counts = sorted(Counter(conversions).items())
    return tuple(f"{count} of {len(files)} images {done}" for done, count in counts)


def _labels(files: list[ImageFile], listing: Listing):
    if files[0].class_name is None:
        return None, None
    names = tuple(sorted({file.class_name for file in listing.files}))
    return np.asarray([names.index(file.class_name) for file in files], np.int64), names


def _identity(file: ImageFile) -> list:
    status = file.path.stat()
    return [str(file.path.resolve()), status.st_size, status.st_mtime_ns]


def _size_notes(headers: list[Header], size, asked) -> tuple[str, ...]:
    sizes = {header.size for header in headers}
    if asked is not None or len(sizes) == 1:
        return ()
    return (f"images of {len(sizes)} sizes: all brought to the most common, {size[0]}x{size[1]}",)


def _ignored(listing: Listing) -> tuple[str, ...]:
    if not listing.ignored:
        return ()
    return (f"ignored {sum(listing.ignored.values())} other files: {counted(listing.ignored)}",)
