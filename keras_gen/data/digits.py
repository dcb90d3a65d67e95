"""The embedded `digits`: scikit-learn's 1,797 real handwritten digits."""

from __future__ import annotations

import numpy as np

from keras_gen.data.arguments import check_split
from keras_gen.data.cache import Annotations, held_examples
from keras_gen.data.dataset import DataSet
from keras_gen.data.images import BICUBIC, fill_in_threads, fit_image

NATURAL_SIZE = (8, 8)
TEST_EVERY = 5


def load_digits(
    split: str, image_size: tuple[int, int] | None, memory_budget_bytes: int
) -> DataSet:
    """The digits 0 to 9 of many writers, 8x8 grey, their 17 grey levels spread over 0..255.

    The split is fixed and stratified: with the images sorted by class, every fifth is a test
    image. That makes 1,437 train and 360 test images.

    Args:
        split: "train" or "test".
        image_size: `(height, width)` to scale to (bicubic), or None for 8x8.
        memory_budget_bytes: the most that may be held in memory.

    Raises:
        DataError: another split.
    """
    from sklearn import datasets  # slow to import, and only needed here

    check_split("digits", split, ("train", "test"))
    stored = datasets.load_digits()
    chosen = _rows(stored.target, split)
    images = np.rint(stored.images[chosen] * (255 / 16)).astype(np.uint8)[..., None]
    size = image_size or NATURAL_SIZE

    def decode(examples):
        fill_in_threads(examples, images, lambda image: fit_image(image, size, BICUBIC))
        return Annotations()

    examples, _ = held_examples(
        (len(images), *size, 1),
        decode,
        source={"digits": 1, "split": split},
        memory_budget_bytes=memory_budget_bytes,
    )
    return DataSet(
        name="digits",
        split=split,
        examples=examples,
        labels=stored.target[chosen].astype(np.int64),
        label_names=tuple(str(digit) for digit in range(10)),
    )


def _rows(labels: np.ndarray, split: str) -> np.ndarray:
    by_class = np.argsort(labels, kind="stable")
    is_test = np.zeros(len(labels), bool)
    is_test[by_class[::TEST_EVERY]] = True
    return np.flatnonzero(is_test if split == "test" else ~is_test)
