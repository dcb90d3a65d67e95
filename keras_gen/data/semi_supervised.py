"""Data sets of which few labels are known.

`hide_labels` keeps some labels of a set and hides the others; `SemiSupervisedSet` gives training
batches that hold an image of the whole set and a labelled one in turn.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError
from keras_gen.data.pipeline import in_turn

UNKNOWN = -1


def labelled_rows(data, num_labelled, seed):
    """Chooses the examples whose labels are kept: equally many of each class.

    Args:
        data: a labelled `DataSet`.
        num_labelled: how many; a multiple of the number of classes.
        seed: a non-negative integer.

    Returns:
        int64 `(num_labelled,)`, in rising order.

    Raises:
        DataError: no labels, no such multiple, or a class with fewer examples.
    """
    num_classes = data.num_classes
    if num_labelled < 1 or num_labelled % num_classes:
        raise DataError(
            f"num_labelled={num_labelled}: give a multiple of the {num_classes} classes of "
            f"{data.name}."
        )
    each = num_labelled // num_classes
    random = np.random.default_rng(seed)
    chosen = []
    for label in range(num_classes):
        rows = np.flatnonzero(data.labels == label)
        if len(rows) < each:
            raise DataError(
                f"num_labelled={num_labelled} means {each} of each class, and class {label} of "
                f"{data.name} has {len(rows)} examples."
            )
        chosen.append(random.choice(rows, each, replace=False))
    return np.sort(np.concatenate(chosen))


def hide_labels(data, num_labelled, seed):
    """The same set with all but `num_labelled` labels hidden, as -1.

    Args:
        data: a labelled `DataSet`.
        num_labelled: as in `labelled_rows`, or None to keep all.
        seed: likewise.

    Returns:
        A `DataSet` with a note of what was hidden.

    Raises:
        DataError: as `labelled_rows`.
    """
    if num_labelled is None:
        return data
    rows = labelled_rows(data, num_labelled, seed)
    labels = np.full_like(data.labels, UNKNOWN)
    labels[rows] = data.labels[rows]
    note = f"labels of all but {num_labelled:,} examples hidden, equally many of each class kept"
    # The number of classes must not depend on which labels are left.
    names = data.label_names or tuple(str(label) for label in range(data.num_classes))
    return dataclasses.replace(data, labels=labels, label_names=names, notes=(*data.notes, note))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedSet(DataSet):
    """A set whose training batches hold any image and a labelled one in turn.

    Made by `semi_supervised`. A batch of 2 B from `batches` has images of the whole set at its even
    places, whose labels are -1, and labelled images at its odd ones. Both halves have an order of
    their own, a pure function of the seed and the step. An epoch is a pass through the whole set.

    Attributes:
        whole: the set with its hidden labels, a plain `DataSet`.
        labelled: the labelled examples, likewise.
    """

    whole: DataSet | None = None
    labelled: DataSet | None = None

    def steps_per_epoch(self, batch_size):
        """The number of batches in a pass through the whole set: `N // (batch_size / 2)`.

        Raises:
            DataError: an odd batch, or one larger than twice either part.
        """
        if batch_size % 2:
            raise DataError(f"batch_size={batch_size} holds two halves: give an even number.")
        self.labelled.steps_per_epoch(batch_size // 2)
        return self.whole.steps_per_epoch(batch_size // 2)

    def batches(self, batch_size, *, seed, start_step=0, labels=False, num_shards=1, shard=0):
        """As `DataSet.batches`, in halves; labels are always given."""
        self.steps_per_epoch(batch_size)
        where = {"start_step": start_step, "num_shards": num_shards, "shard": shard}
        halves = (
            self.whole.batches(batch_size // 2, seed=seed, **where),
            # Under the same seed, sets of one size would have one order.
            self.labelled.batches(batch_size // 2, seed=(seed + 1) % 2**63, labels=True, **where),
        )

        def both(images, labelled):
            labelled_images, known = labelled
            unknown = tf.fill(tf.shape(known), tf.cast(UNKNOWN, known.dtype))
            return in_turn(images, labelled_images), in_turn(unknown, known)

        return tf.data.Dataset.zip(halves).map(both)


def semi_supervised(data, num_labelled, seed):
    """A `SemiSupervisedSet` of a labelled set.

    Args:
        data: a labelled `DataSet`.
        num_labelled: as in `labelled_rows`.
        seed: likewise.

    Raises:
        DataError: as `labelled_rows`.
    """
    rows = labelled_rows(data, num_labelled, seed)
    labelled = DataSet(
        name=data.name,
        split=data.split,
        examples=np.ascontiguousarray(data.examples[rows]),
        labels=data.labels[rows],
        label_names=data.label_names,
        value_range=data.value_range,
    )
    hidden = hide_labels(data, num_labelled, seed)
    values = {field.name: getattr(hidden, field.name) for field in dataclasses.fields(DataSet)}
    return SemiSupervisedSet(**values, whole=hidden, labelled=labelled)
