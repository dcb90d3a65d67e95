"""alpha-GAN.

Rosca, Lakshminarayanan, Warde-Farley and Mohamed, 2017, Variational Approaches for Auto-Encoding
Generative Adversarial Networks, arXiv:1706.04987.

A variational autoencoder needs two densities that limit it: that of the pixels given a latent,
which makes images blurred, and that of the posterior. Both enter its bound as ratios of densities,
and a classifier that tells two distributions apart gives their ratio without knowing either. So a
discriminator of images stands in for the likelihood and a discriminator of codes for the
divergence from the prior. What is left of the likelihood is a distance of pixels: it ties each
image to its reconstruction, so that no kind of image can be left out.

The ratio, for a discriminator with D = sigmoid(logit) that tells real (1) from fake (0):

    R = -log D + log(1 - D) = -logit

Objective, with codes = encoder(images), reconstructions = sigmoid(decoder(codes)), latents from the
prior, samples = sigmoid(decoder(latents)), D of images and C of codes; |.|_1 a mean over pixels:

    encoder_loss            = E[reconstruction_weight * |images - reconstructions|_1 + R_C(codes)]
    decoder_loss            = E[reconstruction_weight * |images - reconstructions|_1
                                + R_D(reconstructions) + R_D(samples)]
    discriminator_loss      = E[-log D(images) - log(1 - D(reconstructions))
                                - log(1 - D(samples))]
    code_discriminator_loss = E[-log C(latents) - log(1 - C(codes))]

Each is one network's own, and they are updated in this order. Two of the discriminator's three
images are fake: where it cannot tell, it gives 1/3 to all, not 1/2.

Differences from the paper:
    - The discriminator's step takes the reconstructions and samples that the decoder had just
      before its own step: one pass of the decoder less.
    - The prior's latents count as real for the code discriminator, codes as fake. Reimplementations
      report that Algorithm 1 of the paper's first version has them the other way round.
    - Dense networks, those of the other models of this family, and 8 coordinates of a latent; the
      paper has convolutional ones. The encoder is a function of the image without noise of its
      own, where the paper allows for any posterior that can be drawn from.
    - The distance is a mean over pixels and channels, so that its weight does not depend on the
      size of the images. Default weight and learning rates were chosen on digits, in short runs.

Shapes: images (B, H, W, C) in [0, 1]; codes and latents (B, latent_dim); logits (B, 1), of the
decoder (B, H, W, C).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.losses import minimax_discriminator
from keras_gen.models.adversarial_autoencoders.base import CodedModel
from keras_gen.models.adversarial_autoencoders.networks import (
    build_decoder,
    build_discriminator,
    build_encoder,
)
from keras_gen.models.base import check_image_shape, check_positive


def density_ratio_loss(logits):
    """E[-log D + log(1 - D)] = -E[logit]: how far from real, as a log ratio of densities.

    Args:
        logits: a discriminator's, of what is to be taken for real.

    Returns:
        Scalar of any sign. Its gradient in a logit is constant: it does not vanish where the
        discriminator is sure.
    """
    return -ops.mean(ops.cast(logits, "float32"))


@keras.saving.register_keras_serializable(package="keras_gen")
class AlphaGAN(CodedModel):
    """alpha-GAN on dense networks.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        discriminator_units: units of the hidden layers of the discriminator of images.
        code_discriminator_units: those of the discriminator of codes.
        reconstruction_weight: weight of the distance of pixels, the paper's lambda.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1706.04987, section 4 and Algorithm 1.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=8,
        hidden_units=(1000, 1000),
        discriminator_units=(1000, 1000),
        code_discriminator_units=(750, 750, 750),
        reconstruction_weight=50.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        for units in discriminator_units:
            check_positive(discriminator_units=units)
        for units in code_discriminator_units:
            check_positive(code_discriminator_units=units)
        if not reconstruction_weight >= 0.0:
            raise ValueError(
                f"reconstruction_weight={reconstruction_weight!r}: give a number of at least 0."
            )
        self.image_shape, self.latent_dim = check_image_shape(image_shape), latent_dim
        self.hidden_units = tuple(hidden_units)
        self.discriminator_units = tuple(discriminator_units)
        self.code_discriminator_units = tuple(code_discriminator_units)
        self.reconstruction_weight = reconstruction_weight
        self.encoder, self.decoder, self.discriminator, self.code_discriminator = (
            self.build_networks()
        )
        self.track(
            "encoder_loss",
            "decoder_loss",
            "discriminator_loss",
            "code_discriminator_loss",
            "reconstruction_l1",
            "real_probability",
            "fake_probability",
            "code_probability",
        )

    def build_networks(self):
        """Gives `(encoder, decoder, discriminator, code_discriminator)`."""
        sizes = (self.image_shape, self.latent_dim, self.hidden_units)
        return (
            build_encoder(*sizes, "relu"),
            build_decoder(*sizes),
            build_discriminator(self.image_shape, self.discriminator_units, "leaky_relu"),
            build_discriminator(
                (self.latent_dim,),
                self.code_discriminator_units,
                "leaky_relu",
                name="code_discriminator",
            ),
        )

    def compile(
        self,
        encoder_optimizer=None,
        decoder_optimizer=None,
        discriminator_optimizer=None,
        code_discriminator_optimizer=None,
        **kwargs,
    ):
        """Sets the optimizers.

        Args:
            encoder_optimizer: a Keras optimizer. Default: Adam(5e-4, beta_1 0.5, beta_2 0.9), as
                of the decoder.
            decoder_optimizer: likewise.
            discriminator_optimizer: likewise. Default: Adam(1e-4, beta_1 0.5, beta_2 0.9), as of
                the code discriminator.
            code_discriminator_optimizer: likewise.
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """

        def adam(rate):
            return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)

        self.set_optimizers(
            encoder_optimizer=(encoder_optimizer or adam(5e-4), self.encoder),
            decoder_optimizer=(decoder_optimizer or adam(5e-4), self.decoder),
            discriminator_optimizer=(discriminator_optimizer or adam(1e-4), self.discriminator),
            code_discriminator_optimizer=(
                code_discriminator_optimizer or adam(1e-4),
                self.code_discriminator,
            ),
            **kwargs,
        )

    def train_step(self, images):
        """Algorithm 1 on images `(B, H, W, C)`: each step sees the networks as just updated."""
        latents = self.latents_for(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            codes = self.encoder(images, training=True)
            reconstructions = ops.sigmoid(self.decoder(codes, training=True))
            code_logits = self.code_discriminator(codes, training=True)
            distance = self.distance(images, reconstructions)
            encoder_loss = self.reconstruction_weight * distance + density_ratio_loss(code_logits)
        self.update(self.encoder_optimizer, tape, encoder_loss, self.encoder)

        codes = self.encoder(images, training=True)
        with tf.GradientTape() as tape:
            reconstructions = ops.sigmoid(self.decoder(codes, training=True))
            samples = ops.sigmoid(self.decoder(latents, training=True))
            decoder_loss = (
                self.reconstruction_weight * self.distance(images, reconstructions)
                + density_ratio_loss(self.discriminator(reconstructions, training=True))
                + density_ratio_loss(self.discriminator(samples, training=True))
            )
        self.update(self.decoder_optimizer, tape, decoder_loss, self.decoder)

        with tf.GradientTape() as tape:
            logits = [
                self.discriminator(each, training=True)
                for each in (images, reconstructions, samples)
            ]
            discriminator_loss = self.discriminator_loss(*logits)
        self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with tf.GradientTape() as tape:
            latent_logits = self.code_discriminator(latents, training=True)
            code_logits = self.code_discriminator(codes, training=True)
            code_discriminator_loss = minimax_discriminator(latent_logits, code_logits)
        self.update(
            self.code_discriminator_optimizer,
            tape,
            code_discriminator_loss,
            self.code_discriminator,
        )

        return self.log(
            images,
            encoder_loss=encoder_loss,
            decoder_loss=decoder_loss,
            discriminator_loss=discriminator_loss,
            code_discriminator_loss=code_discriminator_loss,
            reconstruction_l1=distance,
            **self.probabilities(*logits, code_logits),
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, with nothing updated."""
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        codes = self.encoder(images, training=False)
        reconstructions, samples = self.decode(codes), self.decode(latents)
        logits = [
            self.discriminator(each, training=False) for each in (images, reconstructions, samples)
        ]
        latent_logits = self.code_discriminator(latents, training=False)
        code_logits = self.code_discriminator(codes, training=False)
        distance = self.distance(images, reconstructions)
        weighted = self.reconstruction_weight * distance
        return self.log(
            images,
            encoder_loss=weighted + density_ratio_loss(code_logits),
            decoder_loss=weighted + density_ratio_loss(logits[1]) + density_ratio_loss(logits[2]),
            discriminator_loss=self.discriminator_loss(*logits),
            code_discriminator_loss=minimax_discriminator(latent_logits, code_logits),
            reconstruction_l1=distance,
            **self.probabilities(*logits, code_logits),
        )

    def distance(self, images, reconstructions):
        """Mean absolute difference of pixels, a scalar."""
        return ops.mean(ops.absolute(images - reconstructions))

    def discriminator_loss(self, real_logits, reconstruction_logits, sample_logits):
        """The cross-entropies of one kind of real images and two of fake ones, summed up."""
        fake_loss = ops.mean(ops.softplus(sample_logits))
        return minimax_discriminator(real_logits, reconstruction_logits) + fake_loss

    def probabilities(self, real_logits, reconstruction_logits, sample_logits, code_logits):
        """For the logs: how real the discriminators find what they see, on average."""
        fakes = ops.sigmoid(reconstruction_logits) + ops.sigmoid(sample_logits)
        return {
            "real_probability": ops.mean(ops.sigmoid(real_logits)),
            "fake_probability": ops.mean(fakes) / 2.0,
            "code_probability": ops.mean(ops.sigmoid(code_logits)),
        }
