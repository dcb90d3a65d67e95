"""A folder of faces whose file names tell age and gender, as those of UTKFace do.

UTKFace (Zhang, Song and Qi 2017, arXiv:1702.08423) names its images `age_gender_race_date.jpg`:
the age in years, the gender 0 for male or 1 for female. Only these two are read; what follows may
be missing.
"""

from __future__ import annotations

import bisect
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_gen.data.arguments import checked_count, checked_image_size
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError
from keras_gen.data.folder import load_folder
from keras_gen.data.folder_files import ImageFile, files_of_split, list_images
from keras_gen.data.loading import TWO_GIBIBYTES

# The ten groups of the paper's authors.
AGE_GROUPS = (
    "0-5",
    "6-10",
    "11-15",
    "16-20",
    "21-30",
    "31-40",
    "41-50",
    "51-60",
    "61-70",
    "71+",
)
_FIRST_AGES = (6, 11, 16, 21, 31, 41, 51, 61, 71)  # of all groups but the first
GENDERS = ("male", "female")
OLDEST = 120
NAMED = 3  # files that a note names; the others are counted

_NAME = re.compile(r"([0-9]{1,3})_([01])[_.]")

logger = logging.getLogger("keras_gen")


class Face(NamedTuple):
    """What a file name tells.

    Attributes:
        age: in years.
        gender: 0 for male, 1 for female.
    """

    age: int
    gender: int


def parse_face_name(name: str) -> Face | None:
    """Age and gender from a file name such as `25_0_2_20170116.jpg`; None where it is no such."""
    found = _NAME.match(name)
    if found is None or int(found[1]) > OLDEST:
        return None
    return Face(int(found[1]), int(found[2]))


def age_group(age: int) -> int:
    """The index in `AGE_GROUPS` of an age in years."""
    return bisect.bisect_right(_FIRST_AGES, age)


def load_faces(
    folder,
    *,
    split: str = "train",
    image_size=None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    memory_budget_bytes: int = TWO_GIBIBYTES,
) -> DataSet:
    """Load one split of a folder of faces in UTKFace's naming.

    Read as any folder of images, see `load`; sub-folders name no classes. A tenth is held out as
    test. Files whose names tell no age and gender are left out, and `notes` counts and names them.

    Args:
        folder: an existing folder.
        split: "train", "test" or "all", or what split sub-folders it has.
        image_size: as in `load`.
        value_range: as in `load`.
        memory_budget_bytes: as in `load`.

    Returns:
        Images with the factors age, in ten groups, and gender; labels = age.

    Raises:
        DataError: no such folder, no file whose name tells age and gender, or as `load_folder`.
    """
    folder, size = Path(folder).expanduser(), checked_image_size(image_size)
    budget = checked_count("memory_budget_bytes", memory_budget_bytes, least=0)
    if not folder.is_dir():
        raise DataError(
            f"folder={str(folder)!r} is no folder; give one of faces whose files are named "
            f"age_gender_race_date.jpg."
        )
    listing = list_images(folder)
    faces = {file.path: parse_face_name(file.path.name) for file in listing.files}
    named = [file for file in listing.files if faces[file.path] is not None]
    others = [file for file in listing.files if faces[file.path] is None]
    if not named:
        raise DataError(
            f"The folder {folder} holds {len(others):,} images but none whose name tells age and "
            f"gender; {others[0].relative} is one. Name them age_gender_race_date.jpg, as UTKFace "
            f"does: 25_1_0_20170116.jpg is a woman (men are 0) of 25."
        )
    listing = listing._replace(files=named)
    data = load_folder(folder, split, size, budget, listing)
    shown = [faces[file.path] for file in files_of_split(folder, listing, split)]
    ages = np.asarray([age_group(face.age) for face in shown], np.int64)
    faces_set = DataSet(
        name=data.name,
        split=split,
        examples=data.examples,
        labels=ages,
        label_names=AGE_GROUPS,
        factors={"age": ages, "gender": np.asarray([face.gender for face in shown], np.int64)},
        factor_names={"age": AGE_GROUPS, "gender": GENDERS},
        value_range=value_range,
        notes=(*data.notes, *_left_out(others, len(listing.files) + len(others))),
    )
    for note in faces_set.notes:
        logger.warning("%s (%s): %s", folder, split, note)
    return faces_set


def _left_out(others: Sequence[ImageFile], total: int) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(file.relative for file in others[:NAMED])
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return (f"{len(others)} of {total} images left out: no age and gender in {names}{more}",)
