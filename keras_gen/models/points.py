"""Models of points in the plane: the training of the models they derive from, on small networks.

What the mode-collapse lab compares. A point is an image (1, 1, 2) of any values, so that every tool
takes it; `width` is the number of units of both hidden layers of both networks.

The lab of PacGAN (arXiv:1712.04086, section 4.1) has two layers of 400 units with batch
normalization in the generator and three maxout layers of 200 units in the discriminator, as
Dumoulin et al. 2017 (arXiv:1606.00704) had; here both have plain rectified layers, several times
faster on a CPU, and the same for all models.

Shapes: latents (B, latent_dim); points (B, 1, 1, 2); packs (B / packing, 1, 1, 2 * packing).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import SpectralNormalization
from keras_gen.models.autoencoders.vae import VAE
from keras_gen.models.base import sampling_seed
from keras_gen.models.gans.gan import GAN
from keras_gen.models.gans.pac_gan import PacGAN
from keras_gen.models.gans.sn_gan import SNGAN
from keras_gen.models.gans.wgan import WGAN
from keras_gen.models.gans.wgan_gp import WGANGP

POINT_SHAPE = (1, 1, 2)


def build_generator(latent_dim, width):
    """Two rectified layers from a latent `(B, latent_dim)` to a point `(B, 1, 1, 2)`."""
    latents = keras.Input((latent_dim,), name="latents")
    x = latents
    for _ in range(2):
        x = keras.layers.Dense(width, activation="relu")(x)
    points = keras.layers.Reshape(POINT_SHAPE)(keras.layers.Dense(2, dtype="float32")(x))
    return keras.Model(latents, points, name="generator")


def build_discriminator(width, packing=1, use_bias=True, wrap=lambda layer: layer):
    """Two rectified layers from a pack of points to a score.

    Args:
        width: units of each hidden layer.
        packing: points in a pack.
        use_bias: whether the score has a bias.
        wrap: applied to each dense layer, such as `SpectralNormalization`.

    Returns:
        A network from `(B, 1, 1, 2 * packing)` to `(B, 1)`.
    """
    points = keras.Input((1, 1, 2 * packing), name="points")
    x = keras.layers.Flatten()(points)
    for _ in range(2):
        x = keras.layers.ReLU()(wrap(keras.layers.Dense(width))(x))
    last = wrap(keras.layers.Dense(1, use_bias=use_bias, dtype="float32"))
    return keras.Model(points, last(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class PointGAN(GAN):
    """`GAN` of points.

    Args:
        latent_dim: size of a latent, N(0, 1) per coordinate.
        width: units of each hidden layer.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, **kwargs):
        self.width = width
        super().__init__(POINT_SHAPE, latent_dim, **kwargs)

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return build_generator(self.latent_dim, self.width), build_discriminator(self.width)


@keras.saving.register_keras_serializable(package="keras_gen")
class PointPacGAN(PacGAN):
    """`PacGAN` of points.

    Args:
        latent_dim: size of a latent, N(0, 1) per coordinate.
        width: units of each hidden layer.
        packing: points in a pack.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, packing=2, **kwargs):
        self.width = width
        super().__init__(
            POINT_SHAPE, latent_dim, packing=packing, latent_distribution="normal", **kwargs
        )

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return (
            build_generator(self.latent_dim, self.width),
            build_discriminator(self.width, self.packing),
        )


@keras.saving.register_keras_serializable(package="keras_gen")
class PointWGAN(WGAN):
    """`WGAN` of points.

    Args:
        latent_dim: size of a latent, N(0, 1) per coordinate.
        width: units of each hidden layer.
        critic_steps: as in `WGAN`.
        clip: as in `WGAN`.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, critic_steps=5, clip=0.1, **kwargs):
        self.width = width
        super().__init__(POINT_SHAPE, latent_dim, critic_steps=critic_steps, clip=clip, **kwargs)

    def build_networks(self):
        """Gives `(generator, critic)`."""
        return (
            build_generator(self.latent_dim, self.width),
            build_discriminator(self.width, use_bias=False),
        )


@keras.saving.register_keras_serializable(package="keras_gen")
class PointWGANGP(WGANGP):
    """`WGANGP` of points.

    Args:
        latent_dim: size of a latent, N(0, 1) per coordinate.
        width: units of each hidden layer.
        critic_steps: as in `WGANGP`.
        penalty_weight: as in `WGANGP`; the authors' toys have 0.1.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, critic_steps=5, penalty_weight=0.1, **kwargs):
        self.width = width
        super().__init__(
            POINT_SHAPE,
            latent_dim,
            critic_steps=critic_steps,
            penalty_weight=penalty_weight,
            **kwargs,
        )

    def build_networks(self):
        """Gives `(generator, critic)`."""
        return (
            build_generator(self.latent_dim, self.width),
            build_discriminator(self.width, use_bias=False),
        )


@keras.saving.register_keras_serializable(package="keras_gen")
class PointSNGAN(SNGAN):
    """`SNGAN` of points.

    Args:
        latent_dim: size of a latent, N(0, 1) per coordinate.
        width: units of each hidden layer.
        loss: as in `SNGAN`.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, loss="hinge", **kwargs):
        self.width = width
        super().__init__(POINT_SHAPE, latent_dim, loss=loss, **kwargs)

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return (
            build_generator(self.latent_dim, self.width),
            build_discriminator(self.width, wrap=SpectralNormalization),
        )


@keras.saving.register_keras_serializable(package="keras_gen")
class PointVAE(VAE):
    """`VAE` of points with a Gaussian decoder, whose samples are draws and not means.

    Args:
        latent_dim: size of a latent.
        width: units of each hidden layer.
    """

    value_range = (-5.0, 5.0)

    def __init__(self, latent_dim=2, width=256, **kwargs):
        super().__init__(POINT_SHAPE, latent_dim, (width, width), likelihood="gaussian", **kwargs)

    def _mean_images(self, outputs):
        return outputs["means"]  # of any value

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        """Draws points from p(x | z) at latents from the prior: as `VAE.sample`, with noise."""
        seed = sampling_seed(seed)
        means = super().sample(num_images, int(seed[0]), labels, truncation)
        deviation = ops.exp(0.5 * self.decoder(tf.zeros((1, self.latent_dim)))["log_variances"])
        noise_seed = seed + tf.constant([0, 2], "int64")  # [seed, 0] drew the latents
        return means + deviation * tf.random.stateless_normal(means.shape, noise_seed)
