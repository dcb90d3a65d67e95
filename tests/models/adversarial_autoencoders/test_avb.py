import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen.lab import four_points
from keras_gen.models import AVB
from keras_gen.models.adversarial_autoencoders.avb_networks import build_noise_network
from keras_gen.training.graph_loop import train_in_graph

BASIS = {
    "image_shape": (2, 3, 1),
    "latent_dim": 2,
    "hidden_units": (5,),
    "noise_dim": 4,
    "noise_basis": 3,
    "adversary_units": (7,),
}
IMPLICIT = {**BASIS, "hidden_units": (), "noise_basis": 0, "contrast": "prior"}


def images_of(count, shape=(2, 3, 1)):
    return np.random.default_rng(0).integers(0, 2, size=(count, *shape)).astype("float32")


def with_wide_posteriors(**changes):
    """A model with a noise basis whose posteriors are wide and far from each other."""
    model = AVB(**{**BASIS, **changes})
    rng = np.random.default_rng(1)
    for variable in model.encoder.trainable_variables:
        variable.assign(rng.normal(0.0, 0.5, size=variable.shape))
    return model


def correlate(noise_network):
    """Makes the second coordinate of every value follow the first."""
    kernel, bias = noise_network.trainable_variables[-2:]
    value = kernel.numpy()
    value[..., 1] = 0.8 * value[..., 0] + 0.3 * value[..., 1]
    kernel.assign(value)


def test_the_adversary_learns_the_log_ratio_of_two_gaussians():
    # A linear encoder of one latent, z = 2 x - 1 + 0.6 noise: its density is known.
    model = AVB((1, 1, 1), 1, (), 1, 0, "prior", (32, 32))
    model.encoder.set_weights([np.array([[2.0], [0.6]]), np.array([-1.0])])
    rate = keras.optimizers.schedules.CosineDecay(5e-3, 2000)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(rate))
    examples = np.array([0.0, 1.0], "float32").reshape(2, 1, 1, 1)
    train_in_graph(model, examples, batch_size=256, steps=2000, seed=0)
    for image in examples:
        posterior = stats.norm(2.0 * image.item() - 1.0, 0.6)
        latents = posterior.ppf([[0.05], [0.25], [0.5], [0.75], [0.95]])
        given = model.adversary([np.repeat(image[None], 5, axis=0), latents])
        expected = posterior.logpdf(latents) - stats.norm.logpdf(latents)
        np.testing.assert_allclose(given, expected, atol=0.2)
    images = tf.repeat(examples, 10_000, axis=0)
    posterior = model.posterior(images, model.noise_for(images, (1, 2)))
    contrast_kl, kl = model.divergences(images, *posterior)
    np.testing.assert_array_equal(contrast_kl, kl)
    in_closed_form = 0.5 * (0.36 + 1.0 - 1.0 - np.log(0.36))
    assert np.mean(kl) == pytest.approx(in_closed_form, abs=0.05)


@pytest.mark.parametrize("contrast", ["diagonal", "full"])
def test_a_gaussian_posterior_that_is_its_contrast_has_the_divergence_of_the_closed_form(
    contrast, monkeypatch
):
    model = with_wide_posteriors(contrast=contrast)
    # Noise that is only mixed makes the posterior Gaussian, and these four draws have the moments
    # of all. A silent adversary is then the best one.
    mixing = np.array([[1.0, 0.7], [0.0, 1.0]] if contrast == "full" else np.eye(2), "float32")
    monkeypatch.setattr(
        model, "noise_network", lambda noise, training=False: noise[..., :2] @ mixing
    )
    signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], "float32")
    model.held_noise = np.concatenate([signs, signs], axis=1)
    model.adversary.set_weights([0.0 * weight for weight in model.adversary.get_weights()])
    image = images_of(1)
    offsets, amplitudes = (np.asarray(each[0], "float64") for each in model.encoder(image))
    covariance = (amplitudes.T @ amplitudes) * (mixing.T @ mixing) + 1e-4 * np.eye(2)
    images = tf.repeat(image, 100_000, axis=0)
    latents, means, factors = model.posterior(images, model.noise_for(images, (1, 2)))
    np.testing.assert_allclose(means[0], offsets, rtol=1e-5)
    np.testing.assert_allclose(factors[0], np.linalg.cholesky(covariance), rtol=1e-5)
    contrast_kl, kl = model.divergences(images, latents, means, factors)
    np.testing.assert_array_equal(contrast_kl, np.zeros(100_000))
    determinant = np.linalg.det(covariance)
    expected = 0.5 * (np.trace(covariance) + offsets @ offsets - 2.0 - np.log(determinant))
    assert np.mean(kl) == pytest.approx(expected, rel=0.01)


