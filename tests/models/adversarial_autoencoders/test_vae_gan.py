import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_gen.models import VAEGAN
from keras_gen.models.adversarial_autoencoders.vae_gan import build_feature_discriminator

SHAPE = (2, 2, 1)
RATES = {"encoder": 0.03, "decoder": 0.4, "discriminator": 0.05}
NAMES = tuple(RATES)
GAMMA = 0.7


class LinearVAEGAN(VAEGAN):
    """Parameters x @ e of the posterior, decoder's logits z * g, features x @ a, logits f @ b."""

    def build_networks(self):
        def dense(units, name=None):
            return keras.layers.Dense(units, use_bias=False, name=name)

        images, codes = keras.Input(SHAPE), keras.Input((1,))
        flat = keras.layers.Flatten()(images)
        features = dense(2)(flat)
        return (
            keras.Model(images, dense(2)(flat), name="encoder"),
            keras.Model(codes, keras.layers.Reshape(SHAPE)(dense(4)(codes)), name="decoder"),
            keras.Model(images, [features, dense(1)(features)], name="discriminator"),
        )


def linear(rates=RATES, weights=None, **arguments):
    model = LinearVAEGAN(SHAPE, 1, **{"feature_weight": GAMMA} | arguments)
    model.compile(*(keras.optimizers.SGD(rates[name]) for name in NAMES))
    for name, values in (weights or {}).items():
        getattr(model, name).set_weights(values)
    return model


def given():
    """Images, the posteriors' noise, latents, and weights by network."""
    rng = np.random.default_rng(4)
    images = rng.uniform(size=(5, 4))
    shapes = {"encoder": [(4, 2)], "decoder": [(1, 4)], "discriminator": [(4, 2), (2, 1)]}
    weights = {name: [rng.normal(size=shape) for shape in shapes[name]] for name in NAMES}
    return images, rng.normal(size=(5, 1)), rng.normal(size=(5, 1)), weights


