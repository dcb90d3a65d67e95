import math
import types

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

from keras_gen.lab import four_points

SIGNS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], "float64")


def quadrants():
    """A model with a decoder that gives each image a quadrant, and with the exact posteriors."""

    def decoder(latents, training):
        inside = np.all(np.asarray(latents)[:, None] * SIGNS > 0.0, axis=-1)
        return {"logits": np.where(inside, 40.0, -40.0).reshape(-1, 1, 4, 1)}

    def draw_codes(images, seed):
        noise = np.random.default_rng(seed).normal(size=(len(images), 2))
        return np.abs(noise) * SIGNS[np.argmax(images.reshape(-1, 4), axis=1)]

    def elbo(images, seed):
        return np.full(len(images), -math.log(4.0))

    return types.SimpleNamespace(decoder=decoder, draw_codes=draw_codes, elbo=elbo)


def test_a_quadrant_for_each_image_has_the_evidence_and_posteriors_of_the_prior_in_quarters():
    log_evidence, log_posteriors = four_points.exact(quadrants())
    np.testing.assert_allclose(log_evidence, np.full(4, -math.log(4.0)), atol=1e-3)
    points = four_points.grid()
    for signs, log_density in zip(SIGNS, log_posteriors, strict=True):
        inside = np.all(points * signs > 0.0, axis=-1)
        expected = stats.norm.logpdf(points).sum(axis=-1) + math.log(4.0)
        np.testing.assert_allclose(log_density[inside], expected[inside], atol=1e-3)
        assert log_density[~inside].max() < -50.0


def test_the_evidence_is_that_of_scipys_quadrature():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(2, 4)), rng.normal(size=4)
    model = types.SimpleNamespace(
        decoder=lambda z, training: tf.reshape(z @ kernel.astype("float32") + bias, (-1, 1, 4, 1))
    )
    log_evidence, _ = four_points.exact(model)

    def joint(x, y, image):
        log_likelihoods = special.log_expit(
            (2.0 * np.eye(4)[image] - 1.0) * ([x, y] @ kernel + bias)
        )
        return np.exp(log_likelihoods.sum()) * stats.norm.pdf(x) * stats.norm.pdf(y)

    expected, _ = integrate.dblquad(joint, -7, 7, -7, 7, args=(2,), epsabs=1e-6, epsrel=1e-4)
    assert log_evidence[2] == pytest.approx(math.log(expected), abs=1e-3)


def test_the_divergence_of_gaussians_is_that_of_the_closed_form():
    rng = np.random.default_rng(0)
    means, log_variances = rng.normal(size=(4, 2)), rng.normal(-1.0, 0.5, size=(4, 2))
    log_priors = np.repeat(four_points.log_prior(four_points.grid())[None], 4, axis=0)
    given = four_points.gaussian_kl(means, log_variances, log_priors)
    expected = 0.5 * (np.exp(log_variances) + means**2 - 1.0 - log_variances).sum(axis=1)
    np.testing.assert_allclose(given, expected, rtol=1e-4)


def test_the_divergence_of_a_histogram_is_that_of_the_closed_form():
    points = np.random.default_rng(0).normal([0.5, -0.3], 0.7, size=(1_000_000, 2))
    shares = four_points.histogram(points)
    assert shares.sum() == pytest.approx(1.0)
    of_prior = four_points.in_bins(four_points.log_prior(four_points.grid()))
    assert of_prior.sum() == pytest.approx(1.0, abs=1e-6)
    expected = 0.5 * (2 * 0.49 + 0.25 + 0.09 - 2.0 - 2 * math.log(0.49))
    assert special.rel_entr(shares, of_prior).sum() == pytest.approx(expected, abs=0.01)
    column = four_points.histogram([[5.95, -5.95]])  # x along columns, y along rows
    assert column[0, -1] == 1.0
    assert four_points.histogram([[100.0, 0.0]])[:, -1].sum() == 1.0


def test_a_gaussian_encoder_is_measured_alike_by_histogram_and_by_integral():
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(2, 4)).astype("float32"), rng.normal(size=4).astype("float32")
    means, log_variances = rng.normal(0.0, 0.7, size=(4, 2)), rng.normal(-0.7, 0.3, size=(4, 2))

    def of_image(images, values):
        return values[np.argmax(np.reshape(images, (-1, 4)), axis=1)]

    def draw_codes(images, seed):
        noise = np.random.default_rng(seed).normal(size=(len(images), 2))
        return of_image(images, means) + of_image(images, np.exp(log_variances / 2)) * noise

    def elbo(images, seed):
        logits = draw_codes(images, (seed, 1)) @ kernel + bias
        pixels = special.log_expit((2.0 * images.reshape(-1, 4) - 1.0) * logits).sum(axis=1)
        kl = 0.5 * (np.exp(log_variances) + means**2 - 1.0 - log_variances).sum(axis=1)
        return pixels - of_image(images, kl)

    model = types.SimpleNamespace(
        decoder=lambda z, training: tf.reshape(z @ kernel + bias, (-1, 1, 4, 1)),
        encoder=lambda images: of_image(images, np.hstack([means, log_variances])),
        draw_codes=draw_codes,
        elbo=elbo,
        log_weights=None,  # its q has a density
    )
    metrics, _ = four_points.compare({"VAE": model}, draws=200_000)
    value, exact, _ = metrics["VAE_kl_nats"]
    assert exact > 0.2 and value == pytest.approx(exact, abs=0.03)
    bound, known, _ = metrics["VAE_elbo_nats"]
    assert bound == pytest.approx(known, abs=0.04)


def test_exact_posteriors_have_no_divergence_and_fill_the_prior(tmp_path):
    metrics, clouds = four_points.compare({"AVB": quadrants()}, draws=200_000)
    value, _, _ = metrics["AVB_kl_nats"]
    assert 0.0 <= value < 0.01  # occupied cells / (2 draws)
    value, exact, _ = metrics["AVB_aggregate_kl_nats"]
    assert exact == 0.0 and 0.0 <= value < 0.01
    bound, known, _ = metrics["AVB_elbo_nats"]
    assert bound == pytest.approx(known, abs=0.01)
    four_points.save_posteriors(clouds, tmp_path / "posteriors.png", shown=50)
    assert (tmp_path / "posteriors.png").stat().st_size > 0
