"""Dropout that stays on when images are sampled, and yet gives each latent the same image."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# The projections of a latent are taken modulo 1 at this many times their own scale, where the
# remainder is as good as uniform.
_STRETCH = 100.0


@keras.saving.register_keras_serializable(package="keras_gen")
class LatentDropout(keras.layers.Layer):
    """Drops inputs, in training and in sampling alike, by a mask that is a function of the latent.

    Dropout at test time gives a generator noise of another kind than its latents' (Isola et al.
    2017, arXiv:1611.07004, section 3.2), but makes it a random function. Here each latent has its
    own mask: random projections of it, kept as weights, are taken modulo 1. Masks of different
    latents are independent for all that a network can see of them, and `decode` stays a function.

    Args:
        rate: probability in [0, 1) of dropping an input.

    Call arguments:
        inputs: `[x, latents]`, `(B, ..., C)` and `(B, latent_dim)`.

    Returns:
        A tensor like `x`: of each image, the same channels are dropped at every place.

    Raises:
        ValueError: `rate` outside [0, 1).
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate={rate!r}: give a probability in [0, 1).")
        self.rate = rate

    def build(self, input_shape):
        """Draws the projections."""
        (*_, channels), (_, latent_dim) = input_shape
        projections = np.random.normal(size=(latent_dim, channels)) / np.sqrt(latent_dim)
        self.projections = self.add_weight(
            name="projections",
            shape=(latent_dim, channels),
            dtype="float32",
            initializer=lambda shape, dtype: ops.convert_to_tensor(projections, dtype),
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def call(self, inputs):
        """Gives a tensor like the first of the inputs."""
        x, latents = inputs
        # Rounded as under mixed precision, so that every policy has the same masks.
        latents = ops.cast(ops.cast(latents, "float16"), "float32")
        projected = ops.matmul(latents, self.projections)
        uniform = tf.math.floormod(_STRETCH * projected, 1.0)  # (B, C)
        kept = ops.cast(uniform >= self.rate, x.dtype) / (1.0 - self.rate)
        places = (1,) * (len(x.shape) - 2)
        return x * ops.reshape(kept, (-1, *places, x.shape[-1]))

    def compute_output_shape(self, input_shape):
        """The shape of the first input."""
        return input_shape[0]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate}
