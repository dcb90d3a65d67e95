"""Models: one paper idea a file."""

from keras_gen.models.base import GenerativeModel
from keras_gen.models.gans import DCGAN, GAN

__all__ = ["DCGAN", "GAN", "GenerativeModel"]
