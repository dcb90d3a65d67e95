"""The prior of a model's latents: draws from it and its quantiles.

A model of this suite draws its own latents, and so does an exported one whose prior has no name.
For the others they are drawn here, from the distribution that the description names, and are those
that the model itself would draw.
"""

import inspect
import warnings

import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from keras_gen.latent.access import check_count, require

DISTRIBUTIONS = ("normal", "uniform")
DRAWS = 10_000  # for quantiles that have to be estimated


def latent_distribution(model):
    """The prior's name: `"normal"` for N(0, 1), `"uniform"` for U(-1, 1), per coordinate.

    It is the model's attribute `latent_distribution`, or the entry of that name in an exported
    model's `description`. A model that has neither, nor `draw_latents`, counts as `"normal"`; an
    exported one with a warning.

    Returns:
        The name; None for a model that draws its own latents in another way.

    Raises:
        ValueError: the model names another distribution and cannot draw from it.
    """
    draws = getattr(model, "draw_latents", None) is not None
    description = getattr(model, "description", None)
    name = getattr(model, "latent_distribution", None)
    if name is None and isinstance(description, dict):
        name = description.get("latent_distribution")
        if name is None and not draws:
            warnings.warn(
                f"{model.folder} does not say which distribution its latents have; N(0, 1) is "
                "assumed. Take the run's model.keras, or give latents of your own.",
                stacklevel=2,
            )
    if name in DISTRIBUTIONS:
        return name
    if draws:
        return None
    if name is None:
        return "normal"
    raise ValueError(
        f"latent_distribution={name!r} of {type(model).__name__} is none of "
        f"{', '.join(DISTRIBUTIONS)}, and the model has no draw_latents. Give latents of your own."
    )


def draw_latents(model, num_latents, seed=0, truncation=None):
    """Latents from the model's prior: those of `model.sample(num_latents, seed, truncation)`.

    So the n-th latent is that of the n-th image in a picture drawn with the same seed and number.

    Args:
        model: a model with `draw_latents`, or an exported model; see `latent_distribution`.
        num_latents: how many, N.
        seed: an integer of 64 bits.
        truncation: None, or a bound on the coordinates' magnitude; see `truncated_normal`.

    Returns:
        float32 `(N, latent_dim)`, a pure function of the arguments.

    Raises:
        ValueError: an argument is none of the above.
    """
    require(model, "Drawing latents", "latent_dim")
    check_count("num_latents", num_latents)
    pair = seed_pair(seed)
    if truncation is not None:
        _check_threshold("truncation", truncation)
    if getattr(model, "draw_latents", None) is not None:
        extra = () if truncation is None else (truncation,)
        if extra and "truncation" not in inspect.signature(model.draw_latents).parameters:
            raise ValueError(
                f"truncation={truncation!r}: {type(model).__name__} cannot truncate its latents; "
                "leave it out."
            )
        return np.array(model.draw_latents(num_latents, pair, *extra), "float32")
    shape = (num_latents, model.latent_dim)
    if latent_distribution(model) == "uniform":
        limit = 1.0 if truncation is None else min(truncation, 1.0)
        return limit * tf.random.stateless_uniform(shape, pair, -1.0, 1.0).numpy()
    if truncation is None:
        return tf.random.stateless_normal(shape, pair).numpy()
    return truncated_normal(shape, truncation, seed)


def truncated_normal(shape, threshold, seed=0):
    """Draws from N(0, 1) with values of magnitude above `threshold` drawn again until within.

    Not clipped: the density within the threshold keeps its form. Drawing again is carried out at
    once, by inverting the distribution function, so draws of one seed at several thresholds are
    the same ranks of narrower distributions.

    Args:
        shape: shape of the result.
        threshold: t > 0.
        seed: an integer of 64 bits.

    Returns:
        float32 array, a pure function of the arguments.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        Brock et al. 2019, arXiv:1809.11096, section 3.1.
    """
    _check_threshold("threshold", threshold)
    tail = ndtr(-min(float(threshold), 8.0))  # beyond 8 deviations there is no double's worth
    uniform = tf.random.stateless_uniform(shape, seed_pair(seed), dtype="float64").numpy()
    return ndtri(tail + (1.0 - 2.0 * tail) * uniform).astype("float32")


def prior_quantiles(model, probabilities):
    """Values below which each coordinate of a latent lies with the given probabilities.

    The inverse of the prior's distribution function; for a prior that is neither normal nor
    uniform, the quantiles of 10,000 draws.

    Args:
        model: as for `draw_latents`.
        probabilities: `(P,)` numbers between 0 and 1.

    Returns:
        float32 `(P, latent_dim)`.

    Raises:
        ValueError: other probabilities; at 0 and 1 a normal prior has infinite quantiles.
    """
    require(model, "Quantiles", "latent_dim")
    probabilities = np.asarray(probabilities, "float64")
    if probabilities.ndim != 1 or not ((probabilities > 0.0) & (probabilities < 1.0)).all():
        raise ValueError(
            f"probabilities={probabilities.tolist()!r}: give a row of numbers between 0 and 1, "
            "without the ends, where quantiles may be infinite."
        )
    distribution = latent_distribution(model)
    if distribution is None:
        return np.quantile(draw_latents(model, DRAWS), probabilities, axis=0).astype("float32")
    values = 2.0 * probabilities - 1.0 if distribution == "uniform" else ndtri(probabilities)
    return np.repeat(values[:, None], model.latent_dim, axis=1).astype("float32")


def seed_pair(seed):
    """An integer of 64 bits as the `(2,)` int64 seed of which `sample` draws its latents.

    Raises:
        ValueError: `seed` is none.
    """
    if not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed={seed!r}: give an integer of at most 64 bits.")
    return tf.constant([seed, 0], "int64")


def _check_threshold(name, value):
    if not value > 0:
        raise ValueError(f"{name}={value!r}: give a positive number.")
