"""Adversarial variational Bayes (AVB).

Mescheder, Nowozin and Geiger, 2017, Adversarial Variational Bayes: Unifying Variational
Autoencoders and Generative Adversarial Networks, arXiv:1701.04722.

A variational autoencoder whose encoder takes noise as one more input. Its posterior q(z | x) can
then have any shape, but no density that could be written down, which the bound needs. A
discriminator, the adversary, supplies it: trained to tell a latent of an image from a draw of a
known distribution, its logit becomes the logarithm of the ratio of both densities.

Objective (section 3), z a latent of the image x and z' a draw from N(0, I):

    adversary_loss = -E[log sigmoid(T(x, z))] - E[log(1 - sigmoid(T(x, z')))],   T = adversary
    best T(x, z)   = log q(z | x) - log p(z),   so that KL(q(z | x) || p(z)) = E[T(x, z)]
    networks_loss  = E[T(x, z) - log p(x | z)]                        encoder and decoder

T is held in the second loss. Nothing is lost by it: the best T moves with the encoder, but the mean
of log q changes by the z alone (proposition 2).

Where q is far from the prior the two are told apart too easily, and T is a poor ratio. Adaptive
contrast (section 4) compares q with a Gaussian r(z | x) of its own moments instead: means, and a
lower triangular matrix whose product with its transpose is the covariance. In
standardized = factors^-1 (z - means) that Gaussian is N(0, I) again:

    best T(x, standardized) = log q(z | x) - log r(z | x)
    KL(q || p) = E[T(x, standardized) + log r(z | x) - log p(z)],   means and factors held

The encoder gives the moments at little cost if it is linear in what it makes of noise (section 6.2
and the authors' code):

    z = offsets(x) + sum_i amplitudes_i(x) * values_i,      values_i = noise_network_i(noise_i)
    means = offsets + sum_i amplitudes_i E[values_i]
    covariances = sum_i diag(amplitudes_i) Cov[values_i] diag(amplitudes_i) + 1e-4 I

The paper's contrast has the diagonal of these alone. E and Cov of values, which depend on no image,
are those of the batch in training, the latents' own noise in it, and those of 512 draws of noise
that never change elsewhere.

`elbo` and the logs put the T that was learned in place of the best one: they estimate the bound,
and are wrong by as much as T is. A T that has not kept up reports a bound that is too high.

Differences from the paper:
    - `contrast="full"` is not in it. Beside a contrast of the diagonal correlated noise costs what
      the adversary takes for it, and encoders make more of it than the adversary can follow.
    - Dense networks with two layers of 1000 units, rectified in encoder and decoder, as the other
      models of this family have them, exponential linear in the adversary. The authors' sum of
      three terms has trunks of its own for each; here the first two share those of the product,
      which is divided by the root of the number of features.
    - In the networks' loss the moments of the contrast are held; the authors' code holds nothing.
    - The networks follow the noise of a fresh draw, after the adversary has moved, not before.

The networks are in `avb_networks`.

Shapes: images (B, H, W, C) in [0, 1]; noise (B, noise_basis, noise_dim), or (B, noise_dim) without
a basis; latents and means (B, latent_dim); factors (B, latent_dim, latent_dim), with positive
diagonals; amplitudes and values (B, noise_basis, latent_dim); T (B,).
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.layers.checks import check_choice
from keras_gen.losses import bernoulli_log_likelihood, minimax_discriminator
from keras_gen.models.adversarial_autoencoders.avb_networks import (
    build_adversary,
    build_basis_encoder,
    build_implicit_encoder,
    build_noise_network,
)
from keras_gen.models.adversarial_autoencoders.base import CodedModel
from keras_gen.models.adversarial_autoencoders.networks import build_decoder
from keras_gen.models.base import check_image_shape, check_positive, sampling_seed

_CONTRASTS = ("prior", "diagonal", "full")

_MOMENT_DRAWS = 512  # of noise, for the moments of the basis outside of training
_MEAN_DRAWS = 64  # of latents, for a posterior mean without a basis
_SMALLEST_VARIANCE = 1e-4  # of the contrast, which a coordinate without noise would else lack
_CHUNK = 256  # images that `elbo` takes at a time


@keras.saving.register_keras_serializable(package="keras_gen")
class AVB(CodedModel):
    """Adversarial variational Bayes on dense networks, with a Bernoulli decoder.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers, and backwards the decoder's.
        noise_dim: size of the encoder's noise, or of each part of it where there is a basis.
        noise_basis: how many values of noise an encoder combines; 0 for an encoder that takes noise
            beside the image.
        contrast: what the adversary compares posteriors with. prior: with that. diagonal: with
            Gaussians of their own means and variances, the paper's adaptive contrast. full: with
            Gaussians of their own means and covariances. The last two need a noise basis.
        adversary_units: units of the adversary's hidden layers, of either of its two networks.
        adversary_steps: steps of the adversary, each on a fresh batch, for one of the networks,
            which use the last of these batches.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1701.04722, algorithm 1 and section 4.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=8,
        hidden_units=(1000, 1000),
        noise_dim=64,
        noise_basis=32,
        contrast="diagonal",
        adversary_units=(1000, 1000),
        adversary_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(latent_dim=latent_dim, noise_dim=noise_dim, adversary_steps=adversary_steps)
        for units in hidden_units:
            check_positive(hidden_units=units)
        for units in adversary_units:
            check_positive(adversary_units=units)
        if not adversary_units:
            raise ValueError("adversary_units=(): give at least one layer, such as (1000,).")
        if not isinstance(noise_basis, int | np.integer) or noise_basis < 0:
            raise ValueError(
                f"noise_basis={noise_basis!r}: give a positive integer, or 0 for none."
            )
        check_choice("contrast", contrast, _CONTRASTS)
        if contrast != "prior" and not noise_basis:
            raise ValueError(
                f"contrast={contrast!r}, noise_basis=0: without a noise basis the moments that it "
                "adapts to are not known. Give noise_basis=32, or contrast='prior'."
            )
        self.image_shape, self.hidden_units = check_image_shape(image_shape), tuple(hidden_units)
        self.latent_dim, self.noise_dim, self.noise_basis = latent_dim, noise_dim, noise_basis
        self.contrast, self.adversary_units = contrast, tuple(adversary_units)
        self.adversary_steps = self.batches_per_step = adversary_steps
        # NumPy's noise, as XLA's would be another: the contrast must not depend on the compiler.
        half = (_MOMENT_DRAWS if noise_basis else _MEAN_DRAWS) // 2
        noise = np.random.default_rng(0).normal(size=(half, noise_dim)).astype("float32")
        self.held_noise = np.concatenate([noise, -noise])  # the mean of what is odd in it is exact

        sizes = (self.image_shape, latent_dim, self.hidden_units)
        if noise_basis:
            self.encoder = build_basis_encoder(*sizes, noise_basis)
            self.noise_network = build_noise_network(noise_basis, noise_dim, latent_dim)
        else:
            self.encoder = build_implicit_encoder(*sizes, noise_dim)
            self.noise_network = None
        self.decoder = build_decoder(*sizes)
        self.adversary = build_adversary(self.image_shape, latent_dim, self.adversary_units)
        parts = [
            each for each in (self.encoder, self.noise_network, self.decoder) if each is not None
        ]
        self.networks = keras.Model(
            [part.input for part in parts], [part(part.input) for part in parts], name="networks"
        )
        self.track(
            "negative_elbo_nats",
            "reconstruction_nats",
            "kl_nats",
            "contrast_kl_nats",
            "adversary_loss",
        )

    def compile(self, networks_optimizer=None, adversary_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            networks_optimizer: of encoder and decoder. Default: Adam(5e-5, beta_1 0.5).
            adversary_optimizer: Default: Adam(1e-4, beta_1 0.5).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        adam = keras.optimizers.Adam
        self.set_optimizers(
            networks_optimizer=(networks_optimizer or adam(5e-5, beta_1=0.5), self.networks),
            adversary_optimizer=(adversary_optimizer or adam(1e-4, beta_1=0.5), self.adversary),
            **kwargs,
        )

    def train_step(self, images):
        """Steps of the adversary and one of the networks, on images `(B, H, W, C)`: algorithm 1."""
        noise_seed, *seeds = tf.unstack(self.next_seeds(1 + 2 * self.adversary_steps))
        batches = self.split_batches(images)
        for batch, seed, prior_seed in zip(batches, seeds[::2], seeds[1::2], strict=True):
            noise = self.noise_for(batch, seed)
            latents, means, factors = self.posterior(batch, noise, training=True)
            prior_latents = self.latents_for(batch, prior_seed)
            with tf.GradientTape() as tape:
                standardized = standardize(latents, means, factors)
                logits = self.adversary([batch, standardized], training=True)
                prior_logits = self.adversary([batch, prior_latents], training=True)
                adversary_loss = minimax_discriminator(logits, prior_logits)
            self.update(self.adversary_optimizer, tape, adversary_loss, self.adversary)

        noise = self.noise_for(batch, noise_seed)
        with tf.GradientTape() as tape:
            latents, means, factors = self.posterior(batch, noise, training=True)
            contrast_kl, kl = self.divergences(batch, latents, means, factors)
            log_likelihoods = bernoulli_log_likelihood(batch, self.decoder(latents, training=True))
            networks_loss = ops.mean(kl - log_likelihoods)
        self.update(self.networks_optimizer, tape, networks_loss, self.networks)

        return self.log_bound(batch, log_likelihoods, kl, contrast_kl, adversary_loss)

    def test_step(self, images):
        """The same values of held-out images `(B, H, W, C)`, with nothing updated."""
        noise_seed, prior_seed = tf.unstack(self.evaluation_seeds(2))
        latents, means, factors = self.posterior(images, self.noise_for(images, noise_seed))
        contrast_kl, kl = self.divergences(images, latents, means, factors)
        log_likelihoods = bernoulli_log_likelihood(images, self.decoder(latents, training=False))
        prior_logits = self.adversary([images, self.latents_for(images, prior_seed)])
        adversary_loss = minimax_discriminator(contrast_kl, prior_logits)  # T is its logit
        return self.log_bound(images, log_likelihoods, kl, contrast_kl, adversary_loss)

    def log_bound(self, images, log_likelihoods, kl, contrast_kl, adversary_loss):
        """Logs both terms of the estimated bound, and what of the second the adversary says."""
        return self.log(
            images,
            negative_elbo_nats=ops.mean(kl - log_likelihoods),
            reconstruction_nats=-ops.mean(log_likelihoods),
            kl_nats=ops.mean(kl),
            contrast_kl_nats=ops.mean(contrast_kl),
            adversary_loss=adversary_loss,
        )

    def noise_for(self, images, seed):
        """The encoder's noise, one for each image of a batch, none shared by replicas."""
        shape = (self.noise_basis, self.noise_dim) if self.noise_basis else (self.noise_dim,)
        return replica_share(
            lambda count: tf.random.stateless_normal((count, *shape), seed), ops.shape(images)[0]
        )

    def posterior(self, images, noise, training=False):
        """Latents of images, and the Gaussians that the adversary compares them with.

        Args:
            images: `(B, H, W, C)` in [0, 1].
            noise: what `noise_for` gives for them.
            training: passed to the networks; also whether the moments are those of the batch's
                own noise. With others a draw far outside would lie at any number of deviations,
                where the adversary has seen nothing and the log-density of the contrast pays for
                it without bound: encoders then learn to throw such draws. Within a batch of B
                none lies further than at sqrt(B).

        Returns:
            `(latents, means, factors)`, float32 `(B, latent_dim)` twice and `(B, latent_dim,
            latent_dim)`, without a gradient in the last two; zeros and unit matrices where the
            contrast is the prior.
        """
        if not self.noise_basis:
            latents = self.encoder([images, noise], training=training)
            return latents, *self._prior_moments(latents)
        offsets, amplitudes = self.encoder(images, training=training)
        values = self.noise_network(noise, training=training)
        latents = offsets + ops.sum(amplitudes * values, axis=1)
        if self.contrast == "prior":
            return latents, *self._prior_moments(latents)
        means, covariances = self.moments(offsets, amplitudes, values if training else None)
        if self.contrast == "diagonal":
            factors = tf.linalg.diag(ops.sqrt(tf.linalg.diag_part(covariances)))
        else:
            factors = tf.linalg.cholesky(covariances)
        return latents, ops.stop_gradient(means), ops.stop_gradient(factors)

    def _prior_moments(self, latents):
        factors = tf.eye(self.latent_dim, batch_shape=[ops.shape(latents)[0]])
        return ops.zeros_like(latents), factors

    def moments(self, offsets, amplitudes, values=None):
        """Means and covariances of the latents that a noise basis makes.

        Args:
            offsets: of the encoder, `(B, latent_dim)`.
            amplitudes: likewise, `(B, noise_basis, latent_dim)`.
            values: of the noise network, `(B, noise_basis, latent_dim)`, to take moments of those
                of the global batch; None for those of held noise.

        Returns:
            Float32 `(B, latent_dim)` and `(B, latent_dim, latent_dim)`.
        """
        over_replicas = _mean_of_replicas
        if values is None:
            noise = tf.repeat(self.held_noise[:, None], self.noise_basis, axis=1)
            values, over_replicas = self.noise_network(noise), tf.identity
        values = tf.stop_gradient(values)
        value_means = over_replicas(ops.mean(values, axis=0))
        centred = values - value_means
        products = ops.einsum("bmi,bmj->mij", centred, centred)
        value_covariances = over_replicas(products / ops.cast(ops.shape(values)[0], "float32"))
        means = offsets + ops.sum(amplitudes * value_means, axis=1)
        covariances = ops.einsum("bmi,mij,bmj->bij", amplitudes, value_covariances, amplitudes)
        return means, covariances + _SMALLEST_VARIANCE * tf.eye(self.latent_dim)

    def divergences(self, images, latents, means, factors):
        """One draw each of KL(q || contrast), which is T, and of KL(q || p), as T has it.

        Args:
            images: `(B, H, W, C)`.
            latents: of these images, and the moments of their contrast, as `posterior` gives them.
            means: likewise.
            factors: likewise.

        Returns:
            Two float32 `(B,)`, in nats.
        """
        standardized = standardize(latents, means, factors)
        contrast_kl = self.adversary([images, standardized], training=False)[:, 0]  # T
        # log r(z) - log p(z) of two Gaussians; none where the contrast is the prior.
        squares = ops.square(latents) - ops.square(standardized)
        scales = tf.linalg.diag_part(factors)
        correction = ops.sum(0.5 * squares - ops.log(scales), axis=-1)
        return contrast_kl, contrast_kl + correction

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)` by the means of their posteriors."""
        return ops.sigmoid(self.decoder(self._posterior_means(images), training=training))

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Means of the posteriors, float32 `(B, latent_dim)`, of images `(B, H, W, C)`.

        They are means over noise that is the same for all images and never changes.
        """
        return self._posterior_means(tf.cast(images, "float32"))

    def _posterior_means(self, images):
        if self.noise_basis:
            return self.moments(*self.encoder(images, training=False))[0]
        count, draws = ops.shape(images)[0], len(self.held_noise)
        noise = tf.tile(self.held_noise, (count, 1))
        latents = self.encoder([tf.repeat(images, draws, axis=0), noise], training=False)
        return tf.reduce_mean(tf.reshape(latents, (count, draws, self.latent_dim)), axis=1)

    @tf.function(reduce_retracing=True)
    def draw_codes(self, images, seed):
        """A draw from each image's posterior, float32 `(B, latent_dim)`, by `(2,)` integers."""
        images = tf.cast(images, "float32")
        return self.posterior(images, self.noise_for(images, seed))[0]

    def elbo(self, images, seed=0):
        """The evidence lower bound as the adversary has it, from one draw of a latent per image.

        An estimate, not a bound: too high where the adversary tells posterior and contrast apart
        less well than is possible. `keras_gen.metrics.annealed_likelihood_metrics` needs none.

        Args:
            images: `(N, H, W, C)` in [0, 1], any N.
            seed: an integer of 64 bits that decides the draws.

        Returns:
            Nats per image, float32 `(N,)`.
        """
        seed, images = sampling_seed(seed), tf.convert_to_tensor(images)
        chunks = [
            self._elbo(images[start : start + _CHUNK], seed + tf.constant([0, start], "int64"))
            for start in range(0, len(images), _CHUNK)
        ]
        return tf.concat(chunks, axis=0)

    @tf.function(reduce_retracing=True)
    def _elbo(self, images, seed):
        images = tf.cast(images, "float32")
        latents, means, factors = self.posterior(images, self.noise_for(images, seed))
        kl = self.divergences(images, latents, means, factors)[1]
        return bernoulli_log_likelihood(images, self.decoder(latents, training=False)) - kl


def standardize(latents, means, factors):
    """Latents as draws of N(0, I) that their contrast would make them of, `(B, latent_dim)`."""
    centred = (latents - means)[..., None]
    return tf.linalg.triangular_solve(factors, centred)[..., 0]


def _mean_of_replicas(tensor):
    context = tf.distribute.get_replica_context()
    return tensor if context.num_replicas_in_sync == 1 else context.all_reduce("MEAN", tensor)
