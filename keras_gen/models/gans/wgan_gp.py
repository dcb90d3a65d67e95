"""Wasserstein GAN with gradient penalty (WGAN-GP).

Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, 2017, Improved Training of Wasserstein GANs,
arXiv:1704.00028.

A critic whose weights are clipped ends up with most of them at the bound and learns simple
functions. The optimal critic has a gradient of norm 1 almost everywhere on straight lines between
coupled points of the two distributions (Proposition 1); here a penalty asks for it there, on random
points of lines between real and fake images.

Objective (eq. 3 and Algorithm 1), with mixing ~ U[0, 1], one number for each image:

    mixed_images     = mixing * real_images + (1 - mixing) * fake_images
    gradient_penalty = E[(|grad critic(mixed_images)|_2 - 1)^2]
    critic_loss      = E[critic(fake_images)] - E[critic(real_images)]
                       + penalty_weight * gradient_penalty               critic_steps times
    generator_loss   = -E[critic(fake_images)]

`earth_mover` in the logs is -critic_loss without the penalty.

Differences from the paper:
    - The networks are those of `DCGAN`, the critic without any normalization; the paper recommends
      layer normalization for deep critics. The critic's kernels start as He et al. have them.
    - The one-sided penalty, discussed in section 4, is there as an option.

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
scores (B, 1); mixing (B,).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import Conv2D, replica_share
from keras_gen.losses import (
    gradient_penalty,
    mixing_weights,
    wasserstein_critic,
    wasserstein_generator,
)
from keras_gen.models.gans.dcgan import build_generator, doublings
from keras_gen.models.gans.wgan import WGAN


def build_critic(image_shape, filters, kernel_size):
    """The discriminator of `DCGAN` without batch normalization.

    It would make each score depend on the whole batch, and the penalty is on each image's own
    gradient (section 4).

    Args:
        image_shape: `(H, W, C)`.
        filters: channels after the first layer; each later layer has twice as many.
        kernel_size: side of the kernels.

    Returns:
        A network from `(B, H, W, C)` to scores `(B, 1)`.
    """
    count, _ = doublings(image_shape)
    images = keras.Input(image_shape, name="images")
    x = images
    for layer in range(count):
        x = Conv2D(filters * 2**layer, kernel_size, 2, "same", kernel_initializer="he_normal")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    x = keras.layers.Flatten()(x)
    # A bias of the score would cancel in both losses.
    scores = keras.layers.Dense(1, use_bias=False, dtype="float32", name="scores")(x)
    return keras.Model(images, scores, name="critic")


@keras.saving.register_keras_serializable(package="keras_gen")
class WGANGP(WGAN):
    """WGAN with gradient penalty on convolutional networks.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent, N(0, 1) per coordinate.
        filters: channels of the widest-resolution hidden layer of both networks.
        kernel_size: side of the kernels.
        critic_steps: critic steps per generator step, each with a fresh batch: a training batch
            holds that many times the batch size.
        penalty_weight: weight of the gradient penalty, the paper's lambda.
        one_sided: penalize norms above 1 only.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1704.00028, Algorithm 1.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=128,
        filters=64,
        kernel_size=5,
        critic_steps=5,
        penalty_weight=10.0,
        one_sided=False,
        ema_decay=None,
        **kwargs,
    ):
        if not penalty_weight >= 0.0:
            raise ValueError(f"penalty_weight={penalty_weight!r}: give a number of at least 0.")
        super().__init__(
            image_shape,
            latent_dim,
            filters,
            kernel_size,
            critic_steps=critic_steps,
            ema_decay=ema_decay,
            **kwargs,
        )
        self.penalty_weight, self.one_sided = penalty_weight, one_sided
        self.track("gradient_penalty")

    def build_networks(self):
        """Gives `(generator, critic)`."""
        sizes = (self.filters, self.kernel_size)
        return (
            build_generator(self.image_shape, self.latent_dim, *sizes),
            build_critic(self.image_shape, *sizes),
        )

    def compile(self, critic_optimizer=None, generator_optimizer=None, **kwargs):
        """As `WGAN.compile`; the default of both optimizers is Adam(1e-4, beta_1 0, beta_2 0.9)."""
        adam = keras.optimizers.Adam
        super().compile(
            critic_optimizer or adam(1e-4, beta_1=0.0, beta_2=0.9),
            generator_optimizer or adam(1e-4, beta_1=0.0, beta_2=0.9),
            **kwargs,
        )

    def train_step(self, images):
        """One round of Algorithm 1 on images `(critic_steps * B, H, W, C)`."""
        *critic_seeds, generator_seed = tf.unstack(self.next_seeds(2 * self.batches_per_step + 1))
        batches = self.split_batches(images)

        for real_images, latent_seed, mixing_seed in zip(
            batches, critic_seeds[::2], critic_seeds[1::2], strict=True
        ):
            fake_images = self.generator(self.latents_for(real_images, latent_seed), training=True)
            mixing = self.mixing_for(real_images, mixing_seed)
            with tf.GradientTape() as tape:
                real_scores = self.critic(real_images, training=True)
                fake_scores = self.critic(fake_images, training=True)
                distance_loss = wasserstein_critic(real_scores, fake_scores)
                penalty = self.penalty(real_images, fake_images, mixing)
                critic_loss = distance_loss + self.penalty_weight * penalty
            self.update(self.critic_optimizer, tape, critic_loss, self.critic)

        latents = self.latents_for(real_images, generator_seed)
        with tf.GradientTape() as tape:
            fake_images = self.generator(latents, training=True)
            generator_loss = wasserstein_generator(self.critic(fake_images, training=True))
        self.update(self.generator_optimizer, tape, generator_loss, self.generator)

        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            real_images,
            critic_loss=critic_loss,
            generator_loss=generator_loss,
            earth_mover=-distance_loss,
            gradient_penalty=penalty,
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, in inference mode, with nothing updated."""
        latent_seed, mixing_seed = tf.unstack(self.evaluation_seeds(2))
        fake_images = self.decode(self.latents_for(images, latent_seed))
        fake_scores = self.critic(fake_images, training=False)
        distance_loss = wasserstein_critic(self.critic(images, training=False), fake_scores)
        penalty = self.penalty(images, fake_images, self.mixing_for(images, mixing_seed))
        return self.log(
            images,
            critic_loss=distance_loss + self.penalty_weight * penalty,
            generator_loss=wasserstein_generator(fake_scores),
            earth_mover=-distance_loss,
            gradient_penalty=penalty,
        )

    def penalty(self, real_images, fake_images, mixing):
        """The gradient penalty on the lines between two batches `(B, H, W, C)`."""

        def critic(images):
            return self.critic(images, training=True)

        one_sided = self.one_sided
        return gradient_penalty(critic, real_images, fake_images, mixing, one_sided=one_sided)

    def mixing_for(self, images, seed):
        """A mixing weight for each image of a batch, `(B,)`, none shared by replicas."""
        return replica_share(lambda count: mixing_weights(count, seed), ops.shape(images)[0])
