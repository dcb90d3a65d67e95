"""Sparse autoencoder.

Ng, 2011, Sparse autoencoder, CS294A lecture notes; in the form with an L1 penalty of Bengio,
Courville and Vincent, 2013, Representation Learning, arXiv:1206.5538, section 7.2.3. The settings
are those of Chollet, 2016, Building Autoencoders in Keras.

A code is held back not only by its size but by a price on every unit that is on: few units then
explain an image, and each comes to stand for something. The rest of the code is exactly zero,
since its units are rectified.

Objective, with the error of `Autoencoder` and code units h = latents:

    bce_per_pixel + sparsity_loss,   sparsity_loss = sparsity * mean over images[sum |h|]

Differences from the paper:
    - Ng's penalty is the divergence of each unit's mean activity from a target; this is the L1
      penalty. Unlike that, it can be lessened by small codes that the decoder's weights make up
      for; nothing but the steps of the optimizer holds those weights back.
    - Chollet's post gives the penalty 10e-5 to a one-layer autoencoder, and his Keras of that time
      summed it over the batch. Here, as in today's Keras, it is a mean over the images.

Shapes: as in `Autoencoder`.
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.models.autoencoders.autoencoder import Autoencoder, bce_per_pixel


@keras.saving.register_keras_serializable(package="keras_gen")
class SparseAutoencoder(Autoencoder):
    """`Autoencoder` with a rectified code and an L1 penalty on it.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a code.
        hidden_units: as in `Autoencoder`.
        sparsity: weight of the penalty, at least 0.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1206.5538, section 7.2.3.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=32,
        hidden_units=(128, 64),
        sparsity=1e-4,
        **kwargs,
    ):
        if not sparsity >= 0.0:
            raise ValueError(f"sparsity={sparsity!r}: give a number of at least 0, such as 1e-4.")
        super().__init__(image_shape, latent_dim, hidden_units, code_activation="relu", **kwargs)
        self.sparsity = sparsity
        self.track("sparsity_loss", "active_share")

    def train_step(self, images):
        """One step down the penalized reconstruction error of images `(B, H, W, C)`."""
        self.train_steps.assign_add(1)
        with tf.GradientTape() as tape:
            latents = self.encoder(images, training=True)
            reconstruction_loss = bce_per_pixel(images, self.decoder(latents, training=True))
            sparsity_loss = self.sparsity * ops.mean(ops.sum(ops.abs(latents), axis=1))
            loss = reconstruction_loss + sparsity_loss
        self.update(self.networks_optimizer, tape, loss, self.networks)

        self.update_moments(latents)
        return self.log(
            images,
            bce_per_pixel=reconstruction_loss,
            sparsity_loss=sparsity_loss,
            active_share=ops.mean(ops.cast(latents > 0, "float32")),
        )

    def test_step(self, images):
        """The same terms on held-out images `(B, H, W, C)`."""
        latents = self.encoder(images, training=False)
        return self.log(
            images,
            bce_per_pixel=bce_per_pixel(images, self.decoder(latents, training=False)),
            sparsity_loss=self.sparsity * ops.mean(ops.sum(ops.abs(latents), axis=1)),
            active_share=ops.mean(ops.cast(latents > 0, "float32")),
        )
