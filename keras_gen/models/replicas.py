"""What `tf.distribute` needs beside Keras: gradients of all replicas as those of one device.

Here `update` and `test_step` of `GenerativeModel` meet what goes wrong between replicas.
"""

import contextvars
import functools

import tensorflow as tf


def agree_on_overflow(gradients):
    """Makes the gradients NaN on all replicas where they are not finite on one.

    Keras' LossScaleOptimizer decides from the first replica's gradients whether to skip a step,
    before they are summed: an overflow on another replica would reach the weights.
    """
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in gradients])
    overflow = tf.where(finite, 0.0, 1.0)
    overflow = tf.distribute.get_replica_context().all_reduce("SUM", overflow)
    return [
        tf.where(overflow > 0.0, tf.constant(float("nan"), each.dtype), each) for each in gradients
    ]


def clip_sum(gradients, optimizer, scale):
    """Clips the sum of the replicas' gradients as the optimizer would clip those of one device.

    Keras clips on each replica, before it sums: long gradients that cancel would not cancel.

    Args:
        gradients: a replica's share, times the loss scale.
        optimizer: one that may have `clipnorm`, `global_clipnorm` or `clipvalue`.
        scale: the loss scale.

    Returns:
        Each replica's equal share of the clipped sum: too short for Keras to clip it again.
    """
    clipping = getattr(optimizer, "inner_optimizer", optimizer)
    if not (clipping.clipnorm or clipping.global_clipnorm or clipping.clipvalue):
        return gradients
    context = tf.distribute.get_replica_context()
    sums = [each / scale for each in context.all_reduce("SUM", gradients)]
    share = scale / context.num_replicas_in_sync
    return [each * share for each in clipping._clip_gradients(sums)]


# ---------------------------------------------------------------------- batches without images

_added = contextvars.ContextVar("added", default=None)


def at_least_one(batch):
    """A batch, to which a black image is added where it has none.

    On processors with AVX-512 TensorFlow's convolutions of no images give tensors of wrong shapes.

    Args:
        batch: tensors `(B, ...)`, in any nest.

    Returns:
        `(batch, added)`: the batch, and how many images were added, 0 or 1.
    """
    first = tf.nest.flatten(batch)[0]
    if first.shape[0]:
        return batch, 0
    added = tf.cast(tf.equal(tf.shape(first)[0], 0), "int32")

    def add(tensor):
        shape = tf.concat([[added], tf.shape(tensor)[1:]], axis=0)
        longer = tf.concat([tensor, tf.zeros(shape, tensor.dtype)], axis=0)
        longer.set_shape((None, *tensor.shape[1:]))
        return longer

    return tf.nest.map_structure(add, batch), added


def of_one_image_at_least(test_step):
    """A `test_step` whose batches have an image: see `at_least_one`, `images_that_count`."""

    @functools.wraps(test_step)
    def step(self, batch):
        if _added.get() is not None:  # called by that of a subclass
            return test_step(self, batch)
        batch, added = at_least_one(batch)
        token = _added.set(added)
        try:
            return test_step(self, batch)
        finally:
            _added.reset(token)

    return step


def images_that_count(count):
    """How many of a batch's images are the set's own, of `count` with an added one."""
    added = _added.get()
    return count if added is None else count - added
