"""Minibatch standard deviation (Karras et al. 2018, arXiv:1710.10196, section 3)."""

import keras
from keras import ops

from keras_gen.layers.checks import check_positive

_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="keras_gen")
class MinibatchDeviation(keras.layers.Layer):
    """Adds a channel that says how much the images of a group differ.

    Standard deviation over the group of each value, averaged over all of them: one number for the
    group, the same at every place. A discriminator that sees it knows batches that vary too little.

    A group is `group_size` neighbours in the batch: images 0 to 3, 4 to 7, and so on. Replicas that
    have whole groups each compute what one device would on the whole batch; where they do not, a
    replica's last group is its own.

    Differences from the authors' code:
        - There, a group is every (B / group_size)-th image. In a batch that comes in a random order
          it is as good, but its groups would be others on each number of replicas.
        - A batch that holds no whole number of groups is an error there. Here its last group is
          filled up with the batch's first images.

    Args:
        group_size: images in a group; a smaller batch is one group.

    Call arguments:
        inputs: `(B, H, W, C)`.

    Returns:
        `(B, H, W, C + 1)`.

    Raises:
        ValueError: a group of no image.
    """

    def __init__(self, group_size=4, **kwargs):
        check_positive(group_size=group_size)
        super().__init__(**kwargs)
        self.group_size = group_size

    def call(self, inputs):
        """The inputs and the channel."""
        batch, height, width, _ = ops.shape(inputs)
        size = ops.maximum(ops.minimum(self.group_size, batch), 1)  # a replica may have no image
        groups = (batch + size - 1) // size
        filled_up = ops.arange(groups * size, dtype="int32") % ops.maximum(batch, 1)
        x = ops.take(ops.cast(inputs, "float32"), filled_up, axis=0)
        x = ops.reshape(x, (groups, size, *inputs.shape[1:]))
        deviations = ops.sqrt(ops.var(x, axis=1) + _EPSILON)  # (groups, H, W, C)
        deviations = ops.mean(deviations, axis=(1, 2, 3))
        channel = ops.repeat(deviations, size, axis=0)[:batch]
        channel = ops.broadcast_to(channel[:, None, None, None], (batch, height, width, 1))
        return ops.concatenate([inputs, ops.cast(channel, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """`(B, H, W, C + 1)`."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "group_size": self.group_size}
