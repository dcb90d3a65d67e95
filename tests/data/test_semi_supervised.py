import numpy as np
import pytest

from keras_gen.data import DataError, DataSet, hide_labels, semi_supervised

CLASSES = 3


@pytest.fixture
def data():
    """Sixty images of one pixel, whose value is their number; 30, 20 and 10 of the classes."""
    labels = np.repeat(np.arange(CLASSES), [30, 20, 10])
    values = np.arange(60, dtype="uint8").reshape(-1, 1, 1, 1)
    return DataSet("numbers", "train", values, labels=labels, value_range=(0.0, 255.0))


def numbers(images):
    return np.asarray(images).ravel().round().astype(int)


def test_as_many_labels_of_each_class_stay_and_they_are_the_right_ones(data):
    hidden = hide_labels(data, 12, seed=0)
    known = hidden.labels >= 0
    np.testing.assert_array_equal(np.bincount(hidden.labels[known]), [4, 4, 4])
    np.testing.assert_array_equal(hidden.labels[known], data.labels[known])
    assert hidden.num_classes == CLASSES and "12" in hidden.notes[-1]
    assert not np.array_equal(known, hide_labels(data, 12, seed=1).labels >= 0)


def test_no_number_keeps_all_labels(data):
    assert hide_labels(data, None, seed=0) is data


def test_batches_hold_any_image_and_a_labelled_one_in_turn(data):
    few = semi_supervised(data, 6, seed=0)
    known = set(np.flatnonzero(few.labels >= 0))
    seen_any, seen_known = [], []
    steps = few.steps_per_epoch(12)
    for images, labels in few.batches(12, seed=1, labels=True).take(steps):
        values, labels = numbers(images), labels.numpy()
        assert (labels[0::2] == -1).all()
        np.testing.assert_array_equal(labels[1::2], data.labels[values[1::2]])
        seen_any += list(values[0::2])
        seen_known += list(values[1::2])
    assert sorted(seen_any) == list(range(60)), "an epoch is a pass through the whole set"
    assert set(seen_known) == known
    assert len(seen_known) == 60 and np.bincount(seen_known).max() == 10, "all equally often"


def test_the_halves_differ_in_order_even_where_all_labels_are_known():
    labels = np.arange(60) % CLASSES
    values = np.arange(60, dtype="uint8").reshape(-1, 1, 1, 1)
    data = DataSet("numbers", "train", values, labels=labels, value_range=(0.0, 255.0))
    images, _ = next(semi_supervised(data, 60, seed=0).batches(120, seed=1).as_numpy_iterator())
    values = numbers(images)
    assert sorted(values[0::2]) == sorted(values[1::2]) == list(range(60))
    assert np.mean(values[0::2] == values[1::2]) < 0.2


def test_batches_are_a_function_of_the_step(data):
    few = semi_supervised(data, 6, seed=0)
    whole = list(few.batches(12, seed=1).take(9).as_numpy_iterator())
    late = list(few.batches(12, seed=1, start_step=7).take(2).as_numpy_iterator())
    for first, second in zip(whole[7:], late, strict=True):
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_shards_make_up_the_batch(data):
    few = semi_supervised(data, 6, seed=0)
    (images, labels) = next(few.batches(12, seed=1).as_numpy_iterator())
    parts = [
        next(few.batches(12, seed=1, num_shards=2, shard=shard).as_numpy_iterator())
        for shard in (0, 1)
    ]
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), images)
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), labels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: hide_labels(data, 7, 0), "num_labelled=7: give a multiple of the 3"),
        (lambda data: semi_supervised(data, 33, 0), "class 2 of numbers has 10"),
        (lambda data: semi_supervised(data, 6, 0).batches(7, seed=0), "batch_size=7"),
        (lambda data: semi_supervised(data, 6, 0).batches(14, seed=0), "batch_size=7 is more"),
    ],
)
def test_impossible_wishes_are_refused(data, call, message):
    with pytest.raises(DataError, match=message):
        call(data)


def test_the_fingerprint_tells_which_labels_are_known(data):
    prints = {semi_supervised(data, 6, seed=seed).fingerprint for seed in (0, 0, 1)}
    assert len(prints) == 2
