"""Wasserstein GAN (WGAN).

Arjovsky, Chintala and Bottou, 2017, Wasserstein GAN, arXiv:1701.07875.

The Jensen-Shannon divergence of distributions that do not overlap is constant: no gradient says
where to go. The Wasserstein-1 or earth-mover distance, the least work of moving one distribution's
mass onto the other, shrinks as they come near. By duality it is the most that the mean of a
1-Lipschitz function can differ between the two. A critic learns that function; clipping its weights
to a box keeps it Lipschitz, with a constant that depends on the box.

Objective (eq. 2 and Algorithm 1):

    max over critics with |weights| <= clip:  E[critic(real_images)] - E[critic(fake_images)]

    critic_loss    = E[critic(fake_images)] - E[critic(real_images)]     critic_steps times, each
                                                                         followed by clipping
    generator_loss = -E[critic(fake_images)]

`earth_mover` in the logs is -critic_loss: an estimate of the distance, up to that constant, which
falls while samples get better (figure 3 of the paper).

Differences from the paper:
    - The authors' code runs 100 critic steps in each of the first 25 generator steps, and again in
      every 500th; their Algorithm 1, and this, always `critic_steps`.
    - No constants of batch normalization are given; ours are those of `DCGAN`.

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
scores (B, 1).
"""

import keras
import tensorflow as tf

from keras_gen.losses import clip_weights, wasserstein_critic, wasserstein_generator
from keras_gen.models.gans.dcgan import DCGAN, build_discriminator, build_generator


@keras.saving.register_keras_serializable(package="keras_gen")
class WGAN(DCGAN):
    """WGAN on the networks of `DCGAN`, whose discriminator is the critic.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        kernel_size: side of the kernels.
        latent_distribution: `"normal"` for N(0, 1), or another of `LATENT_DISTRIBUTIONS`.
        critic_steps: critic steps per generator step, each with a fresh batch: a training batch
            holds that many times the batch size.
        clip: bound of the critic's weights.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1701.07875, Algorithm 1.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        filters=128,
        kernel_size=5,
        latent_distribution="normal",
        critic_steps=5,
        clip=0.01,
        ema_decay=None,
        **kwargs,
    ):
        if not clip > 0.0:
            raise ValueError(f"clip={clip!r}: give a positive number, such as 0.01.")
        super().__init__(
            image_shape,
            latent_dim,
            filters,
            kernel_size,
            latent_distribution,
            discriminator_steps=critic_steps,
            ema_decay=ema_decay,
            **kwargs,
        )
        self.clip = clip
        self.trackers.clear()
        self.track("critic_loss", "generator_loss", "earth_mover")

    def build_networks(self):
        """Gives `(generator, critic)`: a bias of the score would cancel in both losses."""
        sizes = (self.filters, self.kernel_size)
        return (
            build_generator(self.image_shape, self.latent_dim, *sizes),
            build_discriminator(self.image_shape, *sizes, use_bias=False),
        )

    @property
    def critic(self):
        """The network that scores images: a discriminator without probabilities."""
        return self.discriminator

    def compile(self, critic_optimizer=None, generator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            critic_optimizer: a Keras optimizer. Default: RMSprop(5e-5); the paper found that those
                with momentum become unstable.
            generator_optimizer: likewise.
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        rmsprop = keras.optimizers.RMSprop
        self.set_optimizers(
            critic_optimizer=(critic_optimizer or rmsprop(5e-5), self.critic),
            generator_optimizer=(generator_optimizer or rmsprop(5e-5), self.generator),
            **kwargs,
        )

    def train_step(self, images):
        """One round of Algorithm 1 on images `(critic_steps * B, H, W, C)`."""
        *critic_seeds, generator_seed = tf.unstack(self.next_seeds(self.batches_per_step + 1))

        for seed, real_images in zip(critic_seeds, self.split_batches(images), strict=True):
            fake_images = self.generator(self.latents_for(real_images, seed), training=True)
            with tf.GradientTape() as tape:
                real_scores = self.critic(real_images, training=True)
                fake_scores = self.critic(fake_images, training=True)
                critic_loss = wasserstein_critic(real_scores, fake_scores)
            self.update(self.critic_optimizer, tape, critic_loss, self.critic)
            clip_weights(self.critic, self.clip)

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
            earth_mover=-critic_loss,
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, in inference mode, with nothing updated."""
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        fake_scores = self.critic(self.decode(latents), training=False)
        critic_loss = wasserstein_critic(self.critic(images, training=False), fake_scores)
        return self.log(
            images,
            critic_loss=critic_loss,
            generator_loss=wasserstein_generator(fake_scores),
            earth_mover=-critic_loss,
        )
