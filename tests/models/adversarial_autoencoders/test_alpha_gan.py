import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import AlphaGAN
from keras_gen.models.adversarial_autoencoders.alpha_gan import density_ratio_loss

SHAPE = (2, 2, 1)
RATES = {"encoder": 0.3, "decoder": 0.4, "discriminator": 0.5, "code_discriminator": 0.6}
NAMES = tuple(RATES)
WEIGHT = 3.0


class LinearAlphaGAN(AlphaGAN):
    """One weight matrix a network: codes x @ e, decoder's logits z * g, logits x @ d and z * c."""

    def build_networks(self):
        images, codes = keras.Input(SHAPE), keras.Input((1,))
        flat = keras.layers.Flatten()(images)
        pixels = keras.layers.Dense(4, use_bias=False)(codes)
        return (
            keras.Model(images, keras.layers.Dense(1, use_bias=False)(flat), name="encoder"),
            keras.Model(codes, keras.layers.Reshape(SHAPE)(pixels), name="decoder"),
            keras.Model(images, keras.layers.Dense(1, use_bias=False)(flat), name="discriminator"),
            keras.Model(
                codes, keras.layers.Dense(1, use_bias=False)(codes), name="code_discriminator"
            ),
        )


def linear(rates=RATES, weights=None):
    model = LinearAlphaGAN(SHAPE, 1, reconstruction_weight=WEIGHT)
    model.compile(*(keras.optimizers.SGD(rates[name]) for name in NAMES))
    for name, values in (weights or {}).items():
        network = getattr(model, name)
        network.set_weights([values.reshape(network.weights[0].shape)])
    return model


def given():
    rng = np.random.default_rng(3)
    images = rng.uniform(size=(5, 4))
    weights = {name: rng.normal(size=4 if name != "code_discriminator" else 1) for name in NAMES}
    return images, rng.normal(size=(5, 1)), weights


def step(model, images, latents, wrap=lambda function: function):
    """One training step on given latents: the logs, and the weights by network."""
    model.draw_latents = lambda *_: tf.constant(latents, "float32")
    logs = wrap(model.train_step)(tf.constant(images.reshape(-1, *SHAPE), "float32"))
    return logs, {name: getattr(model, name).get_weights()[0].ravel() for name in NAMES}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def expected_step(x, latents, weights):
    """Algorithm 1 in NumPy: losses by name, then the weights."""
    e, g, d, c = (weights[name] for name in NAMES)
    count = len(x)

    def decoded(codes):
        return sigmoid(codes * g)

    # The derivative of an absolute value is a sign, of the logit in R = -logit it is -1.
    z = (x @ e)[:, None]
    r = decoded(z)
    losses = {
        "reconstruction_l1": np.abs(x - r).mean(),
        "encoder_loss": WEIGHT * np.abs(x - r).mean() - (z * c).mean(),
    }
    to_codes = WEIGHT * (np.sign(r - x) * r * (1 - r) * g).sum(1, keepdims=True) / x.size
    to_codes = to_codes - c / count
    e = e - RATES["encoder"] * (to_codes * x).sum(0)

    z = (x @ e)[:, None]
    r, s = decoded(z), decoded(latents)
    losses["decoder_loss"] = WEIGHT * np.abs(x - r).mean() - (r @ d).mean() - (s @ d).mean()
    to_r = (WEIGHT * np.sign(r - x) / x.size - d / count) * r * (1 - r)
    to_s = -d / count * s * (1 - s)
    g = g - RATES["decoder"] * (z * to_r + latents * to_s).sum(0)

    losses["discriminator_loss"] = -(
        np.log(sigmoid(x @ d)) + np.log(1 - sigmoid(r @ d)) + np.log(1 - sigmoid(s @ d))
    ).mean()
    terms = (sigmoid(x @ d) - 1)[:, None] * x + sigmoid(r @ d)[:, None] * r
    terms = terms + sigmoid(s @ d)[:, None] * s
    d = d - RATES["discriminator"] * terms.mean(0)

    losses["code_discriminator_loss"] = -(
        np.log(sigmoid(latents * c)) + np.log(1 - sigmoid(z * c))
    ).mean()
    terms = (sigmoid(latents * c) - 1) * latents + sigmoid(z * c) * z
    c = c - RATES["code_discriminator"] * terms.mean(0)
    return losses, dict(zip(NAMES, (e, g, d, c), strict=True))


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function], ids=["eager", "graph"])
def test_a_training_step_is_algorithm_1_worked_out_in_numpy(wrap):
    images, latents, weights = given()
    losses, expected = expected_step(images, latents, weights)
    logs, found = step(linear(weights=weights), images, latents, wrap)
    for name, value in losses.items():
        assert float(logs[name]) == pytest.approx(value, rel=1e-5), name
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, err_msg=name)
        assert not np.allclose(expected[name], weights[name], rtol=1e-2)


