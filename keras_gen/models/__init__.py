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
from keras_gen.models.gans import (
    DCGAN,
    GAN,
    LSGAN,
    SNGAN,
    WGAN,
    WGANGP,
    ConditionalGAN,
    GumbelGAN,
    HackedGAN,
    PacGAN,
    SequenceLSTM,
)

__all__ = [
    "DCGAN",
    "GAN",
    "IWAE",
    "LSGAN",
    "SNGAN",
    "VAE",
    "WGAN",
    "WGANGP",
    "Autoencoder",
    "ConditionalGAN",
    "ConditionalVAE",
    "ConvAutoencoder",
    "ConvVAE",
    "DenoisingAutoencoder",
    "GenerativeModel",
    "GumbelGAN",
    "GumbelVAE",
    "HackedGAN",
    "PacGAN",
    "QuadrantCVAE",
    "SequenceLSTM",
    "SparseAutoencoder",
]
