"""The recurrent layers of PixelRNN: a memory that runs over an image by rows or by diagonals.

Van den Oord, Kalchbrenner and Kavukcuoglu, 2016, Pixel Recurrent Neural Networks,
arXiv:1601.06759, sections 3.1 to 3.3.

A convolutional LSTM whose time is a direction of the image. What a step adds from the image, the
input-to-state part, is one masked convolution over the whole image beforehand; only the
state-to-state part waits for the step before. All pixels of a row or diagonal are computed at once.

    o, f, i, g = sigmoid(a_o), sigmoid(a_f), sigmoid(a_i), tanh(a_g),    a = W * h_before + U * x
    c = f * c_before + i * g;    h = o * tanh(c)                         (eq. 3)

`RowLSTM` goes down the rows: h sees a triangle of pixels above it. `DiagonalBiLSTM` goes from both
upper corners along the diagonals, and sees all pixels before its own.
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers.checks import check_positive
from keras_gen.layers.masked_conv import MaskedConv2D


def remember(inputs, kernel, offsets):
    """Runs an LSTM over lines of pixels, such as rows or diagonals.

    Args:
        inputs: input-to-state parts `(T, D, B, W, 4 * units)`: T lines of W pixels one after the
            other, in D directions that know nothing of each other.
        kernel: `(D, len(offsets) * units, 4 * units)`.
        offsets: which neighbours on the line before a pixel's state sees, such as (-1, 0, 1).

    Returns:
        The states h of all pixels, `(T, D, B, W, units)`.
    """
    _, directions, _, width, size = inputs.shape
    batch, units = tf.shape(inputs)[2], size // 4
    before, after = -min(offsets), max(offsets)

    def step(states, line):
        h, c = states
        padded = tf.pad(h, [[0, 0], [0, 0], [before, after], [0, 0]])
        seen = [padded[:, :, before + offset :][:, :, :width] for offset in offsets]
        seen = tf.reshape(tf.concat(seen, axis=-1), (directions, batch * width, kernel.shape[1]))
        moved = tf.reshape(tf.matmul(seen, kernel), (directions, batch, width, size))
        o, f, i, g = tf.split(line + moved, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    zeros = tf.zeros((directions, batch, width, units), inputs.dtype)
    return tf.scan(step, inputs, (zeros, zeros))[0]


@keras.saving.register_keras_serializable(package="keras_gen")
class RowLSTM(keras.layers.Layer):
    """LSTM down the rows of an image.

    A pixel's state sees what lies left of it in its own row within the input-to-state kernel, and
    the states of its three upper neighbours: a triangle, which misses pixels far to the sides.

    Args:
        units: channels h of the state.

    Call arguments:
        images: `(B, H, W, F)`.

    Returns:
        `(B, H, W, units)`.

    Reference:
        arXiv:1601.06759, section 3.1.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.input_to_state = MaskedConv2D(
            4 * units, (1, 3), "B", dtype=self.dtype_policy, name="input_to_state"
        )

    def build(self, input_shape):
        """Makes the weights for inputs `(B, H, W, F)`."""
        self.input_to_state.build(input_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(1, 3 * self.units, 4 * self.units), initializer="glorot_uniform"
        )

    def call(self, images):
        """Gives `(B, H, W, units)`."""
        rows = ops.transpose(self.input_to_state(images), (1, 0, 2, 3))[:, None]
        states = remember(rows, ops.convert_to_tensor(self.kernel), (-1, 0, 1))
        return ops.transpose(states[:, 0], (1, 0, 2, 3))

    def compute_output_shape(self, input_shape):
        """`(B, H, W, units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="keras_gen")
class DiagonalBiLSTM(keras.layers.Layer):
    """LSTM along the diagonals of an image, from both upper corners.

    Skewed, so that each row stands one pixel further right than the row above, an image's
    diagonals are columns. The state on a diagonal sees the two neighbours on the one before: left
    of the pixel and above it. The direction from the right does the same on the mirrored image;
    its states are moved down a row before they are added, for it has seen pixels to the right.

    Args:
        units: channels h of the state.

    Call arguments:
        images: `(B, H, W, F)`.

    Returns:
        `(B, H, W, units)`, the sum of both directions.

    Reference:
        arXiv:1601.06759, section 3.2 and Figure 3.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = units
        self.input_to_state = [
            MaskedConv2D(4 * units, 1, "B", dtype=self.dtype_policy, name=f"input_to_state_{side}")
            for side in ("left", "right")
        ]

    def build(self, input_shape):
        """Makes the weights for inputs `(B, H, W, F)`."""
        for convolution in self.input_to_state:
            convolution.build(input_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(2, 2 * self.units, 4 * self.units), initializer="glorot_uniform"
        )

    def call(self, images):
        """Gives `(B, H, W, units)`."""
        mirrored = ops.flip(images, axis=2)
        inputs = [
            skew(convolution(each))
            for convolution, each in zip(self.input_to_state, (images, mirrored), strict=True)
        ]
        diagonals = ops.transpose(ops.stack(inputs), (3, 0, 1, 2, 4))  # (T, 2, B, H, 4 units)
        states = remember(diagonals, ops.convert_to_tensor(self.kernel), (-1, 0))
        states = ops.transpose(states, (1, 2, 3, 0, 4))
        from_left, from_right = (unskew(states[side], images.shape[2]) for side in (0, 1))
        from_right = ops.flip(from_right, axis=2)
        return from_left + ops.pad(from_right[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])

    def compute_output_shape(self, input_shape):
        """`(B, H, W, units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def skew(images):
    """Moves row r of images `(B, H, W, F)` by r to the right: `(B, H, W + H - 1, F)`, zeros around.

    Rows that are padded with H zeros each and then read without a break, H short of the end, fall
    back one pixel a row.
    """
    _, height, width, features = images.shape
    padded = ops.pad(images, [[0, 0], [0, 0], [0, height], [0, 0]])
    flat = ops.reshape(padded, (-1, height * (width + height), features))
    return ops.reshape(flat[:, :-height], (-1, height, width + height - 1, features))


def unskew(skewed, width):
    """The inverse of `skew`: images `(B, H, width, F)` of `(B, H, width + H - 1, F)`."""
    _, height, _, features = skewed.shape
    flat = ops.reshape(skewed, (-1, height * (width + height - 1), features))
    flat = ops.pad(flat, [[0, 0], [0, height], [0, 0]])
    return ops.reshape(flat, (-1, height, width + height, features))[:, :, :width]
