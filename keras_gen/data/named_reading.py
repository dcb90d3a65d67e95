"""Reading a prepared split of tensorflow-datasets, and naming the file that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gen.data.cache import Annotations, held_examples
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError
from keras_gen.data.images import fill_in_threads, fit_image, from_16_bit, over_black
from keras_gen.data.named_features import Wanted

READ_AT_ONCE = 512


class _Task(NamedTuple):
    name: str
    builder: object
    wanted: Wanted
    split: str


@dataclass
class _Reading:
    columns: dict[str, list]  # name -> the values of each batch
    filled: int
    largest: int  # of all stored values


def read_split(
    name: str,
    builder,
    wanted: Wanted,
    split: str,
    image_size: tuple[int, int] | None,
    memory_budget_bytes: int,
) -> DataSet:
    """Read one split in its stored order.

    Args:
        name: the set's name as asked for.
        builder: its builder, prepared.
        wanted: the features to read.
        split: a split, or an expression of splits.
        image_size: `(height, width)`, or None for the natural size.
        memory_budget_bytes: the most that may be held in memory.

    Raises:
        DataError: unknown or empty split, or a damaged file, which the message names.
    """
    task = _Task(name, builder, wanted, split)
    count = _count(task)
    size = image_size or tuple(wanted.image.shape[:2])
    shape = (count, *size, 1 if wanted.image.shape[-1] == 1 else 3)
    examples, annotations = held_examples(
        shape,
        lambda examples: _decode(task, examples),
        source={"tfds": builder.info.full_name, "split": split, "files": _file_states(task)},
        memory_budget_bytes=memory_budget_bytes,
    )
    labels = annotations.arrays.get("label")
    return DataSet(
        name=name,
        split=split,
        examples=examples,
        labels=labels,
        label_names=None if labels is None else wanted.label_names,
        factors={n: annotations.arrays[f"factor {n}"] for n in wanted.factors},
        factor_names=wanted.factor_names,
        notes=annotations.notes,
    )


def _count(task: _Task) -> int:
    splits = task.builder.info.splits
    try:
        count = splits[task.split].num_examples
    except (KeyError, ValueError) as error:
        raise DataError(
            f"split={task.split!r} is not a split of {task.name}; it has {', '.join(splits)}."
        ) from error
    if not count:
        raise DataError(
            f"split={task.split!r} of {task.name} is empty; it has "
            f"{', '.join(f'{n} ({s.num_examples})' for n, s in splits.items())}."
        )
    return count


def _decode(task: _Task, examples: np.ndarray) -> Annotations:
    try:
        reading = _read(task, examples, brightness=1)
        if reading.largest <= 1:
            # Sets of black and white drawings store 0 and 1, which would all be nearly black.
            # Read again, since the values must be spread before they are resized.
            reading = _read(task, examples, brightness=255)
    except tf.errors.OpError as error:
        raise _damaged(task, _first_line(error)) from error
    if reading.filled != len(examples):
        raise _damaged(task, f"{reading.filled} examples instead of {len(examples)}")
    arrays = {name: _column(values) for name, values in reading.columns.items()}
    notes = _notes(task, reading)
    if "label" in arrays and np.all(arrays["label"] < 0):
        del arrays["label"]
        notes.append("every label is -1, unknown: taken as a set without labels")
    return Annotations(arrays, tuple(notes))


def _read(task: _Task, examples: np.ndarray, brightness: int) -> _Reading:
    """Fill `examples`, each byte multiplied by `brightness`, and collect the annotations."""
    reading = _Reading({}, 0, 0)
    feature = task.wanted.image
    as_stored = tuple(feature.shape) == examples.shape[1:] and _dtype(task) == np.uint8
    batches = _batches(task, reading)
    if not as_stored:
        images = (image for batch in batches for image in batch)
        reading.filled = fill_in_threads(
            examples, images, lambda image: _fitted(image, examples.shape[1:], brightness)
        )
        return reading
    for batch in batches:
        examples[reading.filled : reading.filled + len(batch)] = batch * np.uint8(brightness)
        reading.filled += len(batch)
    return reading


def _batches(task: _Task, reading: _Reading) -> Iterator[np.ndarray]:
    """The images in batches, of one where shapes differ; the annotations go to `reading`."""
    wanted = task.wanted
    at_once = 1 if None in wanted.image.shape else READ_AT_ONCE
    for record in _records(task).batch(at_once).prefetch(2).as_numpy_iterator():
        for name, path in wanted.columns().items():
            reading.columns.setdefault(name, []).append(_at(record, path))
        images = _at(record, wanted.image_path)
        reading.largest = max(reading.largest, int(images.max()))
        yield images


def _notes(task: _Task, reading: _Reading) -> list[str]:
    notes = []
    if reading.largest <= 1:
        notes.append("values 0 and 1 only: taken for black and white, 0 and 255")
    if task.wanted.image.shape[-1] == 4:
        notes.append(f"{reading.filled} images composed over black, having transparency")
    if _dtype(task) == np.uint16:
        notes.append(f"{reading.filled} images scaled from 16 bits to 8")
    return notes


def _records(task: _Task) -> tf.data.Dataset:
    import tensorflow_datasets as tfds

    chosen: dict = {}
    for path in (task.wanted.image_path, *task.wanted.columns().values()):
        inner = chosen
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = True
    return task.builder.as_dataset(
        split=task.split,
        decoders=tfds.decode.PartialDecoding(chosen),
        # One file after the other: the stored order, on every machine.
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )


def _at(record: dict, path: tuple[str, ...]):
    for key in path:
        record = record[key]
    return record


def _column(values: list) -> np.ndarray:
    column = np.concatenate(values)
    return column.astype(np.float32 if column.dtype.kind == "f" else np.int64)


def _fitted(image: np.ndarray, shape: tuple[int, ...], brightness: int) -> np.ndarray:
    if image.dtype == np.uint16:
        image = from_16_bit(image)
    if image.shape[-1] == 4:
        image = over_black(image)
    fitted = fit_image(image * np.uint8(brightness), shape[:2])
    return np.broadcast_to(fitted, shape)  # grey to RGB where a set leaves its channels open


def _dtype(task: _Task) -> np.dtype:
    return np.dtype(task.wanted.image.np_dtype)


def _files(task: _Task) -> dict[str, int]:
    """The split's files and how many examples each should hold."""
    instructions = task.builder.info.splits[task.split].file_instructions
    return {str(one.filename): one.examples_in_shard for one in instructions}


