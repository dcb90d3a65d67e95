import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import MinibatchDeviation


def by_numpy(x, group_size):
    size = min(group_size, len(x))
    rows = np.concatenate([x, x])  # enough to fill up the last group
    numbers = [
        np.sqrt(rows[start : start + size].var(axis=0) + 1e-8).mean()
        for start in range(0, len(x), size)
    ]
    return np.repeat(numbers, size)[: len(x)]


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 13), group_size=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_channel_is_each_groups_mean_deviation(batch, group_size, seed):
    x = np.random.default_rng(seed).normal(size=(batch, 2, 3, 2)).astype("float32")
    found = np.asarray(MinibatchDeviation(group_size)(x))
    np.testing.assert_array_equal(found[..., :2], x)
    expected = np.broadcast_to(by_numpy(x, group_size)[:, None, None], (batch, 2, 3))
    np.testing.assert_allclose(found[..., 2], expected, rtol=1e-4, atol=1e-6)


def test_equal_images_have_no_deviation_and_a_finite_gradient():
    x = tf.ones((4, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(MinibatchDeviation()(x)[..., 1])
    assert total < 0.01
    assert np.isfinite(tape.gradient(total, x)).all()


def test_two_replicas_with_whole_groups_compute_what_one_device_would(mirrored):
    x = np.random.default_rng(0).normal(size=(8, 2, 2, 1)).astype("float32")
    layer = MinibatchDeviation(2)
    whole = np.asarray(layer(x))

    def on_replica():
        first = tf.distribute.get_replica_context().replica_id_in_sync_group * 4
        return layer(tf.constant(x)[first : first + 4])

    parts = mirrored.experimental_local_results(mirrored.run(on_replica))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_batch_of_unknown_or_no_size_is_taken():
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, MinibatchDeviation(2)(inputs))
    assert model.output_shape == (None, 2, 2, 4)
    run = tf.function(model, input_signature=[tf.TensorSpec((None, 2, 2, 3))])
    for batch in (0, 1, 3):
        assert run(tf.zeros((batch, 2, 2, 3))).shape == (batch, 2, 2, 4)


def test_a_group_of_no_image_is_refused():
    with pytest.raises(ValueError, match="group_size=0"):
        MinibatchDeviation(0)
