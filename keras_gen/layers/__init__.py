"""Layers that Keras lacks, and the sampling of latents."""

from keras_gen.layers.batch_norm import (
    BatchNormalization,
    batch_normalization,
    collect_statistics,
    conditional_batch_normalization,
)
from keras_gen.layers.bijectors import (
    ActNorm,
    Bijector,
    Chain,
    FactorOut,
    Flatten,
    InvertibleConv,
    Logit,
    Permutation,
    Scaling,
    Squeeze,
)
from keras_gen.layers.code_priors import CODE_PRIORS, code_prior
from keras_gen.layers.couplings import AdditiveCoupling, AffineCoupling, SplineCoupling
from keras_gen.layers.dropout import Dropout
from keras_gen.layers.equalized import EqualizedConv2D, EqualizedDense
from keras_gen.layers.image_conv import Conv2D, Conv2DTranspose
from keras_gen.layers.image_pool import ImagePool
from keras_gen.layers.instance_norm import instance_normalization
from keras_gen.layers.latent_dropout import LatentDropout
from keras_gen.layers.learned_constant import LearnedConstant
from keras_gen.layers.masked_conv import MaskedConv2D
from keras_gen.layers.maxout import Maxout
from keras_gen.layers.minibatch_deviation import MinibatchDeviation
from keras_gen.layers.pixel_norm import PixelNormalization
from keras_gen.layers.pixel_recurrent import DiagonalBiLSTM, RowLSTM
from keras_gen.layers.priors import (
    LATENT_DISTRIBUTIONS,
    check_latent_distribution,
    sample_latents,
)
from keras_gen.layers.replicas import replica_share
from keras_gen.layers.resampling import Blur, downsample, fade, upsample
from keras_gen.layers.self_attention import SelfAttention
from keras_gen.layers.spectral_norm import SpectralNormalization, update_spectral_norms
from keras_gen.layers.style import AdaIN, NoiseInput

__all__ = [
    "ActNorm",
    "AdaIN",
    "AdditiveCoupling",
    "AffineCoupling",
    "BatchNormalization",
    "Bijector",
    "Blur",
    "Chain",
    "Conv2D",
    "Conv2DTranspose",
    "FactorOut",
    "Flatten",
    "InvertibleConv",
    "Logit",
    "Permutation",
    "Scaling",
    "SplineCoupling",
    "Squeeze",
    "CODE_PRIORS",
    "LATENT_DISTRIBUTIONS",
    "DiagonalBiLSTM",
    "Dropout",
    "EqualizedConv2D",
    "EqualizedDense",
    "ImagePool",
    "LatentDropout",
    "LearnedConstant",
    "MaskedConv2D",
    "Maxout",
    "MinibatchDeviation",
    "NoiseInput",
    "PixelNormalization",
    "RowLSTM",
    "SelfAttention",
    "SpectralNormalization",
    "batch_normalization",
    "check_latent_distribution",
    "code_prior",
    "downsample",
    "fade",
    "instance_normalization",
    "collect_statistics",
    "conditional_batch_normalization",
    "replica_share",
    "sample_latents",
    "update_spectral_norms",
    "upsample",
]
