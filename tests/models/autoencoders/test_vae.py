import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy import special
from sklearn.decomposition import PCA

from keras_gen.metrics.likelihood import elbo, importance_log_likelihood
from keras_gen.models import VAE

TINY = {"image_shape": (2, 3, 1), "latent_dim": 2, "hidden_units": ()}


def images_of(count, seed=0):
    values = np.random.default_rng(seed).uniform(size=(count, 2, 3, 1))
    return values.astype("float32")


def as_numpy(model, latents):
    """What a linear decoder gives for latents, by hand: (..., 6)."""
    kernel, bias = (weight.numpy() for weight in model.decoder.trainable_variables[:2])
    return latents @ kernel + bias


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_a_training_step_is_that_worked_out_by_hand(beta, monkeypatch):
    model = VAE(**TINY, beta=beta)
    model.compile(keras.optimizers.SGD(0.1))
    images, noise = images_of(4), np.random.default_rng(1).normal(size=(4, 2)).astype("float32")
    monkeypatch.setattr(model, "noise_for", lambda images, seed: tf.constant(noise))
    encoder_kernel, encoder_bias, decoder_kernel, decoder_bias = (
        weight.numpy().astype("float64") for weight in model.networks.trainable_variables
    )
    x = images.reshape(4, 6).astype("float64")

    means, log_variances = np.split(x @ encoder_kernel + encoder_bias, 2, axis=1)
    z = means + np.exp(log_variances / 2) * noise
    logits = z @ decoder_kernel + decoder_bias
    reconstruction = np.mean(np.sum(np.logaddexp(0, logits) - x * logits, axis=1))
    kl = np.mean(np.sum(means**2 + np.exp(log_variances) - 1 - log_variances, axis=1)) / 2

    to_logits = (special.expit(logits) - x) / 4
    to_z = to_logits @ decoder_kernel.T
    to_means = to_z + beta * means / 4
    to_log_variances = to_z * noise * np.exp(log_variances / 2) / 2
    to_log_variances += beta * (np.exp(log_variances) - 1) / 8
    to_parameters = np.concatenate([to_means, to_log_variances], axis=1)
    expected = [
        encoder_kernel - 0.1 * x.T @ to_parameters,
        encoder_bias - 0.1 * to_parameters.sum(axis=0),
        decoder_kernel - 0.1 * z.T @ to_logits,
        decoder_bias - 0.1 * to_logits.sum(axis=0),
    ]

    logs = model.train_step(tf.constant(images))
    for weight, value in zip(model.networks.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)
    assert float(logs["reconstruction_nats"]) == pytest.approx(reconstruction, rel=1e-5)
    assert float(logs["kl_nats"]) == pytest.approx(kl, rel=1e-5)
    assert float(logs["negative_elbo_nats"]) == pytest.approx(reconstruction + kl, rel=1e-5)
    assert float(logs["objective_nats"]) == pytest.approx(reconstruction + beta * kl, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "discretized_logistic"])
@pytest.mark.parametrize("latent", ["normal", "log_normal"])
def test_log_weights_are_the_densities_of_scipy(likelihood, latent):
    model = VAE(**TINY, likelihood=likelihood, latent=latent)
    images = np.round(images_of(3) * 255) / 255
    if likelihood == "bernoulli":
        images = np.round(images)
    given = model.log_weights(images, 5, (1, 2))
    assert given.shape == (5, 3) and given.dtype == tf.float32

    parameters = model.encoder(images).numpy().astype("float64")
    means, deviations = parameters[:, :2], np.exp(parameters[:, 2:] / 2)
    y = means + deviations * tf.random.stateless_normal((5, 3, 2), (1, 2)).numpy()
    if latent == "normal":
        z = y
        prior, posterior = scipy.stats.norm(), scipy.stats.norm(means, deviations)
    else:
        z, prior = np.exp(y), scipy.stats.lognorm(s=1.0)
        posterior = scipy.stats.lognorm(s=deviations, scale=np.exp(means))
    pixels, outputs = images.reshape(3, 6), as_numpy(model, z)
    if likelihood == "bernoulli":
        pixel = scipy.stats.bernoulli.logpmf(pixels, special.expit(outputs))
    elif likelihood == "gaussian":
        pixel = scipy.stats.norm.logpdf(pixels, outputs, np.exp(-2.0 / 2))
    else:
        distribution = scipy.stats.logistic(outputs, np.exp(-2.0))
        upper = np.where(pixels == 1, np.inf, pixels + 0.5 / 255)
        lower = np.where(pixels == 0, -np.inf, pixels - 0.5 / 255)
        # In either tail one of the two differences cancels.
        below = distribution.cdf(upper) - distribution.cdf(lower)
        pixel = np.log(np.maximum(below, distribution.sf(lower) - distribution.sf(upper)))
    expected = pixel.sum(-1) + (prior.logpdf(z) - posterior.logpdf(z)).sum(-1)
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-3)


def test_the_bound_and_its_logs_agree_with_importance_weights():
    model = VAE(**TINY)
    model.compile()
    images = np.round(images_of(600))
    by_draws = elbo(model, images, num_samples=50)
    by_closed_form = np.mean([model.elbo(images, seed=seed) for seed in range(20)], axis=0)
    assert model.elbo(images).shape == (600,)
    assert by_closed_form.mean() == pytest.approx(by_draws.mean(), abs=0.02)
    np.testing.assert_array_equal(model.elbo(images, seed=3), model.elbo(images, seed=3))
    same = np.repeat(images[:1], 600, axis=0)  # more than are taken at a time: none shares noise
    assert len(np.unique(model.elbo(same))) > 590
    logs = model.evaluate(tf.data.Dataset.from_tensor_slices(images).batch(100), verbose=0)
    logged = dict(zip(model.trackers, logs, strict=True))["negative_elbo_nats"]
    assert -logged == pytest.approx(by_draws.mean(), abs=0.1)
    likelihood = importance_log_likelihood(model, images, 50).log_likelihood_nats
    assert likelihood.mean() > by_draws.mean()


