import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import (
    BatchNormalization,
    batch_normalization,
    collect_statistics,
    conditional_batch_normalization,
)


def conditional(channels=3):
    x = keras.Input((4, 4, channels))
    scales, offsets = keras.Input((channels,)), keras.Input((channels,))
    normalized = conditional_batch_normalization(x, scales, offsets)
    return keras.Model([x, scales, offsets], normalized)


def maps(seed=0, size=6):
    return np.random.default_rng(seed).normal(1.0, 2.0, (size, 4, 4, 3)).astype("float32")


@pytest.mark.parametrize("training", [True, False])
def test_with_one_condition_for_all_it_is_batch_normalization(training):
    rng = np.random.default_rng(1)
    scale, offset, mean = rng.normal(size=(3, 3)).astype("float32")
    variance = rng.uniform(1.0, 2.0, 3).astype("float32")
    plain, network = batch_normalization(), conditional()
    plain.build((None, 4, 4, 3))
    plain.set_weights([scale, offset, mean, variance])
    network.set_weights([mean, variance])
    equal = [np.tile(each, (6, 1)) for each in (scale, offset)]
    np.testing.assert_allclose(
        network([maps(), *equal], training=training),
        plain(maps(), training=training),
        rtol=1e-5,
        atol=1e-5,
    )


def test_each_image_has_a_scale_and_offset_of_its_own_and_moments_are_shared():
    rng = np.random.default_rng(1)
    scales, offsets = rng.normal(size=(2, 6, 3)).astype("float32")
    x = maps()
    whitened = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)
    expected = scales[:, None, None] * whitened + offsets[:, None, None]
    got = conditional()([x, scales, offsets], training=True)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_scales_start_as_told():
    spread, ones = batch_normalization(), batch_normalization(scale_deviation=0.0)
    for layer in (spread, ones):
        layer.build((None, 2, 2, 500))
    assert np.std(spread.gamma) == pytest.approx(0.02, rel=0.2)
    np.testing.assert_array_equal(ones.gamma, 1.0)


@pytest.mark.parametrize("trainable", [True, False])
def test_standing_statistics_are_means_of_the_batches_moments(trainable):
    inputs = keras.Input((4, 4, 3))
    layer = batch_normalization()
    network = keras.Model(inputs, layer(inputs))
    network.trainable = trainable
    network(maps(9), training=True)  # what was there before does not matter
    batches = [maps(seed) for seed in range(3)]
    collect_statistics(network, batches)
    for got, moment in ((layer.moving_mean, np.mean), (layer.moving_variance, np.var)):
        expected = np.mean([moment(batch, axis=(0, 1, 2)) for batch in batches], axis=0)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert layer.momentum == 0.9 and network.trainable == layer.trainable == trainable


def test_standing_statistics_are_the_same_on_all_replicas(mirrored):
    with mirrored.scope():
        inputs = keras.Input((4, 4, 3))
        layer = batch_normalization()
        network = keras.Model(inputs, layer(inputs))
    assert layer.synchronized
    collect_statistics(network, [maps(0), maps(1)])
    expected = np.mean([maps(seed).mean(axis=(0, 1, 2)) for seed in (0, 1)], axis=0)
    for mean in mirrored.experimental_local_results(layer.moving_mean.value):
        np.testing.assert_allclose(mean, expected, rtol=1e-5)


def both(shape, dtype="float32", **arguments):
    """Our layer and Keras', with the same weights."""
    rng = np.random.default_rng(3)
    pair = [
        kind(momentum=0.9, epsilon=1e-4, dtype=dtype, **arguments)
        for kind in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    for layer in pair:
        layer.build((None, *shape[1:]))
    weights = [rng.uniform(0.5, 1.5, weight.shape) for weight in pair[0].weights]
    for layer in pair:
        layer.set_weights(weights)
    return pair


def training_step(layer, x):
    """Outputs, first and second derivatives, and the moving statistics after a call."""
    weights = [weight.value for weight in layer.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            outputs = layer(x, training=True)
            total = tf.reduce_sum(tf.cast(outputs, "float32") ** 3)
        first = inner.gradient(total, [x, *weights])
        norm = tf.reduce_sum(tf.cast(first[0], "float32") ** 2)
    second = outer.gradient(norm, x)
    return [outputs, *first, second, *layer.non_trainable_variables]


@pytest.mark.parametrize("shape", [(16, 7), (8, 3, 5, 4), (1, 4), (1, 1, 1, 3), (2, 3, 4, 1)])
@pytest.mark.parametrize("arguments", [{}, {"scale": False, "center": False}])
def test_the_one_kernel_does_what_keras_does(shape, arguments):
    x = tf.constant(np.random.default_rng(0).normal(2.0, 3.0, shape).astype("float32"))
    found, expected = (training_step(layer, x) for layer in both(shape, **arguments))
    for ours, theirs in zip(found, expected, strict=True):
        size = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(ours / size, theirs / size, atol=2e-4)


@pytest.mark.parametrize("shape", [(64, 7), (8, 5, 5, 4)])
def test_in_bfloat16_it_loses_no_more_than_keras(shape):
    x = np.random.default_rng(0).normal(2.0, 3.0, shape).astype("float32")
    exact = training_step(both(shape)[1], tf.constant(x))
    rough = [
        training_step(layer, tf.constant(x, "bfloat16"))
        for layer in both(shape, dtype="mixed_bfloat16")
    ]
    assert rough[0][0].dtype == "bfloat16"
    for number in (0, -2, -1):  # the outputs and both moments
        lost = [np.abs(tf.cast(each[number], "float32") - exact[number]).mean() for each in rough]
        assert lost[0] <= 1.5 * lost[1] + 1e-6, (number, lost)


@pytest.mark.parametrize("training", [None, False, True])
def test_out_of_training_and_frozen_it_uses_the_moving_moments(training):
    x = tf.constant(maps())
    ours, theirs = both((6, 4, 4, 3))
    if training:
        ours.trainable = theirs.trainable = False
    before = ours.get_weights()
    np.testing.assert_array_equal(ours(x, training=training), theirs(x, training=training))
    for old, new in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "shape, arguments",
    [((4, 3, 2), {}), ((4, 3, 2, 2), {"axis": 1}), ((4, 3), {"renorm": True})],
)
def test_what_the_kernel_does_not_have_is_left_to_keras(shape, arguments):
    x = tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))
    ours, theirs = both(shape, **arguments)
    np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))


def test_it_compiles_under_xla_and_comes_back_from_its_configuration():
    x = tf.constant(maps())
    layer = both((6, 4, 4, 3))[0]
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    np.testing.assert_allclose(compiled(x), layer(x, training=True), atol=1e-5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is BatchNormalization and copy.get_config() == layer.get_config()
