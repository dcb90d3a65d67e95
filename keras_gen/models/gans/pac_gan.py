"""Packed GAN (PacGAN).

Lin, Khetan, Fanti and Oh, 2018, PacGAN: The power of two samples in generative adversarial
networks, arXiv:1712.04086.

A discriminator that sees one image at a time can hardly tell that a generator has left out a mode:
each image it draws is a good one. Shown several images at once, all real or all generated, it can:
a pack without variety betrays the generator. Nothing else changes.

Objective, that of `GAN` on packs of `packing` images:

    packs              = images concatenated along their channels, `packing` at a time
    discriminator_loss = -E[log D(real_packs)] - E[log(1 - D(fake_packs))]
    generator_loss     = -E[log D(fake_packs)]        "non_saturating"; or "minimax"

Differences from the paper:
    - A batch of B images makes B / packing packs, so that a step sees as many images whatever the
      packing; in the paper a batch counts packs.
    - The generator's step uses the fake images of the discriminator's step (see `GAN`).

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4; packs
(B / packing, H, W, packing * C); logits (B / packing, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.losses import minimax_discriminator
from keras_gen.models.base import check_positive
from keras_gen.models.gans.dcgan import DCGAN, build_discriminator, build_generator


def pack(images, packing):
    """Concatenates each run of `packing` images along the channels.

    Args:
        images: `(B, H, W, C)`, B a multiple of `packing`.
        packing: images in a pack.

    Returns:
        `(B / packing, H, W, packing * C)`.

    Raises:
        ValueError: B is known and no multiple of `packing`.
    """
    count, height, width, channels = images.shape
    if count is not None and count % packing:
        raise ValueError(
            f"A batch of {count} images cannot be cut into packs of {packing}. Use a multiple of "
            f"{packing} on each replica."
        )
    packs = ops.reshape(images, (-1, packing, height, width, channels))
    packs = ops.transpose(packs, (0, 2, 3, 1, 4))
    return ops.reshape(packs, (-1, height, width, packing * channels))


@keras.saving.register_keras_serializable(package="keras_gen")
class PacGAN(DCGAN):
    """`DCGAN` whose discriminator sees several images at a time.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        packing: images in a pack, the paper's m. A batch, and each replica's part of it, must be a
            multiple of it.
        latent_distribution: `"uniform"` for U(-1, 1), or another of `LATENT_DISTRIBUTIONS`.
        generator_loss: `"non_saturating"` or `"minimax"`.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1712.04086, section 2.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        filters=128,
        packing=2,
        latent_distribution="uniform",
        generator_loss="non_saturating",
        discriminator_steps=1,
        ema_decay=None,
        **kwargs,
    ):
        check_positive(packing=packing)
        self.packing = packing
        super().__init__(
            image_shape,
            latent_dim,
            filters,
            latent_distribution=latent_distribution,
            generator_loss=generator_loss,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            **kwargs,
        )

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        height, width, channels = self.image_shape
        sizes = (self.filters, self.kernel_size)
        return (
            build_generator(self.image_shape, self.latent_dim, *sizes),
            build_discriminator((height, width, self.packing * channels), *sizes),
        )

    def train_step(self, images):
        """One round of Algorithm 1 of `GAN` on images `(discriminator_steps * B, H, W, C)`."""
        seeds = self.next_seeds(self.batches_per_step)

        for step, real_images in enumerate(self.split_batches(images)):
            latents = self.latents_for(real_images, seeds[step])
            with tf.GradientTape() as generator_tape:
                fake_packs = pack(self.generator(latents, training=True), self.packing)
            with tf.GradientTape() as tape:
                real_logits = self.discriminator(pack(real_images, self.packing), training=True)
                fake_logits = self.discriminator(tf.stop_gradient(fake_packs), training=True)
                discriminator_loss = minimax_discriminator(real_logits, fake_logits)
            self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with generator_tape:
            generator_loss = self.generator_loss(self.discriminator(fake_packs, training=True))
        self.update(self.generator_optimizer, generator_tape, generator_loss, self.generator)

        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            real_images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`; those that fill no pack are left out."""
        images = images[: ops.shape(images)[0] // self.packing * self.packing]
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        fake_packs = pack(self.decode(latents), self.packing)
        real_logits = self.discriminator(pack(images, self.packing), training=False)
        fake_logits = self.discriminator(fake_packs, training=False)
        return self.log(
            images,
            discriminator_loss=minimax_discriminator(real_logits, fake_logits),
            generator_loss=self.generator_loss(fake_logits),
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )
