"""Dropout that differs between replicas and goes on after a resume as if nothing had happened."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers.replicas import replica_share

_SHORT = 2**16


def _short_integers(rows, sizes, seed):
    """Random integers from 0 to 2**16 - 1, uint16 `(rows, *sizes)`."""
    count = math.prod(sizes)
    pairs = tf.random.stateless_uniform((rows, -(-count // 2)), seed, None, None, tf.uint32)
    numbers = tf.reshape(tf.bitcast(pairs, tf.uint16), (rows, -1))
    return tf.reshape(numbers[:, :count], (rows, *sizes))


@keras.saving.register_keras_serializable(package="keras_gen")
class Dropout(keras.layers.Layer):
    """Sets each input to 0 with probability `rate` in training; scales the rest by 1 / (1 - rate).

    `keras.layers.Dropout` draws the same mask on every replica of a `tf.distribute` strategy, and
    the state of its generator is in no saved file. Here the mask is a pure function of a seed and
    a call counter (both weights), drawn for the global batch (see `replica_share`).

    An input takes 16 random bits, which are half the work of a random float; the rate is rounded to
    a multiple of 2**-16, and the scale is that of the rounded one. Inputs are multiplied by 0 or by
    the scale: one that is not finite stays so.

    Args:
        rate: probability in [0, 1) of dropping an input.

    Call arguments:
        inputs: a float tensor `(B, ...)`.
        training: whether to drop.

    Returns:
        A tensor like `inputs`.

    Raises:
        ValueError: `rate` outside [0, 1).

    Reference:
        Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate={rate!r}: give a probability in [0, 1).")
        self.rate = rate

    def build(self, input_shape):
        """Makes the seed and the call counter."""
        first_seed = np.random.randint(2**31 - 1, size=2)
        self.seed = self.add_weight(
            name="seed",
            shape=(2,),
            dtype="int32",
            initializer=lambda shape, dtype: ops.convert_to_tensor(first_seed, dtype),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.calls = self.add_weight(
            name="calls",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def call(self, inputs, training=False):
        """Gives a tensor like `inputs`."""
        if not training or self.rate == 0.0:
            return inputs
        fold_in = tf.random.experimental.stateless_fold_in
        call = tf.convert_to_tensor(self.calls.value)
        self.calls.assign(call + 1)
        seed = fold_in(tf.convert_to_tensor(self.seed.value), call)
        shape = ops.shape(inputs)
        numbers = replica_share(lambda rows: _short_integers(rows, shape[1:], seed), shape[0])
        dropped = min(round(self.rate * _SHORT), _SHORT - 1)  # of the numbers that there are
        kept = tf.cast(numbers >= tf.constant(dropped, "uint16"), inputs.dtype)
        scale = min(_SHORT / (_SHORT - dropped), float(inputs.dtype.max))
        return inputs * (kept * scale)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate}
