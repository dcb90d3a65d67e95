"""Least-squares GAN (LSGAN).

Mao, Li, Xie, Lau, Wang and Smolley, 2017, Least Squares Generative Adversarial Networks,
arXiv:1611.04076.

A discriminator of the cross-entropy is content once a fake image is on the right side of its
boundary, however far from the real ones; the image then gets no gradient. Here the discriminator
gives a score that is pulled to 1 on real and to 0 on fake images, and the generator's images are
pulled to the score 1 by the square of their distance: what lies far off is pulled most, on either
side. With other targets (b - c = 1, b - a = 2) the objective is a Pearson chi-squared divergence.

Objective (eq. 9: a = 0, b = c = 1):

    discriminator_loss = E[(real_scores - 1)^2] / 2 + E[fake_scores^2] / 2
    generator_loss     = E[(fake_scores - 1)^2] / 2

Differences from the paper:
    - The networks are those of `DCGAN` at every size; the paper's for 112x112 scenes have more
      layers, some of them without stride.
    - Adam(2e-4, beta_1 0.5) as in DCGAN, where the paper has 1e-3 for scenes.
    - The generator's step uses the fake images of the discriminator's step (see `GAN`).

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
scores (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.losses import least_squares_discriminator, least_squares_generator
from keras_gen.models.gans.dcgan import DCGAN


@keras.saving.register_keras_serializable(package="keras_gen")
class LSGAN(DCGAN):
    """`DCGAN` by least squares.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        kernel_size: side of the kernels.
        latent_distribution: `"uniform"` for U(-1, 1), or another of `LATENT_DISTRIBUTIONS`.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1611.04076, section 3.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        filters=128,
        kernel_size=5,
        latent_distribution="uniform",
        discriminator_steps=1,
        ema_decay=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            latent_dim,
            filters,
            kernel_size,
            latent_distribution,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            **kwargs,
        )
        self.trackers.clear()
        self.track("discriminator_loss", "generator_loss", "real_score", "fake_score")

    def train_step(self, images):
        """A step of both networks on images `(discriminator_steps * B, H, W, C)`."""
        seeds = self.next_seeds(self.batches_per_step)

        for step, real_images in enumerate(self.split_batches(images)):
            latents = self.latents_for(real_images, seeds[step])
            with tf.GradientTape() as generator_tape:
                fake_images = self.generator(latents, training=True)
            with tf.GradientTape() as tape:
                real_scores = self.discriminator(real_images, training=True)
                fake_scores = self.discriminator(tf.stop_gradient(fake_images), training=True)
                discriminator_loss = least_squares_discriminator(real_scores, fake_scores)
            self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with generator_tape:
            generator_scores = self.discriminator(fake_images, training=True)
            generator_loss = least_squares_generator(generator_scores)
        self.update(self.generator_optimizer, generator_tape, generator_loss, self.generator)

        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            real_images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_score=ops.mean(real_scores),
            fake_score=ops.mean(fake_scores),
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, as in `GAN.test_step`."""
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        real_scores = self.discriminator(images, training=False)
        fake_scores = self.discriminator(self.decode(latents), training=False)
        return self.log(
            images,
            discriminator_loss=least_squares_discriminator(real_scores, fake_scores),
            generator_loss=least_squares_generator(fake_scores),
            real_score=ops.mean(real_scores),
            fake_score=ops.mean(fake_scores),
        )
