"""A style-based generator architecture for GANs (StyleGAN).

Karras, Laine and Aila, 2019, A Style-Based Generator Architecture for Generative Adversarial
Networks, arXiv:1812.04948.

The generator of `ProGAN` without an input. A mapping network turns the latent z into w; a synthesis
network starts from a learned constant, and each of its layers, at every side from 4 on, gives its
channels the means and deviations that an affine map of w asks for (AdaIN), after it has got noise
of its own. What the image shows is in the styles, coarse things in those of small sides; what is
chance, such as single hairs, comes from the noise. w need not have the latents' distribution and is
less entangled than z.

Objective, with logits = discriminator(images) (the configuration of FFHQ, appendix C: the
non-saturating loss with R1):

    discriminator_loss = E[softplus(-real_logits)] + E[softplus(fake_logits)]
                         + r1_weight / 2 * E[|grad discriminator(real_images)|^2]
    generator_loss     = E[softplus(-fake_logits)]

Mixing regularization: a share of the fake images take the styles of a second latent from a random
layer on, so that the network cannot count on neighbouring styles to agree.

The latents of this model are w's: `decode(w)` gives images, `draw_latents` maps draws of N(0, 1) to
w. So all latent tools, and exported models, work in w. Truncation acts there: w' = w_mean +
truncation * (w - w_mean), with w_mean a running mean over training.

The defaults are the paper's networks at 1024x1024 (26.2M parameters of the generator).

Differences from the paper:
    - The learned constant starts from N(0, 1), as in StyleGAN2 (arXiv:1912.04958), not from ones:
      in those, instance normalization finds no deviation to divide by, and makes the first
      gradients ten thousand times as large, rounding errors included.
    - `decode` and `sample` use one set of noise images for all, as the authors' code does for its
      figures; `synthesize` takes others. Training draws them anew.
    - Truncation acts on all layers; the authors' default is on the first eight.
    - Each image has its own crossover of styles; in the authors' code a batch shares one.
    - The generator's moving average has 0.999 in each step; in the authors' code a half-life of
      10,000 images, 0.9989 at batches of 16.
    - w_mean moves once in each training step; in the authors' code in both networks' passes.
    - One learning rate and one batch size for all stages. The authors' code raises the rate from
      128x128 on, up to 0.003, and lowers the batch size.
    - Those of `ProGAN`.

Shapes: z and w (B, latent_dim); styles (B, layers, latent_dim), two layers for each side from 4;
noises, one (B or 1, s, s, 1) for each layer; images (B, S, S, C) in [-1, 1], S a power of two; at a
stage (B, s, s, C), s = 4 * 2^stage; logits (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    AdaIN,
    Blur,
    EqualizedConv2D,
    EqualizedDense,
    LearnedConstant,
    NoiseInput,
    PixelNormalization,
    fade,
    replica_share,
    upsample,
)
from keras_gen.losses import minimax_discriminator, non_saturating_generator, r1_penalty
from keras_gen.models.averages import ExponentialMovingAverage
from keras_gen.models.base import check_positive
from keras_gen.models.gans.growing import GrowingGAN, GrowingNetwork
from keras_gen.models.gans.progan import Discriminator

MAPPING_RATE = 0.01  # how fast the mapping network learns, beside the others
EMA_DECAY = 0.999  # of the generator that images are drawn by
W_MEAN_DECAY = 0.995
FIRST_STAGE = 1  # growing starts at 8x8 (appendix C)


def build_mapping(latent_dim, layers):
    """From z, put on a sphere, to w: dense layers as wide as these."""
    z = keras.Input((latent_dim,), name="z")
    x = PixelNormalization()(z)
    for _ in range(layers):
        x = EqualizedDense(latent_dim, lr_multiplier=MAPPING_RATE)(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    return keras.Model(z, x, name="mapping")


def build_block(side, channels_before, channels, latent_dim):
    """The two layers of one side.

    Args:
        side: 4 for the block that starts from the constant.
        channels_before: channels of its input, of half the side; None at side 4.
        channels: of its output.
        latent_dim: size of w.

    Returns:
        A network from `[x, w, w, noise, noise]`, at side 4 without x, to
        `(B, side, side, channels)`.
    """
    styles = [keras.Input((latent_dim,)) for _ in range(2)]
    noises = [keras.Input((side, side, 1)) for _ in range(2)]

    def styled(x, layer):
        x = keras.layers.LeakyReLU(0.2)(NoiseInput()([x, noises[layer]]))
        return AdaIN()([x, styles[layer]])

    if side == 4:
        inputs = []
        x = LearnedConstant(shape=(4, 4, channels), deviation=1.0)(styles[0])
    else:
        inputs = [keras.Input((side // 2, side // 2, channels_before))]
        x = EqualizedConv2D(channels, resample="up", use_bias=False)(inputs[0])
        x = Blur()(x)
    x = styled(x, 0)
    x = styled(EqualizedConv2D(channels, use_bias=False)(x), 1)  # its bias is that of NoiseInput
    return keras.Model([*inputs, *styles, *noises], x, name=f"{side}x{side}")


def build_down_block(side, channels, channels_after):
    """The discriminator's block: that of ProGAN with a blur before it halves the image."""
    inputs = keras.Input((side, side, channels))
    x = keras.layers.LeakyReLU(0.2)(EqualizedConv2D(channels)(inputs))
    x = EqualizedConv2D(channels_after, resample="down")(Blur()(x))
    return keras.Model(inputs, keras.layers.LeakyReLU(0.2)(x), name=f"{side}x{side}")


