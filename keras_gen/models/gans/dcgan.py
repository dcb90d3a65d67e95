"""Deep convolutional GAN (DCGAN).

Radford, Metz and Chintala, 2016, Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks, arXiv:1511.06434.

The GAN of Goodfellow et al. with convolutional networks that train stably: strided and
fractionally strided convolutions instead of pooling, batch normalization except on the
generator's output and the discriminator's input, no dense hidden layers, ReLU in the generator
with tanh at its end, LeakyReLU in the discriminator. The objective is that of `GAN` with the
non-saturating loss.

Differences from the paper:
    - Number and width of the layers follow from the image size. At 64x64 and filters=128 the
      generator is that of Figure 1: 4x4x1024, 8x8x512, 16x16x256, 32x32x128, 64x64xC.
    - The generator's step uses the fake images of the discriminator's step (see `GAN`).
    - The paper does not give the constants of batch normalization; ours are momentum 0.9 and
      epsilon 1e-5, and scales that start from N(1, 0.02), as in the authors' code.

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
logits (B, 1).
"""

import keras

from keras_gen.layers import Conv2D, Conv2DTranspose, LatentDropout, batch_normalization
from keras_gen.models.base import check_positive
from keras_gen.models.gans.gan import GAN


def doublings(image_shape):
    """How often the generator doubles its resolution, and the `(h, w)` that it starts from.

    Sides are halved once, and again while both are even and neither falls below 4: 28 comes from 7
    by two doublings, 64 from 4 by four.

    Args:
        image_shape: `(H, W, C)`.

    Returns:
        `(count, (h, w))`.

    Raises:
        ValueError: a side is not a positive multiple of 4.
    """
    height, width, _ = image_shape
    if height % 4 or width % 4 or height < 4 or width < 4:
        raise ValueError(
            f"image_shape={tuple(image_shape)!r}: height and width must be multiples of 4, "
            "such as 28, 32 or 64. Load the images with such an image_size."
        )
    count, height, width = 1, height // 2, width // 2
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        count, height, width = count + 1, height // 2, width // 2
    return count, (height, width)


def build_generator(image_shape, latent_dim, filters, kernel_size, dropout=0.0):
    """Projects a latent to a small many-channelled image and doubles it up to full size.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        filters: channels before the last layer; each earlier layer has twice as many.
        kernel_size: side of the kernels.
        dropout: share of each hidden layer's channels that `LatentDropout` drops; 0 in the paper.

    Returns:
        A network from `(B, latent_dim)` to `(B, H, W, C)` in [-1, 1].
    """
    count, (height, width) = doublings(image_shape)
    weights = keras.initializers.RandomNormal(stddev=0.02)
    channels = filters * 2 ** (count - 1)

    latents = keras.Input((latent_dim,), name="latents")
    x = keras.layers.Dense(height * width * channels, use_bias=False, kernel_initializer=weights)(
        latents
    )
    x = keras.layers.Reshape((height, width, channels))(x)
    x = keras.layers.ReLU()(batch_normalization()(x))
    x = LatentDropout(dropout)([x, latents]) if dropout else x
    for _ in range(count - 1):
        channels //= 2
        x = keras.layers.Conv2DTranspose(
            channels, kernel_size, 2, "same", use_bias=False, kernel_initializer=weights
        )(x)
        x = keras.layers.ReLU()(batch_normalization()(x))
        x = LatentDropout(dropout)([x, latents]) if dropout else x
    last = Conv2DTranspose(image_shape[-1], kernel_size, 2, "same", kernel_initializer=weights)
    x = last(x)  # (B, H, W, C)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape, filters, kernel_size, use_bias=True):
    """Halves the image down to a small one and takes one logit from it.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels after the first layer; each later layer has twice as many.
        kernel_size: side of the kernels.
        use_bias: whether the logit has a bias.

    Returns:
        A network from `(B, H, W, C)` to logits `(B, 1)`.
    """
    count, _ = doublings(image_shape)
    weights = keras.initializers.RandomNormal(stddev=0.02)

    images = keras.Input(image_shape, name="images")
    x = Conv2D(filters, kernel_size, 2, "same", kernel_initializer=weights)(images)
    x = keras.layers.LeakyReLU(0.2)(x)
    for layer in range(1, count):
        x = keras.layers.Conv2D(
            filters * 2**layer, kernel_size, 2, "same", use_bias=False, kernel_initializer=weights
        )(x)
        x = keras.layers.LeakyReLU(0.2)(batch_normalization()(x))
    x = keras.layers.Flatten()(x)
    logits = keras.layers.Dense(
        1, use_bias=use_bias, kernel_initializer=weights, dtype="float32", name="logits"
    )(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class DCGAN(GAN):
    """`GAN` with the convolutional networks of Radford et al.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        kernel_size: side of the kernels.
        latent_distribution: `"uniform"` for U(-1, 1) or `"normal"` for N(0, 1), per coordinate.
        generator_loss: `"non_saturating"` or `"minimax"`.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1511.06434, sections 3 and 4.
    """

    value_range = (-1.0, 1.0)

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        filters=128,
        kernel_size=5,
        latent_distribution="uniform",
        generator_loss="non_saturating",
        discriminator_steps=1,
        ema_decay=None,
        **kwargs,
    ):
        check_positive(filters=filters, kernel_size=kernel_size)
        self.filters, self.kernel_size = filters, kernel_size
        super().__init__(
            image_shape,
            latent_dim,
            latent_distribution,
            generator_loss,
            discriminator_steps,
            ema_decay,
            **kwargs,
        )

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        sizes = (self.filters, self.kernel_size)
        return (
            build_generator(self.image_shape, self.latent_dim, *sizes),
            build_discriminator(self.image_shape, *sizes),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """As `GAN.compile`; the default of both optimizers is Adam(2e-4, beta_1 0.5)."""
        adam = keras.optimizers.Adam
        super().compile(
            discriminator_optimizer or adam(2e-4, beta_1=0.5),
            generator_optimizer or adam(2e-4, beta_1=0.5),
            **kwargs,
        )
