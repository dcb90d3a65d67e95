import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy import special

from keras_gen.models.autoencoders.latents import (
    BernoulliLatent,
    CategoricalLatent,
    LogNormalLatent,
    NormalLatent,
)

DRAWS = 40_000
LATENTS = {
    "normal": NormalLatent(3),
    "log_normal": LogNormalLatent(3),
    "categorical": CategoricalLatent(3, 4),
    "bernoulli": BernoulliLatent(5),
}


@pytest.fixture(params=LATENTS)
def latent(request):
    return LATENTS[request.param]


def parameters_of(latent, scale=0.6):
    values = np.random.default_rng(0).normal(0.0, scale, size=(1, latent.num_parameters))
    return tf.constant(values, "float32")


def draws_of(latent, parameters, seed=(1, 2)):
    return latent.draw(parameters, latent.noise((DRAWS, 1), seed))  # (DRAWS, 1, latent_dim)


def test_the_mean_is_that_of_many_draws(latent):
    parameters = parameters_of(latent)
    draws = draws_of(latent, parameters).numpy()
    error = draws.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(draws.mean(axis=0) - latent.mean(parameters)) < 5 * error + 1e-6).all()


def test_the_divergence_is_the_mean_log_ratio_of_posterior_and_prior(latent):
    parameters = parameters_of(latent)
    draws = draws_of(latent, parameters)
    ratios = (latent.log_posterior(draws, parameters) - latent.log_prior(draws)).numpy()
    error = ratios.std(axis=0) / np.sqrt(DRAWS)
    assert latent.kl(parameters).shape == (1, latent.num_variables)
    assert (np.abs(ratios.mean(axis=0) - latent.kl(parameters)) < 5 * error + 1e-5).all()


def test_the_divergence_is_zero_where_the_posterior_is_the_prior(latent):
    kl = latent.kl(tf.zeros((2, latent.num_parameters)))
    np.testing.assert_allclose(kl, 0.0, atol=1e-6)


def test_prior_draws_are_posterior_draws_of_the_prior(latent):
    prior = latent.draw_prior(DRAWS, (3, 4)).numpy()
    posterior = draws_of(latent, tf.zeros((1, latent.num_parameters))).numpy()[:, 0]
    assert prior.shape == (DRAWS, latent.latent_dim) and prior.dtype == np.float32
    for coordinate in range(latent.latent_dim):
        samples = prior[:, coordinate], posterior[:, coordinate]
        assert scipy.stats.ks_2samp(*samples).pvalue > 1e-4


