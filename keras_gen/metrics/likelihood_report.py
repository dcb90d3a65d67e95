"""What a recipe of a latent-variable model reports: its likelihoods, each with its protocol."""

import itertools

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.likelihood import (
    active_units,
    elbo,
    importance_log_likelihood,
    mean_and_standard_error,
    reconstruction_error,
)

_BATCH = 250  # images that are read or encoded at a time


def likelihood_metrics(model, data, importance_samples=200, seed=0, num_images=None):
    """Measures a model with a bound on held-out images.

    Args:
        model: has `log_weights`, `encode`, `reconstruct` and `value_range`.
        data: a data set with `evaluation_batches`, `name`, `split` and `binarization`.
        importance_samples: draws of a latent per image for `nll_nats`.
        seed: a non-negative integer that decides the draws.
        num_images: None for all of them, or how many of the first to measure on, at least 2.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `nll_nats`, the negative of the
        importance-weighted estimate (Burda et al. 2016, arXiv:1509.00519, eq. 8), an upper bound in
        expectation; `elbo_nats`, the evidence lower bound from one draw; `active_units`; and what
        `reconstruction_error` gives.
    """
    images = first_images(data, num_images or len(data))
    protocol = f"{len(images):,} {data.name} {data.split} images, {data.binarization}"
    estimate = importance_log_likelihood(model, images, importance_samples, seed)
    nll, nll_error = mean_and_standard_error(-estimate.log_likelihood_nats)
    bound, bound_error = mean_and_standard_error(elbo(model, images, seed=seed))
    latents = [model.encode(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
    active = active_units(np.concatenate(latents))
    return {
        "nll_nats": (
            nll,
            f"{protocol}, {importance_samples:,} importance samples an image, seed {seed}, "
            f"standard error over images {nll_error:.2f}",
        ),
        "elbo_nats": (
            bound,
            f"{protocol}, one draw an image, seed {seed}, standard error {bound_error:.2f}",
        ),
        "active_units": (active.sum(), f"{protocol}, of {len(active)}, variance above 0.01"),
    } | {name: (error, protocol) for name, error in reconstruction_error(model, images).items()}


def save_reconstructions(model, data, path, num_images=12):
    """Draws the first images of a set over what the model makes of them, as PNG.

    Args:
        model: has `reconstruct` and `value_range`.
        data: a data set with `evaluation_batches`.
        path: where to.
        num_images: how many.
    """
    images = first_images(data, num_images)
    rows = np.stack([images, model.reconstruct(images)])
    save_labelled_grid(rows, model.value_range, path, row_labels=["image", "reconstruction"])


def first_images(data, num_images):
    """The first images of a set, in stored order and as its evaluation has them.

    Args:
        data: a data set with `evaluation_batches`, which may binarize.
        num_images: how many, N; fewer where the set is smaller.

    Returns:
        float32 `(N, H, W, C)` in the set's value range.
    """
    batches = data.evaluation_batches(min(num_images, _BATCH))
    taken = itertools.islice(batches.as_numpy_iterator(), -(-num_images // _BATCH))
    return np.concatenate(list(taken))[:num_images]
