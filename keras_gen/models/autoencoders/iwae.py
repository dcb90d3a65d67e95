"""Importance-weighted autoencoder (IWAE).

Burda, Grosse and Salakhutdinov, 2016, Importance Weighted Autoencoders, arXiv:1509.00519.

The model is that of the VAE; what it raises is a tighter bound. The encoder proposes several
latents for each image, and their importance weights are averaged before the logarithm is taken
instead of after. One good proposal among many is then enough: the encoder is no longer punished
for each bad one, and may spread out further than a VAE's.

Objective (eq. 8), with k = `importance_samples` draws of z for each image:

    parameters = encoder(images)                              of q(z | x)
    latents[i] = means + deviations * noise[i],  i = 1 ... k
    log_weights[i] = log p(x | z_i) + log p(z_i) - log q(z_i | x)
    objective = mean[-log(1/k sum_i exp(log_weights[i]))]

In expectation it falls with k, from the VAE's negative bound at k = 1 to -log p(x) (theorem 1). Its
gradient is that of the log-weights, weighted by the normalized weights (eq. 14), which automatic
differentiation of the log-mean-exp gives. With k = 1 this is the VAE with its KL term estimated
from the draw, as in the paper's own VAEs, instead of taken in closed form.

Differences from the paper:
    - One layer of latents, the paper's first architecture; its second has two.
    - The authors' code adds the gradients of a batch of 20 up, starts Adam's second moments from 1
      and the last bias from the pixels' mean logits. Here gradients are averaged, moments start
      from 0 and the bias too, as the paper's text does not say otherwise.

Shapes: images (B, H, W, C) in [0, 1]; parameters (B, 2 * latent_dim); latents (k, B, latent_dim);
log_weights (k, B).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.models.autoencoders.vae import VAE
from keras_gen.models.base import check_positive


def log_mean_exp(log_weights):
    """log(1/k sum_i exp(w_i)) over the first axis, without overflow, `(k, B)` to `(B,)`."""
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


@keras.saving.register_keras_serializable(package="keras_gen")
class IWAE(VAE):
    """IWAE on dense networks, by default the paper's for binarized MNIST.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        activation: of the hidden layers.
        likelihood: of the pixels, as in `VAE`.
        latent: distribution of the latents, as in `VAE`.
        importance_samples: draws of a latent for each image, k.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1509.00519, sections 3 and 5.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=50,
        hidden_units=(200, 200),
        activation="tanh",
        likelihood="bernoulli",
        latent="normal",
        importance_samples=50,
        **kwargs,
    ):
        check_positive(importance_samples=importance_samples)
        self.importance_samples = importance_samples
        super().__init__(
            image_shape, latent_dim, hidden_units, activation, likelihood, latent, **kwargs
        )

    def compile(self, networks_optimizer=None, **kwargs):
        """As `VAE.compile`; the default is the paper's first rate, Adam(1e-3, epsilon 1e-4)."""
        adam = keras.optimizers.Adam(1e-3, epsilon=1e-4)
        super().compile(networks_optimizer or adam, **kwargs)

    def train_step(self, images):
        """One step up the importance-weighted bound of images `(B, H, W, C)`."""
        noise = self.noise_for(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            log_weights, log_likelihoods, parameters = self.weigh(images, noise, training=True)
            objective = -ops.mean(log_mean_exp(log_weights))
        self.update(self.networks_optimizer, tape, objective, self.networks)

        return self.log_bound(images, objective, log_likelihoods, parameters)

    def test_step(self, images):
        """The same bound on held-out images, with noise that is fixed for each batch."""
        noise = self.noise_for(images, self.evaluation_seeds(1)[0])
        log_weights, log_likelihoods, parameters = self.weigh(images, noise, training=False)
        objective = -ops.mean(log_mean_exp(log_weights))
        return self.log_bound(images, objective, log_likelihoods, parameters)

    def weigh(self, images, noise, training):
        """Draws latents and weighs them.

        Args:
            images: `(B, H, W, C)`.
            noise: `(k, B, ...)`, as `noise_for` gives it.
            training: whether the networks train.

        Returns:
            The log-weights `(k, B)`, of them the log-likelihoods `(k, B)`, and the posteriors'
            parameters `(B, num_parameters)`.
        """
        parameters = self.encoder(images, training=training)
        latents = self.latent.reparameterize(parameters, noise)
        log_likelihoods = self.likelihood(images, **self.decode_draws(latents, training))
        log_priors = ops.sum(self.latent.log_prior(latents), axis=-1)
        log_posteriors = ops.sum(self.latent.log_posterior(latents, parameters), axis=-1)
        return log_likelihoods + log_priors - log_posteriors, log_likelihoods, parameters

    def noise_for(self, images, seed):
        """Noise of k draws for each image of a batch, `(k, B, ...)`, none shared by replicas."""

        def draw(count):
            return self.latent.noise((count, self.importance_samples), seed)

        # Images come first while the noise is dealt out to the replicas.
        return ops.moveaxis(replica_share(draw, ops.shape(images)[0]), 1, 0)
