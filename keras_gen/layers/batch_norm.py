"""Batch normalization with one meaning on one device and on many."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gen")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, in training by TensorFlow's one kernel for it.

    Keras writes moments and normalization as a dozen operations, which take up to two and a half
    times as long (`benchmarks.layers`). It is Keras' own where statistics are synchronized over
    replicas, and of what the kernel does not have: `mask`, `renorm`, another axis than the last,
    inputs without two or four axes, and other precisions than float32 and bfloat16.
    """

    def call(self, inputs, training=None, mask=None):
        """Gives a tensor like `inputs`; in training it moves the moving statistics."""
        plain = mask is None and not (self.renorm or self.synchronized)
        rank = len(inputs.shape)
        plain = plain and rank in (2, 4) and self.axis in (-1, rank - 1)
        kind = keras.backend.standardize_dtype(inputs.dtype)
        if not (training and self.trainable and plain and kind in ("float32", "bfloat16")):
            return super().call(inputs, training=training, mask=mask)

        shape, channels = ops.shape(inputs), (inputs.shape[-1],)
        maps = inputs if rank == 4 else ops.reshape(inputs, (-1, 1, 1, *channels))
        scale = ops.cast(self.gamma, "float32") if self.scale else tf.ones(channels)
        offset = ops.cast(self.beta, "float32") if self.center else tf.zeros(channels)
        found = tf.raw_ops.FusedBatchNormV3(
            x=maps, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon
        )
        # The kernel's is the unbiased estimate; what normalizes, and what Keras keeps, is not.
        count = tf.cast(tf.size(maps) // channels[0], "float32")
        variance = found.batch_variance * (tf.maximum(count - 1.0, 1.0) / count)
        for moving, new in (
            (self.moving_mean, found.batch_mean),
            (self.moving_variance, variance),
        ):
            old = ops.cast(moving, "float32")
            moving.assign(old * self.momentum + new * (1.0 - self.momentum))
        return ops.cast(ops.reshape(found.y, shape), self.compute_dtype)


def batch_normalization(name=None, epsilon=1e-5, scale_deviation=0.02):
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
        scale_deviation: standard deviation of the scales' initial values around 1; may be 0.

    Returns:
        A `BatchNormalization`.
    """
    initializer = keras.initializers.RandomNormal(mean=1.0, stddev=scale_deviation)
    return _synchronized(epsilon, gamma_initializer=initializer, name=name)


def conditional_batch_normalization(x, scales, offsets, epsilon=1e-5):
    """Batch normalization whose scale and offset are not the layer's but each image's own.

    Dumoulin et al. 2017, arXiv:1610.07629; de Vries et al. 2017, arXiv:1707.00683:

        scales * (x - mean) / sqrt(variance + epsilon) + offsets

    with the moments of each channel over the global batch, as in `batch_normalization`: they are
    shared by all conditions.

    Args:
        x: symbolic maps `(B, H, W, C)`.
        scales: symbolic `(B, C)`.
        offsets: symbolic `(B, C)`.
        epsilon: added to the variance.

    Returns:
        Symbolic maps of the shape of `x`.
    """
    channels = x.shape[-1]
    x = _synchronized(epsilon, center=False, scale=False)(x)
    scales, offsets = (ops.reshape(each, (-1, 1, 1, channels)) for each in (scales, offsets))
    return x * scales + offsets


def collect_statistics(network, batches):
    """Replaces the moving moments of a network's batch normalizations by means over batches.

    "Standing statistics" (Brock et al. 2019, arXiv:1809.11096, appendix C): the moving moments are
    those of weights that have since moved, or that a moving average of weights never had. Here
    each mean and variance becomes the plain mean of the batches' own.

    Args:
        network: a Keras model with `BatchNormalization` layers at any depth.
        batches: inputs of the network, an iterable; all batches of one size.
    """
    layers = [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta, trainable = [layer.momentum for layer in layers], network.trainable
    network.trainable = True  # a frozen layer would not take its moments from the batch
    try:
        for number, inputs in enumerate(batches):
            for layer in layers:
                layer.momentum = number / (number + 1.0)
            network(inputs, training=True)
    finally:
        network.trainable = trainable
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _synchronized(epsilon, **arguments):
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return BatchNormalization(momentum=0.9, epsilon=epsilon, synchronized=replicas > 1, **arguments)
