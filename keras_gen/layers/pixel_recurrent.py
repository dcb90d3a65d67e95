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
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers.checks import check_positive
from keras_gen.layers.masked_conv import MaskedConv2D


def remember(inputs, kernel, offsets):
    """Runs an LSTM over lines of pixels, such as rows or diagonals.

    Its gradient is written out: the loop backwards keeps the gates alone and leaves the kernel's
    gradient to one matrix product behind it, where automatic differentiation would store every
    intermediate value of each line.

    Args:
        inputs: input-to-state parts `(T, D, W, B, 4 * units)`: T lines of W pixels one after the
            other, in D directions that know nothing of each other.
        kernel: `(D, len(offsets) * units, 4 * units)`.
        offsets: which neighbours on the line before a pixel's state sees, such as (-1, 0, 1).

    Returns:
        The states h of all pixels, `(T, D, W, B, units)`.
    """
    _, directions, width, _, size = inputs.shape
    batch, seen_size = ops.shape(inputs)[3], kernel.shape[1]
    line_of = (directions, width, batch)

    def see(h):
        return tf.concat([_shifted(h, offset) for offset in offsets], axis=-1)

    @tf.custom_gradient
    def run(inputs, kernel):
        nothing = tf.zeros((*line_of, size // 4), inputs.dtype)
        no_gates = tf.zeros((*line_of, size), inputs.dtype)

        def step(states, line):
            h, c, _ = states
            moved = tf.matmul(tf.reshape(see(h), (directions, width * batch, seen_size)), kernel)
            o, f, i, g = tf.split(line + tf.reshape(moved, (*line_of, size)), 4, axis=-1)
            o, f, i, g = tf.sigmoid(o), tf.sigmoid(f), tf.sigmoid(i), tf.tanh(g)
            c = f * c + i * g
            return o * tf.tanh(c), c, tf.concat([o, f, i, g], axis=-1)

        h, c, gates = tf.scan(step, inputs, (nothing, nothing, no_gates))

        def gradient(dh_from_above):
            h_before, c_before = (tf.concat([nothing[None], each[:-1]], axis=0) for each in (h, c))

            def back(gradients, line):
                dh, dc, _ = gradients
                dh_here, gates, c, c_before = line
                o, f, i, g = tf.split(gates, 4, axis=-1)
                tanh_c, dh = tf.tanh(c), dh + dh_here
                dc = dc + dh * o * (1.0 - tanh_c * tanh_c)
                da = [
                    dh * tanh_c * o * (1.0 - o),
                    dc * c_before * f * (1.0 - f),
                    dc * g * i * (1.0 - i),
                    dc * i * (1.0 - g * g),
                ]
                da = tf.concat(da, axis=-1)
                d_rows = tf.reshape(da, (directions, width * batch, size))
                d_seen = tf.matmul(d_rows, kernel, transpose_b=True)
                parts = tf.split(tf.reshape(d_seen, (*line_of, seen_size)), len(offsets), axis=-1)
                # What came from a neighbour on one side goes back to it.
                returned = [_shifted(part, -o) for part, o in zip(parts, offsets, strict=True)]
                return tf.add_n(returned), dc * f, da

            lines = (dh_from_above, gates, c, c_before)
            da = tf.scan(back, lines, (nothing, nothing, no_gates), reverse=True)[2]
            d_kernels = [
                tf.matmul(
                    tf.reshape(see(h_before[:, each]), (-1, seen_size)),
                    tf.reshape(da[:, each], (-1, size)),
                    transpose_a=True,
                )
                for each in range(directions)
            ]
            return da, tf.stack(d_kernels)

        return h, gradient

    return run(inputs, kernel)


def _shifted(line, offset):
    """At each pixel of `(D, W, B, F)` what stands `offset` further on; zeros beyond the ends."""
    width = line.shape[1]
    padded = tf.pad(line, [[0, 0], [max(-offset, 0), max(offset, 0)], [0, 0], [0, 0]])
    return padded[:, max(offset, 0) :][:, :width]


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
        rows = ops.transpose(self.input_to_state(images), (1, 2, 0, 3))[:, None]
        states = remember(rows, tf.convert_to_tensor(self.kernel), (-1, 0, 1))
        return ops.transpose(states[:, 0], (2, 0, 1, 3))

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
            MaskedConv2D(
                *(4 * units, 1, "B"),
                use_bias=False,
                dtype=self.dtype_policy,
                name=f"input_to_state_{side}",
            )
            for side in ("left", "right")
        ]

    def build(self, input_shape):
        """Makes the weights for inputs `(B, H, W, F)`."""
        for convolution in self.input_to_state:
            convolution.build(input_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=(2, 2 * self.units, 4 * self.units), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(2, 4 * self.units), initializer="zeros")

    def call(self, images):
        """Gives `(B, H, W, units)`."""
        # (H, W, B, F): a pixel's batch stays together, wherever the pixel is moved to.
        pixels = ops.transpose(images, (1, 2, 0, 3))
        height, width = images.shape[1:3]
        column = np.arange(width + height - 1)[:, None] - np.arange(height)  # by diagonal and row
        inside = ((column >= 0) & (column < width)).astype(self.compute_dtype)[..., None, None]
        inputs = []
        for number, side in enumerate((pixels, ops.flip(pixels, axis=1))):
            diagonals = ops.transpose(skew(side), (1, 0, 2, 3))  # (T, H, B, F)
            # No bias beyond the image's sides: states stay 0 there.
            bias = inside * tf.convert_to_tensor(self.bias)[number]
            inputs.append(self.input_to_state[number](diagonals) + bias)
        states = remember(ops.stack(inputs, axis=1), tf.convert_to_tensor(self.kernel), (-1, 0))
        from_left, from_right = (
            unskew(ops.transpose(side, (1, 0, 2, 3)), width) for side in ops.unstack(states, axis=1)
        )
        from_right = ops.flip(from_right, axis=1)
        sums = from_left + ops.pad(from_right[:-1], [[1, 0], [0, 0], [0, 0], [0, 0]])
        return ops.transpose(sums, (2, 0, 1, 3))

    def compute_output_shape(self, input_shape):
        """`(B, H, W, units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def skew(pixels):
    """Moves row r of `(H, W, B, F)` by r to the right: `(H, W + H - 1, B, F)`, zeros around.

    Rows that are padded with H zeros each and then read without a break, H short of the end, fall
    back one pixel a row.
    """
    height, width, _, features = pixels.shape
    padded = ops.pad(pixels, [[0, 0], [0, height], [0, 0], [0, 0]])
    flat = ops.reshape(padded, (height * (width + height), -1, features))
    return ops.reshape(flat[:-height], (height, width + height - 1, -1, features))


def unskew(skewed, width):
    """The inverse of `skew`: `(H, width, B, F)` of `(H, width + H - 1, B, F)`."""
    height, _, _, features = skewed.shape
    flat = ops.reshape(skewed, (height * (width + height - 1), -1, features))
    flat = ops.pad(flat, [[0, height], [0, 0], [0, 0]])
    return ops.reshape(flat, (height, width + height, -1, features))[:, :width]
