import numpy as np
import tensorflow as tf
from scipy.signal import convolve2d

from keras_gen.layers import Blur, PixelNormalization, downsample, fade, upsample


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_enlarging_repeats_pixels_and_shrinking_takes_means():
    x = noise(2, 4, 6, 3)
    np.testing.assert_array_equal(upsample(x, 3), np.kron(x, np.ones((1, 3, 3, 1))))
    expected = x.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(downsample(x), expected, atol=1e-6)
    np.testing.assert_allclose(downsample(upsample(x, 2), 2), x, atol=1e-6)
    assert upsample(x, 1) is x and downsample(x, 1) is x


def test_fading_is_exact_at_both_ends():
    old, new = noise(2, 3), noise(2, 3) * 1e6
    np.testing.assert_array_equal(fade(old, new, tf.constant(0.0)), old)
    np.testing.assert_array_equal(fade(old, new, tf.constant(1.0)), new)
    np.testing.assert_allclose(fade(old, new, tf.constant(0.25)), 0.75 * old + 0.25 * new)


def test_blurring_is_a_convolution_with_1_2_1_of_each_channel():
    x = noise(1, 5, 4, 2)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    found = np.asarray(Blur()(x))
    for channel in range(2):
        expected = convolve2d(x[0, ..., channel], kernel, mode="same")
        np.testing.assert_allclose(found[0, ..., channel], expected, atol=1e-6)


def test_blurring_has_a_second_derivative():
    x = tf.constant(noise(1, 4, 4, 2))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(Blur()(x) ** 2)
        penalty = tf.reduce_sum(inner.gradient(loss, x) ** 2)
    assert np.abs(outer.gradient(penalty, x)).max() > 0


def test_pixel_normalization_gives_each_place_a_mean_square_of_one():
    x = 100.0 * noise(2, 3, 3, 8)
    found = np.asarray(PixelNormalization()(x))
    np.testing.assert_allclose((found**2).mean(axis=-1), 1.0, rtol=1e-5)
    direction = x / np.linalg.norm(x, axis=-1, keepdims=True)
    np.testing.assert_allclose(found, direction * np.sqrt(8), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(PixelNormalization()(0.0 * x), 0.0)