def test_moments_of_a_noise_basis_are_those_of_many_latents():
    model = with_wide_posteriors(contrast="full")
    correlate(model.noise_network)
    model.held_noise = np.random.default_rng(2).normal(size=(20_000, 4)).astype("float32")
    images = tf.repeat(images_of(1), 20_000, axis=0)
    latents, means, factors = model.posterior(images, model.noise_for(images, (1, 2)))
    np.testing.assert_allclose(means[0], np.mean(latents, axis=0), atol=0.02)
    covariance = np.cov(latents, rowvar=False)
    assert np.abs(covariance[0, 1]) > 0.1 * np.trace(covariance)
    scale = np.trace(covariance)
    np.testing.assert_allclose(factors[0] @ tf.transpose(factors[0]), covariance, atol=0.03 * scale)
    diagonal = with_wide_posteriors()
    diagonal.noise_network.set_weights(model.noise_network.get_weights())
    diagonal.held_noise = model.held_noise
    scales = np.sqrt(np.diag(covariance))
    factors = diagonal.posterior(images[:1], model.noise_for(images[:1], (1, 2)))[2]
    np.testing.assert_allclose(factors[0], np.diag(scales), rtol=0.03)
    np.testing.assert_allclose(model.encode(images[:1]), means[:1], rtol=1e-5)


def test_the_adversary_is_a_term_of_the_image_one_of_the_latent_and_a_product():
    network = AVB(**BASIS).adversary
    images = images_of(5)
    latents = np.random.default_rng(6).normal(size=(4, 2)).astype("float32")
    features = [keras.Model(network.input, product) for product in network.get_layer("dot").input]

    def interaction(function):
        """How much of a function of both is no sum of functions of one, (5, 4)."""
        pairs = [np.repeat(images, 4, axis=0), np.tile(latents, (5, 1))]
        values = np.reshape(function(pairs), (5, 4))
        return values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()

    def product(pairs):
        of_image, of_latent = (np.asarray(network(pairs)) for network in features)
        return np.sum(of_image * of_latent, axis=1) / np.sqrt(7)

    found, expected = interaction(network), interaction(product)
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_in_training_moments_are_those_of_the_batch():
    model = with_wide_posteriors()
    images = tf.repeat(images_of(1), 9, axis=0)
    noise = model.noise_for(images, (1, 2)).numpy()
    noise[4] *= 100.0  # far outside of anything that held noise says
    latents, means, factors = model.posterior(images, noise, training=True)
    deviations = tf.linalg.diag_part(factors)
    offsets, amplitudes = model.encoder(images)
    values = model.noise_network(noise)
    by_hand = offsets + np.sum(amplitudes * np.mean(values, axis=0), axis=1)
    np.testing.assert_allclose(means, by_hand, rtol=1e-4, atol=1e-5)
    by_hand = np.sqrt(np.sum(np.square(amplitudes) * np.var(values, axis=0), axis=1) + 1e-4)
    np.testing.assert_allclose(deviations, by_hand, rtol=1e-4)
    held = tf.linalg.diag_part(model.posterior(images, noise)[2])
    assert np.max(np.abs((latents - means) / deviations)) < 4.0  # held noise: dozens
    assert np.max(np.abs((latents - means) / held)) > 12.0


def test_posteriors_are_narrow_and_in_the_middle_at_first():
    offsets, amplitudes = AVB(**BASIS).encoder(images_of(5))
    np.testing.assert_allclose(offsets, 0.0, atol=1e-3)
    assert 0.0 < np.min(amplitudes) and np.max(amplitudes) < 0.1  # about exp(-5)


