"""Autoregressive models: exact likelihoods, pixel by pixel."""

from keras_gen.models.autoregressive.fvsbn import FVSBN
from keras_gen.models.autoregressive.gated_pixel_cnn import ConditionalPixelCNN, GatedPixelCNN
from keras_gen.models.autoregressive.pixel_cnn import PixelCNN
from keras_gen.models.autoregressive.pixel_rnn import PixelRNN

__all__ = ["FVSBN", "ConditionalPixelCNN", "GatedPixelCNN", "PixelCNN", "PixelRNN"]
