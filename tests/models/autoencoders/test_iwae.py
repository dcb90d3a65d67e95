import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_gen.models import IWAE, VAE
from keras_gen.models.autoencoders.iwae import log_mean_exp

SHAPE = (1, 2, 1)


def linear_iwae(samples, likelihood="bernoulli", latent_dim=1, shape=SHAPE, seed=0):
    """Without hidden layers, with random weights and biases."""
    model = IWAE(shape, latent_dim, (), likelihood=likelihood, importance_samples=samples)
    rng = np.random.default_rng(seed)
    for weight in model.networks.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def test_a_training_step_is_the_paper_s_worked_out_in_numpy():
    """Equations 13 and 14 of arXiv:1509.00519, with log q at z = mean + deviation * noise."""
    samples, batch, rate = 4, 3, 0.3
    rng = np.random.default_rng(1)
    x = rng.integers(2, size=(batch, 2)).astype("float64")
    noise = rng.normal(size=(samples, batch, 1))
    model = linear_iwae(samples)
    (a, b), (w, c) = (
        [weight.astype("float64") for weight in network.get_weights()]
        for network in (model.encoder, model.decoder)
    )

    parameters = x @ a + b
    mean, log_variance = parameters[:, :1], parameters[:, 1:]
    deviation = np.exp(log_variance / 2)
    z = mean + deviation * noise
    logits = z @ w + c
    p = special.expit(logits)
    log_q = -0.5 * (noise**2 + log_variance + np.log(2 * np.pi)).sum(-1)
    log_weights = stats.bernoulli.logpmf(x, p).sum(-1) + stats.norm.logpdf(z).sum(-1) - log_q
    share = special.softmax(log_weights, axis=0)[..., None] / batch
    by_logits = share * (x - p)
    by_z = by_logits @ w.T - share * z
    by_log_variance = by_z * deviation * noise / 2 + share / 2
    by_parameters = np.concatenate([by_z, by_log_variance], axis=-1).sum(axis=0)
    expected = [
        a + rate * x.T @ by_parameters,
        b + rate * by_parameters.sum(axis=0),
        w + rate * np.einsum("kbd,kbp->dp", z, by_logits),
        c + rate * by_logits.sum(axis=(0, 1)),
    ]

    model.compile(keras.optimizers.SGD(rate))
    model.noise_for = lambda images, seed: tf.constant(noise, "float32")
    logs = model.train_step(tf.constant(x.reshape(batch, *SHAPE), "float32"))
    bound = special.logsumexp(log_weights, axis=0) - np.log(samples)
    assert float(logs["objective_nats"]) == pytest.approx(-bound.mean(), rel=1e-5)
    weights = [*model.encoder.get_weights(), *model.decoder.get_weights()]
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)


def test_the_log_mean_exp_is_that_of_scipy_without_overflow():
    log_weights = np.random.default_rng(0).normal(0, 1e3, (7, 5)).astype("float32") - 1e4
    expected = special.logsumexp(np.float64(log_weights), axis=0) - np.log(7)
    np.testing.assert_allclose(log_mean_exp(log_weights), expected, rtol=1e-6)


def test_the_bound_rises_with_the_draws_up_to_the_likelihood():
    """Theorem 1, on a linear Gaussian model, whose likelihood is that of one Gaussian."""
    shape = (1, 5, 1)
    model = linear_iwae(1, "gaussian", latent_dim=2, shape=shape)
    model.encoder.set_weights([0.2 * weight for weight in model.encoder.get_weights()])
    kernel, biases, log_variance = (w.astype("float64") for w in model.decoder.get_weights())
    covariance = kernel.T @ kernel + np.exp(log_variance) * np.eye(5)
    rng = np.random.default_rng(2)
    x = rng.multivariate_normal(biases, covariance, size=400)
    exact = stats.multivariate_normal.logpdf(x, biases, covariance).mean()
    log_weights = model.log_weights(x.reshape(-1, *shape), 1000, tf.constant([1, 2]))
    bounds = []
    for samples in (1, 5, 50, 1000):
        groups = np.float64(log_weights).reshape(samples, -1, len(x))
        bounds.append((special.logsumexp(groups, axis=0) - np.log(samples)).mean())
    assert bounds == sorted(bounds) and bounds[1] - bounds[0] > 0.1
    assert bounds[-1] == pytest.approx(exact, abs=0.05)


def test_what_is_trained_is_the_bound_of_as_many_draws():
    images = np.random.default_rng(0).integers(2, size=(64, *SHAPE)).astype("float32")
    means = []
    for samples in (1, 5, 50):
        model = linear_iwae(samples)
        model.compile()
        means.append(model.evaluate(images, verbose=0, return_dict=True)["objective_nats"])
        log_weights = model.log_weights(images, 5000, tf.constant([samples, 0]))
        groups = np.float64(log_weights).reshape(samples, -1, len(images))
        expected = (special.logsumexp(groups, axis=0) - np.log(samples)).mean()
        assert means[-1] == pytest.approx(-expected, abs=0.15)
    assert means[0] > means[1] > means[2]


def test_with_one_draw_its_mean_is_the_bound_of_the_vae():
    model, vae = linear_iwae(1), VAE(SHAPE, 1, ())
    vae.set_weights(model.get_weights())
    images = np.tile(np.array([1.0, 0.0], "float32").reshape(1, *SHAPE), (20_000, 1, 1, 1))
    log_weights = np.asarray(model.log_weights(images, 1, tf.constant([3, 4])))[0]
    elbos = np.asarray(vae.elbo(images, seed=5))
    error = np.hypot(log_weights.std(), elbos.std()) / np.sqrt(len(images))
    assert abs(log_weights.mean() - elbos.mean()) < 4 * error


def test_every_draw_of_every_image_has_noise_of_its_own():
    model = linear_iwae(3, latent_dim=2)
    noise = np.asarray(model.noise_for(np.zeros((5, *SHAPE)), tf.constant([1, 2])))
    assert noise.shape == (3, 5, 2) and len(np.unique(noise)) == noise.size


def test_the_default_network_is_the_paper_s():
    encoder = (784 + 1) * 200 + (200 + 1) * 200 + (200 + 1) * 100
    decoder = (50 + 1) * 200 + (200 + 1) * 200 + (200 + 1) * 784
    model = IWAE()
    assert model.networks.count_params() == encoder + decoder
    activations = [layer.activation.__name__ for layer in model.encoder.layers[2:]]
    assert activations == ["tanh", "tanh", "linear"] and model.importance_samples == 50


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="importance_samples=0"):
        IWAE(SHAPE, importance_samples=0)
