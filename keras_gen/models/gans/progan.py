"""Progressive growing of GANs (ProGAN).

Karras, Aila, Laine and Lehtinen, 2018, Progressive Growing of GANs for Improved Quality, Stability,
and Variation, arXiv:1710.10196.

Training starts on images of 4x4. Once those are learned, a block of layers is added to both
networks that doubles the side, and is faded in smoothly while all layers go on learning; and so on
up to the full size. What is large is settled first, and most steps are on small images and cheap.
Pixelwise normalization, kernels of one scale (equalized learning rate) and a channel that shows the
discriminator how much a group of images varies keep the two networks from escalating and the
samples from collapsing.

Objective, with images, networks and share of the stage that is trained (`growing`), and
mixing ~ U[0, 1], one number for each image:

    mixed_images       = mixing * real_images + (1 - mixing) * fake_images
    gradient_penalty   = E[(|grad discriminator(mixed_images)|_2 - 1)^2]
    discriminator_loss = E[discriminator(fake_images)] - E[discriminator(real_images)]
                         + penalty_weight * gradient_penalty
                         + 0.001 * E[discriminator(real_images)^2]
    generator_loss     = -E[discriminator(fake_images)]

`earth_mover` in the logs is E[discriminator(real_images)] - E[discriminator(fake_images)].

The defaults are the paper's networks at 1024x1024 (table 2, 23.1M parameters each).

Differences from the paper:
    - One batch size for all stages. The paper's falls from 16 below 256x256 to 3 at 1024x1024.
    - The schedule looks at the images seen in every step; the authors' code does in every fourth.
    - Small images are means of the pixels of large ones, not rounded to bytes again.
    - Groups of the minibatch standard deviation are neighbours in the batch (`MinibatchDeviation`).
    - The generator's moving average starts anew with each stage (`growing`) and forgets what it
      started from sooner (see `ExponentialMovingAverage`).

Shapes: latents (B, latent_dim); images (B, S, S, C) in [-1, 1], S a power of two; at a stage
(B, s, s, C), s = 4 * 2^stage; scores (B, 1); mixing (B,).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    EqualizedConv2D,
    EqualizedDense,
    LearnedConstant,
    MinibatchDeviation,
    PixelNormalization,
    downsample,
    fade,
    replica_share,
    sample_latents,
    upsample,
)
from keras_gen.losses import (
    drift_penalty,
    gradient_penalty,
    mixing_weights,
    wasserstein_critic,
    wasserstein_generator,
)
from keras_gen.models.averages import ExponentialMovingAverage
from keras_gen.models.base import check_positive
from keras_gen.models.gans.growing import GrowingGAN, GrowingNetwork

DRIFT_WEIGHT = 0.001
_DENSE_GAIN = math.sqrt(2.0) / 4.0  # of the layer behind the latents, as in the authors' code


def build_first_block(latent_dim, channels):
    """From latents `(B, latent_dim)`, put on a sphere, to `(B, 4, 4, channels)`."""
    latents = keras.Input((latent_dim,), name="latents")
    x = PixelNormalization()(latents)
    x = EqualizedDense(16 * channels, gain=_DENSE_GAIN, use_bias=False)(x)
    x = keras.layers.Reshape((4, 4, channels))(x)
    # A bias for each channel, not for each unit: it stands for a convolution (table 2).
    x = keras.layers.Add()([x, LearnedConstant(shape=(1, 1, channels))(x)])
    x = PixelNormalization()(keras.layers.LeakyReLU(0.2)(x))
    x = PixelNormalization()(keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels)(x)))
    return keras.Model(latents, x, name="4x4")


def build_up_block(side, channels_before, channels):
    """From `(B, side / 2, side / 2, channels_before)` to `(B, side, side, channels)`."""
    inputs = keras.Input((side // 2, side // 2, channels_before))
    x = inputs
    for resample in ("up", None):
        x = keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels, resample=resample)(x))
        x = PixelNormalization()(x)
    return keras.Model(inputs, x, name=f"{side}x{side}")


def build_down_block(side, channels, channels_after):
    """From `(B, side, side, channels)` to `(B, side / 2, side / 2, channels_after)`."""
    inputs = keras.Input((side, side, channels))
    x = keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels)(inputs))
    x = keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels_after, resample="down")(x))
    return keras.Model(inputs, x, name=f"{side}x{side}")


def build_last_block(channels, group_size):
    """From `(B, 4, 4, channels)` to scores `(B, 1)`."""
    inputs = keras.Input((4, 4, channels))
    x = MinibatchDeviation(group_size)(inputs)
    x = keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels)(x))
    x = keras.layers.Flatten()(x)
    x = keras.layers.LeakyReLU(0.2)(EqualizedDense(channels)(x))
    scores = EqualizedDense(1, gain=1.0, dtype="float32", name="scores")(x)
    return keras.Model(inputs, scores, name="4x4")


class Generator(GrowingNetwork):
    """A block and a layer to colours for each side from 4; a stage uses those up to its own.

    Args:
        filters: channels at each side.
        image_channels: channels of the images.
        latent_dim: size of a latent.
    """

    def __init__(self, filters, image_channels, latent_dim):
        super().__init__(name="generator")
        self.blocks = [build_first_block(latent_dim, filters[0])]
        for stage in range(1, len(filters)):
            self.blocks.append(build_up_block(4 * 2**stage, *filters[stage - 1 : stage + 1]))
        self.to_colours = [
            EqualizedConv2D(image_channels, 1, gain=1.0, dtype="float32") for _ in filters
        ]
        for layer, channels in zip(self.to_colours, filters, strict=True):
            layer.build((None, None, None, channels))

    def call(self, latents, stage, share):
        """Images `(B, s, s, C)` of a stage, `share` of them of its own layers."""
        x = latents
        for block in self.blocks[:stage]:
            x = block(x)
        images = self.to_colours[stage](self.blocks[stage](x))
        if not stage:
            return images
        return fade(upsample(self.to_colours[stage - 1](x)), images, share)

    def layers_at(self, stage):
        """The layers that `call` uses."""
        return self.blocks[: stage + 1] + self.to_colours[max(stage - 1, 0) : stage + 1]


class Discriminator(GrowingNetwork):
    """The generator's mirror image: a layer from colours and a block for each side down to 4.

    Args:
        filters: channels at each side.
        image_channels: channels of the images.
        group_size: images in a group of `MinibatchDeviation`.
        first_stage: the stage that training starts with.
        build_block: what makes a block of a side above 4.
    """

    def __init__(
        self, filters, image_channels, group_size, first_stage=0, build_block=build_down_block
    ):
        super().__init__(name="discriminator")
        self.first_stage = first_stage
        self.blocks = [build_last_block(filters[0], group_size)]
        for stage in range(1, len(filters)):
            self.blocks.append(build_block(4 * 2**stage, filters[stage], filters[stage - 1]))
        self.from_colours = [EqualizedConv2D(each, 1) for each in filters[first_stage:]]
        for layer in self.from_colours:
            layer.build((None, None, None, image_channels))

    def call(self, images, stage, share):
        """Scores `(B, 1)` of a stage's images `(B, s, s, C)`."""
        x = self.blocks[stage](self._read(images, stage))
        if stage > self.first_stage:
            x = fade(self._read(downsample(images), stage - 1), x, share)
        for block in reversed(self.blocks[:stage]):
            x = block(x)
        return x

    def _read(self, images, stage):
        layer = self.from_colours[stage - self.first_stage]
        return keras.activations.leaky_relu(layer(images), 0.2)

    def layers_at(self, stage):
        """The layers that `call` uses."""
        own = stage - self.first_stage
        return self.blocks[: stage + 1] + self.from_colours[max(own - 1, 0) : own + 1]