def test_weights_of_a_noise_network_do_not_shrink_with_the_size_of_the_basis():
    for noise_basis in (1, 20):
        network = build_noise_network(noise_basis, 64, 3)
        kernel = network.trainable_variables[0].numpy()
        assert kernel.shape == (noise_basis, 64, 128)
        assert kernel.std() == pytest.approx(np.sqrt(2.0 / (64 + 128)), rel=0.03)  # Glorot


@pytest.mark.parametrize(
    "arguments",
    [IMPLICIT, *({**BASIS, "contrast": each} for each in ("prior", "diagonal", "full"))],
)
def test_networks_follow_the_gradient_of_their_latents_alone(arguments, monkeypatch):
    """Against numerical differences, in which the moments of the contrast stand still."""
    model = AVB(**arguments)
    rng = np.random.default_rng(3)
    for network in (model.encoder, model.decoder, model.adversary):
        for variable in network.trainable_variables:
            variable.assign(rng.normal(0.0, 0.5, size=variable.shape))
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.0))
    images = tf.constant(images_of(4))
    noise = tf.constant(model.noise_for(images, (1, 2)))
    monkeypatch.setattr(model, "noise_for", lambda images, seed: noise)
    _, means, factors = model.posterior(images, noise, training=True)
    variables = model.networks.trainable_variables
    before = [variable.numpy() for variable in variables]
    direction = [rng.normal(size=value.shape) for value in before]

    def loss_at(step):
        for variable, value, each in zip(variables, before, direction, strict=True):
            variable.assign(value + step * each)
        latents = model.posterior(images, noise)[0]
        kl = model.divergences(images, latents, means, factors)[1].numpy().astype("float64")
        logits = model.decoder(latents).numpy().astype("float64")
        pixels = images.numpy() * logits - np.logaddexp(0.0, logits)
        return np.mean(kl - pixels.sum(axis=(1, 2, 3)))

    expected = (loss_at(1e-3) - loss_at(-1e-3)) / 2e-3
    assert np.isfinite(loss_at(0.0))
    model.train_step(images)
    moves = [value - variable.numpy() for value, variable in zip(before, variables, strict=True)]
    slope = sum(np.sum(move * each) for move, each in zip(moves, direction, strict=True))
    assert slope == pytest.approx(expected, rel=0.01)


def test_the_logs_and_the_bound_are_those_worked_out_in_numpy(monkeypatch):
    model = with_wide_posteriors(adversary_steps=2)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    images = images_of(4)
    noise = model.noise_for(images, (1, 2))
    prior_latents = np.random.default_rng(4).normal(size=(4, 2)).astype("float32")
    monkeypatch.setattr(model, "noise_for", lambda images, seed: noise)
    monkeypatch.setattr(model, "latents_for", lambda images, seed: tf.constant(prior_latents))

    moments = model.moments  # the same for both kinds of step
    monkeypatch.setattr(
        model, "moments", lambda offsets, amplitudes, values: moments(offsets, amplitudes)
    )
    posterior = model.posterior(images, noise)
    latents, means, factors = (np.asarray(each, "float64") for each in posterior)
    deviations = np.diagonal(factors, axis1=1, axis2=2)
    given = model.adversary([images, (latents - means) / deviations])[:, 0].numpy()
    given_prior = model.adversary([images, prior_latents])[:, 0].numpy()
    log_ratios = stats.norm.logpdf(latents, means, deviations) - stats.norm.logpdf(latents)
    kl = given + log_ratios.sum(axis=1)
    logits = model.decoder(latents).numpy()
    pixels = stats.bernoulli.logpmf(images, 1.0 / (1.0 + np.exp(-logits))).sum(axis=(1, 2, 3))
    expected = {
        "negative_elbo_nats": np.mean(kl - pixels),
        "reconstruction_nats": -np.mean(pixels),
        "kl_nats": np.mean(kl),
        "contrast_kl_nats": np.mean(given),
        "adversary_loss": np.mean(np.logaddexp(0.0, -given) + np.logaddexp(0.0, given_prior)),
    }
    np.testing.assert_allclose(model.elbo(images), pixels - kl, rtol=1e-4)
    trained_on = np.stack([1.0 - images, images], axis=1).reshape(8, 2, 3, 1)  # the last one counts
    for step, batch in ((model.train_step, trained_on), (model.test_step, images)):
        model.reset_metrics()
        logs = step(tf.constant(batch))
        for name, value in expected.items():
            assert float(logs[name]) == pytest.approx(value, rel=1e-4), name


