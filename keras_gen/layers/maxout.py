"""Maxout units (Goodfellow et al. 2013, arXiv:1302.4389)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gen")
class Maxout(keras.layers.Layer):
    """The largest of several affine maps: `max_k (x W_k + b_k)`, a learned convex activation.

    Args:
        units: number of outputs.
        pieces: number of affine maps that each output is the maximum of.
        kernel_initializer: initializer of the kernel, `(inputs, units * pieces)`.

    Call arguments:
        inputs: `(..., inputs)`.

    Returns:
        `(..., units)`.

    Reference:
        arXiv:1302.4389, section 3.
    """

    def __init__(self, units, pieces, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units, self.pieces = units, pieces
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.affine = keras.layers.Dense(
            units * pieces, kernel_initializer=self.kernel_initializer, dtype=self.dtype_policy
        )

    def build(self, input_shape):
        """Builds the affine maps for `input_shape` `(B, inputs)`."""
        self.affine.build(input_shape)

    def call(self, inputs):
        """Gives `(..., units)`."""
        shape = (*ops.shape(inputs)[:-1], self.units, self.pieces)
        pieces = ops.reshape(self.affine(inputs), shape)
        return ops.max(pieces, axis=-1)

    def compute_output_shape(self, input_shape):
        """`(..., units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": initializer,
        }
