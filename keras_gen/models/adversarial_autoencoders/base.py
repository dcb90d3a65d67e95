"""What autoencoders with a prior over their codes share: the ways through both networks."""

import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share, sample_latents
from keras_gen.models.base import GenerativeModel


class CodedModel(GenerativeModel):
    """Base of models with an `encoder`, a `decoder` and a prior p(z) over latents.

    A subclass sets `image_shape`, `latent_dim`, `encoder`, from images to latents, and `decoder`,
    from latents to the logits of pixels in [0, 1]. The prior is N(0, I) unless it has another
    `draw_latents`, and `latent_distribution`.
    """

    value_range = (0.0, 1.0)
    latent_distribution = "normal"

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)`."""
        latents = self.encoder(images, training=training)
        return ops.sigmoid(self.decoder(latents, training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Latents, float32 `(B, latent_dim)`, of images `(B, H, W, C)` in [0, 1]."""
        return self.encoder(tf.cast(images, "float32"), training=False)

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Images, float32 `(B, H, W, C)` in [0, 1], of latents `(B, latent_dim)`."""
        return tf.sigmoid(self.decoder(tf.cast(latents, "float32"), training=False))

    def reconstruct(self, images):
        """The images of the latents of images `(B, H, W, C)`: float32, of that shape."""
        return self.decode(self.encode(images))

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return sample_latents("normal", (num_images, self.latent_dim), seed, truncation)

    def latents_for(self, images, seed):
        """A latent from the prior for each image of a batch, none shared by replicas."""
        return replica_share(lambda count: self.draw_latents(count, seed), ops.shape(images)[0])
