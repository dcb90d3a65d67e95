"""The input pipeline: the order of the examples as a pure function of (seed, step), and reading.

An epoch's order is `tf.random.experimental.stateless_shuffle` under the seed (seed, epoch).
`index_shuffle`, which needs no memory, is not used: of each seed word it keeps only the lowest
byte, so that epoch 256 would repeat the order of epoch 0 and seed 263 that of seed 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

NO_LAST_EPOCH = 2**62


class Reader(NamedTuple):
    """How a batch is read once its indices are known.

    Attributes:
        fetch: int64 indices `(B,)` -> examples `(B, ...)` in their stored dtype.
        labels: int64 `(N,)`, or None to give examples alone.
        value_range: the float values of the bytes 0 and 255, or None to leave values alone.
    """

    fetch: Callable[[tf.Tensor], tf.Tensor]
    labels: np.ndarray | None
    value_range: tuple[float, float] | None


class Draws(NamedTuple):
    """Bernoulli draws of the pixels of each batch, a pure function of the seed and the step.

    Attributes:
        seed: int.
        start_step: the number of the first batch.
        shape: the shape `(B, H, W, C)` of a global batch, which is drawn as a whole.
        columns: the part of it to give (a shard).
    """

    seed: int
    start_step: int
    shape: tuple[int, ...]
    columns: slice

    def binarize(self, step: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
        """Bytes 0 and 255 of bytes b, the latter with probability b / 255."""
        seeds = tf.stack([tf.constant(self.seed, tf.int64), step])
        thresholds = tf.random.stateless_uniform(self.shape, seeds, 0, 255, tf.int32)
        white = thresholds[self.columns] < tf.cast(examples, tf.int32)
        return tf.cast(white, examples.dtype) * 255


def epoch_order(num_examples: int, seed, epoch) -> tf.Tensor:
    """The order of the examples in one epoch.

    Args:
        num_examples: N.
        seed: int64 scalar.
        epoch: int64 scalar.

    Returns:
        A permutation of 0..N-1, int64 `(N,)`; the same on every machine.
    """
    seeds = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    positions = tf.range(num_examples, dtype=tf.int64)
    # The algorithm is named: the default may differ between kinds of machine.
    return tf.random.experimental.stateless_shuffle(positions, seeds, alg="philox")


def shuffled_indices(
    *,
    num_examples: int,
    batch_size: int,
    steps_per_epoch: int,
    seed: int,
    start_step: int,
    columns: slice,
) -> tf.data.Dataset:
    """The indices of every batch from `start_step` on, without end.

    Args:
        num_examples: N.
        batch_size: the global batch size.
        steps_per_epoch: N // batch_size.
        seed: the seed of the order.
        start_step: the first step to give.
        columns: the part of each global batch to give (a shard).

    Returns:
        An infinite dataset of int64 `(columns' length,)`.
    """
    first_epoch, first_row = divmod(start_step, steps_per_epoch)

    def steps_of(epoch):
        order = epoch_order(num_examples, seed, epoch)[: steps_per_epoch * batch_size]
        rows = tf.reshape(order, (steps_per_epoch, batch_size))[:, columns]
        skipped = tf.where(epoch == first_epoch, tf.constant(first_row, tf.int64), 0)
        return tf.data.Dataset.from_tensor_slices(rows).skip(skipped)

    epochs = tf.data.Dataset.range(first_epoch, NO_LAST_EPOCH)
    # Said to be infinite, since flat_map leaves it unknown: a reader can tell that it never ends.
    return epochs.flat_map(steps_of).apply(
        tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    )


def stored_indices(num_examples: int, batch_size: int) -> tf.data.Dataset:
    """0..N-1 in batches, the remainder included: a finite dataset of int64 `(<= batch_size,)`."""
    return tf.data.Dataset.range(num_examples).batch(batch_size)


def fetcher(examples: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from indices `(B,)` to examples `(B, ...)`, for use inside a pipeline.

    Args:
        examples: `(N, ...)`. Held as one tensor in the main memory, which pipelines capture and
            never copy into their graphs; a memory-mapped array is read from its file instead.
    """
    if isinstance(examples, np.memmap):

        def from_file(indices):
            batch = tf.numpy_function(
                lambda rows: np.asarray(examples[rows]),
                [indices],
                tf.as_dtype(examples.dtype),
                stateful=False,
            )
            return tf.ensure_shape(batch, (indices.shape[0], *examples.shape[1:]))

        return from_file
    with tf.device("CPU:0"):  # else TensorFlow would move the whole set to the first GPU
        held = tf.constant(examples)
    return lambda indices: tf.gather(held, indices)


def read_batches(
    indices: tf.data.Dataset, reader: Reader, draws: Draws | None = None
) -> tf.data.Dataset:
    """Turn batches of indices into batches of examples, and read ahead.

    Args:
        indices: a dataset of int64 `(B,)`.
        reader: what to read.
        draws: how the pixels of each batch are drawn, or None to leave them grey.

    Returns:
        A deterministic dataset of float32 `(B, ...)`, or of pairs with int64 `(B,)`. It is never
        sharded automatically, since its batches already are what each worker should see.
    """
    if reader.labels is not None:
        with tf.device("CPU:0"):
            labels = tf.constant(reader.labels, tf.int64)

    def read(step, batch_indices):
        examples = reader.fetch(batch_indices)
        if draws is not None:
            examples = draws.binarize(step, examples)
        if reader.value_range is not None:
            low, high = reader.value_range
            # Divided first: the bytes 0 and 255 become exactly low and high.
            examples = tf.cast(examples, tf.float32) / 255.0 * (high - low) + low
        if reader.labels is None:
            return examples
        return examples, tf.gather(labels, batch_indices)

    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Fixed numbers, not tf.data.AUTOTUNE: the thread that tunes sleeps up to a minute at a time,
    # and an iterator's end (of a run, of an evaluation) waits for it to wake.
    options.autotune.enabled = False
    steps = indices.enumerate(draws.start_step if draws else 0)
    return steps.map(read, num_parallel_calls=2).prefetch(4).with_options(options)


def in_turn(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Rows of two tensors in turn: two of `(B, ...)` as `(2 B, ...)`."""
    pairs = tf.stack([first, second], axis=1)
    merged = tf.reshape(pairs, tf.concat([[-1], tf.shape(first)[1:]], axis=0))
    count = first.shape[0]
    return tf.ensure_shape(merged, (2 * count if count else None, *first.shape[1:]))
