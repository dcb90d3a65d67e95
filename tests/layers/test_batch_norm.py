import keras
import numpy as np
import pytest

from keras_gen.layers import (
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