def test_an_evaluation_measures_what_a_training_step_does():
    images, latents, weights = given()
    model = linear(dict.fromkeys(NAMES, 0.0), weights)
    logs, _ = step(model, images, latents)
    model.reset_metrics()
    evaluated = model.test_step(tf.constant(images.reshape(-1, *SHAPE), "float32"))
    assert set(evaluated) == set(logs)
    for name, value in logs.items():
        assert float(evaluated[name]) == pytest.approx(float(value), rel=1e-5), name


def test_the_networks_are_updated_in_the_order_of_algorithm_1():
    model = linear()
    order = []
    model.update = lambda optimizer, tape, loss, network: order.append(
        (network.name, optimizer is model.optimizers[f"{network.name}_optimizer"])
    )
    step(model, *given()[:2])
    assert order == [(name, True) for name in NAMES]


def test_the_ratio_is_the_difference_of_logarithms_that_the_paper_has():
    logits = np.linspace(-12.0, 12.0, 49)
    probabilities = sigmoid(logits)
    ratios = -np.log(probabilities) + np.log(1 - probabilities)
    np.testing.assert_allclose(ratios, -logits, atol=1e-9)
    for logit, ratio in zip(logits, ratios, strict=True):
        found = float(density_ratio_loss(tf.constant([[logit]])))
        assert found == pytest.approx(ratio, rel=1e-5, abs=1e-6)
    assert float(density_ratio_loss(tf.constant(logits[:9]))) == pytest.approx(ratios[:9].mean())


def test_the_ratio_of_the_best_discriminator_is_that_of_the_densities():
    """Of N(1, 1), real, and N(0, 1), fake, the ratio fake / real has the log 1/2 - x."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(1.0, 1.0, (20_000, 1)), rng.normal(0.0, 1.0, (20_000, 1))
    from sklearn.linear_model import LogisticRegression

    best = LogisticRegression(C=1e6).fit(np.concatenate([real, fake]), np.repeat([1, 0], len(real)))
    points = np.array([[-1.0], [0.5], [2.0]])
    logits = best.decision_function(points)
    for logit, point in zip(logits, points, strict=True):
        ratio = float(density_ratio_loss(tf.constant(logit)))
        assert ratio == pytest.approx(0.5 - point[0], abs=0.1)


def test_the_distance_does_not_depend_on_the_size_of_the_images():
    model = linear()
    small = np.random.default_rng(0).uniform(size=(2, 3, *SHAPE)).astype("float32")
    large = small.repeat(4, axis=2).repeat(4, axis=3)
    assert float(model.distance(*small)) == pytest.approx(np.abs(small[0] - small[1]).mean())
    assert float(model.distance(*large)) == pytest.approx(float(model.distance(*small)))


def test_a_discriminator_that_cannot_tell_gives_a_third():
    """The least loss of equal logits for all: -log p - 2 log(1 - p) is least at p = 1/3."""
    model = linear()
    logits = np.linspace(-3.0, 3.0, 601).astype("float32")
    losses = [float(model.discriminator_loss(*3 * [tf.constant([logit])])) for logit in logits]
    assert sigmoid(logits[np.argmin(losses)]) == pytest.approx(1 / 3, abs=0.01)


def test_training_learns_to_reconstruct():
    images = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype("float32")
    model = AlphaGAN(SHAPE, 2, (32,), (8,), (8,), reconstruction_weight=50.0)
    rates = (5e-3, 5e-3, 1e-4, 1e-4)
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
    before = np.abs(model.reconstruct(images) - images).mean()
    model.fit(np.tile(images, (1600, 1, 1, 1)), batch_size=16, verbose=0)
    after = np.abs(model.reconstruct(images) - images).mean()
    assert after < 0.05 < 0.15 < before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reconstruction_weight": -1.0}, "reconstruction_weight=-1.0"),
        ({"reconstruction_weight": float("nan")}, "reconstruction_weight=nan"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden_units": (0,)}, "hidden_units=0"),
        ({"discriminator_units": (0,)}, "discriminator_units=0"),
        ({"code_discriminator_units": (0,)}, "code_discriminator_units=0"),
        ({"image_shape": (2, 2)}, r"image_shape=\(2, 2\)"),
    ],
)
def test_bad_arguments_are_refused_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        AlphaGAN(**{"image_shape": SHAPE} | arguments)
