"""Variational autoencoder (VAE).

Kingma and Welling, 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114.

An image x comes from a latent z with a simple prior p(z) through a decoder p(x | z). Which z an
image came from, p(z | x), cannot be computed; an encoder learns an approximation q(z | x) of it,
together with the decoder, by raising a lower bound of log p(x). The reparameterization trick makes
the bound differentiable: z is drawn as a function of the encoder's outputs and of noise that
depends on nothing.

Objective (eqs. 3, 8 and 10), with KL in closed form and one draw of z for each image:

    parameters = encoder(images)                              of q(z | x)
    latents = latent.reparameterize(parameters, noise)        means + deviations * noise
    log_likelihoods = log p(x | z) = likelihood(images, **decoder(latents))
    objective = mean[-log_likelihoods + beta * divergences],  divergences = KL(q(z | x) || p(z))

With beta = 1 and the divergence KL the objective is the negative evidence lower bound, in nats per
image. Other weights (Higgins et al. 2017, beta-VAE) and other divergences regularize differently
and bound nothing; `negative_elbo_nats` in the logs is the bound all the same.

Differences from the paper:
    - Rectified instead of tanh units, 400 instead of 500 of them and Adam instead of Adagrad by
      default, and no weight decay.
    - The Gaussian decoder has one learned variance for all pixels and a linear mean. The paper's
      variances, a network's output for each pixel, grow without bound of the likelihood where a
      pixel is always black, as MNIST's borders are; its mean passes a sigmoid.
    - Log-normal latents, Jensen-Shannon divergences, beta and the discretized logistic decoder
      (Kingma et al. 2016, arXiv:1606.04934) are additions.

Shapes: images (B, H, W, C) in [0, 1]; parameters (B, 2 * latent_dim); latents (B, latent_dim);
what the decoder gives (B, H, W, C), and a scale (B, 1, 1, 1) for likelihoods that have one.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import LearnedConstant, replica_share
from keras_gen.layers.checks import check_choice
from keras_gen.losses import (
    bernoulli_log_likelihood,
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
)
from keras_gen.models.autoencoders.latent_divergences import DIVERGENCES
from keras_gen.models.autoencoders.latents import LATENTS
from keras_gen.models.base import (
    GenerativeModel,
    bound_in_chunks,
    check_image_shape,
    check_positive,
)

LIKELIHOODS = {
    "bernoulli": bernoulli_log_likelihood,
    "gaussian": gaussian_log_likelihood,
    "discretized_logistic": discretized_logistic_log_likelihood,
}
_INITIAL_LOG_SCALE = -2.0  # of a learned scale: near the deviation that pixels in [0, 1] have


def build_encoder(image_shape, num_parameters, hidden_units, activation):
    """Dense layers from an image to the parameters of its posterior.

    Args:
        image_shape: `(H, W, C)`.
        num_parameters: how many numbers describe a posterior.
        hidden_units: units of each hidden layer; may be empty.
        activation: of the hidden layers.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, num_parameters)`.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(images)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation=activation)(x)
    parameters = keras.layers.Dense(num_parameters, dtype="float32", name="parameters")(x)
    return keras.Model(images, parameters, name="encoder")


def build_decoder(image_shape, latent_dim, hidden_units, activation, likelihood):
    """The encoder's layers backwards, from a latent to the parameters of the pixels.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: those of the encoder, in the encoder's order.
        activation: of the hidden layers.
        likelihood: a key of `LIKELIHOODS`.

    Returns:
        A network from `(B, latent_dim)` to what `pixel_parameters` gives.
    """
    latents = keras.Input((latent_dim,), name="latents")
    x = latents
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation=activation)(x)
    x = keras.layers.Dense(math.prod(image_shape), dtype="float32")(x)
    x = keras.layers.Reshape(image_shape, dtype="float32", name="pixels")(x)
    return keras.Model(latents, pixel_parameters(x, likelihood), name="decoder")


def pixel_parameters(pixels, likelihood):
    """What a likelihood takes beside the images, from a decoder's last layer.

    Args:
        pixels: symbolic float32 `(B, H, W, C)`.
        likelihood: a key of `LIKELIHOODS`.

    Returns:
        A dict by the likelihood's own names: `logits`; or `means` and, learned and the same for all
        pixels, `log_variances` (Gaussian) or `log_scales` (logistic), `(B, 1, 1, 1)`.
    """
    if likelihood == "bernoulli":
        return {"logits": pixels}
    scale = {"gaussian": "log_variances", "discretized_logistic": "log_scales"}[likelihood]
    return {"means": pixels, scale: LearnedConstant(_INITIAL_LOG_SCALE, name=scale)(pixels)}


@keras.saving.register_keras_serializable(package="keras_gen")
class VAE(GenerativeModel):
    """VAE on dense networks; the training that other VAEs inherit with networks of their own.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        activation: of the hidden layers.
        likelihood: of the pixels: `"bernoulli"`, `"gaussian"` or `"discretized_logistic"`.
        latent: distribution of the latents: `"normal"` or `"log_normal"`. `GumbelVAE` has discrete
            ones.
        divergence: of the posterior from the prior: `"kl"`, `"js_geometric"` or
            `"js_monte_carlo"`.
        beta: weight of the divergence; the attribute `beta` is a weight that
            `keras_gen.training.WarmUp` may move.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1312.6114, section 3.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=40,
        hidden_units=(400,),
        activation="relu",
        likelihood="bernoulli",
        latent="normal",
        divergence="kl",
        beta=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        check_choice("likelihood", likelihood, LIKELIHOODS)
        check_choice("divergence", divergence, DIVERGENCES)
        if not 0.0 <= beta < math.inf:
            raise ValueError(f"beta={beta!r}: give a finite number of at least 0.")
        self.image_shape, self.hidden_units = check_image_shape(image_shape), tuple(hidden_units)
        self.activation, self.likelihood_name = activation, likelihood
        self.latent, self.latent_distribution = self.build_latent(latent, latent_dim), latent
        self.latent_dim = self.latent.latent_dim
        self.likelihood, self.divergence = LIKELIHOODS[likelihood], DIVERGENCES[divergence]
        self.encoder, self.decoder = self.build_networks()
        self.networks = keras.Model(
            [self.encoder.input, self.decoder.input],
            [self.encoder(self.encoder.input), self.decoder(self.decoder.input)],
            name="networks",
        )
        self.beta = self.add_weight(
            name="beta",
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(beta),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.track("objective_nats", "negative_elbo_nats", "reconstruction_nats", "kl_nats")

    def build_latent(self, name, latent_dim):
        """The distributions of the latents: what a VAE with other ones overrides."""
        check_choice("latent", name, LATENTS)
        return LATENTS[name](latent_dim)

    def build_networks(self):
        """Gives `(encoder, decoder)`: what a VAE with other networks overrides."""
        hidden = (self.hidden_units, self.activation)
        return (
            build_encoder(self.image_shape, self.latent.num_parameters, *hidden),
            build_decoder(self.image_shape, self.latent_dim, *hidden, self.likelihood_name),
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
        """One step up the bound of images `(B, H, W, C)`: Algorithm 1 with one draw an image."""
        noise_seed, prior_seed = tf.unstack(self.next_seeds(2))
        noise = self.noise_for(images, noise_seed)
        prior_latents = self.prior_latents_for(images, prior_seed)

        with tf.GradientTape() as tape:
            parameters = self.encoder(images, training=True)
            latents = self.latent.reparameterize(parameters, noise)
            log_likelihoods = self.likelihood(images, **self.decoder(latents, training=True))
            divergences = self.divergence(self.latent, parameters, latents, prior_latents)
            objective = ops.mean(self.beta * divergences - log_likelihoods)
        self.update(self.networks_optimizer, tape, objective, self.networks)

        return self.log_bound(images, objective, log_likelihoods, parameters)

    def test_step(self, images):
        """The same on held-out images `(B, H, W, C)`, with noise that is fixed for each batch."""
        noise_seed, prior_seed = tf.unstack(self.evaluation_seeds(2))
        parameters = self.encoder(images, training=False)
        latents = self.latent.draw(parameters, self.noise_for(images, noise_seed))
        log_likelihoods = self.likelihood(images, **self.decoder(latents, training=False))
        prior_latents = self.prior_latents_for(images, prior_seed)
        divergences = self.divergence(self.latent, parameters, latents, prior_latents)
        objective = ops.mean(self.beta * divergences - log_likelihoods)
        return self.log_bound(images, objective, log_likelihoods, parameters)

    def log_bound(self, images, objective, log_likelihoods, parameters):
        """Logs the objective and the two terms of the evidence lower bound, per image."""
        reconstruction = -ops.mean(log_likelihoods)
        kl = ops.mean(ops.sum(self.latent.kl(parameters), axis=-1))
        return self.log(
            images,
            objective_nats=objective,
            negative_elbo_nats=reconstruction + kl,
            reconstruction_nats=reconstruction,
            kl_nats=kl,
        )

    def noise_for(self, images, seed):
        """The posteriors' noise, one for each image of a batch, none shared by replicas."""
        return replica_share(lambda count: self.latent.noise((count,), seed), ops.shape(images)[0])

    def prior_latents_for(self, images, seed):
        """A latent from the prior for each image of a batch, likewise."""
        return replica_share(
            lambda count: self.latent.draw_prior(count, seed), ops.shape(images)[0]
        )

    def latents_for(self, images, seed):
        """A latent from each image's posterior, `(B, latent_dim)`, none with another's noise."""
        parameters = self.encoder(images, training=False)
        return self.latent.draw(parameters, self.noise_for(images, seed))

    def draw_codes(self, images, seed):
        """A draw from each image's posterior, `(B, latent_dim)`; `seed` is `(2,)` integers."""
        return self.latents_for(tf.cast(images, "float32"), seed)

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)` by the means of their posteriors."""
        latents = self.latent.mean(self.encoder(images, training=training))
        return self._mean_images(self.decoder(latents, training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Means of the posteriors, float32 `(B, latent_dim)`, of images `(B, H, W, C)`."""
        return self.latent.mean(self.encoder(tf.cast(images, "float32"), training=False))

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Mean images, float32 `(B, H, W, C)` in [0, 1], of latents `(B, latent_dim)`."""
        return self._mean_images(self.decoder(tf.cast(latents, "float32"), training=False))

    def _mean_images(self, outputs):
        if "logits" in outputs:
            return ops.sigmoid(outputs["logits"])
        return ops.clip(outputs["means"], 0.0, 1.0)

    def reconstruct(self, images):
        """Mean images of the posterior means of images `(B, H, W, C)`: float32, of that shape."""
        return self.decode(self.encode(images))

    def elbo(self, images, seed=0):
        """The evidence lower bound, KL in closed form and one draw of a latent for each image.

        Args:
            images: `(N, H, W, C)` in [0, 1], any N.
            seed: an integer of 64 bits that decides the draws.

        Returns:
            Nats per image, float32 `(N,)`.
        """
        return bound_in_chunks(self._elbo, seed, images)

    @tf.function(reduce_retracing=True)
    def _elbo(self, images, seed):
        images = tf.cast(images, "float32")
        parameters = self.encoder(images, training=False)
        latents = self.latent.draw(parameters, self.latent.noise((ops.shape(images)[0],), seed))
        log_likelihoods = self.likelihood(images, **self.decoder(latents, training=False))
        return log_likelihoods - ops.sum(self.latent.kl(parameters), axis=-1)

    def log_weights(self, images, num_samples, seed):
        """Logarithms of importance weights, `log p(x, z) - log q(z | x)` at z ~ q(z | x).

        Their mean over draws is the evidence lower bound, the logarithm of the mean of their
        exponentials a tighter one (Burda et al. 2016, arXiv:1509.00519).

        Args:
            images: `(B, H, W, C)` in [0, 1].
            num_samples: draws of a latent for each image, K.
            seed: `(2,)` integers.

        Returns:
            Nats, float32 `(K, B)`.
        """
        return self._log_weights(tf.cast(images, "float32"), tf.constant(num_samples), seed)

    @tf.function(reduce_retracing=True)
    def _log_weights(self, images, num_samples, seed):
        noise = self.latent.noise((num_samples, ops.shape(images)[0]), seed)
        parameters = self.encoder(images, training=False)
        latents = self.latent.draw(parameters, noise)  # (K, B, latent_dim)
        log_likelihoods = self.likelihood(images, **self.decode_draws(latents, training=False))
        log_priors = ops.sum(self.latent.log_prior(latents), axis=-1)
        log_posteriors = ops.sum(self.latent.log_posterior(latents, parameters), axis=-1)
        return log_likelihoods + log_priors - log_posteriors

    def decode_draws(self, latents, training):
        """The decoder on latents `(K, B, latent_dim)`: each output `(K, B, ...)`."""
        leading = ops.shape(latents)[:2]
        outputs = self.decoder(ops.reshape(latents, (-1, self.latent_dim)), training=training)
        return {
            name: ops.reshape(output, (*leading, *output.shape[1:]))
            for name, output in outputs.items()
        }

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return self.latent.draw_prior(num_images, seed, truncation)
