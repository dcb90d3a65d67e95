"""Against linear-Gaussian models, whose likelihood is known exactly."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import logsumexp

from keras_gen.metrics.likelihood import (
    active_units,
    bits_per_dim,
    elbo,
    importance_log_likelihood,
    kl_per_dimension,
    mean_and_standard_error,
    reconstruction_error,
    uniform_dequantize,
)

PIXELS, LATENTS, NOISE = 6, 2, 0.5


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z + b, s^2 I); q is the posterior, moved and widened.

    The posterior is N(m, C) with C = (I + W^T W / s^2)^-1 and m = C W^T (x - b) / s^2, and the
    marginal N(b, W W^T + s^2 I): Bishop 2006, equations 2.113 to 2.117.
    """

    value_range = (0.0, 1.0)

    def __init__(self, shift=0.0, widen=1.0):
        generator = np.random.default_rng(0)
        self.weights = generator.normal(size=(PIXELS, LATENTS))
        self.bias = generator.normal(size=PIXELS)
        self.covariance = np.linalg.inv(np.eye(LATENTS) + self.weights.T @ self.weights / NOISE**2)
        self.shift, self.widen = shift, widen
        self.calls = []

    def images(self, count, seed=1):
        generator = np.random.default_rng(seed)
        latents = generator.normal(size=(count, LATENTS))
        noise = NOISE * generator.normal(size=(count, PIXELS))
        return (latents @ self.weights.T + self.bias + noise).reshape(count, 2, 3, 1)

    def exact(self, images):
        covariance = self.weights @ self.weights.T + NOISE**2 * np.eye(PIXELS)
        flat = images.reshape(len(images), -1)
        return stats.multivariate_normal(self.bias, covariance).logpdf(flat)

    def log_weights(self, images, num_samples, seed):
        self.calls.append(num_samples * len(images))
        flat = images.reshape(len(images), -1)
        mean = (flat - self.bias) @ self.weights @ self.covariance / NOISE**2 + self.shift
        factor = np.linalg.cholesky(self.covariance * self.widen)
        shape = (num_samples, len(images), LATENTS)
        noise = tf.random.stateless_normal(shape, seed, dtype="float64").numpy()
        latents = mean + noise @ factor.T
        log_q = stats.norm.logpdf(noise).sum(-1) - np.log(np.diag(factor)).sum()
        log_prior = stats.norm.logpdf(latents).sum(-1)
        reconstruction = latents @ self.weights.T + self.bias
        return log_prior + stats.norm.logpdf(flat, reconstruction, NOISE).sum(-1) - log_q


def test_with_the_exact_posterior_bound_and_estimate_are_the_log_likelihood():
    model = LinearGaussian()
    images = model.images(7)
    exact = model.exact(images)
    np.testing.assert_allclose(elbo(model, images), exact, rtol=0, atol=1e-9)
    estimate = importance_log_likelihood(model, images, num_samples=20)
    np.testing.assert_allclose(estimate.log_likelihood_nats, exact, rtol=0, atol=1e-9)
    np.testing.assert_allclose(estimate.effective_sample_size, 20.0, rtol=1e-9)


def test_with_a_worse_posterior_5000_samples_come_within_a_hundredth_of_a_nat():
    model = LinearGaussian(shift=0.2, widen=1.5)
    images = model.images(100)
    estimate = importance_log_likelihood(model, images)
    exact = model.exact(images)
    assert abs(estimate.log_likelihood_nats.mean() - exact.mean()) < 0.01
    assert np.abs(estimate.log_likelihood_nats - exact).max() < 0.1
    # (E w)^2 / E w^2 for a Gaussian p and q, in closed form: the share of samples that count.
    share = _effective_share(model)
    np.testing.assert_allclose(estimate.effective_sample_size.mean() / 5000, share, rtol=0.05)


