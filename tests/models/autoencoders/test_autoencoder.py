import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from keras_gen.models import Autoencoder
from keras_gen.models.autoencoders.autoencoder import bce_per_pixel

SHAPE = (2, 2, 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_layer(rate=0.5, **arguments):
    model = Autoencoder(SHAPE, latent_dim=3, hidden_units=(), **arguments)
    model.compile(keras.optimizers.SGD(rate))
    return model


def train(model, images, rate, steps):
    model.compile(keras.optimizers.Adam(rate), jit_compile=True)
    model.fit(tf.data.Dataset.from_tensors(images).repeat(steps), shuffle=False, verbose=0)


def test_the_default_networks_are_784_128_64_32_64_128_784():
    model = Autoencoder()
    sizes = [
        layer.units
        for network in (model.encoder, model.decoder)
        for layer in network.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    assert sizes == [128, 64, 32, 64, 128, 784]


def test_the_loss_is_the_cross_entropy_of_every_pixel_as_a_bernoulli_variable():
    random = np.random.default_rng(0)
    images, logits = random.uniform(size=(4, *SHAPE)), random.normal(size=(4, *SHAPE), scale=3)
    p = sigmoid(logits)
    expected = -np.mean(images * np.log(p) + (1 - images) * np.log(1 - p))
    assert float(bce_per_pixel(images, logits)) == pytest.approx(expected, rel=1e-6)


def test_the_loss_stays_finite_where_the_network_is_sure():
    assert float(bce_per_pixel(tf.zeros((1, *SHAPE)), tf.fill((1, *SHAPE), 1e4))) == 1e4


def test_a_training_step_is_the_gradient_worked_out_in_numpy():
    model = one_layer()
    images = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype("float32")
    encoder, _ = model.encoder.get_weights()
    decoder, _ = model.decoder.get_weights()

    model.train_step(tf.constant(images))

    x = images.reshape(5, 4)
    code = x @ encoder
    outer = (sigmoid(code @ decoder) - x) / x.size
    inner = outer @ decoder.T
    expected = {
        "encoder": (encoder - 0.5 * x.T @ inner, -0.5 * inner.sum(0)),
        "decoder": (decoder - 0.5 * code.T @ outer, -0.5 * outer.sum(0)),
    }
    for name, weights in expected.items():
        for weight, value in zip(getattr(model, name).get_weights(), weights, strict=True):
            np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-7)


def test_without_hidden_layers_the_optimum_on_faint_images_is_the_subspace_of_pca():
    """Near p = 1/2 the cross-entropy is a squared error, and the sigmoid a straight line."""
    random = np.random.default_rng(0)
    strengths = np.array([4.0, 2.0, 0.5, 0.4] + [0.3] * 12)
    basis = np.linalg.qr(random.normal(size=(16, 16)))[0]
    pixels = 0.5 + 0.02 * (random.normal(size=(512, 16)) * strengths) @ basis
    images = pixels.reshape(-1, 4, 4, 1).astype("float32")

    model = Autoencoder((4, 4, 1), latent_dim=2, hidden_units=())
    train(model, images, rate=0.03, steps=600)

    learned = model.decoder.get_weights()[0]  # (2, 16)
    components = PCA(2).fit(pixels).components_
    assert np.rad2deg(subspace_angles(learned.T, components.T)).max() < 3.0


def test_on_a_curved_family_of_images_it_beats_pca_of_the_same_size():
    """A bump that moves: one number says it all, but not linearly."""
    places = np.random.default_rng(0).uniform(2, 14, size=(256, 1))
    pixels = np.exp(-0.5 * (np.arange(16) - places) ** 2)
    model = Autoencoder((1, 16, 1), latent_dim=1, hidden_units=(64, 32))
    images = pixels.reshape(-1, 1, 16, 1).astype("float32")
    train(model, images, rate=1e-2, steps=500)

    error = np.mean((np.asarray(model.reconstruct(images)) - images) ** 2)
    pca = PCA(1).fit(pixels)
    assert error < 0.2 * np.mean((pca.inverse_transform(pca.transform(pixels)) - pixels) ** 2)


def test_running_moments_are_plain_means_at_first_and_exponential_ones_from_100_steps_on():
    model = one_layer(rate=0.0)
    batches = np.random.default_rng(0).uniform(size=(103, 4, *SHAPE)).astype("float32")
    kernel, _ = model.encoder.get_weights()
    mean, square = np.zeros(3), np.ones(3)
    step = tf.function(model.train_step)
    for number, batch in enumerate(batches, start=1):
        step(tf.constant(batch))
        codes = batch.reshape(4, 4) @ kernel
        decay = min(0.99, 1 - 1 / number)
        mean = decay * mean + (1 - decay) * codes.mean(0)
        square = decay * square + (1 - decay) * (codes**2).mean(0)
        if number == 50:
            seen = batches[:50].reshape(-1, 4) @ kernel
            np.testing.assert_allclose(model.code_mean, seen.mean(0), rtol=1e-4)
            np.testing.assert_allclose(model.code_square, (seen**2).mean(0), rtol=1e-4)
    np.testing.assert_allclose(model.code_mean, mean, rtol=1e-4)
    np.testing.assert_allclose(model.code_square, square, rtol=1e-4)


def test_drawn_codes_have_the_mean_and_deviation_of_codes_and_no_correlation():
    model = one_layer()
    model.code_mean.assign([1.0, -2.0, 0.0])
    model.code_square.assign([1.25, 4.0, 9.0])
    codes = np.asarray(model.draw_latents(50_000, (3, 4)))
    np.testing.assert_allclose(codes.mean(0), [1.0, -2.0, 0.0], atol=0.05)
    np.testing.assert_allclose(codes.std(0), [0.5, 0.0, 3.0], atol=0.05)
    assert abs(np.corrcoef(codes[:, 0], codes[:, 2])[0, 1]) < 0.02
    near = np.asarray(model.draw_latents(1000, (3, 4), truncation=1.0))
    assert (np.abs(near - [1.0, -2.0, 0.0]) <= np.array([0.5, 0.0, 3.0]) + 1e-5).all()


def test_a_moment_below_the_squared_mean_by_rounding_gives_no_nan():
    model = one_layer()
    model.code_mean.assign([1.0, 1.0, 1.0])
    model.code_square.assign([1.0, 1.0 - 1e-6, 1.0])
    assert np.isfinite(model.draw_latents(2, (0, 0))).all()


def test_reconstructions_are_decoded_codes():
    model = Autoencoder(SHAPE, latent_dim=3, hidden_units=(5,))
    images = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype("float32")
    latents = model.encode(images)
    assert latents.shape == (6, 3) and latents.dtype == tf.float32
    np.testing.assert_array_equal(model.reconstruct(images), model.decode(latents))
    np.testing.assert_allclose(model.reconstruct(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"hidden_units": (4, 0)}, "hidden_units=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(SHAPE, **arguments)


def test_labels_are_refused():
    with pytest.raises(ValueError, match="Autoencoder is unconditional"):
        Autoencoder(SHAPE).sample(1, labels=[3])
