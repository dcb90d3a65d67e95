"""Convolutional variational autoencoder.

Kingma and Welling, 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114, with the convolutional
networks of Chollet, 2020, Variational AutoEncoder, keras.io.

Strided convolutions lead from an image down to a small layer of units, and from those to the
parameters of the posterior; fractionally strided ones lead back up. Two latent coordinates are
enough to see the digits, and few enough to be looked at: all the images that the model knows lie
on one picture. The objective is that of `VAE`, on grey pixels with their cross-entropy:

    objective = mean[-log_likelihoods + beta * divergences]

keras.io's `total_loss` is this objective, its `reconstruction_loss` and `kl_loss` the two terms.

Differences from the paper:
    - The networks: the paper's are dense, with one hidden layer each. keras.io trains on the
      training and the test split together; trained on a training split alone, an epoch has
      fewer steps.
    - Grey pixels have no Bernoulli likelihood: their cross-entropy, as in both sources, bounds
      nothing and compares with no binarized figure.

Shapes: images (B, H, W, C) in [0, 1], H and W multiples of 2 ** len(filters); parameters
(B, 2 * latent_dim); latents (B, latent_dim); what the decoder gives (B, H, W, C).
"""

import math

import keras

from keras_gen.layers import Conv2DTranspose
from keras_gen.models.autoencoders.vae import VAE, pixel_parameters
from keras_gen.models.base import check_positive


def build_encoder(image_shape, num_parameters, filters, dense_units):
    """3x3 convolutions that halve the resolution, then a dense layer.

    Args:
        image_shape: `(H, W, C)`.
        num_parameters: how many numbers describe a posterior.
        filters: channels of each convolution.
        dense_units: units of the layer between the last convolution and the parameters.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, num_parameters)`.
    """
    images = keras.Input(image_shape, name="images")
    x = images
    for channels in filters:
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(dense_units, activation="relu")(x)
    parameters = keras.layers.Dense(num_parameters, dtype="float32", name="parameters")(x)
    return keras.Model(images, parameters, name="encoder")


def build_decoder(image_shape, latent_dim, filters, likelihood):
    """A dense layer to a small image of many channels, then what doubles it up to full size.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        filters: those of the encoder, in the encoder's order.
        likelihood: a key of `vae.LIKELIHOODS`.

    Returns:
        A network from `(B, latent_dim)` to what `vae.pixel_parameters` gives.
    """
    small = [side // 2 ** len(filters) for side in image_shape[:2]]
    latents = keras.Input((latent_dim,), name="latents")
    x = keras.layers.Dense(math.prod(small) * filters[-1], activation="relu")(latents)
    x = keras.layers.Reshape((*small, filters[-1]))(x)
    for channels in reversed(filters):
        x = keras.layers.Conv2DTranspose(channels, 3, strides=2, padding="same", activation="relu")(
            x
        )
    x = Conv2DTranspose(image_shape[-1], 3, padding="same", dtype="float32", name="pixels")(x)
    return keras.Model(latents, pixel_parameters(x, likelihood), name="decoder")


@keras.saving.register_keras_serializable(package="keras_gen")
class ConvVAE(VAE):
    """`VAE` with convolutional networks, by default keras.io's for MNIST.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 2 ** len(filters).
        latent_dim: size of a latent.
        filters: channels of the encoder's convolutions, and backwards the decoder's.
        dense_units: units of the encoder's layer before the posterior's parameters.
        likelihood: of the pixels, as in `VAE`.
        latent: distribution of the latents, as in `VAE`.
        divergence: of the posterior from the prior, as in `VAE`.
        beta: weight of the divergence, as in `VAE`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1312.6114, section 3.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=2,
        filters=(32, 64),
        dense_units=16,
        likelihood="bernoulli",
        latent="normal",
        divergence="kl",
        beta=1.0,
        **kwargs,
    ):
        check_positive(dense_units=dense_units)
        for channels in filters:
            check_positive(filters=channels)
        _check_sides(image_shape, filters)
        self.filters, self.dense_units = tuple(filters), dense_units
        choices = (likelihood, latent, divergence, beta)
        super().__init__(image_shape, latent_dim, (), "relu", *choices, **kwargs)

    def build_networks(self):
        """Gives `(encoder, decoder)`."""
        shape, parameters = self.image_shape, self.latent.num_parameters
        return (
            build_encoder(shape, parameters, self.filters, self.dense_units),
            build_decoder(shape, self.latent_dim, self.filters, self.likelihood_name),
        )


def _check_sides(image_shape, filters):
    if not filters:
        raise ValueError("filters=(): give the channels of at least one convolution.")
    factor = 2 ** len(filters)
    if any(side % factor or side < factor for side in image_shape[:2]):
        raise ValueError(
            f"image_shape={tuple(image_shape)!r}: with {len(filters)} filters height and width "
            f"must be multiples of {factor}. Load the images with such an image_size."
        )