def _effective_share(model):
    """1 / integral of p^2 / q for p = N(0, C), q = N(shift, widen C)."""
    inverse = np.linalg.inv(model.covariance)
    shift = np.full(LATENTS, model.shift)
    precision = 2.0 * inverse - inverse / model.widen
    linear = -inverse @ shift / model.widen
    constant = -0.5 * shift @ inverse @ shift / model.widen
    log_integral = (
        0.5 * LATENTS * math.log(model.widen)
        + 0.5 * np.linalg.slogdet(inverse)[1]
        - 0.5 * np.linalg.slogdet(precision)[1]
        + 0.5 * linear @ np.linalg.solve(precision, linear)
        - constant
    )
    return math.exp(-log_integral)


def test_the_bound_lies_below_by_the_divergence_of_the_posteriors():
    model = LinearGaussian(shift=0.2, widen=1.5)
    images = model.images(50)
    bound = elbo(model, images, num_samples=4000)
    shift = np.full(LATENTS, 0.2)
    gap = 0.5 * (
        LATENTS * (1.5 - 1.0 - math.log(1.5)) + shift @ np.linalg.solve(model.covariance, shift)
    )
    np.testing.assert_allclose((model.exact(images) - bound).mean(), gap, rtol=0.02)


def test_the_estimate_grows_with_the_number_of_samples():
    model = LinearGaussian(shift=0.5, widen=1.0)
    images = model.images(300)
    means = [
        importance_log_likelihood(model, images, num_samples=k).log_likelihood_nats.mean()
        for k in (1, 5, 50, 500)
    ]
    assert means == sorted(means)
    assert means[0] < means[-1] - 0.1
    assert means[-1] < model.exact(images).mean() + 0.05


def test_a_hundred_thousand_samples_stay_within_the_bound_on_a_call():
    model = LinearGaussian(shift=0.1)
    images = model.images(2)
    estimate = importance_log_likelihood(model, images, num_samples=100_000, weights_per_call=4096)
    assert max(model.calls) == 4096
    assert sum(model.calls) == 200_000
    np.testing.assert_allclose(estimate.log_likelihood_nats, model.exact(images), atol=0.01)


def test_many_images_share_a_call_within_the_bound():
    model = LinearGaussian()
    elbo(model, model.images(1000), num_samples=3, weights_per_call=100)
    assert max(model.calls) == 99
    assert sum(model.calls) == 3000


class Table:
    """Weights that depend on the image and on how many of its weights were asked for before."""

    def __init__(self, table):
        self.table, self.given = table, np.zeros(len(table), int)

    def log_weights(self, images, num_samples, seed):
        rows = images[:, 0]
        first = self.given[rows]
        self.given[rows] += num_samples
        return np.stack(
            [self.table[r, f : f + num_samples] for r, f in zip(rows, first, strict=True)], 1
        )


@pytest.mark.parametrize("weights_per_call", [1, 7, 64, 1000, 100_000])
def test_given_the_weights_the_cut_into_calls_does_not_matter(weights_per_call):
    table = np.random.default_rng(0).normal(-1000.0, 30.0, size=(9, 50))
    table[3] = -np.inf
    table[4, :49] = -np.inf
    images = np.arange(9)[:, None]
    estimate = importance_log_likelihood(Table(table), images, 50, 0, weights_per_call)
    expected = logsumexp(table, axis=1) - math.log(50)
    np.testing.assert_allclose(estimate.log_likelihood_nats, expected, rtol=1e-13)
    assert estimate.log_likelihood_nats[3] == -np.inf
    assert estimate.effective_sample_size[3] == 0.0
    np.testing.assert_allclose(estimate.effective_sample_size[4], 1.0)
    finite = np.delete(table, 3, axis=0)
    weights = np.exp(finite - finite.max(1, keepdims=True))
    np.testing.assert_allclose(
        np.delete(estimate.effective_sample_size, 3), weights.sum(1) ** 2 / (weights**2).sum(1)
    )


