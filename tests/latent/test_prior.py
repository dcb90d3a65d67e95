import types

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.export import export_model, load_exported
from keras_gen.latent import (
    decode_in_chunks,
    draw_latents,
    latent_distribution,
    prior_quantiles,
    truncated_normal,
)
from keras_gen.layers import sample_latents
from keras_gen.models import DCGAN, GAN

N = 200_000


def exported(distribution=None, **description):
    """What an export looks like to these tools: no draw_latents, a description."""
    if distribution:
        description["latent_distribution"] = distribution
    return types.SimpleNamespace(latent_dim=4, description=description, folder="saved/1")


@pytest.mark.parametrize("threshold", [2.0, 1.0, 0.5, 0.04])
def test_moments_and_distribution_are_those_of_scipy(threshold):
    draws = truncated_normal((N,), threshold, seed=1).astype("float64")
    law = scipy.stats.truncnorm(-threshold, threshold)
    assert np.abs(draws).max() <= threshold * (1 + 1e-6)
    # Five standard errors, on both sides.
    assert abs(draws.mean()) < 5 * law.std() / N**0.5
    fourth = law.moment(4)
    error = 5 * ((fourth - law.var() ** 2) / N) ** 0.5
    assert abs((draws**2).mean() - law.var()) < error
    assert scipy.stats.kstest(draws, law.cdf).pvalue > 1e-4  # clipping would pile up at the ends


def test_without_a_bound_worth_the_name_the_law_is_normal():
    draws = truncated_normal((N,), 100.0)
    assert scipy.stats.kstest(draws, "norm").pvalue > 1e-4


@pytest.mark.parametrize("extreme", [0.0, 1.0 - 2.0**-53])
def test_the_most_extreme_draws_are_finite(extreme, monkeypatch):
    draw = lambda shape, seed, dtype: tf.fill(shape, tf.constant(extreme, dtype))  # noqa: E731
    monkeypatch.setattr(tf.random, "stateless_uniform", draw)
    assert np.isfinite(truncated_normal((1,), 100.0)).all()


@settings(deadline=None)
@given(seed=st.integers(-(2**63), 2**63 - 1), threshold=st.sampled_from([0.04, 0.5, 2.0, 30.0]))
def test_truncated_draws_are_those_of_the_models(seed, threshold):
    theirs = sample_latents("normal", (3, 4), [seed, 0], threshold)
    np.testing.assert_allclose(truncated_normal((3, 4), threshold, seed), theirs, rtol=1e-5)


def test_thresholds_share_signs_and_ranks():
    wide, narrow = truncated_normal((50,), 2.0, 3), truncated_normal((50,), 0.5, 3)
    assert (np.argsort(wide) == np.argsort(narrow)).all()
    assert (np.sign(wide) == np.sign(narrow)).all()


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("truncation", [None, 0.3])
def test_latents_are_those_that_sample_decodes(distribution, truncation):
    model = DCGAN((8, 8, 1), 3, 4, latent_distribution=distribution)
    latents = draw_latents(model, 5, seed=7, truncation=truncation)
    images = model.sample(5, seed=7, truncation=truncation)
    np.testing.assert_array_equal(decode_in_chunks(model, latents), images)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("truncation", [None, 0.3, 2.0])
def test_latents_of_an_export_are_those_of_its_model(distribution, truncation):
    model = DCGAN((8, 8, 1), 4, 4, latent_distribution=distribution)
    ours = draw_latents(exported(distribution), 6, 11, truncation)
    np.testing.assert_allclose(ours, draw_latents(model, 6, 11, truncation), rtol=1e-5)


def test_an_export_that_names_no_prior_counts_as_normal_with_a_warning(tmp_path):
    folder = export_model(DCGAN((8, 8, 1), 3, 4, latent_distribution="normal"), tmp_path)
    model = load_exported(folder)
    model.description.pop("latent_distribution", None)
    vars(model).pop("latent_distribution", None)
    with pytest.warns(UserWarning, match="does not say which distribution"):
        latents = draw_latents(model, 5, seed=7)
    np.testing.assert_allclose(decode_in_chunks(model, latents), model.sample(5, seed=7), atol=1e-5)


class Skewed:
    """A model whose prior is log-normal in one coordinate and normal around 5 in the other."""

    latent_dim, latent_distribution = 2, "skewed"

    def draw_latents(self, num_images, seed, truncation=None):
        normal = tf.random.stateless_normal((num_images, 2), seed)
        return tf.stack([tf.exp(normal[:, 0]), 5.0 + 2.0 * normal[:, 1]], axis=1)


def test_distributions_are_named_where_they_are_known():
    assert latent_distribution(types.SimpleNamespace(latent_dim=4)) == "normal"
    assert latent_distribution(exported("uniform")) == "uniform"
    assert latent_distribution(GAN((4, 4, 1), 3)) == "normal"
    assert latent_distribution(Skewed()) is None


def test_a_named_prior_that_nobody_can_draw_from_is_refused():
    model = types.SimpleNamespace(latent_dim=4, latent_distribution="mixture")
    with pytest.raises(ValueError, match="latent_distribution='mixture'.* Give latents"):
        draw_latents(model, 3)


def test_quantiles_are_those_of_scipy():
    probabilities = np.array([1e-6, 0.02, 0.5, 0.9, 0.999999])
    for name, law in (("normal", scipy.stats.norm), ("uniform", scipy.stats.uniform(-1, 2))):
        quantiles = prior_quantiles(exported(name), probabilities)
        expected = np.tile(law.ppf(probabilities)[:, None], (1, 4))
        np.testing.assert_allclose(quantiles, expected, rtol=1e-6, atol=1e-7)


def test_quantiles_of_other_priors_are_estimated_for_each_coordinate():
    probabilities = np.linspace(0.05, 0.95, 5)
    quantiles = prior_quantiles(Skewed(), probabilities)
    np.testing.assert_allclose(
        quantiles[:, 0], scipy.stats.lognorm(1.0).ppf(probabilities), rtol=0.1
    )
    np.testing.assert_allclose(
        quantiles[:, 1], scipy.stats.norm(5.0, 2.0).ppf(probabilities), atol=0.15
    )


@pytest.mark.parametrize("probabilities", [[0.0, 0.5], [0.5, 1.0], [np.nan], 0.5])
def test_quantiles_at_infinity_are_refused(probabilities):
    with pytest.raises(ValueError, match="between 0 and 1"):
        prior_quantiles(exported("normal"), probabilities)


@pytest.mark.parametrize("arguments", [{"num_latents": 0}, {"seed": 1.5}, {"seed": 2**63}])
def test_draws_refuse_other_numbers(arguments, linear_model):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        draw_latents(linear_model, **{"num_latents": 2, **arguments})


@pytest.mark.parametrize("threshold", [0, -1.0, float("nan")])
def test_thresholds_must_be_positive(threshold, linear_model):
    with pytest.raises(ValueError, match="threshold="):
        truncated_normal((2,), threshold)
    with pytest.raises(ValueError, match="truncation="):
        draw_latents(linear_model, 2, truncation=threshold)
