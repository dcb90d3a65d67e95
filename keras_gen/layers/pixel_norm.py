"""Pixelwise feature vector normalization (Karras et al. 2018, arXiv:1710.10196, section 4.2)."""

import keras
from keras import ops

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="keras_gen")
class PixelNormalization(keras.layers.Layer):
    """Divides the channels at each place by their root mean square.

        y = x / sqrt(mean over channels of x^2 + 1e-8)

    It has no weights, and keeps the magnitudes of a generator's activations from spiralling.
    Computed in float32.

    Call arguments:
        inputs: `(B, ..., C)`.

    Returns:
        A tensor like it, whose channels have a mean square of 1 at each place.
    """

    def call(self, inputs):
        """The normalized inputs."""
        x = ops.cast(inputs, "float32")
        x = x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + _EPSILON)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """That of the inputs."""
        return input_shape
