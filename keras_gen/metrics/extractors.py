"""Feature extractors by name, and the one without a network."""

import functools
import pathlib

import numpy as np

from keras_gen.metrics.classifiers import ClassifierExtractor
from keras_gen.metrics.extraction import Extracted, check_channels
from keras_gen.metrics.inception import InceptionExtractor

SHIPPED = ("fashion_mnist", "mnist", "usps")
_WEIGHTS = pathlib.Path(__file__).parent / "weights"


class PixelExtractor:
    """Raw pixels as features, in [0, 1]; no classes. See `keras_gen.metrics.extraction`."""

    name = "pixels"
    description = "raw pixels in [0, 1]"
    digest = num_features = num_classes = class_names = image_shape = test_accuracy = None

    def __call__(self, images):
        """`Extracted` of uint8 images `(N, H, W, C)`: features `(N, H * W * C)`."""
        images = check_channels(images)
        features = images.reshape(len(images), -1).astype("float32") / np.float32(255.0)
        return Extracted(features, None)


def get_extractor(name_or_path):
    """A feature extractor; the same object for the same name or unchanged file.

    Args:
        name_or_path: "mnist", "fashion_mnist" or "usps", classifiers that come with the
            package; "inception", whose weights are fetched; "pixels"; or the path of an `.npz` file
            that `scripts/train_classifier.py` wrote.

    Raises:
        FileNotFoundError: no such file, or Inception's weights cannot be fetched.
        ValueError: no such extractor, or a damaged file.
    """
    name = str(name_or_path)
    if name in SHIPPED:
        path = _WEIGHTS / f"{name}.npz"
    elif name in _MAKERS:
        return _made(name)
    elif name.endswith(".npz"):
        path = pathlib.Path(name).expanduser().absolute()
    else:
        choices = ", ".join(sorted([*SHIPPED, *_MAKERS]))
        raise ValueError(
            f"extractor {name!r}: give {choices}, or the path of an .npz file of "
            "scripts/train_classifier.py."
        )
    status = path.stat()
    return _loaded(path, status.st_mtime_ns, status.st_size)


_MAKERS = {"inception": InceptionExtractor, "pixels": PixelExtractor}


@functools.cache
def _made(name):
    return _MAKERS[name]()


@functools.lru_cache(maxsize=8)
def _loaded(path, modified, size):
    return ClassifierExtractor.load(path)
