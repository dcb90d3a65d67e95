"""Generative adversarial networks."""

from keras_gen.models.gans.dcgan import DCGAN
from keras_gen.models.gans.gan import GAN

__all__ = ["DCGAN", "GAN"]
