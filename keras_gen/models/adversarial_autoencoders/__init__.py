"""Where variational autoencoders and adversarial networks meet."""

from keras_gen.models.adversarial_autoencoders.aae import AAE
from keras_gen.models.adversarial_autoencoders.alpha_gan import AlphaGAN
from keras_gen.models.adversarial_autoencoders.avb import AVB
from keras_gen.models.adversarial_autoencoders.caae import CAAE
from keras_gen.models.adversarial_autoencoders.label_informed_aae import LabelInformedAAE
from keras_gen.models.adversarial_autoencoders.semi_supervised_aae import SemiSupervisedAAE
from keras_gen.models.adversarial_autoencoders.vae_gan import VAEGAN

__all__ = [
    "AAE",
    "AVB",
    "CAAE",
    "VAEGAN",
    "AlphaGAN",
    "LabelInformedAAE",
    "SemiSupervisedAAE",
]