def test_the_same_seed_gives_the_same_numbers_and_another_others():
    model = LinearGaussian(shift=0.5)
    images = model.images(20)
    first, again = (elbo(model, images, 5, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(elbo(model, images, 5, seed=4) - first).max() > 1e-3


def test_every_call_draws_with_a_seed_of_its_own():
    class Recorder(LinearGaussian):
        seeds = []

        def log_weights(self, images, num_samples, seed):
            assert seed.shape == (2,) and seed.dtype == np.int32
            self.seeds.append(tuple(seed))
            return super().log_weights(images, num_samples, seed)

    model = Recorder()
    importance_log_likelihood(model, model.images(5), num_samples=30, weights_per_call=10)
    assert len(set(model.seeds)) == len(model.seeds) == 15


def test_a_model_without_the_method_or_with_wrong_shapes_is_named():
    images = np.zeros((3, 2, 3, 1))
    with pytest.raises(TypeError, match="object has no log_weights"):
        elbo(object(), images)
    model = LinearGaussian()
    model.log_weights = lambda images, num_samples, seed: np.zeros((len(images), num_samples))
    with pytest.raises(ValueError, match=r"gave shape \(3, 2\).*must be \(2, 3\)"):
        elbo(model, images, num_samples=2)
    with pytest.raises(ValueError, match="num_samples=0"):
        elbo(model, images, num_samples=0)


def test_mean_and_standard_error_by_hand():
    mean, error = mean_and_standard_error([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5
    np.testing.assert_allclose(error, math.sqrt(5.0 / 3.0) / 2.0)
    with pytest.raises(ValueError, match="at least 2"):
        mean_and_standard_error([1.0])


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 256.0)])
def test_the_uniform_density_has_eight_bits_a_dimension_in_any_range(value_range):
    low, high = value_range
    log_density = -12 * math.log(high - low)
    np.testing.assert_allclose(bits_per_dim(log_density, (2, 2, 3), value_range), 8.0)


def test_bits_of_a_discrete_model_need_no_correction():
    nats = np.full(5, 4 * math.log(0.25))
    np.testing.assert_allclose(bits_per_dim(nats, (2, 2, 1)), 2.0)


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0)])
def test_dequantized_bits_bound_those_of_the_integers(value_range):
    """A Gaussian on scaled data against the probabilities of its own 256 bins."""
    low, high = value_range
    pixels = np.random.default_rng(0).binomial(255, 0.4, size=(4000, 1, 1, 1)).astype("uint8")
    edges = low + (high - low) * np.arange(257) / 256
    for scale in (0.06, 0.012):  # in units of the range: wide against a bin of 1/256, and narrow
        density = stats.norm(low + 0.4 * (high - low), scale * (high - low))
        # Each tail from its own end: far out, differences of the other one are rounded to 0.
        lower, upper = np.diff(density.cdf(edges)), -np.diff(density.sf(edges))
        exact = -np.log2(np.where(lower < upper, upper, lower)[pixels.ravel()]).mean()
        values = uniform_dequantize(pixels, seed=1, value_range=value_range)
        bits = bits_per_dim(density.logpdf(values.ravel()), (1, 1, 1), value_range).mean()
        assert bits > exact - 0.01
        if scale == 0.06:
            np.testing.assert_allclose(bits, exact, atol=0.02)


