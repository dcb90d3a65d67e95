"""VAE/GAN.

Larsen, Sonderby, Larochelle and Winther, 2016, Autoencoding beyond Pixels using a Learned
Similarity Metric, arXiv:1512.09300.

A variational autoencoder whose decoder is at once the generator of a GAN. The likelihood of a VAE
compares pixel by pixel: a stroke moved by one pixel is wrong twice, and so strokes come out
blurred. A discriminator learns features of images on the way to telling real from fake; here they
replace the pixels in the likelihood, a measure of similarity learned together with everything else.

Objective, with parameters = encoder(images) of the posterior, codes a draw from it, latents from
the prior, reconstructions = sigmoid(decoder(codes)), samples = sigmoid(decoder(latents)), features
the outputs of one of the discriminator's layers and D = sigmoid(its logit):

    feature_loss = E[sum((features(images) - features(reconstructions))^2) / 2]
    kl           = E[KL(q(codes | images) || prior)]
    gan_loss     = -E[log D(images)] - E[log(1 - D(reconstructions))] - E[log(1 - D(samples))]

    encoder_loss       = kl + feature_loss
    decoder_loss       = feature_weight * feature_loss + generator_loss
    discriminator_loss = gan_loss

    generator_loss = E[log(1 - D(reconstructions))] + E[log(1 - D(samples))]       "minimax"
    generator_loss = -E[log D(reconstructions)] - E[log D(samples)]         "non_saturating"

`feature_loss` is the negative logarithm of a Gaussian likelihood of variance 1, without its
constant. Each loss moves its own network alone: the encoder does not see the GAN, and the
discriminator is not asked for features that are easy to reconstruct.

Differences from the paper:
    - Its Algorithm 1 has the minimax loss for the decoder; the default here is the other one.
    - The authors' code leaves out the step of the discriminator, or that of the decoder, where the
      two are out of balance, and weights real and fake images. Neither is done here: two of the
      discriminator's three images are fake, and where it cannot tell, it gives 1/3 to all.
    - Dense networks, those of the other models of this family, and 8 coordinates of a latent; the
      authors' code has convolutions with batch normalization and 128, and takes the features
      before the nonlinearity, here after it.
    - Adam, where the authors' code has RMSProp. Default layer, weight and rates were chosen on
      MNIST, the discriminator's rate a fifth of the others'. The weight goes with the number and
      scale of the features: the authors' code for faces has 16384 of them and the weight 1e-5.

Shapes: images (B, H, W, C) in [0, 1]; parameters (B, 2 * latent_dim); codes and latents
(B, latent_dim); features (B, F); logits (B, 1), of the decoder (B, H, W, C).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.layers.checks import check_choice
from keras_gen.losses import minimax_discriminator
from keras_gen.models.adversarial_autoencoders.base import CodedModel
from keras_gen.models.adversarial_autoencoders.networks import (
    build_decoder,
    build_discriminator,
    build_encoder,
)
from keras_gen.models.autoencoders.latents import NormalLatent
from keras_gen.models.base import check_image_shape, check_positive
from keras_gen.models.gans.gan import GENERATOR_LOSSES


def build_feature_discriminator(image_shape, hidden_units, feature_layer):
    """Dense layers from an image to one logit, that show one of their hidden layers too.

    Args:
        image_shape: `(H, W, C)`.
        hidden_units: units of each hidden layer, at least one.
        feature_layer: which of them gives the features, from 1; its number of units is F.

    Returns:
        A network from `(B, H, W, C)` to `[features (B, F), logits (B, 1)]`.
    """
    network = build_discriminator(image_shape, hidden_units, "leaky_relu")
    hidden_layers = [each for each in network.layers[:-1] if isinstance(each, keras.layers.Dense)]
    features = hidden_layers[feature_layer - 1].output
    return keras.Model(network.input, [features, network.output], name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class VAEGAN(CodedModel):
    """VAE/GAN on dense networks.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        discriminator_units: units of the discriminator's hidden layers, at least one.
        feature_layer: which of these layers gives the features, from 1: the paper's l.
        feature_weight: weight of the likelihood beside the GAN in the decoder's loss, the paper's
            gamma.
        generator_loss: `"non_saturating"` or `"minimax"`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1512.09300, section 2.3 and Algorithm 1.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=8,
        hidden_units=(1000, 1000),
        discriminator_units=(1000, 1000),
        feature_layer=1,
        feature_weight=1.0,
        generator_loss="non_saturating",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        for units in discriminator_units:
            check_positive(discriminator_units=units)
        if feature_layer not in range(1, len(discriminator_units) + 1):
            raise ValueError(
                f"feature_layer={feature_layer!r}: give the number of a hidden layer, from 1. "
                f"discriminator_units={tuple(discriminator_units)!r} make "
                f"{len(discriminator_units)}."
            )
        if not feature_weight >= 0.0:
            raise ValueError(f"feature_weight={feature_weight!r}: give a number of at least 0.")
        check_choice("generator_loss", generator_loss, GENERATOR_LOSSES)
        self.image_shape = check_image_shape(image_shape)
        self.latent, self.latent_dim = NormalLatent(latent_dim), latent_dim
        self.hidden_units = tuple(hidden_units)
        self.discriminator_units = tuple(discriminator_units)
        self.feature_layer, self.feature_weight = feature_layer, feature_weight
        self.generator_loss = GENERATOR_LOSSES[generator_loss]
        self.encoder, self.decoder, self.discriminator = self.build_networks()
        self.track(
            "kl_nats",
            "feature_loss",
            "decoder_loss",
            "discriminator_loss",
            "real_probability",
            "fake_probability",
        )

    def build_networks(self):
        """Gives `(encoder, decoder, discriminator)`."""
        hidden = (self.hidden_units, "relu")
        seen = (self.discriminator_units, self.feature_layer)
        return (
            build_encoder(self.image_shape, self.latent.num_parameters, *hidden),
            build_decoder(self.image_shape, self.latent_dim, self.hidden_units),
            build_feature_discriminator(self.image_shape, *seen),
        )

    def compile(
        self,
        encoder_optimizer=None,
        decoder_optimizer=None,
        discriminator_optimizer=None,
        **kwargs,
    ):
        """Sets the optimizers.

        Args:
            encoder_optimizer: a Keras optimizer. Default: Adam(1e-3, beta_1 0.5).
            decoder_optimizer: likewise.
            discriminator_optimizer: likewise. Default: Adam(2e-4, beta_1 0.5).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """

        def adam(rate):
            return keras.optimizers.Adam(rate, beta_1=0.5)

        self.set_optimizers(
            encoder_optimizer=(encoder_optimizer or adam(1e-3), self.encoder),
            decoder_optimizer=(decoder_optimizer or adam(1e-3), self.decoder),
            discriminator_optimizer=(discriminator_optimizer or adam(2e-4), self.discriminator),
            **kwargs,
        )

    def train_step(self, images):
        """Algorithm 1 on images `(B, H, W, C)`: one pass, and the gradients of three losses."""
        noise_seed, latent_seed = tf.unstack(self.next_seeds(2))
        noise = self.noise_for(images, noise_seed)
        latents = self.latents_for(images, latent_seed)

        # Persistent, as two losses share a part: all gradients are those at the weights before the
        # step, also of a network that comes after one that has moved.
        with tf.GradientTape(persistent=True) as tape:
            parameters = self.encoder(images, training=True)
            codes = self.latent.reparameterize(parameters, noise)
            reconstructions = ops.sigmoid(self.decoder(codes, training=True))
            samples = ops.sigmoid(self.decoder(latents, training=True))
            real_features, real_logits = self.discriminator(images, training=True)
            features, reconstruction_logits = self.discriminator(reconstructions, training=True)
            _, sample_logits = self.discriminator(samples, training=True)

            kl = ops.mean(ops.sum(self.latent.kl(parameters), axis=-1))
            feature_loss = self.feature_loss(real_features, features)
            encoder_loss = kl + feature_loss
            decoder_loss = self.decoder_loss(feature_loss, reconstruction_logits, sample_logits)
            discriminator_loss = self.discriminator_loss(
                real_logits, reconstruction_logits, sample_logits
            )
        self.update(self.encoder_optimizer, tape, encoder_loss, self.encoder)
        self.update(self.decoder_optimizer, tape, decoder_loss, self.decoder)
        self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        return self.log(
            images,
            kl_nats=kl,
            feature_loss=feature_loss,
            decoder_loss=decoder_loss,
            discriminator_loss=discriminator_loss,
            **self.probabilities(real_logits, reconstruction_logits, sample_logits),
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, with nothing updated."""
        noise_seed, latent_seed = tf.unstack(self.evaluation_seeds(2))
        parameters = self.encoder(images, training=False)
        codes = self.latent.draw(parameters, self.noise_for(images, noise_seed))
        samples = self.decode(self.latents_for(images, latent_seed))
        real_features, real_logits = self.discriminator(images, training=False)
        features, reconstruction_logits = self.discriminator(self.decode(codes), training=False)
        _, sample_logits = self.discriminator(samples, training=False)
        feature_loss = self.feature_loss(real_features, features)
        logits = (real_logits, reconstruction_logits, sample_logits)
        return self.log(
            images,
            kl_nats=ops.mean(ops.sum(self.latent.kl(parameters), axis=-1)),
            feature_loss=feature_loss,
            decoder_loss=self.decoder_loss(feature_loss, *logits[1:]),
            discriminator_loss=self.discriminator_loss(*logits),
            **self.probabilities(*logits),
        )

    def feature_loss(self, real_features, features):
        """Half the squared distance, summed over features: nats but for a constant."""
        difference = ops.cast(real_features, "float32") - ops.cast(features, "float32")
        return 0.5 * ops.mean(ops.sum(ops.square(difference), axis=-1))

    def decoder_loss(self, feature_loss, reconstruction_logits, sample_logits):
        """The weighted likelihood, and the GAN's loss of both kinds of fake images."""
        gan_loss = self.generator_loss(reconstruction_logits) + self.generator_loss(sample_logits)
        return self.feature_weight * feature_loss + gan_loss

    def discriminator_loss(self, real_logits, reconstruction_logits, sample_logits):
        """The cross-entropies of one kind of real images and two of fake ones, summed up."""
        fake_loss = ops.mean(ops.softplus(sample_logits))
        return minimax_discriminator(real_logits, reconstruction_logits) + fake_loss

    def probabilities(self, real_logits, reconstruction_logits, sample_logits):
        """For the logs: how real the discriminator finds what it sees, on average."""
        fakes = ops.sigmoid(reconstruction_logits) + ops.sigmoid(sample_logits)
        return {
            "real_probability": ops.mean(ops.sigmoid(real_logits)),
            "fake_probability": ops.mean(fakes) / 2.0,
        }

    def noise_for(self, images, seed):
        """The posteriors' noise, one for each image of a batch, none shared by replicas."""
        return replica_share(lambda count: self.latent.noise((count,), seed), ops.shape(images)[0])

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)` by the means of their posteriors."""
        codes = self.latent.mean(self.encoder(images, training=training))
        return ops.sigmoid(self.decoder(codes, training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Means of the posteriors, float32 `(B, latent_dim)`, of images `(B, H, W, C)`."""
        return self.latent.mean(self.encoder(tf.cast(images, "float32"), training=False))

    def draw_codes(self, images, seed):
        """A draw from each image's posterior, `(B, latent_dim)`; `seed` is `(2,)` integers."""
        images = tf.cast(images, "float32")
        parameters = self.encoder(images, training=False)
        return self.latent.draw(parameters, self.noise_for(images, seed))
