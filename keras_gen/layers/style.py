"""What turns a latent into a layer's style, and noise into detail.

Karras, Laine and Aila 2019, arXiv:1812.04948, section 2 and figure 1b. The layers stand behind each
convolution in the order NoiseInput, rectifier, AdaIN.
"""

import keras
from keras import ops

from keras_gen.layers.equalized import EqualizedDense

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="keras_gen")
class NoiseInput(keras.layers.Layer):
    """Adds one image of noise to all channels, each with a strength of its own, and a bias.

        y = x + strength * noise + bias

    Strengths and biases are learned and start from 0: a network starts without noise.

    Call arguments:
        inputs: `[x, noise]`, `(B, H, W, C)` and `(B, H, W, 1)`; noise of a batch of 1 serves all.

    Returns:
        A tensor like `x`.
    """

    def build(self, input_shape):
        """Makes a strength and a bias for each channel."""
        channels = input_shape[0][-1:]
        self.strength = self.add_weight(name="strength", shape=channels, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=channels, initializer="zeros")

    def call(self, inputs):
        """Gives a tensor like the first of the inputs."""
        x, noise = inputs
        return x + noise * self.strength + self.bias

    def compute_output_shape(self, input_shape):
        """The shape of the first input."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="keras_gen")
class AdaIN(keras.layers.Layer):
    """Adaptive instance normalization: gives each channel a mean and a deviation taken from w.

        scale, shift = A(w)                                           A is affine
        y = (scale + 1) * (x - mean(x)) / sqrt(var(x) + 1e-8) + shift

    mean and var are those of one image's channel over its height and width (eq. 1; the authors'
    code has the 1, so that a style of zeros leaves the normalized channel as it is). Computed in
    float32.

    Call arguments:
        inputs: `[x, w]`, `(B, H, W, C)` and `(B, D)`.

    Returns:
        A tensor like `x`.
    """

    def build(self, input_shape):
        """Makes the affine map from w to two numbers for each channel."""
        (*_, channels), latents = input_shape
        self.affine = EqualizedDense(2 * channels, gain=1.0, dtype=self.dtype_policy, name="affine")
        self.affine.build(latents)

    def call(self, inputs):
        """Gives a tensor like the first of the inputs."""
        x, w = inputs
        x = ops.cast(x, "float32")
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=(1, 2), keepdims=True) + _EPSILON)
        style = ops.cast(self.affine(w), "float32")[:, None, None, :]
        scale, shift = ops.split(style, 2, axis=-1)
        return ops.cast((scale + 1.0) * x + shift, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the first input."""
        return input_shape[0]
