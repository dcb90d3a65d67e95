"""Autoencoder.

Hinton and Salakhutdinov, 2006, Reducing the Dimensionality of Data with Neural Networks, Science
313. Reviewed by Bengio, Courville and Vincent, 2013, Representation Learning, arXiv:1206.5538,
section 7. The settings are those of Chollet, 2016, Building Autoencoders in Keras.

An encoder squeezes an image into a few numbers, its code; a decoder makes the image of them again.
Neither can copy, so together they learn what images of this kind have in common. With linear
networks and a squared error this is principal component analysis; depth makes it nonlinear.

Objective, x the pixels of `images` and p = sigmoid(logits) those of the reconstruction:

    latents = encoder(images),   logits = decoder(latents)
    bce_per_pixel = -mean[x log p + (1 - x) log(1 - p)]    over pixels and images

An autoencoder is no generative model: nothing says how codes are distributed. `sample` draws each
coordinate of a code from a Gaussian with the mean and deviation that it has over training images.
Codes do not lie like that, coordinates depend on each other and whole regions are empty, and so
most samples are no digits. Variational autoencoders mend exactly this.

Differences from the paper:
    - All layers are trained at once by Adam; the paper pretrains them one by one as restricted
      Boltzmann machines and then follows the gradient.
    - Rectified instead of logistic hidden units, and 784-128-64-latent_dim instead of
      784-1000-500-250-30. The code is linear, as in the paper.

Shapes: images (B, H, W, C) in [0, 1]; latents (B, latent_dim); logits (B, H, W, C).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import sample_latents
from keras_gen.models.base import GenerativeModel, check_image_shape, check_positive

_MOMENT_DECAY = 0.99  # of the running moments of codes: they look back about a hundred steps


def build_encoder(image_shape, latent_dim, hidden_units, code_activation):
    """Dense rectified layers from an image down to its code.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a code.
        hidden_units: units of each hidden layer; may be empty.
        code_activation: activation of the code.

    Returns:
        A network from `(B, H, W, C)` to `(B, latent_dim)`.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(images)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    latents = keras.layers.Dense(
        latent_dim, activation=code_activation, dtype="float32", name="latents"
    )(x)
    return keras.Model(images, latents, name="encoder")


def build_decoder(image_shape, latent_dim, hidden_units):
    """The encoder's layers backwards, from a code to the logits of the pixels.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a code.
        hidden_units: those of the encoder, in the encoder's order.

    Returns:
        A network from `(B, latent_dim)` to logits `(B, H, W, C)`.
    """
    latents = keras.Input((latent_dim,), name="latents")
    x = latents
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(image_shape), dtype="float32")(x)
    logits = keras.layers.Reshape(image_shape, dtype="float32", name="logits")(x)
    return keras.Model(latents, logits, name="decoder")


def bce_per_pixel(images, logits):
    """Binary cross-entropy in nats per pixel, of images in [0, 1] and logits of their shape."""
    return ops.mean(ops.binary_crossentropy(images, logits, from_logits=True))


@keras.saving.register_keras_serializable(package="keras_gen")
class Autoencoder(GenerativeModel):
    """Autoencoder on dense networks; others inherit it with networks or a training of their own.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a code.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's. `()` is
            the one-layer autoencoder.
        code_activation: `"linear"`, or any Keras activation.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        Hinton and Salakhutdinov 2006.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=32,
        hidden_units=(128, 64),
        code_activation="linear",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        self.image_shape, self.latent_dim = check_image_shape(image_shape), latent_dim
        self.hidden_units, self.code_activation = tuple(hidden_units), code_activation
        self.encoder, self.decoder = self.build_networks()
        self.networks = keras.Sequential([self.encoder, self.decoder], name="networks")
        # Means over training steps of a code's coordinates and of their squares, for `sample`.
        self.code_mean = self._add_moment("code_mean", "zeros")
        self.code_square = self._add_moment("code_square", "ones")
        self.track("bce_per_pixel")

    def build_networks(self):
        """Gives `(encoder, decoder)`: what an autoencoder with other networks overrides."""
        sizes = (self.image_shape, self.latent_dim, self.hidden_units)
        return build_encoder(*sizes, self.code_activation), build_decoder(*sizes)

    def _add_moment(self, name, initializer):
        return self.add_weight(
            name=name,
            shape=(self.latent_dim,),
            dtype="float32",
            initializer=initializer,
            trainable=False,
            aggregation="mean",  # over replicas, whose shares of a batch are of one size
        )

    def compile(self, networks_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            networks_optimizer: a Keras optimizer for encoder and decoder. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        optimizer = networks_optimizer or keras.optimizers.Adam(1e-3)
        self.set_optimizers(networks_optimizer=(optimizer, self.networks), **kwargs)

    def train_step(self, images):
        """One step down the reconstruction error of images `(B, H, W, C)`."""
        self.train_steps.assign_add(1)
        with tf.GradientTape() as tape:
            latents = self.encoder(images, training=True)
            loss = bce_per_pixel(images, self.decoder(latents, training=True))
        self.update(self.networks_optimizer, tape, loss, self.networks)

        self.update_moments(latents)
        return self.log(images, bce_per_pixel=loss)

    def test_step(self, images):
        """The reconstruction error of held-out images `(B, H, W, C)`."""
        logits = self.networks(images, training=False)
        return self.log(images, bce_per_pixel=bce_per_pixel(images, logits))

    def update_moments(self, latents):
        """Moves the running moments towards those of a training batch's codes.

        Up to the hundredth step they are plain means over all steps, and no start value is left.
        """
        steps = ops.cast(self.train_steps, "float32")  # this one included
        decay = ops.minimum(_MOMENT_DECAY, 1.0 - 1.0 / steps)
        for moment, values in ((self.code_mean, latents), (self.code_square, latents**2)):
            moment.assign(decay * moment + (1.0 - decay) * ops.mean(values, axis=0))

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)`."""
        return ops.sigmoid(self.networks(images, training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Codes, float32 `(B, latent_dim)`, of images `(B, H, W, C)` in [0, 1]."""
        return self.encoder(tf.cast(images, "float32"), training=False)

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Images, float32 `(B, H, W, C)` in [0, 1], of codes `(B, latent_dim)`."""
        return tf.sigmoid(self.decoder(tf.cast(latents, "float32"), training=False))

    def reconstruct(self, images):
        """What encoder and decoder leave of images `(B, H, W, C)`: float32, of the same shape."""
        return self.decode(self.encode(images))

    def draw_latents(self, num_images, seed, truncation=None):
        """Codes from a Gaussian with the mean and deviation of each coordinate over training.

        Args:
            num_images: how many, N.
            seed: `(2,)` integers.
            truncation: None, or a bound on a coordinate's distance from its mean, in deviations.

        Returns:
            float32 `(N, latent_dim)`.
        """
        variance = tf.nn.relu(self.code_square - self.code_mean**2)
        noise = sample_latents("normal", (num_images, self.latent_dim), seed, truncation)
        return self.code_mean + tf.sqrt(variance) * noise