def test_the_optimum_of_a_linear_vae_has_the_likelihood_of_probabilistic_pca():
    """Lucas et al. 2019, arXiv:1911.02469: and its bound is tight there."""
    generator = np.random.default_rng(0)
    factors = generator.normal(size=(500, 2)) @ generator.normal(0.0, 0.3, size=(2, 6))
    images = (0.5 + factors + generator.normal(0.0, 0.1, size=(500, 6))).astype("float32")
    expected = PCA(2).fit(images).score(images)  # nats an image

    keras.utils.set_random_seed(0)
    model = VAE(**TINY, likelihood="gaussian")
    rate = keras.optimizers.schedules.CosineDecay(0.03, 1200)
    model.compile(keras.optimizers.Adam(rate), jit_compile=True)
    images = images.reshape(500, 2, 3, 1)
    batches = tf.data.Dataset.from_tensors(images).repeat()
    model.fit(batches, steps_per_epoch=1200, verbose=0)
    bound = elbo(model, images, num_samples=100).mean()
    likelihood = importance_log_likelihood(model, images, 100).log_likelihood_nats.mean()
    assert bound == pytest.approx(expected, abs=0.03)
    assert likelihood == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("divergence", ["js_geometric", "js_monte_carlo"])
def test_other_divergences_vanish_at_the_prior_and_are_learned_from(divergence):
    model = VAE(**TINY, divergence=divergence)
    zeros, draws = tf.zeros((5, 4)), tf.random.stateless_normal((2, 5, 2), (0, 1))
    values = model.divergence(model.latent, zeros, *tf.unstack(draws))
    np.testing.assert_allclose(values, tf.zeros(5), atol=1e-6)

    model = VAE(**TINY, divergence=divergence, beta=100.0)
    model.compile(keras.optimizers.Adam(0.05))
    images = images_of(50)
    before = model.evaluate(images, batch_size=50, verbose=0, return_dict=True)["kl_nats"]
    model.fit(tf.data.Dataset.from_tensors(images).repeat(80), verbose=0)
    after = model.evaluate(images, batch_size=50, verbose=0, return_dict=True)["kl_nats"]
    assert after < 0.2 * before


def test_the_monte_carlo_divergence_is_that_of_numerical_integration():
    model = VAE(**TINY, divergence="js_monte_carlo")
    means, log_variances = np.array([1.0, -0.5]), np.array([-1.0, 0.4])
    parameters = tf.constant(np.tile(np.append(means, log_variances), (50_000, 1)), "float32")
    noise = model.latent.noise((50_000,), (1, 2))
    latents = model.latent.reparameterize(parameters, noise)
    prior_latents = model.latent.draw_prior(50_000, (3, 4))
    estimates = model.divergence(model.latent, parameters, latents, prior_latents)

    grid = np.linspace(-12.0, 12.0, 20_001)[:, None]
    p, q = scipy.stats.norm.pdf(grid), scipy.stats.norm.pdf(grid, means, np.exp(log_variances / 2))
    middle = (p + q) / 2
    integrand = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    expected = np.trapezoid(integrand, dx=grid[1, 0] - grid[0, 0], axis=0).sum() / 2
    assert np.mean(estimates) == pytest.approx(expected, abs=0.01)


def test_encode_gives_posterior_means_and_reconstruct_their_images():
    model = VAE(**TINY, latent="log_normal")
    images = images_of(4)
    parameters = model.encoder(images).numpy()
    expected = scipy.stats.lognorm.mean(
        s=np.exp(parameters[:, 2:] / 2), scale=np.exp(parameters[:, :2])
    )
    np.testing.assert_allclose(model.encode(images), expected, rtol=1e-5)
    by_hand = special.expit(as_numpy(model, expected)).reshape(images.shape)
    np.testing.assert_allclose(model.reconstruct(images), by_hand, rtol=1e-4)
    np.testing.assert_allclose(model(images), by_hand, rtol=1e-4)


def test_latents_for_images_are_their_posteriors():
    model = VAE(**TINY)
    images = np.repeat(images_of(1), 20_000, axis=0)
    means, log_variances = np.split(model.encoder(images[:1]).numpy()[0], 2)
    for column, mean, log_variance in zip(
        model.latents_for(images, (1, 2)).numpy().T, means, log_variances, strict=True
    ):
        posterior = scipy.stats.norm(mean, np.exp(log_variance / 2))
        assert scipy.stats.kstest(column, posterior.cdf).pvalue > 1e-4


def test_truncated_samples_are_decoded_from_within():
    model = VAE(**TINY)
    latents = model.draw_latents(1000, (5, 0), truncation=0.5)
    assert np.abs(latents).max() <= 0.5
    images = model.sample(1000, seed=5, truncation=0.5)
    np.testing.assert_allclose(images, model.decode(latents), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden_units": (4, 0)}, "hidden_units=0"),
        ({"likelihood": "poisson"}, "likelihood='poisson'.*bernoulli, gaussian"),
        ({"latent": "categorical"}, "latent='categorical'.*normal, log_normal"),
        ({"divergence": "chi2"}, "divergence='chi2'.*kl, js_geometric"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"beta": float("nan")}, "beta=nan"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(**{**TINY, **arguments})


def test_labels_are_refused():
    with pytest.raises(ValueError, match="labels=.*: VAE is unconditional"):
        VAE(**TINY).sample(2, labels=[1, 2])
