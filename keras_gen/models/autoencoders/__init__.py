"""Autoencoders: models with an explicit code, plain and variational."""

from keras_gen.models.autoencoders.autoencoder import Autoencoder
from keras_gen.models.autoencoders.conditional_vae import ConditionalVAE
from keras_gen.models.autoencoders.conv_autoencoder import ConvAutoencoder
from keras_gen.models.autoencoders.conv_vae import ConvVAE
from keras_gen.models.autoencoders.denoising_autoencoder import DenoisingAutoencoder
from keras_gen.models.autoencoders.gumbel_vae import GumbelVAE
from keras_gen.models.autoencoders.iwae import IWAE
from keras_gen.models.autoencoders.quadrant_cvae import QuadrantCVAE
from keras_gen.models.autoencoders.sparse_autoencoder import SparseAutoencoder
from keras_gen.models.autoencoders.vae import VAE

__all__ = [
    "IWAE",
    "VAE",
    "Autoencoder",
    "ConditionalVAE",
    "ConvAutoencoder",
    "ConvVAE",
    "DenoisingAutoencoder",
    "GumbelVAE",
    "QuadrantCVAE",
    "SparseAutoencoder",
]