def step(model, images, noise, latents, wrap=lambda function: function):
    """One training step on given noise: the logs, and the weights by network."""
    model.noise_for = lambda *_: tf.constant(noise, "float32")
    model.latents_for = lambda *_: tf.constant(latents, "float32")
    logs = wrap(model.train_step)(tf.constant(images.reshape(-1, *SHAPE), "float32"))
    return logs, {name: getattr(model, name).get_weights() for name in NAMES}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def expected_step(x, noise, latents, weights, minimax):
    """Algorithm 1 in NumPy, all gradients at the weights before the step: losses, weights."""
    (e,), (g,), (a, b) = (weights[name] for name in NAMES)
    count = len(x)
    means, log_variances = (x @ e)[:, :1], (x @ e)[:, 1:]
    deviations = np.exp(log_variances / 2)
    z = means + deviations * noise
    r, s = sigmoid(z * g), sigmoid(latents * g)
    fx, fr, fs = x @ a, r @ a, s @ a
    px, pr, ps = (sigmoid(f @ b) for f in (fx, fr, fs))
    kl = stats.norm  # KL(N(m, v) || N(0, 1)) as E[log q - log p], by Gauss-Hermite quadrature
    nodes, masses = np.polynomial.hermite_e.hermegauss(40)
    points = means + deviations * nodes
    kl = (kl.logpdf(points, means, deviations) - kl.logpdf(points)) @ masses / masses.sum()
    feature_loss = 0.5 * ((fx - fr) ** 2).sum(1).mean()
    gan = {
        False: -(np.log(pr) + np.log(ps)).mean(),
        True: (np.log(1 - pr) + np.log(1 - ps)).mean(),
    }[minimax]
    losses = {
        "kl_nats": kl.mean(),
        "feature_loss": feature_loss,
        "decoder_loss": GAMMA * feature_loss + gan,
        "discriminator_loss": -(np.log(px) + np.log(1 - pr) + np.log(1 - ps)).mean(),
    }

    features_to_r = (fr - fx) @ a.T / count
    to_z = (features_to_r * r * (1 - r) * g).sum(1, keepdims=True)
    to_means = to_z + means / count
    to_log_variances = to_z * deviations * noise / 2 + (deviations**2 - 1) / 2 / count
    e = e - RATES["encoder"] * x.T @ np.hstack([to_means, to_log_variances])

    # d/dlogit of log(1 - D) is -D; of -log D it is D - 1.
    outer = [-p if minimax else p - 1 for p in (pr, ps)]
    to_r = GAMMA * features_to_r + outer[0] * (a @ b).T / count
    to_s = outer[1] * (a @ b).T / count
    g_step = z.T @ (to_r * r * (1 - r)) + latents.T @ (to_s * s * (1 - s))

    to_logits = [(px - 1) / count, pr / count, ps / count]
    a_step = sum(i.T @ (t @ b.T) for i, t in zip((x, r, s), to_logits, strict=True))
    b_step = sum(f.T @ t for f, t in zip((fx, fr, fs), to_logits, strict=True))
    rate = RATES["discriminator"]
    moved = [[e], [g - RATES["decoder"] * g_step], [a - rate * a_step, b - rate * b_step]]
    return losses, dict(zip(NAMES, moved, strict=True))


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_a_training_step_is_algorithm_1_worked_out_in_numpy(loss, wrap):
    images, noise, latents, weights = given()
    losses, expected = expected_step(images, noise, latents, weights, loss == "minimax")
    model = linear(weights=weights, generator_loss=loss)
    logs, found = step(model, images, noise, latents, wrap)
    for name, value in losses.items():
        assert float(logs[name]) == pytest.approx(value, rel=1e-4), name
    for name in NAMES:
        for one, other, start in zip(found[name], expected[name], weights[name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=name)
            assert not np.allclose(one, start, atol=1e-3)


def test_an_evaluation_measures_what_a_training_step_does():
    *inputs, weights = given()
    model = linear(dict.fromkeys(NAMES, 0.0), weights)
    logs, _ = step(model, *inputs)
    model.reset_metrics()
    evaluated = model.test_step(tf.constant(inputs[0].reshape(-1, *SHAPE), "float32"))
    assert set(evaluated) == set(logs)
    for name, value in logs.items():
        assert float(evaluated[name]) == pytest.approx(float(value), rel=1e-5), name


def test_the_networks_are_updated_in_the_order_of_algorithm_1():
    model = linear()
    order = []
    model.update = lambda optimizer, tape, loss, network: order.append(
        (network.name, optimizer is model.optimizers[f"{network.name}_optimizer"])
    )
    step(model, *given()[:3])
    assert order == [(name, True) for name in NAMES]


def test_no_gradient_of_the_gan_reaches_the_encoder():
    """It enters through the logits alone, which the discriminator's last layer makes."""
    *inputs, weights = given()
    moved = []
    for scale, feature_weight in ((1.0, 0.1), (100.0, 0.1), (1.0, 10.0)):
        first, last = weights["discriminator"]
        changed = weights | {"discriminator": [first, scale * last]}
        model = linear(weights=changed, feature_weight=feature_weight)
        moved.append(step(model, *inputs)[1])
    for other in moved[1:]:
        np.testing.assert_array_equal(other["encoder"][0], moved[0]["encoder"][0])
        assert not np.allclose(other["decoder"][0], moved[0]["decoder"][0])


def test_no_gradient_of_the_likelihood_reaches_the_discriminator():
    *inputs, weights = given()
    moved = [
        step(linear(weights=weights, feature_weight=gamma), *inputs)[1]["discriminator"]
        for gamma in (0.0, 100.0)
    ]
    for one, other in zip(*moved, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function], ids=["eager", "graph"])
