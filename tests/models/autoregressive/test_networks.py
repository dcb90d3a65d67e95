"""Layers of PixelCNN and Gated PixelCNN, worked out in NumPy from the papers' equations."""

import numpy as np
import tensorflow as tf
from scipy.special import expit

from keras_gen.models.autoregressive.gated_pixel_cnn import build_pixel_network, build_row_network
from keras_gen.models.autoregressive.pixel_cnn import build_network


def randomize(network, seed):
    rng = np.random.default_rng(seed)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return [variable.numpy().astype("float64") for variable in network.trainable_variables]


def convolve(images, taps, bias, offsets):
    """sum over offsets of images[row + dy, column + dx] @ taps, zeros around the image."""
    height, width = images.shape[:2]
    outputs = np.zeros((height, width, taps.shape[-1])) + bias
    for tap, (dy, dx) in zip(taps, offsets, strict=True):
        for row in range(height):
            for column in range(width):
                if 0 <= row + dy < height and 0 <= column + dx < width:
                    outputs[row, column] += images[row + dy, column + dx] @ tap
    return outputs


def square(rows, columns):
    return [(dy, dx) for dy in rows for dx in columns]


ABOVE_7, ACROSS_7 = range(-3, 0), range(-3, 4)


def relu(x):
    return np.maximum(x, 0)


def test_pixel_cnn():
    """Table 1 and Figure 5 of arXiv:1601.06759: one residual block."""
    network = build_network((4, 5, 1), 1, 1, 4, 1, 3)
    weights = iter(randomize(network, 0))
    images = np.random.default_rng(1).uniform(size=(4, 5, 1))

    def layer(x, offsets):
        return convolve(x, next(weights), next(weights), offsets)

    here = [(0, 0)]
    x = layer(2 * images - 1, square(ABOVE_7, ACROSS_7) + [(0, -3), (0, -2), (0, -1)])
    y = layer(relu(x), here)
    y = layer(relu(y), square([-1], (-1, 0, 1)) + [(0, -1), (0, 0)])
    x = x + layer(relu(y), here)
    for _ in range(3):
        x = layer(relu(x), here)
    np.testing.assert_allclose(network(images[None].astype("float32"))[0], x, atol=1e-4)


def test_gated_pixel_cnn_with_labels():
    """Equations 2 and 4 and Figure 2 of arXiv:1606.05328: two layers."""
    rows = build_row_network(1, 2, 2, num_classes=3)
    pixels = build_pixel_network(1, 1, 1, 2, 2, 3, num_classes=3)
    for seed, network in enumerate((rows, pixels)):
        randomize(network, seed)
    images, label = np.random.default_rng(2).uniform(size=(4, 5, 1)), 1

    def convolution(network, name, x, offsets=((0, 0),)):
        kernel, bias = network.get_layer(name).get_weights()
        return convolve(x, kernel, bias, offsets)

    def gate(x):
        return np.tanh(x[..., :2]) * expit(x[..., 2:])

    def label_term(network, layer):
        return network.get_layer(f"label_{layer}").get_weights()[0][label]

    v, features = 2 * images - 1, []
    for layer, offsets in enumerate((square(ABOVE_7, ACROSS_7), square((-1, 0), (-1, 0, 1)))):
        v = convolution(rows, f"vertical_{layer}", v, offsets)
        features.append(convolution(rows, f"across_{layer}", v))
        if layer == 0:  # behind the last layer nobody reads it
            v = gate(v + label_term(rows, layer))
    x, inputs = tf.constant(images[None], "float32"), tf.constant([label])
    given = rows([x, inputs])
    for each, expected in zip(given, features, strict=True):
        np.testing.assert_allclose(each[0], expected, atol=1e-4)

    h = 2 * images - 1
    for layer, offsets in enumerate((square([0], (-3, -2, -1)), square([0], (-1, 0)))):
        moved = convolution(pixels, f"horizontal_{layer}", h, offsets) + features[layer]
        moved = convolution(pixels, f"out_{layer}", gate(moved + label_term(pixels, layer)))
        h = moved if layer == 0 else h + moved
    for name in ("head_0", "head_1", "parameters"):
        h = convolution(pixels, name, relu(h))
    np.testing.assert_allclose(pixels([x, *given, inputs])[0], h, atol=1e-4)
