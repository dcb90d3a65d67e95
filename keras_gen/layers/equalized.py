"""Equalized learning rate (Karras et al. 2018, arXiv:1710.10196, section 4.1).

Kernels start from N(0, 1) and are scaled by He's constant whenever they are used. Adam moves each
weight by about the learning rate, whatever its gradient's scale: with kernels that are all of one
scale, all layers learn at one speed.

    y = x * (kernel * gain * lr_multiplier / sqrt(fan_in)) + bias * lr_multiplier

with kernels from N(0, 1 / lr_multiplier^2), so that lr_multiplier changes how fast a layer learns
and not what it starts from (Karras et al. 2019, arXiv:1812.04948, appendix C: 0.01 in the mapping
network).
"""

import math

import keras
from keras import ops

from keras_gen.layers.checks import check_positive

RELU_GAIN = math.sqrt(2.0)  # He's, for a (leaky) rectifier after the layer
_RESAMPLINGS = (None, "up", "down")


class _Equalized(keras.layers.Layer):
    """The kernel, its scale and the bias."""

    def __init__(self, gain, lr_multiplier, use_bias, **kwargs):
        super().__init__(**kwargs)
        if not lr_multiplier > 0.0:
            raise ValueError(f"lr_multiplier={lr_multiplier!r}: give a positive number.")
        self.gain, self.lr_multiplier, self.use_bias = gain, lr_multiplier, use_bias

    def _add_weights(self, shape):
        self.scale = self.gain * self.lr_multiplier / math.sqrt(math.prod(shape[:-1]))
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=keras.initializers.RandomNormal(stddev=1.0 / self.lr_multiplier),
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=shape[-1:], initializer="zeros")

    def _biased(self, outputs):
        return outputs + self.bias * self.lr_multiplier if self.use_bias else outputs

    def get_config(self):
        """The constructor's arguments."""
        arguments = {name: getattr(self, name) for name in ("gain", "lr_multiplier", "use_bias")}
        return {**super().get_config(), **arguments}


@keras.saving.register_keras_serializable(package="keras_gen")
class EqualizedDense(_Equalized):
    """A dense layer with equalized learning rate.

    Args:
        units: outputs.
        gain: of He's constant; 1 where no rectifier follows.
        lr_multiplier: how many times as fast as other layers this one learns.
        use_bias: whether to add a bias, which starts from 0.

    Call arguments:
        inputs: `(B, D)`.

    Returns:
        `(B, units)`.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(self, units, gain=RELU_GAIN, lr_multiplier=1.0, use_bias=True, **kwargs):
        check_positive(units=units)
        super().__init__(gain, lr_multiplier, use_bias, **kwargs)
        self.units = units

    def build(self, input_shape):
        """Makes the kernel `(D, units)`."""
        self._add_weights((input_shape[-1], self.units))

    def call(self, inputs):
        """The scaled product and the bias."""
        return self._biased(ops.matmul(inputs, self.kernel * self.scale))

    def compute_output_shape(self, input_shape):
        """`(B, units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="keras_gen")
class EqualizedConv2D(_Equalized):
    """A convolution with equalized learning rate, that may double or halve the image.

    Doubling every pixel and convolving is one transposed convolution of stride 2 whose kernel is
    the sum of the kernel's four shifts; convolving and averaging 2x2 pixels is one convolution of
    stride 2 with a quarter of it. That is what is computed: the same numbers for less than half of
    the work.

    Args:
        filters: channels of the outputs.
        kernel_size: side of the kernel, odd.
        resample: None; `"up"`, as nearest-neighbour doubling before the convolution; or `"down"`,
            as 2x2 averages after it. The height and width must then be even.
        gain: of He's constant; 1 where no rectifier follows.
        lr_multiplier: how many times as fast as other layers this one learns.
        use_bias: whether to add a bias, which starts from 0.

    Call arguments:
        inputs: `(B, H, W, C)`; zeros are padded around them.

    Returns:
        `(B, H', W', filters)`.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(
        self,
        filters,
        kernel_size=3,
        resample=None,
        gain=RELU_GAIN,
        lr_multiplier=1.0,
        use_bias=True,
        **kwargs,
    ):
        check_positive(filters=filters, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size!r}: give an odd number, such as 1 or 3.")
        if resample not in _RESAMPLINGS:
            raise ValueError(f"resample={resample!r}: give None, 'up' or 'down'.")
        super().__init__(gain, lr_multiplier, use_bias, **kwargs)
        self.filters, self.kernel_size, self.resample = filters, kernel_size, resample

    def build(self, input_shape):
        """Makes the kernel `(k, k, C, filters)`."""
        self._add_weights((self.kernel_size, self.kernel_size, input_shape[-1], self.filters))

    def call(self, inputs):
        """The convolution with the scaled kernel, and the bias."""
        kernel = self.kernel * self.scale
        if self.resample == "up":
            # A transposed convolution reads its kernel from the other end, outputs before inputs.
            kernel = ops.transpose(ops.flip(_sum_of_shifts(kernel), axis=(0, 1)), (0, 1, 3, 2))
            outputs = ops.conv_transpose(inputs, kernel, strides=2, padding="same")
        elif self.resample == "down":
            outputs = ops.conv(inputs, 0.25 * _sum_of_shifts(kernel), strides=2, padding="same")
        else:
            outputs = ops.conv(inputs, kernel, strides=1, padding="same")
        return self._biased(outputs)

    def compute_output_shape(self, input_shape):
        """`(B, H', W', filters)`."""
        batch, height, width, _ = input_shape
        if self.resample == "up":
            height, width = (None if side is None else side * 2 for side in (height, width))
        elif self.resample == "down":
            height, width = (None if side is None else side // 2 for side in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self):
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("filters", "kernel_size", "resample")}
        return {**super().get_config(), **own}


def _sum_of_shifts(kernel):
    """The kernel, and moved by one to the right, down, and both, summed: larger by one a side."""
    padded = ops.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]
