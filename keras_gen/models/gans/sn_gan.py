"""GAN with spectral normalization (SN-GAN).

Miyato, Kataoka, Koyama and Yoshida, 2018, Spectral Normalization for Generative Adversarial
Networks, arXiv:1802.05957.

The Lipschitz constant of a network is at most the product of those of its layers, and a linear
layer's is the largest singular value of its matrix. Dividing every kernel of the discriminator by
its own bounds the whole at no cost but one step of power iteration in each discriminator update.
Neither clipping nor a penalty on gradients is needed.

Objective, with scores = discriminator(images) (eqs. 16 and 17, "hinge"):

    discriminator_loss = E[max(0, 1 - real_scores)] + E[max(0, 1 + fake_scores)]
    generator_loss     = -E[fake_scores]

or that of `GAN` with the non-saturating loss ("non_saturating", which the paper's standard
networks were trained with).

Differences from the paper:
    - Number and width of the layers follow from the image size. At 32x32 and filters=64 both
      networks are those of Table 3, from 4x4x512 by three doublings.
    - The hinge loss is the default; the paper has it for its residual networks.
    - The generator's step uses the fake images of the discriminator's step (see `GAN`).
    - The singular vectors are found by several iterations before training and then followed by one
      in each update; the paper starts from random ones (see `SpectralNormalization`).

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
scores (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    Conv2D,
    SpectralNormalization,
    batch_normalization,
    update_spectral_norms,
)
from keras_gen.layers.checks import check_choice
from keras_gen.losses import (
    hinge_discriminator,
    hinge_generator,
    minimax_discriminator,
    non_saturating_generator,
)
from keras_gen.models.base import check_positive
from keras_gen.models.gans.dcgan import doublings
from keras_gen.models.gans.gan import GAN

LOSSES = {
    "hinge": (hinge_discriminator, hinge_generator),
    "non_saturating": (minimax_discriminator, non_saturating_generator),
}


def build_generator(image_shape, latent_dim, filters):
    """Projects a latent to a small image and doubles it up; a last convolution makes the pixels.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        filters: channels before the last layer; each earlier layer has twice as many.

    Returns:
        A network from `(B, latent_dim)` to `(B, H, W, C)` in [-1, 1].
    """
    count, (height, width) = doublings(image_shape)
    weights = keras.initializers.RandomNormal(stddev=0.02)
    channels = filters * 2**count

    latents = keras.Input((latent_dim,), name="latents")
    x = keras.layers.Dense(height * width * channels, kernel_initializer=weights)(latents)
    x = keras.layers.Reshape((height, width, channels))(x)
    for _ in range(count):
        channels //= 2
        x = keras.layers.Conv2DTranspose(
            channels, 4, 2, "same", use_bias=False, kernel_initializer=weights
        )(x)
        x = keras.layers.ReLU()(batch_normalization()(x))
    x = Conv2D(image_shape[-1], 3, padding="same", kernel_initializer=weights)(x)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape, filters):
    """Pairs of convolutions, the second of which halves the image, all spectrally normalized.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels of the first pair; each later pair has twice as many.

    Returns:
        A network from `(B, H, W, C)` to scores `(B, 1)`.
    """
    count, _ = doublings(image_shape)
    weights = keras.initializers.RandomNormal(stddev=0.02)

    def convolution(channels, kernel_size, strides):
        layer = Conv2D(channels, kernel_size, strides, "same", kernel_initializer=weights)
        return SpectralNormalization(layer)

    images = keras.Input(image_shape, name="images")
    x = images
    for level in range(count):
        for kernel_size, strides in ((3, 1), (4, 2)):
            x = convolution(filters * 2**level, kernel_size, strides)(x)
            x = keras.layers.LeakyReLU(0.1)(x)
    x = keras.layers.LeakyReLU(0.1)(convolution(filters * 2**count, 3, 1)(x))
    x = keras.layers.Flatten()(x)
    last = keras.layers.Dense(1, kernel_initializer=weights, dtype="float32")
    scores = SpectralNormalization(last, dtype="float32", name="scores")(x)
    return keras.Model(images, scores, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class SNGAN(GAN):
    """SN-GAN on the paper's standard convolutional networks.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        loss: `"hinge"` or `"non_saturating"`.
        latent_distribution: `"normal"` for N(0, 1), or another of `LATENT_DISTRIBUTIONS`.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1802.05957, sections 2 and 4, Algorithm 1.
    """

    value_range = (-1.0, 1.0)

    def __init__(
        self,
        image_shape=(32, 32, 3),
        latent_dim=128,
        filters=64,
        loss="hinge",
        latent_distribution="normal",
        discriminator_steps=1,
        ema_decay=None,
        **kwargs,
    ):
        check_positive(filters=filters)
        check_choice("loss", loss, LOSSES)
        self.filters = filters
        super().__init__(
            image_shape,
            latent_dim,
            latent_distribution,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            **kwargs,
        )
        self.discriminator_loss, self.generator_loss = LOSSES[loss]
        self.trackers.clear()
        self.track("discriminator_loss", "generator_loss", "real_score", "fake_score")

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return (
            build_generator(self.image_shape, self.latent_dim, self.filters),
            build_discriminator(self.image_shape, self.filters),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """As `GAN.compile`; the default is Adam(2e-4, beta_1 0.5), the paper's setting C."""
        adam = keras.optimizers.Adam
        super().compile(
            discriminator_optimizer or adam(2e-4, beta_1=0.5),
            generator_optimizer or adam(2e-4, beta_1=0.5),
            **kwargs,
        )

    def train_step(self, images):
        """A step of both networks on images `(discriminator_steps * B, H, W, C)`."""
        seeds = self.next_seeds(self.batches_per_step)

        for step, real_images in enumerate(self.split_batches(images)):
            latents = self.latents_for(real_images, seeds[step])
            with tf.GradientTape() as generator_tape:
                fake_images = self.generator(latents, training=True)
            update_spectral_norms(self.discriminator)  # one power iteration
            with tf.GradientTape() as tape:
                real_scores = self.discriminator(real_images, training=True)
                fake_scores = self.discriminator(tf.stop_gradient(fake_images), training=True)
                discriminator_loss = self.discriminator_loss(real_scores, fake_scores)
            self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with generator_tape:
            generator_loss = self.generator_loss(self.discriminator(fake_images, training=True))
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
        """The losses on held-out images `(B, H, W, C)`, with nothing updated."""
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        real_scores = self.discriminator(images, training=False)
        fake_scores = self.discriminator(self.decode(latents), training=False)
        return self.log(
            images,
            discriminator_loss=self.discriminator_loss(real_scores, fake_scores),
            generator_loss=self.generator_loss(fake_scores),
            real_score=ops.mean(real_scores),
            fake_score=ops.mean(fake_scores),
        )
