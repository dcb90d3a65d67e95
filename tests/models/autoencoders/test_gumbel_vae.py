import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from keras_gen.metrics.likelihood import elbo
from keras_gen.models import GumbelVAE
from keras_gen.models.autoencoders.gumbel_vae import annealed_temperature

TINY = {"image_shape": (2, 3, 1), "num_variables": 2, "num_classes": 3, "hidden_units": ()}


def images_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2, size=(count, 2, 3, 1)).astype("float32")


def test_the_temperature_falls_in_steps_to_one_half():
    steps = np.array([0, 499, 500, 999, 1000, 6_000, 7_000, 10**6])
    expected = [1.0, 1.0, *[np.exp(-0.05)] * 2, np.exp(-0.1), np.exp(-0.6), 0.5, 0.5]
    given = [annealed_temperature(int(step), 1e-4, 500) for step in steps]
    np.testing.assert_allclose(given, expected, rtol=1e-6)


def test_training_decodes_relaxed_latents_at_the_temperature_of_the_step(monkeypatch):
    model = GumbelVAE(**TINY, annealing_rate=0.1, annealing_every=2)
    model.compile(keras.optimizers.SGD(0.0))
    seen = []
    reparameterize = model.latent.reparameterize

    def record(parameters, noise, temperature):
        seen.append(float(temperature))
        return reparameterize(parameters, noise, temperature)

    monkeypatch.setattr(model.latent, "reparameterize", record)
    for _ in range(12):
        model.train_step(tf.constant(images_of(4)))
    expected = np.maximum(0.5, np.exp(-0.1 * np.array([0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10])))
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_a_training_step_is_that_worked_out_by_hand(monkeypatch):
    model = GumbelVAE(**TINY)
    model.compile(keras.optimizers.SGD(0.1))
    images, noise = images_of(4), np.random.default_rng(1).gumbel(size=(4, 6)).astype("float32")
    monkeypatch.setattr(model, "noise_for", lambda images, seed: tf.constant(noise))
    model.train_steps.assign(7_000)  # exp(-3e-5 * 7000) = 0.81
    temperature = np.exp(-0.21)
    encoder_kernel, encoder_bias, decoder_kernel, decoder_bias = (
        weight.numpy().astype("float64") for weight in model.networks.trainable_variables
    )
    x = images.reshape(4, 6).astype("float64")

    parameters = x @ encoder_kernel + encoder_bias
    z = special.softmax((parameters + noise).reshape(4, 2, 3) / temperature, axis=-1)
    logits = z.reshape(4, 6) @ decoder_kernel + decoder_bias
    log_q = special.log_softmax(parameters.reshape(4, 2, 3), axis=-1)
    kl = np.sum(np.exp(log_q) * (log_q + np.log(3)), axis=(1, 2))
    reconstruction = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)

    to_logits = (special.expit(logits) - x) / 4
    to_z = (to_logits @ decoder_kernel.T).reshape(4, 2, 3)
    to_parameters = z * (to_z - np.sum(z * to_z, axis=-1, keepdims=True)) / temperature
    q, variable_kl = np.exp(log_q), np.sum(np.exp(log_q) * (log_q + np.log(3)), axis=-1)
    to_parameters += q * (log_q + np.log(3) - variable_kl[..., None]) / 4
    to_parameters = to_parameters.reshape(4, 6)
    expected = [
        encoder_kernel - 0.1 * x.T @ to_parameters,
        encoder_bias - 0.1 * to_parameters.sum(axis=0),
        decoder_kernel - 0.1 * z.reshape(4, 6).T @ to_logits,
        decoder_bias - 0.1 * to_logits.sum(axis=0),
    ]

    logs = model.train_step(tf.constant(images))
    for weight, value in zip(model.networks.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)
    assert float(logs["kl_nats"]) == pytest.approx(kl.mean(), rel=1e-4)
    assert float(logs["objective_nats"]) == pytest.approx(np.mean(kl + reconstruction), rel=1e-5)


@pytest.mark.parametrize("latent", ["categorical", "bernoulli"])
def test_the_bound_is_the_sum_over_all_discrete_latents(latent):
    """With so few latents, log p(x) and the bound are sums that can be written out."""
    model = GumbelVAE(**{**TINY, "latent": latent, "num_variables": 2})
    images = images_of(3)
    if latent == "categorical":
        classes = np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(9, 2)
        latents = np.eye(3, dtype="float32")[classes].reshape(9, 6)
        q = special.softmax(model.encoder(images).numpy().reshape(3, 2, 3), axis=-1)
        posterior = q[:, 0, classes[:, 0]] * q[:, 1, classes[:, 1]]  # (3, 9)
    else:
        latents = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
        one = special.expit(model.encoder(images).numpy())[:, None]
        posterior = np.prod(np.where(latents == 1, one, 1 - one), axis=-1)  # (3, 4)
    probabilities = model.decode(latents).numpy()[None].astype("float64")
    pixels = np.where(images[:, None] == 1, probabilities, 1 - probabilities)
    joint = np.log(pixels).sum(axis=(2, 3, 4)) - np.log(len(latents))
    bound = np.sum(posterior * (joint - np.log(posterior)), axis=1)
    np.testing.assert_allclose(elbo(model, images, num_samples=4000), bound, atol=0.1)
    by_method = np.mean([model.elbo(images, seed=seed) for seed in range(300)], axis=0)
    np.testing.assert_allclose(by_method, bound, atol=0.2)


@pytest.mark.parametrize("latent", ["categorical", "bernoulli"])
def test_every_evaluation_decodes_discrete_latents_only(latent, monkeypatch):
    model = GumbelVAE(**{**TINY, "latent": latent})
    model.compile(run_eagerly=True)
    seen, decoder = [], model.decoder

    def record(latents, training):
        seen.append(np.unique(latents))
        return decoder(latents, training=training)

    monkeypatch.setattr(model, "decoder", record)
    tf.config.run_functions_eagerly(True)
    try:
        model.test_step(tf.constant(images_of(5)))
        model.elbo(images_of(5))
        model.log_weights(images_of(5), 3, (1, 2))
        model.reconstruct(images_of(5))
        model.sample(5, seed=0)
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(seen) == 5 and all(set(values) <= {0.0, 1.0} for values in seen)


def test_encode_gives_the_probabilities_of_the_classes():
    model = GumbelVAE(**TINY)
    logits = model.encoder(images_of(4)).numpy().reshape(4, 2, 3)
    expected = special.softmax(logits, axis=-1).reshape(4, 6)
    np.testing.assert_allclose(model.encode(images_of(4)), expected, rtol=1e-5)


def test_the_paper_s_latents_are_the_defaults():
    assert GumbelVAE().latent_dim == 200 and GumbelVAE().latent.num_variables == 20
    assert GumbelVAE(latent="bernoulli").latent_dim == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent": "normal"}, "latent='normal'.*categorical, bernoulli"),
        ({"num_variables": 0}, "num_variables=0"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"annealing_rate": -1.0}, "annealing_rate=-1.0"),
        ({"annealing_every": 0}, "annealing_every=0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        GumbelVAE(**{**TINY, **arguments})


@pytest.mark.parametrize("arguments", [{"labels": [1, 2]}, {"truncation": 1.0}])
def test_sample_refuses_what_discrete_latents_have_not(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        GumbelVAE(**TINY).sample(2, **arguments)
