import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from keras_gen.losses import (
    bernoulli_kl_to_uniform,
    categorical_kl_to_uniform,
    gaussian_kl,
    gaussian_kl_between,
    jensen_shannon_monte_carlo,
    log_normal_kl,
    skew_geometric_jensen_shannon,
)

MEAN, LOG_VARIANCE = 0.7, -0.9
DEVIATION = np.exp(LOG_VARIANCE / 2)


def integrated_kl(p, q, low, high):
    def integrand(x):
        return p.pdf(x) * (p.logpdf(x) - q.logpdf(x))

    return integrate.quad(integrand, low, high, limit=500)[0]


def test_the_gaussian_divergence_is_that_of_an_integral():
    p = stats.norm(MEAN, DEVIATION)
    expected = integrated_kl(p, stats.norm(), -12, 12)
    assert float(gaussian_kl(MEAN, LOG_VARIANCE)) == pytest.approx(expected, rel=1e-5)
    expected = integrated_kl(p, stats.norm(-0.3, 2.0), -12, 12)
    value = gaussian_kl_between(MEAN, LOG_VARIANCE, -0.3, 2 * np.log(2.0))
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_the_gaussian_divergence_is_that_of_monte_carlo():
    p, q = stats.norm(MEAN, DEVIATION), stats.norm()
    draws = p.rvs(200_000, random_state=0)
    differences = p.logpdf(draws) - q.logpdf(draws)
    error = differences.std() / np.sqrt(len(draws))
    assert abs(float(gaussian_kl(MEAN, LOG_VARIANCE)) - differences.mean()) < 4 * error


@given(st.floats(-5, 5), st.floats(-8, 8))
@settings(deadline=None, max_examples=50)
def test_divergences_are_at_least_zero_and_zero_at_the_prior(mean, log_variance):
    for divergence in (gaussian_kl, log_normal_kl, skew_geometric_jensen_shannon):
        assert float(divergence(mean, log_variance)) >= -1e-6
        assert float(divergence(0.0, 0.0)) == 0.0


def test_the_log_normal_divergence_is_that_of_an_integral():
    p = stats.lognorm(s=DEVIATION, scale=np.exp(MEAN))
    q = stats.lognorm(s=1.5, scale=np.exp(-0.2))
    expected = integrated_kl(p, q, 1e-12, 200)
    value = log_normal_kl(MEAN, LOG_VARIANCE, -0.2, 2 * np.log(1.5))
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_discrete_divergences_are_those_of_scipy():
    logits = np.random.default_rng(0).normal(0, 3, (5, 10))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = [stats.entropy(row, np.full(10, 0.1)) for row in probabilities]
    np.testing.assert_allclose(categorical_kl_to_uniform(logits), expected, rtol=1e-5)
    single = 1 / (1 + np.exp(-logits))
    expected = [stats.entropy([p, 1 - p], [0.5, 0.5]) for p in single.ravel()]
    values = np.ravel(bernoulli_kl_to_uniform(logits))
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_sure_posteriors_diverge_by_the_logarithm_of_the_number_of_values():
    one_hot = np.array([[1e5, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(categorical_kl_to_uniform(one_hot), np.log(4.0), rtol=1e-6)
    np.testing.assert_allclose(bernoulli_kl_to_uniform([1e5, -1e5, 0.0]), [*[np.log(2.0)] * 2, 0])


def test_the_skew_divergence_goes_from_one_direction_of_kl_to_the_other():
    forward = gaussian_kl(MEAN, LOG_VARIANCE)
    backward = gaussian_kl_between(0.0, 0.0, MEAN, LOG_VARIANCE)
    ends = [skew_geometric_jensen_shannon(MEAN, LOG_VARIANCE, skew) for skew in (0.0, 1.0)]
    np.testing.assert_allclose(ends, [forward, backward], rtol=1e-5)


@pytest.mark.parametrize("skew", [0.25, 0.5, 0.9])
def test_the_skew_divergence_is_that_of_integrals(skew):
    q, p = stats.norm(MEAN, DEVIATION), stats.norm()

    def unnormalized(x):
        return np.exp(skew * q.logpdf(x) + (1 - skew) * p.logpdf(x))

    total = integrate.quad(unnormalized, -12, 12)[0]

    class Middle:
        @staticmethod
        def logpdf(x):
            return np.log(unnormalized(x) / total)

    expected = (1 - skew) * integrated_kl(q, Middle, -12, 12)
    expected += skew * integrated_kl(p, Middle, -12, 12)
    value = float(skew_geometric_jensen_shannon(MEAN, LOG_VARIANCE, skew))
    assert value == pytest.approx(expected, rel=1e-5)


def test_a_skew_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="skew=1.5"):
        skew_geometric_jensen_shannon(0.0, 0.0, 1.5)


def js_estimates(p, q, count=100_000):
    at_p, at_q = p.rvs(count, random_state=0), q.rvs(count, random_state=1)
    return np.asarray(
        jensen_shannon_monte_carlo(p.logpdf(at_p), q.logpdf(at_p), p.logpdf(at_q), q.logpdf(at_q))
    )


def test_the_jensen_shannon_divergence_is_that_of_integrals():
    p, q = stats.norm(MEAN, DEVIATION), stats.norm()

    class Middle:
        @staticmethod
        def logpdf(x):
            return np.log((p.pdf(x) + q.pdf(x)) / 2)

    expected = (integrated_kl(p, Middle, -12, 12) + integrated_kl(q, Middle, -12, 12)) / 2
    estimates = js_estimates(p, q)
    error = estimates.std() / np.sqrt(len(estimates))
    assert abs(estimates.mean() - expected) < 4 * error


def test_the_jensen_shannon_divergence_is_from_zero_to_log_two():
    assert js_estimates(stats.norm(), stats.norm()).mean() == pytest.approx(0.0, abs=1e-6)
    far = js_estimates(stats.norm(50.0), stats.norm(-50.0), 1000)
    np.testing.assert_allclose(far, np.log(2.0), rtol=1e-6)
    assert (js_estimates(stats.norm(1.0), stats.norm()) <= np.log(2.0) + 1e-6).all()
