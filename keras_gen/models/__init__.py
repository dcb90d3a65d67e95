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
    QuadrantCVAE,
    SparseAutoencoder,
)
from keras_gen.models.base import GenerativeModel
from keras_gen.models.gans import DCGAN, GAN

__all__ = [
    "DCGAN",
    "GAN",
    "IWAE",
    "VAE",
    "Autoencoder",
    "ConditionalVAE",
    "ConvAutoencoder",
    "ConvVAE",
    "DenoisingAutoencoder",
    "GenerativeModel",
    "GumbelVAE",
    "QuadrantCVAE",
    "SparseAutoencoder",
]
