"""Convolutions from and to images: Keras' own function, gradients and weights."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import layers
from keras_gen.layers import Conv2D, Conv2DTranspose, SpectralNormalization

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


def twins(ours, theirs, channels, *args, **settings):
    """Our layer and Keras', with the same weights."""
    settings = {"bias_initializer": "random_normal", **settings}
    pair = [cls(*args, **settings) for cls in (ours, theirs)]
    for layer in pair:
        layer.build((None, None, None, channels))
    pair[1].set_weights(pair[0].get_weights())
    return pair


def derivatives(layer, images, upstream):
    """Outputs, the gradients of their product with `upstream`, and those of the gradient's norm.

    The last are what a gradient penalty asks for.
    """
    weights = [each.value for each in layer.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            outputs = layer(images)
            product = tf.reduce_sum(upstream(outputs) * tf.cast(outputs, "float32") ** 2)
        first = inner.gradient(product, [images, *weights])
        norm = tf.reduce_sum(tf.square(tf.cast(first[0], "float32")))
    return [outputs, *first, *outer.gradient(norm, [images, *weights])]


def same_as_keras(pair, images, **tolerance):
    def upstream(outputs):
        return np.random.default_rng(1).normal(size=outputs.shape).astype("float32")

    found, expected = (derivatives(layer, tf.constant(images), upstream) for layer in pair)
    for ours, theirs in zip(found, expected, strict=True):
        ours, theirs = (tf.cast(each, "float32").numpy() for each in (ours, theirs))
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(ours / scale, theirs / scale, **tolerance)


def convolutions(graph):
    """How many operations of a graph are convolutions."""
    return sum("Conv2D" in operation.type for operation in graph.get_operations())


def count_convolutions(layer, images):
    return convolutions(tf.function(layer).get_concrete_function(tf.constant(images)).graph)


CHANNELS = [(1, 8), (3, 8), (8, 1), (8, 3), (2, 2)]
SHAPES = [  # kernel, strides, padding
    (7, 1, "same"),
    (7, 1, "valid"),
    (5, 2, "same"),
    (4, 2, "same"),
    (4, 2, "valid"),
    (3, 1, "same"),
    ((3, 5), (2, 1), "same"),
    (1, 1, "same"),
]


@pytest.mark.parametrize(
    "channels, filters, kernel, strides, padding",
    [(*ends, *shape) for ends, shape in itertools.product(CHANNELS, SHAPES)],
)
def test_a_convolution_is_that_of_keras(channels, filters, kernel, strides, padding):
    images = np.random.default_rng(0).normal(size=(2, 11, 12, channels)).astype("float32")
    settings = {"strides": strides, "padding": padding, "activation": "tanh"}
    pair = twins(Conv2D, keras.layers.Conv2D, channels, filters, kernel, **settings)
    same_as_keras(pair, images, **TOLERANCE)


@pytest.mark.parametrize("channels, filters", [(8, 1), (8, 3), (2, 2), (1, 8)])
@pytest.mark.parametrize("kernel, strides", [(5, 2), (4, 2), (3, 1), (2, 2), ((3, 5), (2, 1))])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_transposed_convolution_is_that_of_keras(channels, filters, kernel, strides, padding):
    images = np.random.default_rng(0).normal(size=(2, 5, 6, channels)).astype("float32")
    settings = {"strides": strides, "padding": padding, "activation": "tanh"}
    classes = Conv2DTranspose, keras.layers.Conv2DTranspose
    same_as_keras(twins(*classes, channels, filters, kernel, **settings), images, **TOLERANCE)


@pytest.mark.parametrize("ours", [Conv2D, Conv2DTranspose])
def test_rounding_in_bfloat16_is_that_of_one_more_sum(ours):
    """Against float32: not worse than twice what Keras' own layer loses."""
    theirs = ours.__bases__[0]
    images = np.random.default_rng(0).normal(size=(4, 14, 14, 64)).astype("float32")
    exact = twins(ours, theirs, 64, 1, 5, strides=1, padding="same")[1]
    rough = twins(ours, theirs, 64, 1, 5, strides=1, padding="same", dtype="mixed_bfloat16")
    for layer in rough:
        layer.set_weights(exact.get_weights())
    lost = [
        np.sqrt(np.mean((tf.cast(layer(images), "float32") - exact(images)) ** 2))
        for layer in rough
    ]
    assert lost[0] < 2.0 * lost[1], lost


@pytest.mark.parametrize(
    "channels, filters, settings, expected",
    [
        (8, 1, {}, 2),
        (3, 8, {}, 2),
        (8, 8, {}, 1),  # no side has few channels
        (4, 2, {}, 1),  # both have
        (8, 1, {"dilation_rate": 2}, 1),
        (4, 4, {"groups": 2}, 0),  # Keras hands them to XLA
    ],
)
def test_what_has_few_channels_is_taken_apart(channels, filters, settings, expected):
    images = np.zeros((2, 9, 9, channels), "float32")
    layer = Conv2D(filters, 3, padding="same", **settings)
    assert count_convolutions(layer, images) == expected
    assert layer(images).shape == (2, 9, 9, filters)


def test_where_there_is_a_gpu_it_is_kerass_own(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    images = np.zeros((2, 9, 9, 8), "float32")
    assert count_convolutions(Conv2D(1, 3), images) == 1
    assert count_convolutions(Conv2DTranspose(1, 3, padding="same"), images) == 1


def test_spectral_normalization_divides_its_kernel():
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    pair = twins(Conv2D, keras.layers.Conv2D, 1, 16, 3, padding="same")
    normalized = [SpectralNormalization(layer) for layer in pair]
    for layer in normalized:
        layer.build(images.shape)
    normalized[1].set_weights(normalized[0].get_weights())
    np.testing.assert_allclose(normalized[0](images), normalized[1](images), atol=1e-5)
    assert np.abs(normalized[0](images) - pair[0](images)).max() > 1e-2


def test_weights_go_from_keras_layers_to_these_and_back(tmp_path):
    def network(kinds):
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                kinds.Conv2D(8, 4, 2, "same"),
                keras.layers.Conv2D(8, 3, padding="same"),
                kinds.BatchNormalization(),
                kinds.Conv2DTranspose(1, 4, 2, "same"),
            ]
        )

    pair = network(keras.layers), network(layers)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    for number, (saved, loaded) in enumerate((pair, pair[::-1])):
        saved.set_weights([weight + 0.1 for weight in saved.get_weights()])
        path = tmp_path / f"{number}.weights.h5"
        saved.save_weights(path)
        loaded.load_weights(path)
        np.testing.assert_allclose(saved(images), loaded(images), atol=1e-5)


def test_a_network_of_any_size_is_saved_and_loaded(tmp_path):
    network = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            Conv2D(8, 4, 2, "same"),
            Conv2DTranspose(1, 4, 2, "same"),
        ]
    )
    images = np.random.default_rng(0).normal(size=(2, 8, 12, 1)).astype("float32")
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(network(images), loaded(images))
    network.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(images), network(images), atol=1e-6)
    assert network(images).shape == images.shape
