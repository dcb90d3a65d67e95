"""Trainable numbers that depend on nothing."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gen")
class LearnedConstant(keras.layers.Layer):
    """Gives trainable numbers, whatever its inputs: such as the variance of a decoder's noise.

    Args:
        initial_value: what they start from.
        shape: of the numbers; by default a single one for images.

    Call arguments:
        inputs: `(B, ...)`, of which only B matters.

    Returns:
        float32 `(B, *shape)`, the numbers B times.
    """

    def __init__(self, initial_value=0.0, shape=(1, 1, 1), **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial_value, self.shape = initial_value, tuple(shape)
        initializer = keras.initializers.Constant(initial_value)
        self.constant = self.add_weight(shape=self.shape, initializer=initializer, name="constant")
        self.built = True

    def call(self, inputs):
        """The numbers, once for each of the inputs."""
        return ops.broadcast_to(self.constant, (ops.shape(inputs)[0], *self.shape))

    def compute_output_shape(self, input_shape):
        """`(B, *shape)`."""
        return (input_shape[0], *self.shape)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "initial_value": self.initial_value, "shape": self.shape}
