"""Oracles that know nothing of a flow but its function: Jacobians and their determinants."""

import keras
import numpy as np
import tensorflow as tf

from keras_gen.models.flows.networks import network_input

# by dtype: largest error of a value that was there and back, and of a log-determinant
TOLERANCES = {"float64": (1e-10, 1e-8), "float32": (2e-5, 2e-4)}


def randomize(layer, scale=0.3, seed=0):
    """Moves every trainable weight by a random number: nothing is an identity any more."""
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(variable + rng.normal(0.0, scale, variable.shape))


def small_network(input_shape, outputs):
    """A network for couplings, whose last layer does not start at 0."""
    inputs = network_input(input_shape)
    x = keras.layers.Dense(6, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x))


def numerical_log_det(function, x):
    """log |det| of the Jacobian at one example by central differences in float64.

    Args:
        function: from `(N, ...)` to `(N, ...)`, any shape of as many values.
        x: one example.
    """
    x = np.asarray(x, "float64")
    step, size = 1e-5, x.size
    moves = step * np.eye(size).reshape(size, *x.shape)
    ends = np.asarray(function(tf.constant(np.concatenate([x + moves, x - moves]))))
    jacobian = (ends[:size] - ends[size:]).reshape(size, size) / (2 * step)
    return np.linalg.slogdet(jacobian)[1]


def automatic_log_det(function, x):
    """log |det| of the Jacobian of each example by differentiation, in the dtype of x.

    Args:
        function: from `(B, ...)` to `(B, ...)`.
        x: `(B, ...)`.
    """
    size = int(np.prod(x.shape[1:]))
    copies = tf.repeat(x, size, axis=0)  # one for each value of y
    with tf.GradientTape() as tape:
        tape.watch(copies)
        y = tf.reshape(function(copies), (-1, size, size))
        each = tf.linalg.diag_part(y)
    jacobians = tf.reshape(tape.gradient(each, copies), (-1, size, size))
    return np.linalg.slogdet(np.asarray(jacobians, "float64"))[1]


def check_bijector(bijector, x):
    """Both directions undo each other, and know their determinants.

    Args:
        bijector: built, float32 or float64.
        x: `(B, ...)` of its dtype.

    Returns:
        The largest error of values and of log-determinants.
    """
    close, log_det_close = TOLERANCES[bijector.dtype]
    y, log_det = bijector.forward(x)
    again, back = bijector.inverse(y)
    assert y.dtype == log_det.dtype == again.dtype == bijector.dtype
    assert log_det.shape == back.shape == x.shape[:1]
    error = np.abs(again - x).max()
    expected = automatic_log_det(lambda x: bijector.forward(x)[0], x)
    log_det_error = max(np.abs(log_det - expected).max(), np.abs(log_det + back).max())
    assert error <= close and log_det_error <= log_det_close
    if bijector.dtype == "float64":
        numerical = numerical_log_det(lambda x: bijector.forward(x)[0], x[0])
        np.testing.assert_allclose(log_det[0], numerical, atol=1e-6)
    return error, log_det_error
