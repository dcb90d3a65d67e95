"""Conditional VAE that completes images of which some quadrants are seen.

Sohn, Lee and Yan, 2015, Learning Structured Output Representation using Deep Conditional Generative
Models, NIPS, section 5.1; with the networks and the protocol of the tutorial of Pyro (Bingham et
al. 2018, arXiv:1810.09538; repository ucals/cvae).

From one to three quadrants of a digit, many completions are possible. A network that must give one
answer blurs them all; here a code z, drawn from a prior that depends on what is seen, decides among
them. The prior is learned, and stands on the shoulders of such a deterministic network: it sees the
image with that network's guess in the missing quadrants.

Objective (eq. 4), x the seen pixels and y the missing ones of `images`, in nats per image:

    baseline_loss = -log p(y | sigmoid(baseline(x)))          of the deterministic network
    guesses = x, and sigmoid(baseline(x)) in the missing quadrants
    prior = prior_network(guesses)                            of p(z | x), Gaussian
    posterior = recognition(images)                           of q(z | x, y), Gaussian
    codes = means + deviations * noise                        of the posterior
    negative_elbo = -log p(y | decoder(codes)) + KL(q(z | x, y) || p(z | x))

Both log-likelihoods are of Bernoulli pixels and count the missing quadrants alone. The baseline
learns from its own loss only. Recipes let it learn first and then hold still, by their optimizers'
rates, as the paper and the tutorial do.

So that the model can be sampled without an image to complete, it keeps some images, its exemplars,
whose seen quadrants stand for p(x). A latent is then all that an image is made of: the seen pixels
and a code.

Differences from the paper:
    - As in the tutorial, the decoder sees z alone, not x too: p(y | z).
    - No draws from the prior in training (the paper's hybrid objective with its GSNN).
    - The tutorial stops training early by the test set; here nothing does.

Shapes: images (B, H, W, C) in [0, 1]; unseen pixels enter the baseline as -1; parameters (B, 2 *
code_dim); codes (B, code_dim); logits (B, H, W, C); latents (B, seen pixels + code_dim).
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.losses import bernoulli_log_likelihood, gaussian_kl_between
from keras_gen.models.autoencoders.latents import NormalLatent
from keras_gen.models.base import (
    GenerativeModel,
    bound_in_chunks,
    check_image_shape,
    check_positive,
    chosen_exemplars,
    sampling_seed,
)

_UNSEEN = -1.0  # what the baseline is given for a pixel that it must not see


def seen_pixels(image_shape, seen_quadrants):
    """Which pixels are seen: the lower left quadrant, the left half, or all but the lower right.

    Args:
        image_shape: `(H, W, C)`; the upper and left quadrants are the smaller ones of odd sides.
        seen_quadrants: 1, 2 or 3.

    Returns:
        bool `(H, W, C)`.

    Raises:
        ValueError: another number of quadrants, or an image too small to have four.
    """
    height, width, _ = image_shape
    if seen_quadrants not in (1, 2, 3):
        raise ValueError(f"seen_quadrants={seen_quadrants!r}: give 1, 2 or 3.")
    if min(height, width) < 2:
        raise ValueError(f"image_shape={tuple(image_shape)!r}: sides must be at least 2.")
    seen = np.zeros(image_shape, bool)
    seen[height // 2 :, : width // 2] = True
    if seen_quadrants >= 2:
        seen[: height // 2, : width // 2] = True
    if seen_quadrants == 3:
        seen[: height // 2] = True
    return seen


def build_network(image_shape, outputs, hidden_units, name):
    """Dense rectified layers from an image to numbers: a baseline, prior or recognition network.

    Args:
        image_shape: `(H, W, C)`.
        outputs: shape of what comes out of one image.
        hidden_units: units of each hidden layer.
        name: the network's.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, *outputs)`.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(images)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(outputs), dtype="float32")(x)
    return keras.Model(images, keras.layers.Reshape(outputs, dtype="float32")(x), name=name)