def test_dequantized_pixels_fill_their_bins_and_stay_below_the_top():
    pixels = np.repeat(np.array([0, 128, 255], "uint8"), 200_000)
    values = uniform_dequantize(pixels, seed=0, value_range=(-1.0, 1.0))
    assert values.dtype == np.float32
    assert values.min() >= -1.0 and values.max() < 1.0
    levels = (values.astype("float64") + 1.0) * 128.0
    within = levels - pixels
    assert within.min() > -1e-4 and within.max() < 1.0 + 1e-4  # float32 rounds at the edges
    assert stats.kstest(within[:200_000], "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(values, uniform_dequantize(pixels, 0, (-1.0, 1.0)))


def test_only_integers_in_range_are_dequantized():
    with pytest.raises(ValueError, match="float32"):
        uniform_dequantize(np.zeros(3, "float32"), 0)
    with pytest.raises(ValueError, match="to 8"):
        uniform_dequantize(np.array([0, 8]), 0, levels=8)


def test_active_units_are_those_whose_means_move():
    means = np.zeros((4, 3))
    means[:, 0] = [-1.0, 1.0, -1.0, 1.0]  # variance 1
    means[:, 1] = [-0.09, 0.09, -0.09, 0.09]  # variance 0.0081
    means[:, 2] = 5.0
    assert active_units(means).tolist() == [True, False, False]
    assert active_units(means, threshold=0.008).tolist() == [True, True, False]


def test_kl_per_dimension_is_the_integral_of_the_densities():
    means, log_variances = np.array([[0.5, -2.0]]), np.array([[math.log(0.25), 0.3]])
    expected = []
    for mean, log_variance in zip(means[0], log_variances[0], strict=True):
        posterior = stats.norm(mean, math.exp(log_variance / 2))
        expected.append(posterior.expect(lambda z, q=posterior: q.logpdf(z) - stats.norm.logpdf(z)))
    np.testing.assert_allclose(kl_per_dimension(means, log_variances), expected, rtol=1e-8)
    both = (
        np.concatenate([means, np.zeros((1, 2))]),
        np.concatenate([log_variances, np.zeros((1, 2))]),
    )
    np.testing.assert_allclose(kl_per_dimension(*both), np.array(expected) / 2, rtol=1e-8)


class Reconstructs:
    def __init__(self, function, value_range):
        self.reconstruct, self.value_range = function, value_range


def test_reconstruction_errors_by_hand():
    images = np.array([0.0, 1.0, 1.0, 0.5]).reshape(2, 1, 2, 1)
    answer = np.array([0.25, 0.75, 0.5, 0.5]).reshape(2, 1, 2, 1)
    model = Reconstructs(lambda batch: answer[: len(batch)], (0.0, 1.0))
    errors = reconstruction_error(model, images)
    np.testing.assert_allclose(errors["reconstruction_mse"], (1 / 16 + 1 / 16 + 1 / 4) / 4)
    entropy = -(2 * math.log(0.75) + 2 * math.log(0.5)) / 4
    np.testing.assert_allclose(errors["bce_per_pixel"], entropy)


def test_reconstructions_may_be_compared_with_other_images_than_were_given():
    images, targets = np.ones((5, 1, 2, 1)), np.full((5, 1, 2, 1), 0.6)
    model = Reconstructs(lambda batch: 0.8 * batch, (0.0, 1.0))
    errors = reconstruction_error(model, images, 2, targets)
    np.testing.assert_allclose(errors["reconstruction_mse"], 0.04)
    entropy = -(0.6 * math.log(0.8) + 0.4 * math.log(0.2))
    np.testing.assert_allclose(errors["bce_per_pixel"], entropy)
    with pytest.raises(ValueError, match=r"targets of shape \(4, 1, 2, 1\)"):
        reconstruction_error(model, images, targets=targets[:4])


def test_reconstruction_error_is_in_units_of_the_range_and_independent_of_the_batch():
    images = np.random.default_rng(0).uniform(-1, 1, size=(10, 2, 2, 1))
    model = Reconstructs(lambda batch: batch + 0.2, (-1.0, 1.0))
    for batch_size in (3, 100):
        errors = reconstruction_error(model, images, batch_size)
        assert set(errors) == {"reconstruction_mse"}
        np.testing.assert_allclose(errors["reconstruction_mse"], 0.01)


def test_saturated_reconstructions_give_a_finite_entropy():
    images = np.ones((1, 1, 1, 1))
    model = Reconstructs(lambda batch: 0.0 * batch, (0.0, 1.0))
    np.testing.assert_allclose(
        reconstruction_error(model, images)["bce_per_pixel"], -math.log(1e-7)
    )