@keras.saving.register_keras_serializable(package="keras_gen")
class ProGAN(GrowingGAN):
    """ProGAN with the loss of WGAN-GP.

    Args:
        image_shape: `(S, S, C)`, S a power of two.
        latent_dim: size of a latent, N(0, 1) per coordinate.
        filters: channels at each resolution from 4x4 to SxS.
        phase_images: images in each phase, of fading a stage in or of training it; 0 for no
            growing. The paper takes 800,000, the authors' later code 600,000.
        group_size: images in a group of the minibatch standard deviation. A replica's batch should
            be a multiple of it.
        penalty_weight: weight of the gradient penalty, the paper's lambda.
        ema_decay: None, or the decay in [0, 1) of an exponential moving average of the
            generator's weights, which `decode` and `sample` then use.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1710.10196, sections 2 to 4 and appendix A.
    """

    value_range = (-1.0, 1.0)
    presets = {
        "paper": {"latent_dim": 512, "phase_images": 800_000},
        "small": {"latent_dim": 64, "phase_images": 16_000},
    }
    latent_distribution = "normal"

    def __init__(
        self,
        image_shape=(1024, 1024, 3),
        latent_dim=512,
        filters=(512, 512, 512, 512, 256, 128, 64, 32, 16),
        phase_images=800_000,
        group_size=4,
        penalty_weight=10.0,
        ema_decay=0.999,
        **kwargs,
    ):
        super().__init__(image_shape, filters, phase_images, first_stage=0, **kwargs)
        check_positive(latent_dim=latent_dim, group_size=group_size)
        if not penalty_weight >= 0.0:
            raise ValueError(f"penalty_weight={penalty_weight!r}: give a number of at least 0.")
        self.latent_dim, self.group_size = latent_dim, group_size
        self.penalty_weight = penalty_weight
        channels = self.image_shape[-1]
        self.generator = Generator(self.filters, channels, latent_dim)
        self.discriminator = Discriminator(self.filters, channels, group_size)
        self.ema = self.ema_generator = None
        if ema_decay is not None:
            self.ema_generator = Generator(self.filters, channels, latent_dim)
            self.ema = ExponentialMovingAverage(self.generator, self.ema_generator, ema_decay)
        self.track("discriminator_loss", "generator_loss", "earth_mover", "gradient_penalty")
        self.track("resolution", "share")

    def train_step(self, images):
        """A step of both networks, at the stage they are in, on images `(B, S, S, C)`."""
        stage = self.stage
        share = self.share(stage)
        latent_seed, mixing_seed, generator_seed = tf.unstack(self.next_seeds(3))
        real_images = self.real_images(images, stage)

        def score(images):
            return self.discriminator(images, stage=stage, share=share)

        latents = self.latents_for(images, latent_seed)
        fake_images = self.generator(latents, stage=stage, share=share)
        with tf.GradientTape() as tape:
            real_scores = score(real_images)
            critic_loss = wasserstein_critic(real_scores, score(fake_images))
            mixing = self.mixing_for(images, mixing_seed)
            penalty = gradient_penalty(score, real_images, fake_images, mixing)
            discriminator_loss = (
                critic_loss
                + self.penalty_weight * penalty
                + DRIFT_WEIGHT * drift_penalty(real_scores)
            )
        self.update_stage(
            self.discriminator_optimizer, tape, discriminator_loss, self.discriminator, stage
        )

        latents = self.latents_for(images, generator_seed)
        with tf.GradientTape() as tape:
            fake_images = self.generator(latents, stage=stage, share=share)
            generator_loss = wasserstein_generator(score(fake_images))
        self.update_stage(self.generator_optimizer, tape, generator_loss, self.generator, stage)

        if self.ema:
            self.average_weights(images, stage)
        self.count_images(images)
        return self.log(
            images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            earth_mover=-critic_loss,
            gradient_penalty=penalty,
            resolution=self.sides[stage],
            share=share,
        )

    def test_step(self, images):
        """The losses on held-out images `(B, S, S, C)` at the present stage; nothing is updated."""
        stage = self.stage
        share = self.share(stage)
        latent_seed, mixing_seed = tf.unstack(self.evaluation_seeds(2))
        real_images = self.real_images(images, stage)
        fake_images = self.stage_images(self.latents_for(images, latent_seed), stage)

        def score(images):
            return self.discriminator(images, stage=stage, share=share)

        real_scores, fake_scores = score(real_images), score(fake_images)
        critic_loss = wasserstein_critic(real_scores, fake_scores)
        mixing = self.mixing_for(images, mixing_seed)
        penalty = gradient_penalty(score, real_images, fake_images, mixing)
        return self.log(
            images,
            discriminator_loss=critic_loss
            + self.penalty_weight * penalty
            + DRIFT_WEIGHT * drift_penalty(real_scores),
            generator_loss=wasserstein_generator(fake_scores),
            earth_mover=-critic_loss,
            gradient_penalty=penalty,
            resolution=self.sides[stage],
            share=share,
        )

    def mixing_for(self, images, seed):
        """A mixing weight for each image of a batch, `(B,)`, none shared by replicas."""
        return replica_share(lambda count: mixing_weights(count, seed), ops.shape(images)[0])

    def stage_images(self, latents, stage):
        """A stage's images `(B, s, s, C)` of latents, by the moving average where there is one."""
        generator = self.generator if self.ema_generator is None else self.ema_generator
        return generator(latents, stage=stage, share=self.share(stage))

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from N(0, 1), float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers.

        A bound on their magnitude (`truncation`) changes little here: the generator puts latents
        on a sphere.
        """
        shape = (num_images, self.latent_dim)
        return sample_latents("normal", shape, seed, truncation)
