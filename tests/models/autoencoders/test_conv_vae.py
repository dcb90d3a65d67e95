import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.models import ConvVAE


def shapes_of(network, kind):
    return [layer.output.shape[1:] for layer in network.layers if isinstance(layer, kind)]


def test_the_default_networks_are_those_of_the_example():
    model = ConvVAE()
    assert shapes_of(model.encoder, keras.layers.Conv2D) == [(14, 14, 32), (7, 7, 64)]
    assert shapes_of(model.encoder, keras.layers.Dense) == [(16,), (4,)]
    upwards = shapes_of(model.decoder, keras.layers.Conv2DTranspose)
    assert upwards == [(14, 14, 64), (28, 28, 32), (28, 28, 1)]
    for network in (model.encoder, model.decoder):
        activations = [
            layer.activation.__name__ for layer in network.layers if hasattr(layer, "activation")
        ]
        assert activations == ["relu", "relu", "relu", "linear"]
    # As the example prints them.
    assert model.encoder.count_params() == 69_076
    assert model.decoder.count_params() == 65_089


def test_a_training_step_is_that_of_the_example(monkeypatch):
    """Its loss written with Keras' own cross-entropy of probabilities, its own gradient and SGD."""
    rate, shape = 0.05, (8, 8, 1)
    model = ConvVAE(shape, filters=(4, 3), dense_units=5)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(size=(6, *shape)), "float32")
    noise = tf.constant(rng.normal(size=(6, 2)), "float32")
    monkeypatch.setattr(model, "noise_for", lambda images, seed: noise)

    variables = model.networks.trainable_variables
    with tf.GradientTape() as tape:
        z_mean, z_log_var = tf.split(model.encoder(images), 2, axis=-1)
        z = z_mean + tf.exp(0.5 * z_log_var) * noise
        reconstruction = tf.sigmoid(model.decoder(z)["logits"])
        cross_entropies = keras.losses.binary_crossentropy(images, reconstruction)
        reconstruction_loss = tf.reduce_mean(tf.reduce_sum(cross_entropies, axis=(1, 2)))
        kl_loss = -0.5 * (1 + z_log_var - tf.square(z_mean) - tf.exp(z_log_var))
        kl_loss = tf.reduce_mean(tf.reduce_sum(kl_loss, axis=1))
        total_loss = reconstruction_loss + kl_loss
    gradients = tape.gradient(total_loss, [variable.value for variable in variables])
    expected = [v.numpy() - rate * g.numpy() for v, g in zip(variables, gradients, strict=True)]

    model.compile(keras.optimizers.SGD(rate))
    logs = model.train_step(images)
    for name, value in (
        ("objective_nats", total_loss),
        ("negative_elbo_nats", total_loss),
        ("reconstruction_nats", reconstruction_loss),
        ("kl_nats", kl_loss),
    ):
        assert float(logs[name]) == pytest.approx(float(value), rel=1e-5)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    depth=st.integers(1, 3),
    channels=st.sampled_from([1, 3]),
)
def test_any_sides_that_divide_come_out_as_they_went_in(height, width, depth, channels):
    shape = (height * 2**depth, width * 2**depth, channels)
    model = ConvVAE(shape, filters=(3,) * depth, dense_units=4)
    images = np.zeros((2, *shape), "float32")
    assert model.encode(images).shape == (2, 2)
    assert model.reconstruct(images).shape == images.shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (30, 28, 1)}, "multiples of 4"),
        ({"filters": ()}, r"filters=\(\)"),
        ({"filters": (4, 0)}, "filters=0"),
        ({"dense_units": 0}, "dense_units=0"),
        ({"likelihood": "poisson"}, "likelihood='poisson'"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvVAE(**arguments)
