"""Generative adversarial networks."""

from keras_gen.models.gans.biggan import BigGAN
from keras_gen.models.gans.conditional_gan import ConditionalGAN
from keras_gen.models.gans.cyclegan import CycleGAN
from keras_gen.models.gans.dcgan import DCGAN
from keras_gen.models.gans.gan import GAN
from keras_gen.models.gans.gumbel_gan import GumbelGAN
from keras_gen.models.gans.hacked_gan import HackedGAN
from keras_gen.models.gans.least_squares_gan import LSGAN
from keras_gen.models.gans.pac_gan import PacGAN
from keras_gen.models.gans.progan import ProGAN
from keras_gen.models.gans.sagan import SAGAN
from keras_gen.models.gans.sequence_lstm import SequenceLSTM
from keras_gen.models.gans.sn_gan import SNGAN
from keras_gen.models.gans.stylegan import StyleGAN
from keras_gen.models.gans.wgan import WGAN
from keras_gen.models.gans.wgan_gp import WGANGP

__all__ = [
    "DCGAN",
    "GAN",
    "LSGAN",
    "SAGAN",
    "SNGAN",
    "WGAN",
    "WGANGP",
    "BigGAN",
    "ConditionalGAN",
    "CycleGAN",
    "GumbelGAN",
    "HackedGAN",
    "PacGAN",
    "ProGAN",
    "SequenceLSTM",
    "StyleGAN",
]
