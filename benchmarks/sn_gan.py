"""SN-GAN with the hinge loss: the networks of `keras_gen.models.SNGAN`, 28x28 MNIST, batches of 64.

Keras' own `SpectralNormalization` also writes the normalized kernel in every call.
"""

import keras
import tensorflow as tf

from benchmarks import gan_ways, tensorflow_ways
from keras_gen.layers import SpectralNormalization
from keras_gen.models import SNGAN

TITLE = "SN-GAN, hinge loss, 32 filters, 28x28, batch 64"
ITEMS = 64
NOTE = (
    "Power iterations run once a discriminator step in ours, as in the paper, and in every call of "
    "the discriminator in Keras' and in PyTorch's layer. Keras' step and the tf.function loop pass "
    "twice through the generator. The opponents have Keras' layers, ours those of "
    "`keras_gen.layers` of the same functions."
)
LATENT_DIM = 128
FILTERS = 32


def data():
    """MNIST in [-1, 1]."""
    return tensorflow_ways.mnist(SNGAN.value_range)


def networks():
    """`(generator, discriminator)` of ours."""
    model = SNGAN((28, 28, 1), LATENT_DIM, FILTERS)
    return model.generator, model.discriminator


def with_keras_normalization():
    """The same with the spectral normalization that comes with Keras."""
    generator, discriminator = networks()
    generator = tensorflow_ways.with_keras_layers(generator)
    images = keras.Input((28, 28, 1))
    x = images
    for layer in discriminator.layers[1:]:
        if isinstance(layer, SpectralNormalization):
            inner = tensorflow_ways.as_keras_layer(layer.layer)
            layer = keras.layers.SpectralNormalization(inner, dtype="float32")
        x = layer(x)
    return generator, keras.Model(images, x)


class HingeGAN(gan_ways.TextbookGAN):
    """The tutorials' step with the hinge loss."""

    def train_step(self, images):
        """A step of the discriminator, and one of the generator on new noise."""
        count = tf.shape(images)[0]
        fakes = tf.cast(self.generator(self.latents(count, None), training=True), images.dtype)
        with tf.GradientTape() as tape:
            real = self.discriminator(images, training=True)
            fake = self.discriminator(fakes, training=True)
            d_loss = tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))
        weights = self.discriminator.trainable_weights
        gradients = tape.gradient(d_loss, weights)
        self.d_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        with tf.GradientTape() as tape:
            fakes = tf.cast(self.generator(self.latents(count, None), training=True), images.dtype)
            g_loss = -tf.reduce_mean(self.discriminator(fakes, training=True))
        weights = self.generator.trainable_weights
        gradients = tape.gradient(g_loss, weights)
        self.g_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        for tracker, value in zip(self.trackers, (d_loss, g_loss), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def ours(precision):
    """`SNGAN` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = SNGAN((28, 28, 1), LATENT_DIM, FILTERS)
    model.compile()
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


def textbook(precision):
    """Keras' own layer, and the step of the tutorials."""
    tensorflow_ways.use_precision(precision)
    model = HingeGAN(*with_keras_normalization(), LATENT_DIM, conditional=False)
    model.compile(*(keras.optimizers.Adam(**gan_ways.RATE) for _ in range(2)), None)
    batches = tensorflow_ways.textbook_batches(data(), ITEMS)
    return tensorflow_ways.through_fit(model, batches)


def function(precision):
    """The same step without `fit`."""
    tensorflow_ways.use_precision(precision)
    model = HingeGAN(*with_keras_normalization(), LATENT_DIM, conditional=False)
    model.compile(*(keras.optimizers.Adam(**gan_ways.RATE) for _ in range(2)), None)
    for optimizer, network in (
        (model.d_optimizer, model.discriminator),
        (model.g_optimizer, model.generator),
    ):
        optimizer.build(network.trainable_variables)
    batches = tensorflow_ways.textbook_batches(data(), ITEMS)
    return tensorflow_ways.through_loop(lambda batch: model.train_step(batch)["g_loss"], batches)


_TORCH = gan_ways.torch_ways(networks, data, ITEMS, LATENT_DIM, hinge=True)
WAYS = {
    "keras_gen": ours,
    "Keras, as tutorials": textbook,
    "tf.function loop": function,
    **_TORCH,
}
