"""Self-attention GAN (SAGAN).

Zhang, Goodfellow, Metaxas and Odena, 2019, Self-Attention Generative Adversarial Networks,
arXiv:1805.08318.

A convolution sees a few pixels around; what lies far apart in an image (two legs of a dog) agrees
only after many of them. In SAGAN one layer of both networks lets every position look at all others
(`SelfAttention`). The rest makes such residual networks train: spectral normalization in the
discriminator *and* the generator, and unequal learning rates in the place of several discriminator
steps. Images are of classes: the generator's batch normalization has scales and offsets of each
class, and the discriminator adds to its score the inner product of the image's features with an
embedding of the class (Miyato and Koyama 2018, arXiv:1802.05637).

Objective, with scores = discriminator(images, labels) (eq. 4):

    scores             = w . features + embedding[labels] . features,  features = sum over positions
    discriminator_loss = E[max(0, 1 - real_scores)] + E[max(0, 1 + fake_scores)]
    generator_loss     = -E[fake_scores]

Differences from the paper:
    - The paper names no layers; they are those of the authors' code
      (github.com/brain-research/self-attention-gan): at 128 pixels, residual blocks of 16, 16, 8,
      4, 2 and 1 times 64 channels, attention over 32x32 maps. The paper has attention over 64x64
      maps as well (its Table 1); that is `attention_size=64`.
    - Smaller images have the outer blocks of these networks only. Images of other sizes are framed
      in black for the discriminator, and the generator's are cut out of the middle.
    - A 1x1 convolution and a change of resolution are done in the order that is cheaper: they
      commute.
    - The singular vectors of a network move once in each of its updates, and start near the right
      ones (see `SpectralNormalization`).
    - Moving statistics of batch normalization have momentum 0.9; `collect_statistics` makes better
      ones. The authors' code has 0.999, and 0.9999 in the last layer.

Shapes: latents (B, latent_dim); labels (B,), from 0 to num_classes - 1; images (B, H, W, C) in
[-1, 1], at most 128x128; scores (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    Conv2D,
    SelfAttention,
    SpectralNormalization,
    batch_normalization,
    collect_statistics,
    conditional_batch_normalization,
    replica_share,
    update_spectral_norms,
)
from keras_gen.losses import hinge_discriminator, hinge_generator
from keras_gen.models.base import check_image_shape, check_positive, sampling_seed
from keras_gen.models.gans.conditional_gan import ConditionalGAN

# By the side of the images: channels, as multiples of `filters`, of the generator's first maps and
# of each block's; of each discriminator block's; and how many of these halve the map.
WIDTHS = {
    8: ((1, 1), (1, 1), 1),
    16: ((2, 2, 1), (1, 2, 2), 2),
    32: ((4, 4, 2, 1), (1, 2, 4, 4), 3),
    64: ((8, 8, 4, 2, 1), (1, 2, 4, 8, 8), 4),
    128: ((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
}


def canvas_side(image_shape):
    """Side of the square maps that images of a shape are made on: 8, 16, 32, 64 or 128.

    Raises:
        ValueError: the images are larger than 128x128.
    """
    height, width, _ = check_image_shape(image_shape)
    for side in WIDTHS:
        if max(height, width) <= side:
            return side
    raise ValueError(
        f"image_shape={tuple(image_shape)!r}: height and width may be 128 at most. Load the "
        "images with a smaller image_size."
    )


def residual_up(x, channels, normalize, convolve):
    """A residual block of a generator, which doubles the map.

    Args:
        x: symbolic maps.
        channels: channels of the result.
        normalize: a function of maps: conditional batch normalization.
        convolve: a function of maps, channels and kernel size.

    Returns:
        Symbolic maps of twice the side.
    """
    residual = keras.layers.ReLU()(normalize(x))
    residual = convolve(keras.layers.UpSampling2D()(residual), channels, 3)
    residual = convolve(keras.layers.ReLU()(normalize(residual)), channels, 3)
    shortcut = keras.layers.UpSampling2D()(convolve(x, channels, 1))
    return keras.layers.Add()([residual, shortcut])


def residual_down(x, channels, convolve, first=False, halve=True):
    """A residual block of a discriminator.

    Args:
        x: symbolic maps.
        channels: channels of the result.
        convolve: a function of maps, channels and kernel size.
        first: whether the maps are the image itself, which is not rectified.
        halve: whether the block halves the map.

    Returns:
        Symbolic maps.
    """
    residual = convolve(x if first else keras.layers.ReLU()(x), channels, 3)
    residual = convolve(keras.layers.ReLU()(residual), channels, 3)
    shortcut = x
    if halve:
        residual, shortcut = (keras.layers.AveragePooling2D(2)(each) for each in (residual, x))
    if halve or x.shape[-1] != channels:
        shortcut = convolve(shortcut, channels, 1)
    return keras.layers.Add()([residual, shortcut])


def spectral_layers(initializer):
    """Convolution and dense layer under spectral normalization, as functions of symbolic tensors.

    Args:
        initializer: of the kernels.

    Returns:
        `convolve(x, channels, kernel_size)` and `connect(x, units, use_bias=True)`.
    """

    def convolve(x, channels, kernel_size):
        weights = keras.initializers.get(initializer)
        layer = Conv2D(channels, kernel_size, padding="same", kernel_initializer=weights)
        return SpectralNormalization(layer)(x)

    def connect(x, units, use_bias=True):
        weights = keras.initializers.get(initializer)
        layer = keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=weights)
        return SpectralNormalization(layer)(x)

    return convolve, connect


def grow(x, image_shape, filters, attention_size, widths, normalizers, initializer):
    """The generator's blocks, attention after one of them, and the convolution to the pixels.

    Args:
        x: symbolic maps `(B, 4, 4, C)`.
        image_shape: `(H, W, C)`.
        filters: channels for a width of 1.
        attention_size: side of the maps that attention is over; 0 for none.
        widths: a width for each block.
        normalizers: a function for each block, as `residual_up` takes it.
        initializer: of the kernels.

    Returns:
        Symbolic images `(B, H, W, C)` in [-1, 1].
    """
    convolve, _ = spectral_layers(initializer)
    for width, normalize in zip(widths, normalizers, strict=True):
        x = residual_up(x, width * filters, normalize, convolve)
        if x.shape[1] == attention_size:
            x = SelfAttention(initializer)(x)
    x = keras.layers.ReLU()(batch_normalization(scale_deviation=0.0)(x))
    x = keras.layers.Activation("tanh", dtype="float32")(convolve(x, image_shape[-1], 3))
    return cut_out(x, image_shape)


def build_generator(image_shape, num_classes, latent_dim, filters, attention_size):
    """Projects a latent to 4x4 maps and doubles them up, normalized as the class wants it.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent.
        filters: channels before the last layer.
        attention_size: side of the maps that attention is over; 0 for none.

    Returns:
        A network from `[(B, latent_dim), (B,)]` to `(B, H, W, C)` in [-1, 1].
    """
    side = canvas_side(image_shape)
    first, *widths = WIDTHS[side][0]
    _, connect = spectral_layers("glorot_uniform")
    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")

    def normalize(x):
        scales, offsets = (
            keras.layers.Embedding(num_classes, x.shape[-1], start)(labels)
            for start in ("ones", "zeros")
        )
        return conditional_batch_normalization(x, scales, offsets)

    x = keras.layers.Reshape((4, 4, first * filters))(connect(latents, 16 * first * filters))
    sizes = image_shape, filters, attention_size, widths
    images = grow(x, *sizes, [normalize] * len(widths), "glorot_uniform")
    return keras.Model([latents, labels], images, name="generator")


def build_discriminator(
    image_shape,
    num_classes,
    filters,
    attention_size,
    widths=WIDTHS,
    initializer="glorot_uniform",
):
    """Residual blocks down to features, and a score of them that depends on the class.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        filters: channels for a width of 1.
        attention_size: side of the maps that attention is over, after the first block that has
            such; 0 for none.
        widths: a table such as `WIDTHS`.
        initializer: of the kernels.

    Returns:
        A network from `[(B, H, W, C), (B,)]` to scores `(B, 1)`.
    """
    side = canvas_side(image_shape)
    _, block_widths, halvings = widths[side]
    convolve, _ = spectral_layers(initializer)
    images = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    x = framed(images, side)
    attended = False
    for block, width in enumerate(block_widths):
        x = residual_down(x, width * filters, convolve, block == 0, block < halvings)
        if x.shape[1] == attention_size and not attended:
            x, attended = SelfAttention(initializer)(x), True
    x = ops.cast(keras.layers.ReLU()(x), "float32")
    features = ops.sum(x, axis=(1, 2))  # (B, C)
    scores = project(features, labels, num_classes, initializer)
    return keras.Model([images, labels], scores, name="discriminator")


def project(features, labels, num_classes, initializer):
    """The projection discriminator's score, w . features + embedding[labels] . features.

    Args:
        features: symbolic float32 `(B, C)`.
        labels: symbolic `(B,)`.
        num_classes: labels are 0 to num_classes - 1.
        initializer: of w and of the embeddings, which are spectrally normalized both.

    Returns:
        Symbolic scores `(B, 1)`.
    """
    start = keras.initializers.get(initializer)
    size = features.shape[-1]
    dense = keras.layers.Dense(1, kernel_initializer=start, dtype="float32")
    table = keras.layers.Embedding(num_classes, size, start.clone(), dtype="float32")
    embeddings = SpectralNormalization(table)(labels)
    inner_products = ops.sum(embeddings * features, axis=1, keepdims=True)
    return SpectralNormalization(dense)(features) + inner_products


def framed(images, side):
    """Images in the middle of black ones, `(B, side, side, C)`."""
    margins = [(0, 0), *(_margins(size, side) for size in images.shape[1:3]), (0, 0)]
    if not any(map(any, margins)):
        return images
    return ops.pad(images, margins, constant_values=-1.0)


def cut_out(images, image_shape):
    """The middle of images, `(B, H, W, C)`: what `framed` put them into."""
    margins = [_margins(size, images.shape[1]) for size in image_shape[:2]]
    return keras.layers.Cropping2D(margins, dtype="float32", name="images")(images)


def _margins(size, side):
    return (side - size) // 2, (side - size + 1) // 2


@keras.saving.register_keras_serializable(package="keras_gen")
class SAGAN(ConditionalGAN):
    """Self-attention GAN.

    Args:
        image_shape: `(H, W, C)`, at most 128x128. The networks are those for the next larger
            side of 8, 16, 32, 64 and 128.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent, N(0, 1).
        filters: channels of the widest-resolution hidden layer of both networks.
        attention_size: side of the maps that attention is over: 8, 16, ..., at most half of that
            side; 0 for none.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1805.08318, sections 3 and 4.
    """

    value_range = (-1.0, 1.0)
    presets = {
        "paper": {"attention_size": 32},
        "small": {"latent_dim": 64, "filters": 16, "attention_size": 16, "ema_decay": 0.999},
    }

    def __init__(
        self,
        image_shape=(128, 128, 3),
        num_classes=1000,
        latent_dim=128,
        filters=64,
        attention_size=32,
        discriminator_steps=1,
        ema_decay=None,
        **kwargs,
    ):
        check_positive(filters=filters)
        sizes = [0, *(size for size in (8, 16, 32, 64) if 2 * size <= canvas_side(image_shape))]
        if attention_size not in sizes:
            raise ValueError(
                f"attention_size={attention_size!r}: give one of {', '.join(map(str, sizes))} for "
                f"images of {image_shape[0]}x{image_shape[1]}."
            )
        self.filters, self.attention_size = filters, attention_size
        super().__init__(
            image_shape,
            num_classes,
            latent_dim,
            "normal",
            discriminator_steps,
            ema_decay,
            **kwargs,
        )
        self.trackers.clear()
        self.track("discriminator_loss", "generator_loss", "real_score", "fake_score")

    @classmethod
    def from_preset(cls, preset, image_shape, num_classes, **arguments):
        """Makes the model in one of two sizes.

        Args:
            preset: `"paper"`: the constructor's defaults; or `"small"`, which two cores train on
                images of 32 pixels in less than an hour. For small images attention is over maps
                of half their side at most.
            image_shape: as in the constructor.
            num_classes: as in the constructor.
            **arguments: further ones of the constructor; they replace the preset's.

        Raises:
            ValueError: no such preset, or an argument that is wrong.
        """
        return cls(
            image_shape, num_classes, **(cls.preset_arguments(preset, image_shape) | arguments)
        )

    @classmethod
    def preset_arguments(cls, preset, image_shape):
        """The constructor's arguments that a preset has for images of a shape."""
        if preset not in cls.presets:
            raise ValueError(f"preset={preset!r}: give one of {', '.join(cls.presets)}.")
        arguments, largest = dict(cls.presets[preset]), canvas_side(image_shape) // 2
        arguments["attention_size"] = min(arguments["attention_size"], largest)
        if largest < 8:
            arguments["attention_size"] = 0
        return arguments

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        sizes = (self.filters, self.attention_size)
        return (
            build_generator(self.image_shape, self.num_classes, self.latent_dim, *sizes),
            build_discriminator(self.image_shape, self.num_classes, *sizes),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """As `GAN.compile`; the default is Adam(beta_1 0, beta_2 0.9) at 4e-4 and 1e-4."""
        adam = keras.optimizers.Adam
        super().compile(
            discriminator_optimizer or adam(4e-4, beta_1=0.0, beta_2=0.9),
            generator_optimizer or adam(1e-4, beta_1=0.0, beta_2=0.9),
            **kwargs,
        )

    def train_step(self, batch):
        """A step of both networks on `(images, labels)` of `discriminator_steps * B`.

        Each time, generated images are new ones, of classes drawn uniformly.
        """
        *seeds, latent_seed, label_seed = tf.unstack(self.next_seeds(2 * self.batches_per_step + 2))
        batches = zip(*map(self.split_batches, batch), seeds[::2], seeds[1::2], strict=True)

        for real_images, real_labels, *fake_seeds in batches:
            fake_inputs = self.generator_inputs(real_images, *fake_seeds)
            fake_images = self.generator(fake_inputs, training=True)
            update_spectral_norms(self.discriminator)  # one power iteration
            with tf.GradientTape() as tape:
                real_scores = self.discriminator([real_images, real_labels], training=True)
                fake_scores = self.discriminator([fake_images, fake_inputs[1]], training=True)
                discriminator_loss = hinge_discriminator(real_scores, fake_scores)
            self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        fake_inputs = self.generator_inputs(real_images, latent_seed, label_seed)
        update_spectral_norms(self.generator)
        with tf.GradientTape() as tape:
            fake_images = self.generator(fake_inputs, training=True)
            fake_scores = self.discriminator([fake_images, fake_inputs[1]], training=True)
            generator_loss = hinge_generator(fake_scores)
            penalized_loss = generator_loss + self.generator_penalty()
        self.update(self.generator_optimizer, tape, penalized_loss, self.generator)

        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            real_images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_score=ops.mean(real_scores),
            fake_score=ops.mean(fake_scores),
        )

    def generator_penalty(self):
        """What is added to the generator's loss: nothing. For models that inherit this step."""
        return 0.0

    def generator_inputs(self, images, latent_seed, label_seed):
        """`[latents, labels]` for as many images as a batch has, none shared by replicas."""
        count = ops.shape(images)[0]
        labels = replica_share(lambda count: self.draw_labels(count, label_seed), count)
        return [self.latents_for(images, latent_seed), labels]

    def draw_labels(self, num_images, seed):
        """Classes drawn uniformly, int32 `(num_images,)`; `seed` is `(2,)` integers."""
        return tf.random.stateless_uniform((num_images,), seed, 0, self.num_classes, "int32")

    def test_step(self, batch):
        """The losses on held-out `(images, labels)`, with nothing updated."""
        images, labels = batch
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        real_scores = self.discriminator([images, labels], training=False)
        fake_scores = self.discriminator([self.decode(latents, labels), labels], training=False)
        return self.log(
            images,
            discriminator_loss=hinge_discriminator(real_scores, fake_scores),
            generator_loss=hinge_generator(fake_scores),
            real_score=ops.mean(real_scores),
            fake_score=ops.mean(fake_scores),
        )

    def collect_statistics(self, passes=100, batch_size=64, seed=0, truncation=None):
        """Makes the batch normalization of `sample` and `decode` one of standing statistics.

        Call it when training has ended, and before sampling at a truncation for which activations
        are to have the moments that they have there. Training on makes moving ones of them.

        Args:
            passes: batches that the moments are means over.
            batch_size: images in each.
            seed: decides latents and labels.
            truncation: as in `sample`, or None.

        Raises:
            ValueError: an argument is none of the above.

        Reference:
            Brock et al. 2019, arXiv:1809.11096, appendix C.
        """
        check_positive(passes=passes, batch_size=batch_size)
        seeds = tf.random.experimental.stateless_split(sampling_seed(seed), 2 * passes)

        def batches():
            for latent_seed, label_seed in zip(seeds[::2], seeds[1::2], strict=True):
                latents = self.draw_latents(batch_size, latent_seed, truncation)
                yield [latents, self.draw_labels(batch_size, label_seed)]

        generator = self.generator if self.ema_generator is None else self.ema_generator
        collect_statistics(generator, batches())
