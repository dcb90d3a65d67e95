"""Models: one paper idea a file."""

from keras_gen.models.autoencoders import (
    IWAE,
    VAE,
    Autoencoder,
    ConditionalVAE,
    ConvAutoencoder,
    ConvVAE,
    DenoisingAutoencoder,
    GumbelVAE,
    SparseAutoencoder,
)
from keras_gen.models.base import GenerativeModel
from keras_gen.models.gans import DCGAN, GAN

__all__ = [
    "ConditionalVAE",
    "DCGAN",
    "GAN",
    "IWAE",
    "Autoencoder",
    "ConvAutoencoder",
    "ConvVAE",
    "DenoisingAutoencoder",
    "GenerativeModel",
    "GumbelVAE",
    "SparseAutoencoder",
    "VAE",
]