def test_every_draw_of_a_step_is_its_own(monkeypatch):
    model = AVB(**{**BASIS, "adversary_steps": 2})
    model.compile()
    seeds, batches = [], []
    noise_for, latents_for = model.noise_for, model.latents_for

    def record(draw):
        def recorded(images, seed):
            seeds.append(tuple(np.asarray(seed)))
            batches.append(np.asarray(images))
            return draw(images, seed)

        return recorded

    monkeypatch.setattr(model, "noise_for", record(noise_for))
    monkeypatch.setattr(model, "latents_for", record(latents_for))
    images = np.linspace(0.0, 1.0, 8 * 6, dtype="float32").reshape(8, 2, 3, 1)
    model.train_step(tf.constant(images))
    assert len(set(seeds)) == len(seeds) == 5
    for found, first in zip(batches, (0, 0, 1, 1, 1), strict=True):
        np.testing.assert_array_equal(found, images[first::2])


def test_without_a_basis_encode_is_the_mean_over_noise():
    model = AVB(**IMPLICIT)  # linear: the noise's own mean is zero
    kernel, bias = model.encoder.get_weights()
    images = images_of(5)
    expected = images.reshape(5, 6) @ kernel[:6] + bias
    np.testing.assert_allclose(model.encode(images), expected, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(images), model(images), rtol=1e-5)


def test_codes_are_draws_from_posteriors():
    model = AVB(**IMPLICIT)
    kernel, bias = model.encoder.get_weights()
    images = np.repeat(images_of(1), 20_000, axis=0)
    means = images[0].ravel() @ kernel[:6] + bias
    deviations = np.sqrt((kernel[6:] ** 2).sum(axis=0))
    codes = model.draw_codes(images, np.array([5, 0])).numpy()
    for column, mean, deviation in zip(codes.T, means, deviations, strict=True):
        assert stats.kstest(column, stats.norm(mean, deviation).cdf).pvalue > 1e-4


def test_the_bound_has_a_value_for_each_image_and_a_draw_for_each_seed():
    model = with_wide_posteriors()
    same = np.repeat(images_of(1), 600, axis=0)  # more than are taken at a time: none shares noise
    assert model.elbo(same).shape == (600,) and len(np.unique(model.elbo(same))) > 590
    np.testing.assert_array_equal(model.elbo(same, seed=3), model.elbo(same, seed=3))
    assert not np.array_equal(model.elbo(same, seed=3), model.elbo(same, seed=4))


@pytest.mark.slow
def test_the_learned_bound_of_four_points_lies_below_their_exact_evidence():
    model = AVB((1, 4, 1), 2, (64, 64, 64), 64, 0, "prior", (128, 128, 128), 2)
    decay = keras.optimizers.schedules.CosineDecay
    # The networks stand still from step 2400 on, and the adversary catches up.
    rates = decay(5e-4, 2400), decay(1e-3, 6000, alpha=0.1)
    model.compile(*(keras.optimizers.Adam(rate) for rate in rates))
    train_in_graph(model, four_points.IMAGES, batch_size=128, steps=3000, seed=0)
    metrics, _ = four_points.compare({"AVB": model}, draws=100_000)
    evidence, best, _ = metrics["AVB_evidence_nats"]
    bound, by_histogram, _ = metrics["AVB_elbo_nats"]
    assert evidence <= best
    assert evidence - 0.3 < by_histogram < evidence
    assert bound == pytest.approx(by_histogram, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden_units": (4, 0)}, "hidden_units=0"),
        ({"noise_dim": 0}, "noise_dim=0"),
        ({"noise_basis": -1}, "noise_basis=-1"),
        ({"noise_basis": 0}, "contrast='diagonal', noise_basis=0"),
        ({"contrast": "gaussian"}, "contrast='gaussian': give one of prior, diagonal, full"),
        ({"adversary_units": ()}, r"adversary_units=\(\)"),
        ({"adversary_units": (0,)}, "adversary_units=0"),
        ({"adversary_steps": 0}, "adversary_steps=0"),
        ({"image_shape": (2, 3)}, r"image_shape=\(2, 3\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        AVB(**{**BASIS, **arguments})
