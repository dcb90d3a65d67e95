"""Conditional variational autoencoder (CVAE).

Sohn, Lee and Yan, 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, NIPS; with a class as the condition it is the labelled half of model M2 of Kingma, Rezende,
Mohamed and Welling, 2014, Semi-supervised Learning with Deep Generative Models, arXiv:1406.5298.

A VAE whose encoder and decoder are told the class, one-hot, beside the image and the latent. The
latent then need not say which class it is, only how it is written, and the decoder can be asked for
any class in any style.

Objective (arXiv:1406.5298, eq. 6, without the constant log p(labels)), in nats per image:

    parameters = encoder(images, labels)                      of q(z | x, y)
    latents = latent.reparameterize(parameters, noise)
    negative_elbo = mean[-log p(x | z, y) + KL(q(z | x, y) || p(z))],   p(z) = N(0, I)

with the Bernoulli likelihood log p(x | z, y) of images and decoder(latents, labels).

Differences from the paper:
    - Sohn et al. learn a prior p(z | y); here it is N(0, I) whatever the class, as in M2, so that
      latents carry style alone. `QuadrantCVAE` has the learned one.
    - All labels are known; M2's classifier and its term for images without label are left out.

Shapes: images (B, H, W, C) in [0, 1]; labels (B,), integers; parameters (B, 2 * latent_dim);
latents (B, latent_dim); logits (B, H, W, C).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.losses import bernoulli_log_likelihood
from keras_gen.models.autoencoders.latents import NormalLatent
from keras_gen.models.base import (
    GenerativeModel,
    bound_in_chunks,
    check_image_shape,
    check_positive,
)


def build_encoder(image_shape, num_classes, num_parameters, hidden_units):
    """Dense rectified layers from an image and its class to the parameters of the posterior.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        num_parameters: how many numbers describe a posterior.
        hidden_units: units of each hidden layer.

    Returns:
        A network from `[(B, H, W, C), (B,)]` to float32 `(B, num_parameters)`.
    """
    images = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    x = keras.layers.Flatten()(images)
    x = keras.layers.Concatenate()([x, ops.one_hot(labels, num_classes)])
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    parameters = keras.layers.Dense(num_parameters, dtype="float32", name="parameters")(x)
    return keras.Model([images, labels], parameters, name="encoder")


def build_decoder(image_shape, num_classes, latent_dim, hidden_units):
    """Dense rectified layers from a latent and a class to the logits of the pixels.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent.
        hidden_units: those of the encoder, in the encoder's order.

    Returns:
        A network from `[(B, latent_dim), (B,)]` to float32 logits `(B, H, W, C)`.
    """
    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = keras.layers.Concatenate()([latents, ops.one_hot(labels, num_classes)])
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(image_shape), dtype="float32")(x)
    logits = keras.layers.Reshape(image_shape, dtype="float32", name="logits")(x)
    return keras.Model([latents, labels], logits, name="decoder")


@keras.saving.register_keras_serializable(package="keras_gen")
class ConditionalVAE(GenerativeModel):
    """VAE on dense networks that are told the class.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1406.5298, section 3.1.
    """

    value_range = (0.0, 1.0)
    conditional = True
    latent_distribution = "normal"

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=50,
        hidden_units=(500, 500),
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(num_classes=num_classes, latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        self.image_shape, self.num_classes = check_image_shape(image_shape), num_classes
        self.latent_dim, self.latent = latent_dim, NormalLatent(latent_dim)
        shape = (self.image_shape, num_classes)
        self.encoder = build_encoder(*shape, self.latent.num_parameters, hidden_units)
        self.decoder = build_decoder(*shape, latent_dim, hidden_units)
        (images, labels), latents = self.encoder.inputs, self.decoder.inputs[0]
        self.networks = keras.Model(
            [images, labels, latents],
            [self.encoder([images, labels]), self.decoder([latents, labels])],
            name="networks",
        )
        self.track("negative_elbo_nats", "reconstruction_nats", "kl_nats")

    def compile(self, networks_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            networks_optimizer: a Keras optimizer for encoder and decoder. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        optimizer = networks_optimizer or keras.optimizers.Adam(1e-3)
        self.set_optimizers(networks_optimizer=(optimizer, self.networks), **kwargs)

    def train_step(self, batch):
        """One step up the bound of `(images, labels)`, one draw of a latent for each image."""
        images, labels = self.checked(batch)
        noise = self.noise_for(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            terms = self.bound_terms(images, labels, noise, training=True)
            reconstruction, kl = map(ops.mean, terms)
            negative_elbo = reconstruction + kl
        self.update(self.networks_optimizer, tape, negative_elbo, self.networks)

        return self.log(
            images,
            negative_elbo_nats=negative_elbo,
            reconstruction_nats=reconstruction,
            kl_nats=kl,
        )

    def test_step(self, batch):
        """The same on held-out `(images, labels)`, with noise that is fixed for each batch."""
        images, labels = self.checked(batch)
        noise = self.noise_for(images, self.evaluation_seeds(1)[0])
        reconstruction, kl = map(ops.mean, self.bound_terms(images, labels, noise, training=False))
        return self.log(
            images,
            negative_elbo_nats=reconstruction + kl,
            reconstruction_nats=reconstruction,
            kl_nats=kl,
        )

    def bound_terms(self, images, labels, noise, training):
        """-log p(x | z, y) and KL(q(z | x, y) || p(z)), each `(B,)`, in nats."""
        parameters = self.encoder([images, labels], training=training)
        latents = self.latent.reparameterize(parameters, noise)
        logits = self.decoder([latents, labels], training=training)
        reconstructions = -bernoulli_log_likelihood(images, logits)
        return reconstructions, ops.sum(self.latent.kl(parameters), axis=-1)

    def noise_for(self, images, seed):
        """The noise of each image's latent, `(B, latent_dim)`, none shared by replicas."""
        return replica_share(lambda count: self.latent.noise((count,), seed), ops.shape(images)[0])

    def call(self, batch, training=False):
        """Reconstructions of the images of `(images, labels)` by the means of their posteriors."""
        images, labels = batch
        latents = self.latent.mean(self.encoder([images, labels], training=training))
        return ops.sigmoid(self.decoder([latents, labels], training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images, labels):
        """Means of the posteriors, float32 `(B, latent_dim)`.

        Args:
            images: `(B, H, W, C)` in [0, 1].
            labels: integers `(B,)`, from 0 to num_classes - 1.
        """
        images, (labels,) = tf.cast(images, "float32"), self.conditions(labels)
        return self.latent.mean(self.encoder([images, labels], training=False))

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels):
        """Mean images, float32 `(B, H, W, C)` in [0, 1].

        Args:
            latents: `(B, latent_dim)`.
            labels: integers `(B,)`, from 0 to num_classes - 1.
        """
        latents, (labels,) = tf.cast(latents, "float32"), self.conditions(labels)
        return tf.sigmoid(self.decoder([latents, labels], training=False))

    def reconstruct(self, images, labels):
        """Mean images of the posterior means of images `(B, H, W, C)`: float32, of that shape."""
        return self.decode(self.encode(images, labels), labels)

    def elbo(self, images, labels, seed=0):
        """The evidence lower bound of images given their classes, one draw of a latent for each.

        Args:
            images: `(N, H, W, C)` in [0, 1], any N.
            labels: integers `(N,)`, from 0 to num_classes - 1.
            seed: an integer of 64 bits that decides the draws.

        Returns:
            Nats per image, float32 `(N,)`.
        """
        return bound_in_chunks(self._elbo, seed, images, labels)

    @tf.function(reduce_retracing=True)
    def _elbo(self, images, labels, seed):
        images, (labels,) = tf.cast(images, "float32"), self.conditions(labels)
        noise = self.latent.noise((ops.shape(images)[0],), seed)
        reconstructions, kl = self.bound_terms(images, labels, noise, training=False)
        return -reconstructions - kl

    @tf.function(reduce_retracing=True)
    def log_weights(self, images, num_samples, seed, labels):
        """Logarithms of importance weights, `log p(x, z | y) - log q(z | x, y)` at z ~ q.

        Args:
            images: `(B, H, W, C)` in [0, 1].
            num_samples: draws of a latent for each image, K.
            seed: `(2,)` integers.
            labels: integers `(B,)`.

        Returns:
            Nats, float32 `(K, B)`.
        """
        images, (labels,) = tf.cast(images, "float32"), self.conditions(labels)
        noise = self.latent.noise((num_samples, tf.shape(images)[0]), seed)
        parameters = self.encoder([images, labels], training=False)
        latents = self.latent.draw(parameters, noise)  # (K, B, latent_dim)
        flat = tf.reshape(latents, (-1, self.latent_dim))
        logits = self.decoder([flat, tf.tile(labels, [num_samples])], training=False)
        logits = tf.reshape(logits, (num_samples, *tf.unstack(tf.shape(images))))
        log_ratios = self.latent.log_prior(latents) - self.latent.log_posterior(latents, parameters)
        return bernoulli_log_likelihood(images, logits) + tf.reduce_sum(log_ratios, axis=-1)

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return self.latent.draw_prior(num_images, seed, truncation)
