"""Adversarial autoencoder (AAE).

Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2015, Adversarial Autoencoders, arXiv:1511.05644.

An autoencoder whose codes are distributed as a prior: what a variational autoencoder asks of each
posterior by a divergence in closed form, a discriminator asks here of all codes together. It sees
draws from the prior and codes of images, and the encoder learns to make them alike. So the prior
needs no density, only draws, and the encoder no noise.

Objective (section 2 and figure 1), with C = sigmoid(discriminator(latents)) and codes =
encoder(images). Each training step has two phases:

    reconstruction:  networks_loss = E[|images - sigmoid(decoder(codes))|^2] / 2    both networks
    regularization:  discriminator_loss = -E[log C(prior_latents)] - E[log(1 - C(codes))]
                     encoder_loss       = -E[log C(codes)]                          the encoder

Differences from the paper:
    - Of its three kinds of encoder, deterministic, Gaussian and universal approximator, the first,
      which its experiments use.
    - Adam(2e-4) for reconstruction and Adam(2e-4, beta_1 0.5) for both players of the
      regularization, where the paper has gradient descent with momentum. Reconstruction at 1e-3
      moves codes faster than the encoder's regularization can mend: the discriminator wins.
    - The encoder's loss is the non-saturating one: the paper does not give it.
    - Weights start as Keras has them.

Shapes: images (B, H, W, C) in [0, 1]; latents (B, latent_dim); logits (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import code_prior
from keras_gen.losses import minimax_discriminator, non_saturating_generator
from keras_gen.models.adversarial_autoencoders.base import CodedModel
from keras_gen.models.adversarial_autoencoders.networks import (
    build_decoder,
    build_discriminator,
    build_encoder,
)
from keras_gen.models.base import check_image_shape, check_positive


@keras.saving.register_keras_serializable(package="keras_gen")
class AAE(CodedModel):
    """Adversarial autoencoder on dense networks.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the hidden layers of encoder and discriminator, and backwards of the
            decoder.
        prior: `"normal"`, or for two-dimensional latents `"mixture"` or `"swiss_roll"`.
        prior_scale: standard deviation of the Gaussian, size of the others; see
            `keras_gen.layers.code_prior`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1511.05644, section 2.
    """

    latent_distribution = None  # one of several, or wider than N(0, I)

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=8,
        hidden_units=(1000, 1000),
        prior="normal",
        prior_scale=5.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for units in hidden_units:
            check_positive(hidden_units=units)
        self.image_shape, self.hidden_units = check_image_shape(image_shape), tuple(hidden_units)
        self.latent_dim, self.prior = latent_dim, self.build_prior(prior, latent_dim, prior_scale)
        self.encoder = build_encoder(self.image_shape, latent_dim, self.hidden_units, "relu")
        self.decoder = build_decoder(self.image_shape, latent_dim, self.hidden_units)
        self.networks = keras.Sequential([self.encoder, self.decoder], name="networks")
        self.discriminator = self.build_discriminator()
        self.track(
            "reconstruction_mse",
            "discriminator_loss",
            "encoder_loss",
            "prior_probability",
            "code_probability",
        )

    def build_prior(self, name, latent_dim, scale):
        """The prior: what an AAE that knows of classes overrides."""
        return code_prior(name, latent_dim, scale)

    def build_discriminator(self):
        """The discriminator of codes: likewise."""
        return build_discriminator((self.latent_dim,), self.hidden_units)

    def compile(
        self,
        networks_optimizer=None,
        discriminator_optimizer=None,
        encoder_optimizer=None,
        **kwargs,
    ):
        """Sets the optimizers.

        Args:
            networks_optimizer: of the reconstruction phase. Default: Adam(2e-4).
            discriminator_optimizer: Default: Adam(2e-4, beta_1 0.5).
            encoder_optimizer: of the encoder in the regularization phase; default likewise.
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        adam = keras.optimizers.Adam
        self.set_optimizers(
            networks_optimizer=(networks_optimizer or adam(2e-4), self.networks),
            discriminator_optimizer=(
                discriminator_optimizer or adam(2e-4, beta_1=0.5),
                self.discriminator,
            ),
            encoder_optimizer=(encoder_optimizer or adam(2e-4, beta_1=0.5), self.encoder),
            **kwargs,
        )

    def train_step(self, images):
        """Both phases on images `(B, H, W, C)`."""
        (seed,) = tf.unstack(self.next_seeds(1))
        prior_latents = self.latents_for(images, seed)

        with tf.GradientTape() as tape:
            reconstructions = ops.sigmoid(self.networks(images, training=True))
            networks_loss = half_squared_error(images, reconstructions)
        self.update(self.networks_optimizer, tape, networks_loss, self.networks)

        with tf.GradientTape() as encoder_tape:
            codes = self.encoder(images, training=True)
        with tf.GradientTape() as tape:
            prior_logits = self.discriminator(prior_latents, training=True)
            code_logits = self.discriminator(tf.stop_gradient(codes), training=True)
            discriminator_loss = minimax_discriminator(prior_logits, code_logits)
        self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with encoder_tape:
            encoder_loss = non_saturating_generator(self.discriminator(codes, training=True))
        self.update(self.encoder_optimizer, encoder_tape, encoder_loss, self.encoder)

        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            discriminator_loss=discriminator_loss,
            encoder_loss=encoder_loss,
            prior_probability=ops.mean(ops.sigmoid(prior_logits)),
            code_probability=ops.mean(ops.sigmoid(code_logits)),
        )

    def test_step(self, images):
        """The same losses on held-out images `(B, H, W, C)`, with nothing updated."""
        codes = self.encoder(images, training=False)
        reconstructions = ops.sigmoid(self.decoder(codes, training=False))
        prior_latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        prior_logits = self.discriminator(prior_latents, training=False)
        code_logits = self.discriminator(codes, training=False)
        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            discriminator_loss=minimax_discriminator(prior_logits, code_logits),
            encoder_loss=non_saturating_generator(code_logits),
            prior_probability=ops.mean(ops.sigmoid(prior_logits)),
            code_probability=ops.mean(ops.sigmoid(code_logits)),
        )

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`.

        Args:
            num_images: how many.
            seed: `(2,)` integers.
            truncation: None, or a bound on the magnitude of the normal numbers that they are made
                of: a distance in deviations from the middle, or for the priors of the plane from
                the middle of a component or of the roll.
        """
        return self.prior.draw(num_images, seed, truncation)


def half_squared_error(images, reconstructions):
    """|images - reconstructions|^2 / 2, summed over pixels, mean over images `(B, H, W, C)`."""
    return 0.5 * ops.mean(ops.sum(ops.square(images - reconstructions), axis=(1, 2, 3)))