def test_noise_is_a_pure_function_of_the_seed(latent):
    first, again, other = (latent.noise((7,), seed) for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_draws_for_several_noises_broadcast_over_images(latent):
    parameters = tf.random.stateless_normal((5, latent.num_parameters), (0, 0))
    noise = latent.noise((2, 5), (1, 2))
    draws = latent.draw(parameters, noise)
    assert draws.shape == (2, 5, latent.latent_dim)
    np.testing.assert_allclose(draws[1], latent.draw(parameters, noise[1]), rtol=1e-6)
    assert latent.log_prior(draws).shape == (2, 5, latent.num_variables)
    assert latent.log_posterior(draws, parameters).shape == (2, 5, latent.num_variables)


@pytest.mark.parametrize("name", ["normal", "log_normal"])
def test_log_densities_are_those_of_scipy(name):
    latent, latents = LATENTS[name], np.array([[0.1, 1.0, 2.5]], "float32")
    parameters = parameters_of(latent)
    means, deviations = parameters[0, :3].numpy(), np.exp(0.5 * parameters[0, 3:].numpy())
    if name == "normal":
        prior = scipy.stats.norm.logpdf(latents)
        posterior = scipy.stats.norm.logpdf(latents, means, deviations)
    else:
        prior = scipy.stats.lognorm.logpdf(latents, s=1.0)
        posterior = scipy.stats.lognorm.logpdf(latents, s=deviations, scale=np.exp(means))
    np.testing.assert_allclose(latent.log_prior(latents), prior, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        latent.log_posterior(latents, parameters), posterior, rtol=1e-5, atol=1e-5
    )


def test_discrete_log_probabilities_are_those_of_softmax_and_sigmoid():
    latent = LATENTS["categorical"]
    parameters = parameters_of(latent)
    one_hot = np.zeros((1, 3, 4), "float32")
    one_hot[0, [0, 1, 2], [3, 0, 2]] = 1.0
    logits = parameters.numpy().reshape(3, 4)
    expected = special.log_softmax(logits, axis=-1)[[0, 1, 2], [3, 0, 2]]
    given = latent.log_posterior(one_hot.reshape(1, 12), parameters)[0]
    np.testing.assert_allclose(given, expected, rtol=1e-5)
    np.testing.assert_allclose(latent.log_prior(one_hot.reshape(1, 12)), np.log(1 / 4), rtol=1e-6)

    latent, bits = LATENTS["bernoulli"], np.array([[1, 0, 0, 1, 1]])
    parameters = parameters_of(latent)
    expected = scipy.stats.bernoulli.logpmf(bits, special.expit(parameters.numpy()))
    given = latent.log_posterior(tf.constant(bits, "float32"), parameters)
    np.testing.assert_allclose(given, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["categorical", "bernoulli"])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_largest_of_a_relaxed_draw_has_the_frequencies_of_the_distribution(name, temperature):
    latent = LATENTS[name]
    parameters = parameters_of(latent, scale=1.5)
    noise = latent.noise((DRAWS, 1), (1, 2))
    relaxed = latent.reparameterize(parameters, noise, temperature).numpy()[:, 0]
    if name == "categorical":
        largest = relaxed.reshape(DRAWS, 3, 4).argmax(axis=-1)
        counts = np.stack([np.bincount(column, minlength=4) for column in largest.T])
        probabilities = special.softmax(parameters.numpy().reshape(3, 4), axis=-1)
    else:
        ones = (relaxed > 0.5).sum(axis=0)
        counts = np.stack([DRAWS - ones, ones], axis=-1)
        of_one = special.expit(parameters.numpy()[0])
        probabilities = np.stack([1.0 - of_one, of_one], axis=-1)
    for observed, expected in zip(counts, probabilities, strict=True):
        expected = DRAWS * expected.astype("float64") / expected.sum(dtype="float64")
        assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize("name", ["categorical", "bernoulli"])
def test_a_relaxed_draw_becomes_the_exact_one_as_the_temperature_falls(name):
    latent = LATENTS[name]
    parameters, noise = parameters_of(latent), latent.noise((50, 1), (1, 2))
    exact = latent.draw(parameters, noise).numpy()
    assert set(np.unique(exact)) == {0.0, 1.0}
    distances = [
        np.abs(latent.reparameterize(parameters, noise, temperature) - exact).mean()
        for temperature in (2.0, 0.5, 0.05, 1e-4)
    ]
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-3


def test_relaxed_and_exact_classes_add_up_to_one():
    latent = LATENTS["categorical"]
    parameters, noise = parameters_of(latent), latent.noise((50, 1), (1, 2))
    for draws in (
        latent.reparameterize(parameters, noise, 0.7),
        latent.draw(parameters, noise),
        latent.mode(parameters),
        latent.mean(parameters),
        latent.draw_prior(50, (1, 2)),
    ):
        np.testing.assert_allclose(tf.reduce_sum(tf.reshape(draws, (-1, 4)), axis=-1), 1.0, 1e-6)


@pytest.mark.parametrize(
    ("relaxed", "straight"),
    [
        (CategoricalLatent(3, 4), CategoricalLatent(3, 4, straight_through=True)),
        (BernoulliLatent(5), BernoulliLatent(5, straight_through=True)),
    ],
)
def test_straight_through_gives_exact_draws_with_the_relaxed_gradient(relaxed, straight):
    parameters, noise = parameters_of(relaxed), relaxed.noise((20,), (1, 2))
    weights = tf.random.stateless_normal(noise.shape, (5, 6))
    gradients = []
    for latent in (relaxed, straight):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            draws = latent.reparameterize(parameters, noise, 0.6)
            total = tf.reduce_sum(draws * weights)
        gradients.append(tape.gradient(total, parameters))
    np.testing.assert_array_equal(draws, relaxed.draw(parameters, noise))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-5)


def test_noise_stays_finite_at_the_ends_of_the_uniform_distribution(monkeypatch):
    for end in (0.0, np.float32(1.0)):

        def ends(shape, seed, end=end):
            return tf.fill(shape, end)

        monkeypatch.setattr(tf.random, "stateless_uniform", ends)
        for name in ("categorical", "bernoulli"):
            assert np.isfinite(LATENTS[name].noise((2,), (1, 2))).all()


@pytest.mark.parametrize("name", ["normal", "log_normal"])
def test_reparameterized_gradients_are_those_of_finite_differences(name):
    """Of an expectation under common noise, in float64 by hand."""
    latent = LATENTS[name]
    parameters, noise = parameters_of(latent), latent.noise((500, 1), (1, 2))

    def by_hand(values):
        y = values[:3] + np.exp(0.5 * values[3:]) * noise.numpy()[:, 0].astype("float64")
        return np.mean(np.sum(np.sin(np.exp(y) if name == "log_normal" else y), axis=-1))

    with tf.GradientTape() as tape:
        tape.watch(parameters)
        value = tf.reduce_sum(tf.sin(latent.reparameterize(parameters, noise)), axis=-1)
        value = tf.reduce_mean(value)
    gradient = tape.gradient(value, parameters)[0]
    start = parameters.numpy()[0].astype("float64")
    steps = 1e-5 * np.eye(6)
    expected = [(by_hand(start + step) - by_hand(start - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)