def test_every_network_moves_as_if_the_others_stood_still(wrap):
    """So the features are those of the discriminator before its step."""
    *inputs, weights = given()
    together = step(linear(weights=weights), *inputs, wrap)[1]
    for moving in NAMES:
        rates = {name: RATES[name] if name == moving else 0.0 for name in NAMES}
        alone = step(linear(rates, weights), *inputs, wrap)[1]
        for one, other in zip(alone[moving], together[moving], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("feature_layer", [1, 2])
def test_features_are_the_outputs_of_the_hidden_layer_asked_for(feature_layer):
    network = build_feature_discriminator(SHAPE, (7, 5), feature_layer)
    images = np.random.default_rng(0).uniform(size=(3, *SHAPE)).astype("float32")
    features, logits = network(images)
    kernels = network.get_weights()
    x, hidden = images.reshape(3, 4), []
    for kernel, bias in ((kernels[0], kernels[1]), (kernels[2], kernels[3])):
        x = x @ kernel + bias
        x = np.where(x > 0, x, 0.2 * x)
        hidden.append(x)
    np.testing.assert_allclose(features, hidden[feature_layer - 1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logits, x @ kernels[4] + kernels[5], rtol=1e-4, atol=1e-6)


def test_codes_are_drawn_from_the_posteriors_whose_means_encode_gives():
    images, *_, weights = given()
    model = linear(weights=weights)
    image = np.repeat(images[:1], 4000, axis=0).reshape(-1, *SHAPE).astype("float32")
    mean, log_variance = images[0] @ weights["encoder"][0]
    np.testing.assert_allclose(model.encode(image[:2])[:, 0], [mean, mean], rtol=1e-5)
    codes = np.asarray(model.draw_codes(image, np.array([1, 2])))[:, 0]
    expected = stats.norm(mean, np.exp(log_variance / 2))
    assert stats.kstest(codes, expected.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(codes, model.draw_codes(image, np.array([1, 2]))[:, 0])
    assert not np.array_equal(codes, model.draw_codes(image, np.array([1, 3]))[:, 0])


def test_replicas_draw_different_noise_of_posteriors(mirrored):
    with mirrored.scope():
        model = VAEGAN(SHAPE, 3, (4,), (4,))
    images = tf.zeros((64, *SHAPE))
    noise = mirrored.run(lambda: model.noise_for(images, tf.constant([1, 2])))
    first, second = (np.ravel(part) for part in mirrored.experimental_local_results(noise))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


def test_training_learns_to_reconstruct():
    images = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype("float32")
    model = VAEGAN(SHAPE, 2, (32,), (16,), feature_weight=10.0)
    # Features of a fixed network, large beside the variance of 1 that the likelihood has.
    model.discriminator.set_weights([10.0 * each for each in model.discriminator.get_weights()])
    adam = keras.optimizers.Adam
    model.compile(adam(5e-3), adam(5e-3), keras.optimizers.SGD(0.0))
    before = np.abs(model.reconstruct(images) - images).mean()
    model.fit(np.tile(images, (1600, 1, 1, 1)), batch_size=16, verbose=0)
    after = np.abs(model.reconstruct(images) - images).mean()
    assert after < 0.05 < 0.15 < before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature_weight": -1.0}, "feature_weight=-1.0"),
        ({"feature_weight": float("nan")}, "feature_weight=nan"),
        ({"generator_loss": "hinge"}, "generator_loss='hinge': give one of minimax"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden_units": (0,)}, "hidden_units=0"),
        ({"discriminator_units": (0,)}, "discriminator_units=0"),
        ({"feature_layer": 0}, "feature_layer=0: give the number of a hidden layer"),
        ({"feature_layer": 3}, r"feature_layer=3.*discriminator_units=\(1000, 1000\) make 2"),
        ({"feature_layer": 1, "discriminator_units": ()}, r"discriminator_units=\(\) make 0"),
        ({"image_shape": (2, 2)}, r"image_shape=\(2, 2\)"),
    ],
)
def test_bad_arguments_are_refused_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAEGAN(**{"image_shape": SHAPE} | arguments)
