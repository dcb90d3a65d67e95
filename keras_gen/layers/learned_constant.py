"""A trainable number, or tensor of numbers."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gen")
class LearnedConstant(keras.layers.Layer):
    """Gives what it has learned, whatever its inputs.

    One number, such as the variance of a decoder's noise; or a small image, which a style-based
    generator starts from.

    Args:
        initial_value: what all numbers start from.
        shape: `()` for one number, else the `(h, w, c)` of the image.
        deviation: standard deviation of a normal distribution around the initial value, from which
            each number then starts.

    Call arguments:
        inputs: `(B, ...)`, of which only B matters.

    Returns:
        float32 `(B, 1, 1, 1)` or `(B, h, w, c)`, the same B times.
    """

    def __init__(self, initial_value=0.0, shape=(), deviation=0.0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.initial_value, self.shape, self.deviation = initial_value, tuple(shape), deviation
        initializer = keras.initializers.Constant(initial_value)
        if deviation:
            initializer = keras.initializers.RandomNormal(initial_value, deviation)
        self.constant = self.add_weight(shape=self.shape, initializer=initializer, name="constant")
        self.built = True

    def call(self, inputs):
        """The constant, once for each of the inputs."""
        return ops.broadcast_to(self.constant, self._output_shape(ops.shape(inputs)[0]))

    def compute_output_shape(self, input_shape):
        """`(B, 1, 1, 1)` or `(B, h, w, c)`."""
        return self._output_shape(input_shape[0])

    def get_config(self):
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("initial_value", "shape", "deviation")}
        return {**super().get_config(), **own}

    def _output_shape(self, batch):
        return (batch, *(self.shape or (1, 1, 1)))
