"""Denoising autoencoder.

Vincent, Larochelle, Bengio and Manzagol, 2008, Extracting and Composing Robust Features with
Denoising Autoencoders, ICML. Reviewed in arXiv:1206.5538, section 7.2.2. The networks and the
noise are those of Chollet, 2016, Building Autoencoders in Keras.

The encoder sees a corrupted image and the clean one must come out. Copying is then no solution,
however large the code: to tell noise from image, the networks must know what images are like.

Objective, with the error of `Autoencoder`:

    latents = encoder(corrupted_images),   bce_per_pixel of the clean images and decoder(latents)

    "gaussian"   corrupted_images = clip(images + noise_level * N(0, 1), 0, 1)
    "masking"    a share noise_level of each image's values, chosen at random, is set to 0

Differences from the paper:
    - The paper masks ("masking" here, section 2.3); the post adds Gaussian noise, which is the
      default. Noise is drawn anew in every step, as in the paper; the post draws it once.
    - Convolutional networks instead of one dense layer with tied weights and logistic units; no
      stacking.

Shapes: images, corrupted_images (B, H, W, C) in [0, 1]; latents (B, h * w * filters[-1]), larger
than an image with the default filters.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.layers.checks import check_choice
from keras_gen.models.autoencoders.autoencoder import bce_per_pixel
from keras_gen.models.autoencoders.conv_autoencoder import ConvAutoencoder

CORRUPTIONS = ("gaussian", "masking")


def corrupt(images, corruption, noise_level, seed):
    """Images with noise, as the module's docstring defines it.

    Args:
        images: `(B, H, W, C)` in [0, 1].
        corruption: `"gaussian"` or `"masking"`.
        noise_level: the noise's deviation, or the share of values that is masked.
        seed: `(2,)` integers; replicas give the same one and get different noise.

    Returns:
        A tensor like `images`.
    """
    shape, count = images.shape[1:], ops.shape(images)[0]
    if corruption == "gaussian":
        noise = replica_share(lambda n: tf.random.stateless_normal((n, *shape), seed), count)
        return tf.clip_by_value(images + noise_level * noise, 0.0, 1.0)
    size = math.prod(shape)
    order = replica_share(lambda n: tf.random.stateless_uniform((n, size), seed), count)
    masked = round(noise_level * size)
    kept = tf.argsort(tf.argsort(order)) >= masked  # ranks: the lowest `masked` of each image go
    return tf.where(tf.reshape(kept, tf.shape(images)), images, 0.0)


def psnr_db(images, others):
    """Peak signal-to-noise ratio in decibels, `-10 log10(mean squared error)`, peak 1.

    Args:
        images: `(B, H, W, C)` in [0, 1].
        others: the same.

    Returns:
        The mean over images of each image's ratio; equal images count 100 dB.
    """
    error = tf.reduce_mean(tf.square(images - others), axis=(1, 2, 3))
    return tf.reduce_mean(-10.0 * tf.math.log(tf.maximum(error, 1e-10)) / math.log(10.0))


@keras.saving.register_keras_serializable(package="keras_gen")
class DenoisingAutoencoder(ConvAutoencoder):
    """`ConvAutoencoder` that learns to restore corrupted images.

    `reconstruct` takes a corrupted image and gives what it holds to be the clean one.

    Args:
        image_shape: as in `ConvAutoencoder`.
        filters: as in `ConvAutoencoder`.
        corruption: `"gaussian"` or `"masking"`.
        noise_level: the noise's deviation, above 0, or the share of values masked, in (0, 1).

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        Vincent et al. 2008, section 2.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        filters=(32, 32),
        corruption="gaussian",
        noise_level=0.5,
        **kwargs,
    ):
        check_choice("corruption", corruption, CORRUPTIONS)
        if not 0.0 < noise_level < (1.0 if corruption == "masking" else math.inf):
            raise ValueError(
                f"noise_level={noise_level!r}: give a deviation above 0 for gaussian noise, a "
                "share between 0 and 1 for masking."
            )
        super().__init__(image_shape, filters, **kwargs)
        self.corruption, self.noise_level = corruption, noise_level
        self.track("psnr_in_db", "psnr_out_db")

    def corrupt(self, images, seed):
        """Images with this model's noise; see `corrupt`."""
        return corrupt(images, self.corruption, self.noise_level, seed)

    def train_step(self, images):
        """One step towards the clean images `(B, H, W, C)` from corrupted ones."""
        corrupted_images = self.corrupt(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            latents = self.encoder(corrupted_images, training=True)
            logits = self.decoder(latents, training=True)
            loss = bce_per_pixel(images, logits)
        self.update(self.networks_optimizer, tape, loss, self.networks)

        self.update_moments(latents)
        return self._log_restoration(images, corrupted_images, logits, loss)

    def test_step(self, images):
        """The same on held-out images `(B, H, W, C)`, with noise that is fixed for each batch."""
        corrupted_images = self.corrupt(images, self.evaluation_seeds(1)[0])
        logits = self.networks(corrupted_images, training=False)
        loss = bce_per_pixel(images, logits)
        return self._log_restoration(images, corrupted_images, logits, loss)

    def _log_restoration(self, images, corrupted_images, logits, loss):
        return self.log(
            images,
            bce_per_pixel=loss,
            psnr_in_db=psnr_db(images, corrupted_images),
            psnr_out_db=psnr_db(images, tf.sigmoid(logits)),
        )