def build_decoder(image_shape, code_dim, hidden_units):
    """Dense rectified layers from a code to the logits of all pixels.

    Args:
        image_shape: `(H, W, C)`.
        code_dim: size of a code.
        hidden_units: units of each hidden layer, from the image's side.

    Returns:
        A network from `(B, code_dim)` to float32 logits `(B, H, W, C)`.
    """
    codes = keras.Input((code_dim,), name="codes")
    x = codes
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(image_shape), dtype="float32")(x)
    logits = keras.layers.Reshape(image_shape, dtype="float32", name="logits")(x)
    return keras.Model(codes, logits, name="decoder")


@keras.saving.register_keras_serializable(package="keras_gen")
class QuadrantCVAE(GenerativeModel):
    """CVAE from seen quadrants to the missing ones.

    Args:
        image_shape: `(H, W, C)`.
        seen_quadrants: 1, 2 or 3; see `seen_pixels`.
        code_dim: size of a code z.
        hidden_units: units of the hidden layers of every network.
        num_exemplars: how many images the model keeps; see `keep_exemplars`.

    Attributes:
        seen: bool `(H, W, C)`, which pixels are seen.
        latent_dim: seen pixels and code_dim together.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        Sohn, Lee and Yan 2015, sections 4 and 5.1.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        image_shape=(28, 28, 1),
        seen_quadrants=1,
        code_dim=200,
        hidden_units=(500, 500),
        num_exemplars=64,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(code_dim=code_dim, num_exemplars=num_exemplars)
        for units in hidden_units:
            check_positive(hidden_units=units)
        self.image_shape, self.code_dim = check_image_shape(image_shape), code_dim
        self.seen, self.code = seen_pixels(image_shape, seen_quadrants), NormalLatent(code_dim)
        self.latent_dim = int(self.seen.sum()) + code_dim
        shape, parameters = self.image_shape, (self.code.num_parameters,)
        self.baseline = build_network(shape, shape, hidden_units, "baseline")
        self.prior = build_network(shape, parameters, hidden_units, "prior")
        self.recognition = build_network(shape, parameters, hidden_units, "recognition")
        self.decoder = build_decoder(shape, code_dim, hidden_units)
        images, codes = keras.Input(shape), self.decoder.input
        self.networks = keras.Model(
            [images, codes],
            [self.prior(images), self.recognition(images), self.decoder(codes)],
            name="networks",
        )
        self.exemplars = self.add_weight(
            name="exemplars",
            shape=(num_exemplars, *shape),
            dtype="float32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.track("baseline_loss", "negative_elbo_nats", "reconstruction_nats", "kl_nats")

    def compile(self, baseline_optimizer=None, networks_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            baseline_optimizer: a Keras optimizer for the baseline. Default: Adam(1e-3).
            networks_optimizer: one for the prior, recognition and decoder. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        adam = keras.optimizers.Adam
        self.set_optimizers(
            baseline_optimizer=(baseline_optimizer or adam(1e-3), self.baseline),
            networks_optimizer=(networks_optimizer or adam(1e-3), self.networks),
            **kwargs,
        )

    def keep_exemplars(self, images):
        """Keeps images `(N, H, W, C)` in [0, 1]: `sample` completes their quadrants.

        The first `num_exemplars` of them; fewer are repeated.

        Raises:
            ValueError: as `chosen_exemplars`.
        """
        count = self.exemplars.shape[0]
        chosen = chosen_exemplars(images, count, self.image_shape, self.value_range)
        self.exemplars.assign(np.where(self.seen, chosen, 0.0))

    def train_step(self, images):
        """One step of the baseline and one up the bound, on whole images `(B, H, W, C)`."""
        noise = self.noise_for(images, self.next_seeds(1)[0])

        with tf.GradientTape() as tape:
            guess_logits = self.baseline(self.hide(images), training=True)
            baseline_loss = -ops.mean(self.log_likelihood(images, guess_logits))
        self.update(self.baseline_optimizer, tape, baseline_loss, self.baseline)

        guesses = self.fill_in(images, ops.sigmoid(guess_logits))
        with tf.GradientTape() as tape:
            terms = self.bound_terms(images, guesses, noise, training=True)
            reconstruction, kl = map(ops.mean, terms)
            negative_elbo = reconstruction + kl
        self.update(self.networks_optimizer, tape, negative_elbo, self.networks)

        return self.log(
            images,
            baseline_loss=baseline_loss,
            negative_elbo_nats=negative_elbo,
            reconstruction_nats=reconstruction,
            kl_nats=kl,
        )

    def test_step(self, images):
        """The same on held-out images `(B, H, W, C)`, with noise that is fixed for each batch."""
        noise = self.noise_for(images, self.evaluation_seeds(1)[0])
        guess_logits = self.baseline(self.hide(images), training=False)
        guesses = self.fill_in(images, ops.sigmoid(guess_logits))
        terms = self.bound_terms(images, guesses, noise, training=False)
        reconstruction, kl = map(ops.mean, terms)
        return self.log(
            images,
            baseline_loss=-ops.mean(self.log_likelihood(images, guess_logits)),
            negative_elbo_nats=reconstruction + kl,
            reconstruction_nats=reconstruction,
            kl_nats=kl,
        )

    def bound_terms(self, images, guesses, noise, training):
        """-log p(y | z) and KL(q(z | x, y) || p(z | x)), each `(B,)`, in nats."""
        posterior = self.recognition(images, training=training)
        prior = self.prior(guesses, training=training)
        logits = self.decoder(self.code.reparameterize(posterior, noise), training=training)
        kl = gaussian_kl_between(*self.code.moments(posterior), *self.code.moments(prior))
        return -self.log_likelihood(images, logits), ops.sum(kl, axis=-1)

    def elbo(self, images, seed=0):
        """The lower bound of log p(missing quadrants | seen ones), one draw of a code for each.

        Args:
            images: whole ones `(N, H, W, C)` in [0, 1], any N.
            seed: an integer of 64 bits that decides the draws.

        Returns:
            Nats per image, float32 `(N,)`.
        """
        return bound_in_chunks(self._elbo, seed, images)

    @tf.function(reduce_retracing=True)
    def _elbo(self, images, seed):
        images = tf.cast(images, "float32")
        noise = self.code.noise((ops.shape(images)[0],), seed)
        reconstructions, kl = self.bound_terms(images, self.guess(images), noise, training=False)
        return -reconstructions - kl

    def log_likelihood(self, images, logits):
        """log p(y | logits) of the missing pixels, `(...)`, in nats, of `(..., H, W, C)`."""
        # A pixel that is black and certain to be adds exactly nothing.
        logits = ops.where(self.seen, -1e9, logits)
        return bernoulli_log_likelihood(ops.where(self.seen, 0.0, images), logits)

    def hide(self, images):
        """Images with -1 for every pixel of the missing quadrants."""
        return ops.where(self.seen, images, _UNSEEN)

    def fill_in(self, images, missing):
        """Images with `missing`'s pixels in the missing quadrants, in place of their own."""
        return ops.where(self.seen, images, missing)

    def noise_for(self, images, seed):
        """The noise of each image's code, `(B, code_dim)`, none shared by replicas."""
        return replica_share(lambda count: self.code.noise((count,), seed), ops.shape(images)[0])

    def guess(self, images):
        """The baseline's completions of images `(B, H, W, C)`, whose missing pixels it ignores."""
        return self.fill_in(images, ops.sigmoid(self.baseline(self.hide(images), training=False)))

    def call(self, images, training=False):
        """The baseline's completions of images `(B, H, W, C)`."""
        return self.guess(images)

    # ------------------------------------------------------------------ completion

    def complete(self, images, seed=None):
        """Draws a completion of each image.

        Args:
            images: `(B, H, W, C)` in [0, 1]; pixels of the missing quadrants are not looked at.
            seed: an integer for the same completions each time; None for fresh ones.

        Returns:
            float32 `(B, H, W, C)`: the seen pixels as they are, the missing ones drawn as the
            means of one code.
        """
        return self.draw_completions(images, sampling_seed(seed))

    @tf.function(reduce_retracing=True)
    def draw_completions(self, images, seed):
        """`complete` with `seed` as `(2,)` integers."""
        images = tf.cast(images, "float32")
        return self.decode(self._draw(images, seed))

    def _draw(self, images, seed):
        """Latents: the seen pixels of images, and codes from the prior that these give."""
        noise = self.code.noise((tf.shape(images)[0],), seed)
        codes = self.code.draw(self.prior(self.guess(images), training=False), noise)
        return self._join(images, codes)

    def _join(self, images, codes):
        return tf.concat([tf.boolean_mask(images, self.seen, axis=1), codes], axis=1)

    def draw_latents(self, num_images, seed):
        """Latents of exemplars chosen at random, each with a code from its prior.

        Args:
            num_images: how many, N.
            seed: `(2,)` integers.

        Returns:
            float32 `(N, latent_dim)`.
        """
        seeds = tf.random.experimental.stateless_split(seed, 2)
        count = self.exemplars.shape[0]
        chosen = tf.random.stateless_uniform((num_images,), seeds[0], 0, count, "int32")
        return self._draw(tf.gather(tf.convert_to_tensor(self.exemplars), chosen), seeds[1])

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Images, float32 `(B, H, W, C)` in [0, 1], of latents `(B, latent_dim)`."""
        pixels, codes = tf.split(
            tf.cast(latents, "float32"), [self.latent_dim - self.code_dim, self.code_dim], axis=1
        )
        missing = tf.sigmoid(self.decoder(codes, training=False))
        # Where the k-th seen pixel is, in an image as a row of numbers.
        order = np.maximum(np.cumsum(self.seen) - 1, 0).reshape(self.image_shape)
        return tf.where(
            self.seen, tf.gather(tf.clip_by_value(pixels, 0.0, 1.0), order, axis=1), missing
        )

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """The seen pixels of whole images `(B, H, W, C)` and their posterior means.

        Returns:
            float32 `(B, latent_dim)`.
        """
        images = tf.cast(images, "float32")
        return self._join(images, self.code.mean(self.recognition(images, training=False)))

    def reconstruct(self, images):
        """Whole images `(B, H, W, C)` whose missing quadrants went through a code."""
        return self.decode(self.encode(images))

    @tf.function(reduce_retracing=True)
    def log_weights(self, images, num_samples, seed):
        """Logarithms of importance weights, `log p(y, z | x) - log q(z | x, y)` at z ~ q.

        Args:
            images: whole images `(B, H, W, C)` in [0, 1].
            num_samples: draws of a code for each image, K.
            seed: `(2,)` integers.

        Returns:
            Nats, float32 `(K, B)`; the likelihood is that of the missing pixels.
        """
        images = tf.cast(images, "float32")
        noise = self.code.noise((num_samples, tf.shape(images)[0]), seed)
        posterior = self.recognition(images, training=False)
        prior = self.prior(self.guess(images), training=False)
        codes = self.code.draw(posterior, noise)  # (K, B, code_dim)
        logits = self.decoder(tf.reshape(codes, (-1, self.code_dim)), training=False)
        logits = tf.reshape(logits, (num_samples, *tf.unstack(tf.shape(images))))
        log_ratios = self.code.log_posterior(codes, prior) - self.code.log_posterior(
            codes, posterior
        )
        return self.log_likelihood(images, logits) + tf.reduce_sum(log_ratios, axis=-1)
