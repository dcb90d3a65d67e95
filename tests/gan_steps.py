"""Adversarial networks of one weight each, whose updates can be worked out by hand."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (2, 2, 1)


class LinearNetworks:
    """Goes before a GAN among a class' bases: `latents (B, 1) * g`, `images * d` summed up."""

    def build_networks(self):
        ones = keras.initializers.Constant(1.0)
        dense = {"use_bias": False, "kernel_initializer": ones}
        latents = keras.Input((self.latent_dim,))
        x = keras.layers.Dense(4, **dense)(latents)
        generator = keras.Model(latents, keras.layers.Reshape(SHAPE)(x), name="generator")
        images = keras.Input(SHAPE)
        scores = keras.layers.Dense(1, **dense)(keras.layers.Flatten()(images))
        return generator, keras.Model(images, scores, name="discriminator")


def trained(model, real, latents, **replaced):
    """One training step on given latents; gives the weights `(g, d)`, each `(4,)`."""
    queue = list(latents)
    model.draw_latents = lambda *_: tf.constant(queue.pop(0))
    for name, value in replaced.items():
        setattr(model, name, value)
    model.train_step(tf.constant(real))
    assert not queue
    return tuple(
        network.get_weights()[0].ravel() for network in (model.generator, model.discriminator)
    )


def batches(count, latent_batches, size=5):
    """Real images for `count` steps, and latents."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(count * size, *SHAPE)).astype("float32")
    return real, rng.normal(size=(latent_batches, size, 1)).astype("float32")
