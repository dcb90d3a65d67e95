import numpy as np
import pytest

from keras_gen.data import DataError, DataSet, binarize, load


def grey_set(count=60, split="train", value_range=(0.0, 1.0)):
    rng = np.random.default_rng(0)
    examples = rng.integers(256, size=(count, 4, 4, 1), dtype=np.uint8)
    return DataSet("grey", split, examples, np.arange(count), value_range=value_range)


def first_batches(data, count=4, **arguments):
    batches = data.batches(20, seed=5, **arguments).take(count)
    return [np.asarray(batch) for batch in batches]


def test_pixels_are_white_with_the_probability_that_their_byte_says():
    levels = np.arange(256, dtype=np.uint8)
    examples = np.tile(levels.reshape(1, 16, 16, 1), (4000, 1, 1, 1))
    drawn = binarize(DataSet("levels", "train", examples), "static").examples
    assert set(np.unique(drawn)) == {0, 255}
    share = (drawn == 255).mean(axis=0).ravel()
    expected = levels / 255.0
    # Five standard errors for each of the 256 levels; the ends are exact.
    assert (np.abs(share - expected) <= 5 * np.sqrt(expected * (1 - expected) / 4000)).all()
    assert share[0] == 0.0 and share[255] == 1.0


def test_a_static_draw_depends_on_the_seed_and_the_split_alone():
    first = binarize(grey_set(), "static", seed=3)
    np.testing.assert_array_equal(first.examples, binarize(grey_set(), "static", 3).examples)
    for other in (binarize(grey_set(), "static", 4), binarize(grey_set(split="test"), "static", 3)):
        assert not np.array_equal(first.examples, other.examples)
    assert first.binarization == "static Bernoulli binarization, seed 3"
    np.testing.assert_array_equal(first.labels, grey_set().labels)


def test_a_threshold_leaves_nothing_to_chance():
    grey = grey_set()
    drawn = binarize(grey, "threshold")
    np.testing.assert_array_equal(drawn.examples, np.where(grey.examples >= 128, 255, 0))
    np.testing.assert_array_equal(binarize(grey, "none").examples, grey.examples)


def test_dynamic_draws_are_new_in_every_step_and_black_or_white():
    data = binarize(grey_set(20), "dynamic")
    batches = first_batches(data, 300)  # each batch is the whole set in another order
    assert all(set(np.unique(batch)) <= {0.0, 1.0} for batch in batches)
    mean = np.mean(batches)
    assert mean == pytest.approx(data.examples.mean() / 255.0, abs=0.01)
    assert len({batch.tobytes() for batch in batches}) == 300


def test_dynamic_draws_are_a_function_of_the_seed_and_the_step():
    data = binarize(grey_set(), "dynamic", seed=1)
    whole = first_batches(data, 6)
    for first, second in zip(whole, first_batches(data, 6), strict=True):
        np.testing.assert_array_equal(first, second)
    for first, second in zip(whole[4:], first_batches(data, 2, start_step=4), strict=True):
        np.testing.assert_array_equal(first, second)
    other = first_batches(binarize(grey_set(), "dynamic", seed=2), 6)
    assert not np.array_equal(whole[0], other[0])


def test_shards_of_a_dynamic_batch_are_its_slices():
    data = binarize(grey_set(), "dynamic")
    whole = first_batches(data)
    shards = [first_batches(data, num_shards=2, shard=shard) for shard in range(2)]
    for batch, *parts in zip(whole, *shards, strict=True):
        np.testing.assert_array_equal(batch, np.concatenate(parts))


def test_dynamic_binarization_is_evaluated_on_one_fixed_draw():
    dynamic, static = (binarize(grey_set(), mode, seed=7) for mode in ("dynamic", "static"))
    for first, second in zip(
        dynamic.evaluation_batches(25), static.evaluation_batches(25), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_labels_come_with_dynamic_batches():
    images, labels = next(iter(binarize(grey_set(), "dynamic").batches(20, seed=0, labels=True)))
    assert images.shape == (20, 4, 4, 1) and labels.shape == (20,)


def test_the_value_range_is_kept():
    batch = first_batches(binarize(grey_set(value_range=(-1.0, 1.0)), "dynamic"), 1)[0]
    assert set(np.unique(batch)) == {-1.0, 1.0}


def test_unknown_modes_and_points_are_refused():
    with pytest.raises(DataError, match="binarization='stochastic': give one of static"):
        binarize(grey_set(), "stochastic")
    with pytest.raises(DataError, match="points"):
        binarize(load("moons"), "static")
