"""The recurrent layers against the recursion written out pixel by pixel in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from keras_gen.layers import DiagonalBiLSTM, RowLSTM
from keras_gen.layers.pixel_recurrent import remember, skew, unskew


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")


def randomize(layer):
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))


def lstm(inputs, h_seen, c, kernel):
    """Equation 3, at one pixel."""
    o, f, i, g = np.split(inputs + h_seen @ kernel, 4, axis=-1)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def test_skewed_rows_stand_one_pixel_further_right_each(images):
    pixels = images.transpose(1, 2, 0, 3)  # (H, W, B, F)
    skewed = np.asarray(skew(pixels))
    assert skewed.shape == (4, 8, 2, 3)
    for row in range(4):
        np.testing.assert_array_equal(skewed[row, row : row + 5], pixels[row])
        assert not skewed[row, :row].any() and not skewed[row, row + 5 :].any()
    np.testing.assert_array_equal(unskew(skewed, 5), pixels)


def remember_plainly(inputs, kernel, offsets):
    """The same recursion without a gradient of its own."""
    width = inputs.shape[2]
    h = c = tf.zeros((*inputs.shape[1:4], inputs.shape[4] // 4))
    states = []
    for line in tf.unstack(inputs):
        padded = tf.pad(h, [[0, 0], [1, 1], [0, 0], [0, 0]])
        seen = tf.concat([padded[:, 1 + o : 1 + o + width] for o in offsets], axis=-1)
        o, f, i, g = tf.split(line + tf.einsum("dwbs,dsg->dwbg", seen, kernel), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        states.append(h)
    return tf.stack(states)


@pytest.mark.parametrize(("directions", "offsets"), [(1, (-1, 0, 1)), (2, (-1, 0))])
def test_the_gradient_written_out_is_the_gradient(directions, offsets):
    rng = np.random.default_rng(0)
    inputs = tf.constant(rng.normal(size=(6, directions, 5, 3, 8)), "float32")
    kernel = tf.constant(rng.normal(size=(directions, 2 * len(offsets), 8)), "float32")
    weights = tf.constant(rng.normal(size=(6, directions, 5, 3, 2)), "float32")
    found = []
    for function in (remember, remember_plainly):
        with tf.GradientTape() as tape:
            tape.watch((inputs, kernel))
            states = function(inputs, kernel, offsets)
        gradients = tape.gradient(states, (inputs, kernel), output_gradients=weights)
        found.append((states, *gradients))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


def test_row_lstm(images):
    layer = RowLSTM(2)
    layer.build(images.shape)
    randomize(layer)
    inputs = np.asarray(layer.input_to_state(images))
    (kernel,) = layer.kernel.numpy()
    h, c = np.zeros((2, 4, 5, 2)), np.zeros((2, 4, 5, 2))
    for row in range(4):
        for column in range(5):
            seen, memory = np.zeros((2, 6)), np.zeros((2, 2))
            if row:
                above = np.pad(h[:, row - 1], [[0, 0], [1, 1], [0, 0]])
                seen = above[:, column : column + 3].reshape(2, 6)
                memory = c[:, row - 1, column]
            here = (inputs[:, row, column], seen, memory)
            h[:, row, column], c[:, row, column] = lstm(*here, kernel)
    np.testing.assert_allclose(layer(images), h, atol=1e-5)


def test_diagonal_bilstm(images):
    layer = DiagonalBiLSTM(2)
    layer.build(images.shape)
    randomize(layer)

    def from_left(inputs, kernel):
        h, c = np.zeros((2, 5, 6, 2)), np.zeros((2, 5, 6, 2))  # a row and a column of zeros first
        for row in range(4):
            for column in range(5):
                seen = np.concatenate([h[:, row, column + 1], h[:, row + 1, column]], axis=-1)
                here = (inputs[:, row, column], seen, c[:, row + 1, column])
                h[:, row + 1, column + 1], c[:, row + 1, column + 1] = lstm(*here, kernel)
        return h[:, 1:, 1:]

    first, second = layer.input_to_state
    left, right = layer.kernel.numpy()
    mirrored = images[:, :, ::-1]
    biases = layer.bias.numpy()
    expected = from_left(np.asarray(first(images)) + biases[0], left)
    from_right = from_left(np.asarray(second(mirrored)) + biases[1], right)[:, :, ::-1]
    expected[:, 1:] += from_right[:, :-1]
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


@pytest.mark.parametrize("cls", [RowLSTM, DiagonalBiLSTM])
def test_its_configuration_makes_it_again(cls):
    layer = cls(3)
    assert cls.from_config(layer.get_config()).get_config() == layer.get_config()
