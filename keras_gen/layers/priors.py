"""Latents drawn from a model's prior."""

import tensorflow as tf

from keras_gen.layers.checks import check_choice

LATENT_DISTRIBUTIONS = ("normal", "uniform", "spherical")


def check_latent_distribution(distribution):
    """Raises ValueError unless `distribution` is one of `LATENT_DISTRIBUTIONS`."""
    check_choice("latent_distribution", distribution, LATENT_DISTRIBUTIONS)


def sample_latents(distribution, shape, seed, truncation=None):
    """Draws latents; a pure function of its arguments.

    Args:
        distribution: `"normal"` for N(0, 1) or `"uniform"` for U(-1, 1), per coordinate, or
            `"spherical"` for the uniform distribution on the sphere of radius sqrt(latent_dim),
            which nearly all of N(0, 1) lies close to (White 2016, arXiv:1609.04468).
        shape: shape of the result, `(N, latent_dim)`; may hold scalar tensors.
        seed: `(2,)` integers.
        truncation: None, or t > 0: coordinates with magnitude above t are drawn again until
            they lie within (the truncation trick, Brock et al. 2019, arXiv:1809.11096,
            section 3.1). Sampled here exactly and at once, by inverting the distribution function.
            Spherical ones are truncated before they are scaled to the sphere.

    Returns:
        float32 latents.

    Raises:
        ValueError: unknown distribution or truncation not positive.
    """
    check_latent_distribution(distribution)
    if truncation is not None and not tf.is_tensor(truncation) and not truncation > 0:
        raise ValueError(f"truncation={truncation!r}: give a positive number, or None for none.")
    if distribution == "uniform":
        limit = 1.0 if truncation is None else tf.minimum(tf.cast(truncation, "float32"), 1.0)
        return limit * tf.random.stateless_uniform(shape, seed, minval=-1.0, maxval=1.0)
    if distribution == "spherical":
        latents = sample_latents("normal", shape, seed, truncation)
        return tf.sqrt(float(shape[-1])) * tf.math.l2_normalize(latents, axis=-1)
    if truncation is None:
        return tf.random.stateless_normal(shape, seed)
    # In float64: float32's distribution function rounds to 1 from 5.4 deviations on.
    limit = tf.minimum(tf.cast(truncation, "float64"), 8.0)
    tail = 0.5 * tf.math.erfc(limit / tf.sqrt(tf.constant(2.0, "float64")))
    uniform = tf.random.stateless_uniform(shape, seed, dtype="float64")
    return tf.cast(tf.math.ndtri(tail + (1.0 - 2.0 * tail) * uniform), "float32")