class Generator(GrowingNetwork):
    """The mapping network; blocks and layers to colours, of which a stage uses those up to its own.

    Args:
        filters: channels at each side.
        image_channels: channels of the images.
        latent_dim: size of z and of w.
        mapping_layers: layers of the mapping network.
        first_stage: the stage that training starts with.
    """

    def __init__(self, filters, image_channels, latent_dim, mapping_layers, first_stage):
        super().__init__(name="generator")
        self.first_stage = first_stage
        self.mapping = build_mapping(latent_dim, mapping_layers)
        self.blocks = [
            build_block(4 * 2**stage, before, channels, latent_dim)
            for stage, (before, channels) in enumerate(zip((None, *filters), filters, strict=False))
        ]
        self.to_colours = []
        for channels in filters[first_stage:]:
            layer = EqualizedConv2D(image_channels, 1, gain=1.0, dtype="float32")
            layer.build((None, None, None, channels))
            self.to_colours.append(layer)

    def call(self, styles, noises, stage, share):
        """Images `(B, s, s, C)` of a stage, `share` of them of its own layers."""
        x = before = None
        for number, block in enumerate(self.blocks[: stage + 1]):
            layers = slice(2 * number, 2 * number + 2)
            inputs = [*tf.unstack(styles[:, layers], axis=1), *noises[layers]]
            before, x = x, block(inputs if x is None else [x, *inputs])
        own = stage - self.first_stage
        images = self.to_colours[own](x)
        if not own:
            return images
        return fade(upsample(self.to_colours[own - 1](before)), images, share)

    def layers_at(self, stage):
        """The layers that `call` and the mapping use."""
        own = stage - self.first_stage
        blocks = self.blocks[: stage + 1]
        return [self.mapping, *blocks, *self.to_colours[max(own - 1, 0) : own + 1]]