def _file_states(task: _Task) -> list:
    states = []
    for path in _files(task):
        if not tf.io.gfile.exists(path):
            raise _damaged(task, "a file is missing")
        found = tf.io.gfile.stat(path)
        states.append([path.rsplit("/", 1)[-1], found.length, found.mtime_nsec])
    return states


def _damaged(task: _Task, reason: str) -> DataError:
    """Find the damaged file by reading one after the other, and say what to do."""
    found = next(
        (f"{p} ({why})" for p, n in _files(task).items() if (why := _fault(task, p, n))),
        f"one of {', '.join(_files(task))} ({reason})",
    )
    return DataError(
        f"{task.name} ({task.split}) cannot be read: {found}. Delete the folder "
        f"{task.builder.data_dir} and prepare the set again, or put a sound copy there."
    )


def _fault(task: _Task, path: str, expected: int) -> str | None:
    if not tf.io.gfile.exists(path):
        return "the file is missing"
    if "tfrecord" not in path:
        return None  # another record format, which only its own reader knows
    decoded = tf.data.TFRecordDataset(path).map(task.builder.info.features.deserialize_example)
    found = 0
    try:
        for _ in decoded:
            found += 1
    except tf.errors.OpError as error:
        return f"damaged after example {found}: {_first_line(error)}"
    return None if found == expected else f"{found} examples instead of {expected}"


def _first_line(error: tf.errors.OpError) -> str:
    # Without the names of graph nodes that TensorFlow puts around its messages.
    message = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", error.message, flags=re.DOTALL)
    return (message.splitlines() or ["no message"])[0]
