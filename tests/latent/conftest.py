"""A model whose images are a linear map of its latents: everything can be worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf


class LinearModel:
    """decode(z) = z @ matrix + offset, with a normal prior, and no encoder."""

    def __init__(self, latent_dim=3, image_shape=(4, 4, 1), seed=0):
        random = np.random.default_rng(seed)
        self.latent_dim, self.image_shape, self.value_range = latent_dim, image_shape, (-9.0, 9.0)
        self.latent_distribution = "normal"
        size = int(np.prod(image_shape))
        self.matrix = random.normal(size=(latent_dim, size)).astype("float32")
        self.offset = random.normal(size=size).astype("float32")
        self.calls = []  # batch sizes of eager calls to decode

    def decode(self, latents):
        if tf.executing_eagerly():
            self.calls.append(len(latents))
        images = tf.matmul(tf.cast(latents, "float32"), self.matrix) + self.offset
        return tf.reshape(images, (-1, *self.image_shape))

    def draw_latents(self, num_images, seed, truncation=None):
        assert truncation is None, "this model cannot truncate"
        return tf.random.stateless_normal((num_images, self.latent_dim), seed)


class LinearAutoencoder(LinearModel):
    """The same with the least-squares encoder."""

    def encode(self, images):
        flat = np.asarray(images).reshape(len(images), -1) - self.offset
        return flat @ np.linalg.pinv(self.matrix)


@pytest.fixture
def linear_model():
    return LinearModel()


@pytest.fixture
def linear_autoencoder():
    return LinearAutoencoder()


@pytest.fixture
def make_linear_model():
    return LinearModel
