"""Which features of a tensorflow-datasets set are its images, its labels and its factors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_gen.data.errors import DataError


class Wanted(NamedTuple):
    """The features to read.

    Attributes:
        image: the image feature.
        image_path: its place among nested features, e.g. `("image",)`.
        label_path: the place of the class label, or None.
        label_names: the class names, or None.
        factors: name -> place of each factor.
        factor_names: for class labels among the factors, the names of the values.
    """

    image: Any
    image_path: tuple[str, ...]
    label_path: tuple[str, ...] | None
    label_names: tuple[str, ...] | None
    factors: dict[str, tuple[str, ...]]
    factor_names: dict[str, tuple[str, ...]]

    def columns(self) -> dict[str, tuple[str, ...]]:
        """The places of all that is read beside the images: "label", "factor <name>"."""
        label = {} if self.label_path is None else {"label": self.label_path}
        return label | {f"factor {name}": path for name, path in self.factors.items()}


def wanted_features(name: str, features) -> Wanted:
    """Choose the features to read.

    The images are the feature `image`, or the first image feature by name. The label is the class
    label named `label`, or the only class label. All further class labels, truth values and real
    numbers are factors; a nested one is named by its path, e.g. `attributes/Smiling`.

    Args:
        name: the set's name, for messages.
        features: `builder.info.features`.

    Raises:
        DataError: no images, or images that are not of whole numbers.
    """
    import tensorflow_datasets as tfds

    # Sorted: the order in which a prepared set describes its features is not fixed.
    leaves = dict(sorted(_leaves(features)))
    images = [path for path, leaf in leaves.items() if isinstance(leaf, tfds.features.Image)]
    if not images:
        kinds = ", ".join("/".join(path) for path in leaves) or type(features).__name__
        raise DataError(f"{name} is no image set: its features are {kinds}; choose an image set.")
    image_path = ("image",) if ("image",) in images else images[0]
    image = leaves[image_path]
    if np.dtype(image.np_dtype) not in (np.uint8, np.uint16):
        raise DataError(
            f"The images of {name} are {np.dtype(image.np_dtype)}; only 8-bit and 16-bit images "
            f"can be read."
        )
    classes = [p for p, leaf in leaves.items() if isinstance(leaf, tfds.features.ClassLabel)]
    only = classes[0] if len(classes) == 1 else None
    label_path = ("label",) if ("label",) in classes else only
    factors = {
        "/".join(path): path
        for path, leaf in leaves.items()
        if path != label_path and (path in classes or _is_number(leaf))
    }
    return Wanted(
        image=image,
        image_path=image_path,
        label_path=label_path,
        label_names=tuple(leaves[label_path].names) if label_path else None,
        factors=factors,
        factor_names={n: tuple(leaves[p].names) for n, p in factors.items() if p in classes},
    )


def _leaves(features, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    import tensorflow_datasets as tfds

    # Only plain dictionaries are entered: what lies in a sequence is not one value an example.
    if isinstance(features, tfds.features.FeaturesDict):
        for key, feature in features.items():
            yield from _leaves(feature, (*path, key))
    else:
        yield path, features


def _is_number(feature) -> bool:
    # Whole numbers are mostly identifiers and pixel positions, so they are no factors.
    return feature.shape == () and np.dtype(feature.np_dtype).kind in "bf"
