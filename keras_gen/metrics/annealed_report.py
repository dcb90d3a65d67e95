"""What a recipe reports of a decoder's likelihood where the posterior has no density."""

import numpy as np
import tensorflow as tf

from keras_gen.metrics.annealed_importance import annealed_importance_log_likelihood
from keras_gen.metrics.likelihood import mean_and_standard_error
from keras_gen.metrics.likelihood_report import first_images

_IMAGES_PER_CALL = 100


def annealed_likelihood_metrics(
    model,
    data,
    num_images=200,
    chains=4,
    temperatures=500,
    leapfrog_steps=5,
    seed=0,
    jit_compile=False,
):
    """Measures a Bernoulli decoder with the prior N(0, I) on held-out images, and its bound.

    Args:
        model: has `elbo`, `latent_dim` and a `decoder`; see `pixel_logits`.
        data: a data set with `evaluation_batches`, `name`, `split` and `binarization`.
        num_images: how many of its first images for `nll_nats`, at least 2.
        chains: for each image; see `annealed_importance_log_likelihood`, likewise below.
        temperatures: steps of each chain.
        leapfrog_steps: of each transition.
        seed: a non-negative integer that decides the chains' noise.
        jit_compile: compile the chains with XLA.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it. `nll_nats`, an upper bound in
        expectation, as the importance-weighted one of `likelihood_metrics` is; the protocol says
        how many chains made an image's estimate, in the median, and 1 is too few. `elbo_nats`, on
        all images: what the model's `elbo` says, a bound no better than what that promises.
        `bound_gap_nats`, how far it lies below the likelihood on the images that have both; below 0
        it is no bound.
    """
    images = first_images(data, num_images)
    estimates, effective = [], []
    for start in range(0, len(images), _IMAGES_PER_CALL):
        part = images[start : start + _IMAGES_PER_CALL]
        noise = np.random.default_rng((seed, start))
        estimate = annealed_importance_log_likelihood(
            *_densities(model, part),
            noise.normal(size=(chains, len(part), model.latent_dim)),
            temperatures,
            leapfrog_steps,
            seed=seed + start,
            jit_compile=jit_compile,
        )
        estimates.append(estimate.log_likelihood_nats)
        effective.append(estimate.effective_sample_size)
    estimates = np.concatenate(estimates)
    nll, error = mean_and_standard_error(-estimates)
    gap, gap_error = mean_and_standard_error(estimates - model.elbo(images, seed))
    protocol = (
        f"{len(images):,} {data.name} {data.split} images, {data.binarization}, annealed "
        f"importance sampling with {chains} chains, {temperatures:,} temperatures and "
        f"{leapfrog_steps} leapfrog steps, effective sample size "
        f"{np.median(np.concatenate(effective)):.1f}, seed {seed}, "
        f"standard error over images {error:.2f}"
    )
    bound, bound_error = mean_and_standard_error(model.elbo(first_images(data, len(data)), seed))
    return {
        "nll_nats": (nll, protocol),
        "elbo_nats": (
            bound,
            f"{len(data):,} {data.name} {data.split} images, {data.binarization}, by the model's "
            f"own elbo, one draw an image, seed {seed}, standard error {bound_error:.2f}",
        ),
        "bound_gap_nats": (
            gap,
            f"log-likelihood less elbo of the same {len(images):,} images, each as above, standard "
            f"error {gap_error:.2f}",
        ),
    }


def pixel_logits(model, latents):
    """The logits that a model's decoder gives for white pixels.

    Not from `decode`: its probabilities round to 1 where a logit is large.

    Args:
        model: its `decoder` gives logits, or a dictionary with `logits`.
        latents: `(N, latent_dim)`.

    Returns:
        float32 `(N, H, W, C)`.

    Raises:
        ValueError: the decoder gives no logits.
    """
    outputs = model.decoder(latents, training=False)
    if not isinstance(outputs, dict):
        return outputs
    if "logits" not in outputs:
        raise ValueError(
            f"decoder gives {', '.join(outputs)}: a Bernoulli decoder gives logits. Make the model "
            'with likelihood="bernoulli".'
        )
    return outputs["logits"]


def _densities(model, images):
    """log p(x | z) and log p(z), as functions of latents `(K, B, D)`, for images `(B, H, W, C)`."""
    pixels = tf.reshape(tf.constant(images, "float32"), (len(images), -1))

    def log_likelihood(latents):
        logits = pixel_logits(model, tf.reshape(latents, (-1, latents.shape[-1])))
        logits = tf.reshape(logits, (*latents.shape[:2], -1))
        return tf.reduce_sum(pixels * logits - tf.nn.softplus(logits), axis=-1)

    def log_prior(latents):
        return -0.5 * tf.reduce_sum(latents**2 + np.log(2.0 * np.pi), axis=-1)

    return log_likelihood, log_prior
