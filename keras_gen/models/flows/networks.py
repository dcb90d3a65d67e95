"""What the networks of all couplings share: their inputs, their last layer, the dense ones."""

import keras


def dense_network(hidden_units, activation="relu"):
    """Gives a function that makes dense networks for couplings; the last layer starts at 0.

    Args:
        hidden_units: units of each hidden layer.
        activation: of the hidden layers.
    """

    def build(input_shape, outputs):
        inputs = network_input(input_shape)
        x = inputs
        for units in hidden_units:
            x = keras.layers.Dense(units, activation=activation)(x)
        return keras.Model(inputs, last_layer(keras.layers.Dense, outputs)(x))

    return build


def network_input(shape):
    """The input of a coupling's network, in float64 where the flow is: Keras' own is float32."""
    return keras.Input(shape, dtype=keras.config.dtype_policy().variable_dtype)


def last_layer(layer, outputs, *args, **kwargs):
    """A layer that gives zeros at first, so that a coupling starts as the identity."""
    dtype = keras.config.dtype_policy().variable_dtype
    return layer(outputs, *args, kernel_initializer="zeros", dtype=dtype, **kwargs)
