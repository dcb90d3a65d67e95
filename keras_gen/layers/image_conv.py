"""Convolutions between an image's few channels and a network's many, in less time on a CPU.

A CPU's kernels compute sixteen channels at a time: a convolution to one channel, forwards, and one
from one channel, backwards, throw fifteen of them away. Here the rows of the kernel become channels
of their own. A convolution of `rows x columns` to C channels is one of `1 x columns` to `rows * C`
channels and then the sum of these, each shifted by its row; one from C channels is the same
backwards. Both shifts are convolutions of `rows x 1` whose kernel is fixed: zeros, and a one a
channel. Of finite inputs the function is that of Keras' layers, and weights and their names are
theirs: each layer loads what the other saved.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# Channels up to which an image has few: with four the rows of a 3x3 kernel still fit in sixteen.
_FEW = 4


def _on_cpu():
    """Whether there is no GPU, whose kernels have no such waste."""
    return not tf.config.get_visible_devices("GPU")


def _spread(rows, channels, dtype):
    """Kernel `(rows, 1, channels, rows * channels)` that gives each row a copy of the channels."""
    kernel = np.eye(rows * channels).reshape(rows, 1, channels, rows * channels)
    return tf.constant(kernel, dtype)


def _turned(kernel):
    """A kernel `(rows, columns, a, b)` as `(columns, rows, a, b)`."""
    return tf.transpose(kernel, [1, 0, 2, 3])


@keras.saving.register_keras_serializable(package="keras_gen")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for the layer that sees images or makes them.

    Of 64 images of 28x28 a 7x7 convolution from 128 channels to one takes a third of the time,
    forwards and backwards (`benchmarks.layers`). It is Keras' own where none of the sides has up to
    four channels or both have, with groups, dilation, channels first or a kernel of one row, and
    where there is a GPU.

    From images the gain is in their gradient: where nothing asks for it, as in an encoder, take
    Keras' layer.

    Call arguments:
        images: `(B, H, W, C)`, at least one.

    Returns:
        `(B, H', W', filters)`, as Keras' layer.
    """

    def convolution_op(self, images, kernel):
        """The convolution without bias, as Keras' layers have it."""
        rows, columns, channels, filters = kernel.shape
        plain = self.groups == 1 and tuple(self.dilation_rate) == (1, 1)
        plain = plain and self.data_format == "channels_last" and rows > 1
        few, many = sorted((channels, filters))
        if not (plain and few <= _FEW < many and _on_cpu()):
            return super().convolution_op(images, kernel)

        kernel = ops.convert_to_tensor(kernel)
        padding = self.padding.upper()
        down, across = (self.strides[0], 1), (1, self.strides[1])
        if filters <= channels:
            along = tf.transpose(kernel, [1, 2, 0, 3])  # (columns, channels, rows, filters)
            along = tf.reshape(along, (1, columns, channels, rows * filters))
            gather = tf.transpose(_spread(rows, filters, kernel.dtype), [0, 1, 3, 2])
            return tf.nn.conv2d(tf.nn.conv2d(images, along, across, padding), gather, down, padding)
        along = tf.reshape(_turned(kernel), (1, columns, rows * channels, filters))
        spread = _spread(rows, channels, kernel.dtype)
        return tf.nn.conv2d(tf.nn.conv2d(images, spread, down, padding), along, across, padding)


@keras.saving.register_keras_serializable(package="keras_gen")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` for the layer that makes images.

    See `Conv2D`. It is Keras' own with any padding but `"same"`, with `output_padding`, and where
    it does not lead from more than four channels to up to four.

    Call arguments:
        inputs: `(B, H, W, C)`, at least one.

    Returns:
        `(B, strides[0] * H, strides[1] * W, filters)`, as Keras' layer.
    """

    def call(self, inputs):
        """Gives `(B, strides[0] * H, strides[1] * W, filters)`."""
        rows, columns, filters, channels = self.kernel.shape
        plain = self.output_padding is None and tuple(self.dilation_rate) == (1, 1)
        plain = plain and self.padding == "same" and self.data_format == "channels_last"
        if not (plain and rows > 1 and filters <= _FEW < channels and _on_cpu()):
            return super().call(inputs)

        kernel = ops.convert_to_tensor(self.kernel)
        count, height, width, _ = ops.shape(inputs)
        along = tf.reshape(_turned(kernel), (1, columns, rows * filters, channels))
        size = (count, height, width * self.strides[1], rows * filters)
        outputs = tf.nn.conv2d_transpose(inputs, along, size, (1, self.strides[1]))
        spread = _spread(rows, filters, kernel.dtype)
        size = (count, height * self.strides[0], width * self.strides[1], filters)
        outputs = tf.nn.conv2d_transpose(outputs, spread, size, (self.strides[0], 1))
        if self.use_bias:
            outputs = outputs + ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)
