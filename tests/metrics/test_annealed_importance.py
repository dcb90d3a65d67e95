import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen.metrics import annealed_importance_log_likelihood

DEVIATION = 0.4


def linear_gaussian(chains, images=5, values=6, latents=3, seed=0):
    """x = W z + noise: both logarithms, latents from the prior, and the exact log p(x)."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(latents, values))
    x = rng.normal(size=(images, latents)) @ weights
    x += DEVIATION * rng.normal(size=x.shape)
    covariance = weights.T @ weights + DEVIATION**2 * np.eye(values)
    exact = stats.multivariate_normal(np.zeros(values), covariance).logpdf(x)
    x, weights = tf.constant(x, "float32"), tf.constant(weights, "float32")

    def log_likelihood(z):
        errors = (x - z @ weights) / DEVIATION
        constant = values * (0.5 * np.log(2 * np.pi) + np.log(DEVIATION))
        return -0.5 * tf.reduce_sum(errors**2, axis=-1) - constant

    def log_prior(z):
        return -0.5 * tf.reduce_sum(z * z + np.log(2 * np.pi), axis=-1)

    return log_likelihood, log_prior, rng.normal(size=(chains, images, latents)), exact


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_evidence_of_a_linear_gaussian_model_is_met_within_a_twentieth_of_a_nat(jit_compile):
    *model, exact = linear_gaussian(chains=2000)
    estimate = annealed_importance_log_likelihood(
        *model, 300, 5, step_size=0.3, jit_compile=jit_compile
    )
    np.testing.assert_allclose(estimate.log_likelihood_nats, exact, atol=0.05)
    assert 0.5 < estimate.acceptance <= 1.0
    assert estimate.effective_sample_size.min() > 1000


def test_few_temperatures_and_one_chain_lie_below_on_average():
    log_likelihood, log_prior, latents, exact = linear_gaussian(chains=1, images=200)
    estimate = annealed_importance_log_likelihood(log_likelihood, log_prior, latents, 10, 3)
    assert np.mean(estimate.log_likelihood_nats - exact) < -0.1


def test_one_temperature_is_the_mean_likelihood_over_the_prior():
    log_likelihood, log_prior, latents, _ = linear_gaussian(chains=50)
    estimate = annealed_importance_log_likelihood(log_likelihood, log_prior, latents, 1, 1)
    of_prior = log_likelihood(tf.constant(latents, "float32")).numpy().astype("float64")
    expected = np.log(np.mean(np.exp(of_prior), axis=0))
    np.testing.assert_allclose(estimate.log_likelihood_nats, expected, rtol=1e-5)


def test_the_same_seed_gives_the_same_estimate():
    *model, _ = linear_gaussian(chains=4)
    first, again, other = (
        annealed_importance_log_likelihood(*model, 20, 2, seed=seed).log_likelihood_nats
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperatures": 0}, "temperatures=0"),
        ({"leapfrog_steps": 0}, "leapfrog_steps=0"),
        ({"step_size": 0.0}, "step_size=0.0"),
        ({"latents": np.zeros((2, 3))}, r"latents of shape \(2, 3\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    log_likelihood, log_prior, latents, _ = linear_gaussian(chains=2)
    arguments = {"latents": latents, "temperatures": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        annealed_importance_log_likelihood(log_likelihood, log_prior, **arguments)
