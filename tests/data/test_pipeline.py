"""The order of the examples and the batches made of it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.data import DataError, DataSet, pipeline


def numbered(count, labelled=True):
    """A set whose example i is a 2x1 image that spells i in two bytes."""
    index = np.arange(count)
    examples = np.stack([index % 256, index // 256], axis=-1).astype(np.uint8)
    labels = index.astype(np.int64) if labelled else None
    return DataSet("numbered", "train", examples.reshape(count, 2, 1, 1), labels=labels)


def spelled(images):
    """The numbers of a batch of `numbered` in value_range (-1, 1)."""
    stored = np.rint((np.asarray(images)[:, :, 0, 0] + 1) * 127.5).astype(int)
    return stored[:, 0] + 256 * stored[:, 1]


def first_batches(data, count, batch_size=8, **arguments):
    return [spelled(x) for x in data.batches(batch_size, **arguments).take(count)]


@pytest.mark.parametrize("count", [1, 2, 7, 1437, 60000])
def test_an_epochs_order_is_a_permutation(count):
    for seed, epoch in [(0, 0), (1, 0), (2**63 - 1, 2**40)]:
        order = pipeline.epoch_order(count, seed, epoch).numpy()
        np.testing.assert_array_equal(np.sort(order), np.arange(count))


def test_every_example_is_equally_likely_at_every_position():
    count, epochs = 7, 3000
    seen = np.zeros((count, count))
    order = tf.function(lambda epoch: pipeline.epoch_order(count, 3, epoch))
    for epoch in range(epochs):
        seen[np.arange(count), order(tf.constant(epoch, tf.int64))] += 1
    expected = epochs / count
    chi_squared = np.sum((seen - expected) ** 2 / expected)
    assert chi_squared < 68  # 36 degrees of freedom: exceeded once in a thousand


def test_orders_repeat_neither_over_epochs_nor_over_seeds():
    # index_shuffle keeps only the lowest byte of each seed word: it fails here.
    order = tf.function(lambda seed, epoch: pipeline.epoch_order(1437, seed, epoch)[:20])
    whole = lambda value: tf.constant(value, tf.int64)  # noqa: E731
    over_epochs = {order(whole(0), whole(e)).numpy().tobytes() for e in range(1000)}
    over_seeds = {order(whole(s), whole(0)).numpy().tobytes() for s in range(1000)}
    high_bits = {order(whole(2**k), whole(0)).numpy().tobytes() for k in range(63)}
    assert len(over_epochs) == len(over_seeds) == 1000
    assert len(high_bits) == 63


def test_the_order_is_the_same_in_every_version_and_on_every_machine():
    # Recorded with TensorFlow 2.21: a change would end the reproducibility of recorded runs.
    assert pipeline.epoch_order(10, 0, 0).numpy().tolist() == [0, 4, 1, 5, 6, 8, 2, 3, 9, 7]


@settings(max_examples=15, deadline=None)
@given(count=st.integers(8, 60), start=st.integers(0, 40), seed=st.integers(0, 2**63 - 1))
def test_starting_at_any_step_gives_what_an_uninterrupted_pipeline_gives(count, start, seed):
    data = numbered(count)
    whole = first_batches(data, start + 4, seed=seed)
    np.testing.assert_array_equal(
        first_batches(data, 4, seed=seed, start_step=start), whole[start:]
    )


def test_an_epoch_visits_distinct_examples_and_leaves_out_another_remainder_each_time():
    data = numbered(30)
    steps = data.steps_per_epoch(8)
    assert steps == 3
    batches = np.asarray(first_batches(data, 40 * steps, seed=5)).reshape(40, -1)
    assert all(len(set(epoch)) == 24 for epoch in batches)
    left_out = {frozenset(range(30)) - frozenset(epoch) for epoch in batches}
    assert len(left_out) > 30
    assert set(batches.ravel()) == set(range(30))


def test_epochs_and_seeds_have_different_orders():
    data = numbered(300)
    first, second = np.asarray(first_batches(data, 2, 300, seed=0))
    (other,) = first_batches(data, 1, 300, seed=1)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.arange(300))


@pytest.mark.parametrize("num_shards", [1, 2, 4])
def test_shards_concatenate_to_the_global_batch(num_shards):
    data = numbered(30)
    whole = first_batches(data, 7, seed=2, start_step=1)
    parts = [
        first_batches(data, 7, seed=2, start_step=1, num_shards=num_shards, shard=shard)
        for shard in range(num_shards)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_labels_belong_to_their_images():
    data = numbered(600)
    for images, labels in data.batches(100, seed=0, labels=True).take(9):
        np.testing.assert_array_equal(spelled(images), labels)
        assert labels.dtype == tf.int64
    for images, labels in data.evaluation_batches(100, labels=True):
        np.testing.assert_array_equal(spelled(images), labels)


def test_evaluation_batches_give_all_examples_once_in_stored_order():
    data = numbered(21)
    batches = [spelled(x) for x in data.evaluation_batches(8)]
    assert [len(batch) for batch in batches] == [8, 8, 5]
    np.testing.assert_array_equal(np.concatenate(batches), np.arange(21))
    assert len(list(data.evaluation_batches(100))) == 1


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (-3.0, 0.5)])
def test_bytes_become_floats_linearly_with_exact_ends(value_range):
    low, high = value_range
    every_byte = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    data = DataSet("bytes", "train", every_byte, value_range=value_range)
    (images,) = data.evaluation_batches(256)
    expected = low + (high - low) * np.arange(256) / 255
    np.testing.assert_allclose(images[:, 0, 0, 0], expected, atol=1e-6 * (high - low))
    assert images.dtype == tf.float32
    assert images[0, 0, 0, 0] == low
    assert images[255, 0, 0, 0] == high


def test_batches_have_static_shapes_and_no_end():
    data = numbered(30)
    images, labels = data.batches(8, seed=0, labels=True, num_shards=2).element_spec
    assert images == tf.TensorSpec((4, 2, 1, 1), tf.float32)
    assert labels == tf.TensorSpec((4,), tf.int64)
    assert data.batches(8, seed=0).cardinality() == tf.data.INFINITE_CARDINALITY
    assert data.evaluation_batches(8).element_spec == tf.TensorSpec((None, 2, 1, 1), tf.float32)


def test_batches_are_never_sharded_automatically():
    policy = numbered(30).batches(8, seed=0).options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF
    assert numbered(30).batches(8, seed=0).options().deterministic


def test_examples_are_captured_and_not_written_into_the_graph():
    images = np.random.default_rng(0).integers(0, 256, (1000, 32, 32, 1), np.uint8)
    fetch = pipeline.fetcher(images)
    graph = tf.function(fetch).get_concrete_function(tf.TensorSpec((4,), tf.int64)).graph
    assert graph.as_graph_def().ByteSize() < 10_000
    assert len(graph.captures) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        ({"batch_size": -3}, "not -3"),
        ({"batch_size": 2.5}, "not 2.5"),
        ({"batch_size": True}, "not True"),
        ({"batch_size": 31}, r"batch_size=31 is more than the 30 examples.*lower --batch-size"),
        ({"num_shards": 3}, r"batch_size=8 .* num_shards=3; give a multiple of 3"),
        ({"num_shards": 0}, "num_shards must be a whole number of at least 1"),
        ({"num_shards": 2, "shard": 2}, "shard=2 must be less than num_shards=2"),
        ({"shard": -1}, "shard must be"),
        ({"start_step": -1}, "start_step must be"),
        ({"seed": -1}, r"seed must be a whole number from 0 to 2\*\*63 - 1, not -1"),
        ({"seed": 2**63}, "seed must be"),
        ({"seed": None}, "not None"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(arguments, words):
    with pytest.raises(DataError, match=words):
        numbered(30).batches(**({"batch_size": 8, "seed": 0} | arguments))


def test_labels_of_an_unlabelled_set_are_refused_at_the_call():
    data = numbered(30, labelled=False)
    for call in (
        lambda: data.batches(8, seed=0, labels=True),
        lambda: data.evaluation_batches(8, labels=True),
        lambda: data.num_classes,
    ):
        with pytest.raises(DataError, match=r"labels were asked of numbered \(train\), which has"):
            call()


def test_an_iterator_ends_at_once():
    """With TensorFlow's autotuning its end can wait a minute for the thread that tunes."""
    batches = DataSet("x", "train", np.zeros((4, 2, 2, 1), "uint8")).batches(2, seed=0)
    assert batches.options().autotune.enabled is False