@keras.saving.register_keras_serializable(package="keras_gen")
class StyleGAN(GrowingGAN):
    """StyleGAN with the non-saturating loss and R1.

    Args:
        image_shape: `(S, S, C)`, S a power of two.
        latent_dim: size of z and of w.
        filters: channels at each resolution from 4x4 to SxS.
        mapping_layers: layers of the mapping network.
        phase_images: images in each phase, of fading a stage in or of training it; 0 for no
            growing.
        mixing_probability: share of the fake images that are made of two latents.
        r1_weight: weight of the gradient penalty on real images, its gamma.
        group_size: images in a group of the minibatch standard deviation. A replica's batch should
            be a multiple of it.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1812.04948, sections 2 and 3, appendices B and C.
    """

    value_range = (-1.0, 1.0)
    truncation_kind = "factor"
    presets = {
        "paper": {"latent_dim": 512, "phase_images": 600_000},
        "small": {"latent_dim": 64, "phase_images": 16_000},
    }
    latent_distribution = "mapped"  # w's distribution is that of a network's outputs

    def __init__(
        self,
        image_shape=(1024, 1024, 3),
        latent_dim=512,
        filters=(512, 512, 512, 512, 256, 128, 64, 32, 16),
        mapping_layers=8,
        phase_images=600_000,
        mixing_probability=0.9,
        r1_weight=10.0,
        group_size=4,
        **kwargs,
    ):
        super().__init__(image_shape, filters, phase_images, first_stage=FIRST_STAGE, **kwargs)
        check_positive(latent_dim=latent_dim, mapping_layers=mapping_layers, group_size=group_size)
        if not 0.0 <= mixing_probability <= 1.0:
            raise ValueError(f"mixing_probability={mixing_probability!r}: give a share in [0, 1].")
        if not r1_weight >= 0.0:
            raise ValueError(f"r1_weight={r1_weight!r}: give a number of at least 0.")
        self.latent_dim, self.mapping_layers, self.group_size = (
            latent_dim,
            mapping_layers,
            group_size,
        )
        self.mixing_probability, self.r1_weight = mixing_probability, r1_weight
        channels = self.image_shape[-1]
        sizes = (self.filters, channels, latent_dim, mapping_layers, self.first_stage)
        self.generator, self.ema_generator = Generator(*sizes), Generator(*sizes)
        self.ema = ExponentialMovingAverage(self.generator, self.ema_generator, EMA_DECAY)
        self.discriminator = Discriminator(
            self.filters, channels, group_size, self.first_stage, build_down_block
        )
        self.w_mean = self.add_weight(
            name="w_mean",
            shape=(latent_dim,),
            dtype="float32",
            initializer="zeros",
            trainable=False,
            aggregation="mean",
        )
        self.fixed_noises = [
            self.add_weight(
                name=f"noise_{side}x{side}_{layer}",
                shape=(1, side, side, 1),
                dtype="float32",
                initializer=keras.initializers.RandomNormal(stddev=1.0),
                trainable=False,
                aggregation="only_first_replica",
            )
            for side in self.sides
            for layer in range(2)
        ]
        self.track("discriminator_loss", "generator_loss", "r1_penalty")
        self.track("real_probability", "fake_probability", "resolution", "share")

    # ------------------------------------------------------------------ training

    def train_step(self, images):
        """A step of both networks, at the stage they are in, on images `(B, S, S, C)`."""
        stage = self.stage
        share = self.share(stage)
        seeds = tf.unstack(self.next_seeds(10))
        real_images = self.real_images(images, stage)

        def discriminate(images):
            return self.discriminator(images, stage=stage, share=share)

        fake_images, _ = self.generate(images, seeds[:5], stage, share)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = discriminate(real_images), discriminate(fake_images)
            penalty = r1_penalty(discriminate, real_images)
            discriminator_loss = (
                minimax_discriminator(real_logits, fake_logits) + 0.5 * self.r1_weight * penalty
            )
        self.update_stage(
            self.discriminator_optimizer, tape, discriminator_loss, self.discriminator, stage
        )

        with tf.GradientTape() as tape:
            fake_images, w = self.generate(images, seeds[5:], stage, share)
            generator_loss = non_saturating_generator(discriminate(fake_images))
        self.update_stage(self.generator_optimizer, tape, generator_loss, self.generator, stage)

        self.average_weights(images, stage)
        batch_mean = ops.mean(ops.cast(w, "float32"), axis=0)
        self.w_mean.assign(W_MEAN_DECAY * self.w_mean + (1.0 - W_MEAN_DECAY) * batch_mean)
        self.count_images(images)
        return self.log(
            images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            r1_penalty=penalty,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
            resolution=self.sides[stage],
            share=share,
        )

    def generate(self, images, seeds, stage, share):
        """As many fake images as there are real ones, of mixed styles, and the first latents' w.

        Args:
            images: real images `(B, ...)`, of which only B matters.
            seeds: five.
            stage: of the images.
            share: of the stage's own layers.

        Returns:
            `(fake_images, w)`, `(B, s, s, C)` and `(B, latent_dim)`.
        """
        *latent_seeds, mixing_seed, crossover_seed, noise_seed = seeds
        w, other = (self.generator.mapping(self.latents_for(images, each)) for each in latent_seeds)
        batch, layers = ops.shape(images)[0], 2 * (stage + 1)

        def crossovers(count):
            mixed = tf.random.stateless_uniform((count,), mixing_seed) < self.mixing_probability
            first = tf.random.stateless_uniform((count,), crossover_seed, 1, layers, "int32")
            return tf.where(mixed, first, layers)

        styles = mix_styles(w, other, replica_share(crossovers, batch), layers)
        noises = replica_share(lambda count: self.draw_noises(count, noise_seed, stage), batch)
        return self.generator(styles, noises=noises, stage=stage, share=share), w

    def test_step(self, images):
        """The losses on held-out images `(B, S, S, C)` at the present stage; nothing is updated."""
        stage = self.stage
        share = self.share(stage)
        real_images = self.real_images(images, stage)
        z = self.latents_for(images, self.evaluation_seeds(1)[0])
        fake_images = self.stage_images(self.ema_generator.mapping(z), stage)

        def discriminate(images):
            return self.discriminator(images, stage=stage, share=share)

        real_logits, fake_logits = discriminate(real_images), discriminate(fake_images)
        penalty = r1_penalty(discriminate, real_images)
        loss = minimax_discriminator(real_logits, fake_logits)
        return self.log(
            images,
            discriminator_loss=loss + 0.5 * self.r1_weight * penalty,
            generator_loss=non_saturating_generator(fake_logits),
            r1_penalty=penalty,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
            resolution=self.sides[stage],
            share=share,
        )

    # ------------------------------------------------------------------ images

    @property
    def num_layers(self):
        """How many layers have a style at the present stage: two for each side."""
        return 2 * (self.stage + 1)

    def map_latents(self, z):
        """w `(B, latent_dim)` of z `(B, latent_dim)`, by the moving average of the network."""
        return ops.cast(self.ema_generator.mapping(tf.cast(z, "float32")), "float32")

    def truncate(self, w, truncation):
        """w_mean + truncation * (w - w_mean): 1 leaves w, 0 is the mean, -1 the opposite."""
        return self.w_mean + truncation * (w - self.w_mean)

    def draw_latents(self, num_images, seed, truncation=None):
        """w's of draws from N(0, 1), float32 `(num_images, latent_dim)`.

        Args:
            num_images: how many.
            seed: `(2,)` integers.
            truncation: None, or a positive number; below 1, images are more typical and less varied
                (appendix B).

        Raises:
            ValueError: truncation that is not positive.
        """
        if truncation is not None and not tf.is_tensor(truncation) and not truncation > 0:
            raise ValueError(
                f"truncation={truncation!r}: give a positive number, or None for none."
            )
        w = self.map_latents(tf.random.stateless_normal((num_images, self.latent_dim), seed))
        return w if truncation is None else self.truncate(w, truncation)

    def draw_noises(self, num_images, seed, stage):
        """Noise for each layer of a stage, a list of `(num_images, s, s, 1)`."""
        seeds = tf.random.experimental.stateless_split(seed, 2 * (stage + 1))
        return [
            tf.random.stateless_normal((num_images, *noise.shape[1:]), each)
            for noise, each in zip(self.fixed_noises, tf.unstack(seeds), strict=False)
        ]

    def stage_images(self, latents, stage):
        """A stage's images `(B, s, s, C)` of w's."""
        styles = ops.repeat(latents[:, None], 2 * (stage + 1), axis=1)
        return self._synthesize(styles, self.fixed_noises, stage)

    def synthesize(self, styles, noises=None):
        """Images of styles that may differ from layer to layer.

        Args:
            styles: `(B, num_layers, latent_dim)`, such as `mix_styles` gives.
            noises: one for each layer, `(B, s, s, 1)`, as `draw_noises` gives; None for those that
                `decode` uses.

        Returns:
            float32 `(B, S, S, C)` in `value_range`.
        """
        noises, stage = noises or self.fixed_noises, self.stage
        return self.full_size(self._synthesize(styles, noises, stage), stage)

    def _synthesize(self, styles, noises, stage):
        noises = [tf.convert_to_tensor(noise) for noise in noises]
        return self.ema_generator(styles, noises=noises, stage=stage, share=self.share(stage))


def mix_styles(first, second, crossovers, layers):
    """Styles of one w up to a layer and of another from there on.

    Args:
        first: `(B, latent_dim)`.
        second: of the same shape.
        crossovers: int32 `(B,)`, the first layer that takes the second's style.
        layers: how many layers.

    Returns:
        `(B, layers, latent_dim)`.
    """
    takes_first = tf.range(layers)[None, :, None] < crossovers[:, None, None]
    return tf.where(takes_first, first[:, None], second[:, None])
