import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen.losses import (
    bernoulli_log_likelihood,
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
)

SHAPE = (3, 4, 5, 2)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_bernoulli_agrees_with_scipy(rng):
    images = rng.integers(2, size=SHAPE).astype("float32")
    logits = rng.normal(0, 3, SHAPE)
    expected = stats.bernoulli.logpmf(images, 1 / (1 + np.exp(-logits))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(bernoulli_log_likelihood(images, logits), expected, rtol=1e-5)


def test_bernoulli_of_grey_pixels_is_the_mean_over_their_binarizations(rng):
    grey, logits = rng.uniform(size=(1, 1, 1, 1)), rng.normal(size=(1, 1, 1, 1))
    ones = bernoulli_log_likelihood(np.ones_like(grey), logits)
    zeros = bernoulli_log_likelihood(np.zeros_like(grey), logits)
    expected = grey.item() * ones + (1 - grey.item()) * zeros
    np.testing.assert_allclose(bernoulli_log_likelihood(grey, logits), expected, rtol=1e-6)


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_bernoulli_is_exact_and_finite_at_any_logit(size):
    images = np.array([1.0, 0.0, 1.0, 0.0]).reshape(4, 1, 1, 1)
    logits = tf.Variable(np.array([size, -size, -size, size], "float32").reshape(4, 1, 1, 1))
    with tf.GradientTape() as tape:
        values = bernoulli_log_likelihood(images, logits)
    np.testing.assert_allclose(values, [0.0, 0.0, -size, -size])
    gradients = np.ravel(tape.gradient(values, logits))
    np.testing.assert_allclose(gradients, [0, 0, 1, -1])


def test_gaussian_agrees_with_scipy(rng):
    images, means, log_variances = (rng.normal(size=SHAPE) for _ in range(3))
    expected = stats.norm.logpdf(images, means, np.exp(log_variances / 2)).sum(axis=(1, 2, 3))
    values = gaussian_log_likelihood(images, means, log_variances)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    expected = stats.norm.logpdf(images, means, np.exp(-0.5)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(gaussian_log_likelihood(images, means, -1.0), expected, rtol=1e-5)


@pytest.mark.parametrize("mean", [-0.2, 0.0, 0.31, 1.0, 1.5])
@pytest.mark.parametrize("log_scale", [-9.0, -5.0, -2.0, 0.0, 3.0])
def test_the_probabilities_of_all_levels_add_up_to_one(mean, log_scale):
    levels = (np.arange(256) / 255.0).reshape(256, 1, 1, 1)
    values = discretized_logistic_log_likelihood(levels, np.full_like(levels, mean), log_scale)
    assert np.isfinite(values).all()
    assert np.exp(np.float64(values)).sum() == pytest.approx(1.0, abs=2e-4)


def test_a_level_has_the_mass_of_the_logistic_distribution_around_it():
    levels, means, scales = np.array([10, 128, 200]), np.array([0.1, 0.5, 0.7]), 0.05
    expected = np.log(
        stats.logistic.cdf((levels + 0.5) / 255, means, scales)
        - stats.logistic.cdf((levels - 0.5) / 255, means, scales)
    )
    shape = (3, 1, 1, 1)
    values = discretized_logistic_log_likelihood(
        (levels / 255).reshape(shape), means.reshape(shape), np.log(scales)
    )
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_a_level_far_in_the_tail_keeps_a_probability_and_a_gradient():
    means = tf.Variable(np.full((1, 1, 1, 1), 0.9, "float32"))
    with tf.GradientTape() as tape:
        value = discretized_logistic_log_likelihood(np.full((1, 1, 1, 1), 51 / 255), means, -7.0)
    assert np.isfinite(value).all()
    # Far out the density falls like exp(-|x - mean| / scale): so does its logarithm's slope.
    assert tape.gradient(value, means).numpy().item() == pytest.approx(-np.exp(7.0), rel=1e-3)


@pytest.mark.parametrize(
    "function", [bernoulli_log_likelihood, lambda x, m: gaussian_log_likelihood(x, m, 0.0)]
)
def test_leading_axes_broadcast(function, rng):
    images = rng.integers(2, size=SHAPE).astype("float32")
    parameters = rng.normal(size=(6, *SHAPE))
    together = np.asarray(function(images, parameters))
    assert together.shape == (6, 3) and together.dtype == np.float32
    for draw, values in zip(parameters, together, strict=True):
        np.testing.assert_allclose(function(images, draw), values, rtol=1e-6)
