"""Image sets of tensorflow-datasets, by name: found prepared, or downloaded and prepared."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError, DataUnavailableError
from keras_gen.data.named_features import wanted_features
from keras_gen.data.named_reading import read_split
from keras_gen.data.network import network_trouble

# Sets that tensorflow-datasets cannot download, known only as prepared folders: `(H, W)`.
ONLY_PREPARED = {
    "facades_unpaired128": (128, 128),
    "lpc_sprites": (64, 64),
    "olivetti_faces": (64, 64),
    "usps": (16, 16),
}
NAME_PATTERN = re.compile(r"\w+(/[\w.\-]+)?(:[\w.*]+)?")


def load_named(
    name: str,
    split: str,
    image_size: tuple[int, int] | None,
    memory_budget_bytes: int,
    embedded: Sequence[str],
) -> DataSet:
    """Load a split of an image set of tensorflow-datasets.

    Args:
        name: `set`, `set/config` or `set:version`.
        split: a split, or an expression of tensorflow-datasets such as "train[:10%]".
        image_size: `(height, width)`, or None for the natural size.
        memory_budget_bytes: the most that may be held in memory.
        embedded: the names of the embedded sets, to suggest near ones from.

    Raises:
        DataError: unknown name or split, no images in it, images of many sizes without
            `image_size`, or a damaged file.
        DataUnavailableError: neither prepared nor can be downloaded.
    """
    builder = _builder(name, image_size, embedded)
    features = wanted_features(name, builder.info.features)
    height, width = features.image.shape[:2]
    if image_size is None and (height is None or width is None):
        raise DataError(
            f"The images of {name} have many sizes; give image_size (--image-size) to bring them "
            f"to one."
        )
    if not builder.is_prepared():
        _prepare(name, builder, image_size or (height, width))
    return read_split(name, builder, features, split, image_size, memory_budget_bytes)


def is_known(name: str) -> bool:
    """Whether `name` (without its config and version) is a set that could be loaded."""
    return bool(NAME_PATTERN.fullmatch(name)) and _base(name) in _known_names()


def _base(name: str) -> str:
    return re.split("[/:]", name)[0]


def _data_dir() -> str | None:
    # Read at each call: tensorflow-datasets itself reads it once, when it is imported.
    named = os.environ.get("TFDS_DATA_DIR")
    return os.path.expanduser(named) if named else None


def _looked_in() -> str:
    import tensorflow_datasets as tfds

    return str(_data_dir() or tfds.core.constants.DATA_DIR)


def _known_names() -> set[str]:
    import tensorflow_datasets as tfds

    folder = Path(_looked_in())
    prepared = [path.parents[1] for path in folder.glob("*/*/dataset_info.json")]
    prepared += [path.parents[2] for path in folder.glob("*/*/*/dataset_info.json")]
    return {*tfds.list_builders(), *ONLY_PREPARED, *(path.name for path in prepared)}


def _builder(name: str, image_size, embedded: Sequence[str]):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=_data_dir())
    except tfds.core.DatasetNotFoundError as error:
        if _base(name) in ONLY_PREPARED:
            raise DataUnavailableError(
                f"{name} is not prepared in {_looked_in()} and has no download; set TFDS_DATA_DIR "
                f"to a data directory that holds it, or use digits or a folder of images.",
                natural_size=image_size or ONLY_PREPARED[_base(name)],
            ) from error
        raise _unknown(name, embedded) from error
    except ImportError as error:
        raise DataError(f"{name} needs a package that is not installed: {error}.") from error
    except (ValueError, OSError, RuntimeError, AssertionError) as error:
        # An unknown config or version, or a damaged description in the prepared folder.
        raise DataError(
            f"{name} cannot be opened in {_looked_in()} ({_first_line(error)}); check the name's "
            f"config and version, or delete the set's folder there and prepare it again."
        ) from error


def _unknown(name: str, embedded: Sequence[str]) -> DataError:
    near = difflib.get_close_matches(_base(name), {*embedded, *_known_names()}, n=5, cutoff=0.6)
    hint = f"near names: {', '.join(near)}" if near else f"embedded are {', '.join(embedded)}"
    return DataError(
        f"{name!r} is not the name of a data set ({hint}), nor an existing folder. Names are "
        f"those of tensorflow-datasets, of the sets prepared in {_looked_in()}, and the embedded."
    )


def _prepare(name: str, builder, natural_size) -> None:
    import tensorflow as tf
    from tensorflow_datasets.core.download import download_manager, extractor, util

    trouble = network_trouble()
    if trouble is None:
        failures = (
            OSError,  # with all errors of requests, a full disk, a folder that is not writable
            ImportError,  # some sets need further packages to prepare
            AssertionError,  # files that have to be fetched by hand are not there
            tf.errors.OpError,
            download_manager.NonMatchingChecksumError,
            extractor.ExtractError,
            util.DownloadError,
        )
        try:
            builder.download_and_prepare()
        except failures as error:
            trouble = f"{type(error).__name__}: {_first_line(error)}"
    if trouble is not None:
        raise DataUnavailableError(
            f"{name} is not prepared in {_looked_in()} and cannot be downloaded: {trouble}. "
            f"Connect to the network, set TFDS_DATA_DIR to a data directory that holds it, or use "
            f"digits or a folder of images.",
            natural_size=natural_size,
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
