"""DCGAN of the tensorflow.org tutorial: its networks, 28x28 MNIST, batches of 256.

Its discriminator has dropout and no batch normalization, so that `simultaneous` can take both
losses' gradients from one pass; the default is the alternating update of the paper.
"""

import keras

from benchmarks import gan_ways, tensorflow_ways
from keras_gen.models import GAN

TITLE = "DCGAN, networks of the tensorflow.org tutorial, 28x28, batch 256"
ITEMS = 256
NOTE = gan_ways.NOTE
LATENT_DIM = 100


def networks(kinds=keras.layers):
    """`(generator, discriminator)` of the tutorial; the last layers are float32.

    Args:
        kinds: Keras' convolutions, normalizations and dropout, or ours.
    """
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            kinds.BatchNormalization(),
            layers.LeakyReLU(0.3),
            layers.Reshape((7, 7, 256)),
            kinds.Conv2DTranspose(128, 5, 1, "same", use_bias=False),
            kinds.BatchNormalization(),
            layers.LeakyReLU(0.3),
            kinds.Conv2DTranspose(64, 5, 2, "same", use_bias=False),
            kinds.BatchNormalization(),
            layers.LeakyReLU(0.3),
            kinds.Conv2DTranspose(1, 5, 2, "same", use_bias=False),
            layers.Activation("tanh", dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            kinds.Conv2D(64, 5, 2, "same"),
            layers.LeakyReLU(0.3),
            kinds.Dropout(0.3),
            kinds.Conv2D(128, 5, 2, "same"),
            layers.LeakyReLU(0.3),
            kinds.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return generator, discriminator


class TutorialGAN(GAN):
    """Our GAN on these networks."""

    value_range = (-1.0, 1.0)

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return networks(tensorflow_ways.OUR_LAYERS)


def data():
    """MNIST in [-1, 1]."""
    return tensorflow_ways.mnist(TutorialGAN.value_range)


def ours(precision, simultaneous):
    """`TutorialGAN` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = TutorialGAN((28, 28, 1), LATENT_DIM, simultaneous=simultaneous)
    model.compile(*(keras.optimizers.Adam(**gan_ways.RATE) for _ in range(2)))
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


_ARGUMENTS = (networks, data, ITEMS, LATENT_DIM)
WAYS = {
    "keras_gen, alternating": lambda precision: ours(precision, False),
    "keras_gen, simultaneous": lambda precision: ours(precision, True),
    "Keras, as tutorials": gan_ways.keras_way(*_ARGUMENTS),
    "tf.function loop": gan_ways.function_way(*_ARGUMENTS),
    **gan_ways.torch_ways(*_ARGUMENTS),
}
