"""A trainable number."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gen")
class LearnedConstant(keras.layers.Layer):
    """Gives one trainable number, whatever its inputs: such as the variance of a decoder's noise.

    Args:
        initial_value: what the number starts from.

    Call arguments:
        inputs: `(B, ...)`, of which only B matters.

    Returns:
        float32 `(B, 1, 1, 1)`, the number B times.
    """

    def __init__(self, initial_value=0.0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial_value = initial_value
        initializer = keras.initializers.Constant(initial_value)
        self.constant = self.add_weight(shape=(), initializer=initializer, name="constant")
        self.built = True

    def call(self, inputs):
        """The number, once for each of the inputs."""
        return ops.broadcast_to(self.constant, (ops.shape(inputs)[0], 1, 1, 1))

    def compute_output_shape(self, input_shape):
        """`(B, 1, 1, 1)`."""
        return (input_shape[0], 1, 1, 1)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "initial_value": self.initial_value}
