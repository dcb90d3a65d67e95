"""Batch normalization with one meaning on one device and on many."""

import keras
import tensorflow as tf


def batch_normalization(name=None, epsilon=1e-5):
    """Batch normalization over the *global* batch, whatever the number of replicas.

    Under a `tf.distribute` strategy the replicas' moments are pooled, so that N replicas compute
    what one device would and their moving statistics stay equal; Keras' default there normalizes
    each replica's share on its own and lets the statistics drift apart. Call this inside the
    strategy's scope.

    Momentum 0.9. The scale starts from N(1, 0.02), as in the code of the DCGAN
    paper's authors (arXiv:1511.06434).

    Args:
        name: name of the layer.
        epsilon: added to the variance.

    Returns:
        A `keras.layers.BatchNormalization`.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=epsilon,
        gamma_initializer=keras.initializers.RandomNormal(mean=1.0, stddev=0.02),
        synchronized=replicas > 1,
        name=name,
    )
