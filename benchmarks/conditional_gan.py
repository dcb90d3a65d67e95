"""Conditional GAN of the keras.io example: its networks, 28x28 MNIST, batches of 64.

Classes enter as one-hot vectors beside the latents, and as planes beside the pixels.
"""

import keras

from benchmarks import gan_ways, tensorflow_ways
from keras_gen.models import ConditionalGAN

TITLE = "Conditional GAN, networks of the keras.io example, 28x28, batch 64"
ITEMS = 64
NOTE = gan_ways.NOTE
LATENT_DIM = 128
_CLASSES = gan_ways.NUM_CLASSES


def networks(kinds=keras.layers):
    """`(generator, discriminator)` of the example, on latents and images with their classes.

    Args:
        kinds: Keras' convolutions, or ours.
    """
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM + _CLASSES,)),
            layers.Dense(7 * 7 * (LATENT_DIM + _CLASSES)),
            layers.LeakyReLU(0.2),
            layers.Reshape((7, 7, LATENT_DIM + _CLASSES)),
            kinds.Conv2DTranspose(128, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            kinds.Conv2DTranspose(128, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            kinds.Conv2D(1, 7, padding="same"),
            layers.Activation("sigmoid", dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1 + _CLASSES)),
            kinds.Conv2D(64, 3, 2, "same"),
            layers.LeakyReLU(0.2),
            kinds.Conv2D(128, 3, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1, dtype="float32"),
        ]
    )
    return generator, discriminator


class ExampleGAN(ConditionalGAN):
    """Our conditional GAN on these networks."""

    def build_networks(self):
        """Gives `(generator, discriminator)`, each on its input and labels."""
        generator, discriminator = networks(tensorflow_ways.OUR_LAYERS)
        latents = keras.Input((LATENT_DIM,))
        images = keras.Input((28, 28, 1))
        labels = keras.Input((), dtype="int32")
        classes = keras.ops.one_hot(labels, _CLASSES)
        planes = keras.ops.tile(classes[:, None, None], (1, 28, 28, 1))
        drawn = generator(keras.ops.concatenate([latents, classes], axis=-1))
        logits = discriminator(keras.ops.concatenate([images, planes], axis=-1))
        return (
            keras.Model([latents, labels], drawn, name="generator"),
            keras.Model([images, labels], logits, name="discriminator"),
        )


def ours(precision, simultaneous):
    """`ExampleGAN` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = ExampleGAN((28, 28, 1), _CLASSES, LATENT_DIM, "normal", simultaneous=simultaneous)
    model.compile(*(keras.optimizers.Adam(**gan_ways.RATE) for _ in range(2)))
    batches = tensorflow_ways.mnist().batches(ITEMS, seed=0, labels=True)
    return tensorflow_ways.through_fit(model, batches, counted=True)


_ARGUMENTS = (networks, tensorflow_ways.mnist, ITEMS, LATENT_DIM, True)
WAYS = {
    "keras_gen, alternating": lambda precision: ours(precision, False),
    "keras_gen, simultaneous": lambda precision: ours(precision, True),
    "Keras, as tutorials": gan_ways.keras_way(*_ARGUMENTS),
    "tf.function loop": gan_ways.function_way(*_ARGUMENTS),
    **gan_ways.torch_ways(*_ARGUMENTS),
}
