"""Likelihood of latent-variable models: bounds, importance sampling, bits, latent diagnostics.

The bound and the estimate work on any model that has one method:

    log_weights(images, num_samples, seed[, labels]) -> float32 (num_samples, B)

        images       (B, H, W, C) in the model's value range
        seed         (2,) int32, for tf.random.stateless_*: the same seed, the same draws
        labels       (B,), of conditional models alone: all below is then given the labels
        result[k, b] log p(images[b], z) - log q(z | images[b]) in nats, for the k-th z drawn
                     from q(z | images[b])

Their mean over k is the evidence lower bound; their log-mean-exp the importance-weighted estimate
of log p(x) of Burda, Grosse and Salakhutdinov, 2016, Importance Weighted Autoencoders,
arXiv:1509.00519, equation 8. For K samples this is itself a lower bound in expectation, grows with
K and tends to log p(x).

What the numbers depend on: the model, the images and their order, `num_samples`, `seed` and
`weights_per_call`. The work is cut into calls of at most `weights_per_call` weights; the call that
starts at image i and sample k draws with a seed made of (seed, i, k). Another cut draws other
noise; given the same weights, the sums agree up to rounding of float64.
"""

import math
from typing import NamedTuple

import numpy as np


class ImportanceEstimate(NamedTuple):
    """What `importance_log_likelihood` gives.

    Attributes:
        log_likelihood_nats: float64 `(N,)`, an estimate of log p(x) per image.
        effective_sample_size: float64 `(N,)`, `(sum_k w_k)^2 / sum_k w_k^2`, from 1 to
            `num_samples`. Where it is near 1, one draw makes the estimate, which then lies too
            low: take more samples.
    """

    log_likelihood_nats: np.ndarray
    effective_sample_size: np.ndarray


def elbo(model, images, num_samples=1, seed=0, weights_per_call=1024, labels=None):
    """The evidence lower bound, averaged over draws of the latents.

    `E_q(z|x)[log p(x, z) - log q(z|x)] <= log p(x)`, equation 2 of arXiv:1509.00519.

    Args:
        model: has `log_weights`; see the module's docstring.
        images: `(N, H, W, C)` in the model's value range.
        num_samples: draws per image; more lessen the noise, not the gap to log p(x).
        seed: a non-negative integer.
        weights_per_call: the most pairs of an image and a latent in one call of the model.
        labels: integers `(N,)` of a conditional model, else None.

    Returns:
        Nats, float64 `(N,)`.

    Raises:
        TypeError: the model has no `log_weights`.
        ValueError: a number is out of range, or the model breaks its contract.
    """
    images = np.asarray(images)
    totals = np.zeros(len(images))
    for block, weights in _log_weights(model, images, num_samples, seed, weights_per_call, labels):
        totals[block] += weights.sum(axis=0)
    return totals / num_samples


def importance_log_likelihood(
    model, images, num_samples=5000, seed=0, weights_per_call=1024, labels=None
):
    """The importance-weighted estimate of log p(x).

    `log(1/K sum_k exp(w_k))`, `w_k = log p(x, z_k) - log q(z_k|x)`: equation 8 of
    arXiv:1509.00519, which reports K = 5000. The sum is kept as one maximum and two scaled sums
    per image, so that memory does not grow with `num_samples`.

    Args:
        model: has `log_weights`; see the module's docstring.
        images: `(N, H, W, C)` in the model's value range.
        num_samples: K, draws per image.
        seed: a non-negative integer.
        weights_per_call: the most pairs of an image and a latent in one call of the model.
        labels: integers `(N,)` of a conditional model, else None.

    Returns:
        An `ImportanceEstimate`.

    Raises:
        TypeError: the model has no `log_weights`.
        ValueError: a number is out of range, or the model breaks its contract.
    """
    images = np.asarray(images)
    largest = np.full(len(images), -np.inf)
    total, total_of_squares = np.zeros(len(images)), np.zeros(len(images))
    for block, weights in _log_weights(model, images, num_samples, seed, weights_per_call, labels):
        new = np.maximum(largest[block], weights.max(axis=0))
        reference = np.where(np.isfinite(new), new, 0.0)  # all weights zero so far: no -inf + inf
        shrink = np.exp(largest[block] - reference)
        scaled = np.exp(weights - reference)
        total[block] = total[block] * shrink + scaled.sum(axis=0)
        total_of_squares[block] = total_of_squares[block] * shrink**2 + (scaled**2).sum(axis=0)
        largest[block] = new
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = largest + np.log(total / num_samples)
        effective = np.where(total > 0.0, total**2 / total_of_squares, 0.0)
    return ImportanceEstimate(log_likelihood, effective)


def mean_and_standard_error(values):
    """The mean of per-image values and its standard error over images, `std / sqrt(N)`.

    Raises:
        ValueError: fewer than two values.
    """
    values = np.asarray(values, "float64")
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values of shape {values.shape}: give (N,) with N of at least 2.")
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def bits_per_dim(log_likelihood_nats, image_shape, value_range=None, levels=256):
    """Bits per dimension of 8-bit data.

    For a density the data are `uniform_dequantize`d, and the log-density over `[0, levels)^D`
    bounds the log-probability of the integers from below (Theis et al. 2016, arXiv:1511.01844,
    section 3.1). A model of data scaled to `[low, high]` has the log-density

        log p_levels(x) = log p_scaled(x) + D log((high - low) / levels)

    Args:
        log_likelihood_nats: nats per image, `(N,)` or a number.
        image_shape: `(H, W, C)`, D = H W C.
        value_range: `(low, high)` that the levels were dequantized to, for a log-density; None
            for log-probabilities of the integers themselves.
        levels: values that a pixel takes.

    Returns:
        `-log2 p / D`, in the shape of `log_likelihood_nats`. Uniform noise has log2(levels).
    """
    dimensions = math.prod(image_shape)
    correction = 0.0
    if value_range is not None:
        low, high = value_range
        correction = dimensions * math.log((high - low) / levels)
    nats = np.asarray(log_likelihood_nats, "float64") + correction
    return -nats / (dimensions * math.log(2.0))


def uniform_dequantize(images, seed, value_range=(0.0, 1.0), levels=256):
    """Adds uniform noise to integer pixels, so that a density can be fitted to them.

    `low + (high - low) (x + u) / levels`, u ~ U[0, 1): arXiv:1511.01844, section 3.1. This is not
    the scaling of a data set's `value_range`, in which the largest level becomes `high` itself.

    Args:
        images: integers in `[0, levels)`, of any shape.
        seed: a non-negative integer.
        value_range: `(low, high)`; give the same to `bits_per_dim`.
        levels: values that a pixel takes.

    Returns:
        float32 in `[low, high)`, of the shape of `images`.

    Raises:
        ValueError: images are not integers in that range.
    """
    images = np.asarray(images)
    if images.dtype.kind not in "ui" or images.min() < 0 or images.max() >= levels:
        raise ValueError(
            f"images of type {images.dtype} from {images.min()} to {images.max()}: give the "
            f"integers 0 to {levels - 1}, before any scaling."
        )
    low, high = value_range
    noise = np.random.default_rng(seed).random(images.shape, "float32")
    values = low + (high - low) * (images + noise.astype("float64")) / levels
    # Rounding to float32 may reach `high`, which a model on [low, high) has no density for.
    return np.minimum(values.astype("float32"), np.nextafter(np.float32(high), np.float32(low)))


def active_units(posterior_means, threshold=0.01):
    """Which latent coordinates the encoder uses: `Var_x(E[z_d | x]) > threshold`.

    Section 5.2 of arXiv:1509.00519; the threshold is the paper's. Their number is the sum.

    Args:
        posterior_means: `(N, latent_dim)`, as `encode` gives them.
        threshold: variance over images above which a coordinate counts as active.

    Returns:
        bool `(latent_dim,)`.
    """
    return np.asarray(posterior_means, "float64").var(axis=0) > threshold


def kl_per_dimension(means, log_variances):
    """KL(q(z_d | x) || N(0, 1)) of Gaussian posteriors, averaged over images.

    `1/2 (mean^2 + variance - log variance - 1)`: appendix B of Kingma and Welling,
    arXiv:1312.6114. Summed over d it is the KL term of the bound.

    Args:
        means: `(N, latent_dim)`.
        log_variances: `(N, latent_dim)`.

    Returns:
        Nats, float64 `(latent_dim,)`.
    """
    means, log_variances = np.asarray(means, "float64"), np.asarray(log_variances, "float64")
    return (0.5 * (means**2 + np.exp(log_variances) - log_variances - 1.0)).mean(axis=0)


def reconstruction_error(model, images, batch_size=256, targets=None):
    """How far `model.reconstruct(images)` is from the images, or from targets.

    Args:
        model: has `reconstruct` and `value_range`.
        images: `(N, H, W, C)` in the model's value range.
        batch_size: images reconstructed at a time.
        targets: what to compare with, of the shape of images: for a model of binarized images
            those before that. None for the images themselves.

    Returns:
        A dict: `reconstruction_mse`, the squared error per pixel in units in which the value
        range is [0, 1]; for models on (0, 1) also `bce_per_pixel`, the binary cross-entropy in
        nats per pixel, with reconstructions clipped to [1e-7, 1 - 1e-7].

    Raises:
        ValueError: targets of another shape.
    """
    images = np.asarray(images)
    targets = images if targets is None else np.asarray(targets)
    if targets.shape != images.shape:
        raise ValueError(
            f"targets of shape {targets.shape}: give that of the images, {images.shape}."
        )
    low, high = model.value_range
    squares = entropies = 0.0
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        target = targets[start : start + batch_size].astype("float64")
        target = (target - low) / (high - low)
        means = (np.asarray(model.reconstruct(batch), "float64") - low) / (high - low)
        squares += ((means - target) ** 2).sum()
        means = np.clip(means, 1e-7, 1.0 - 1e-7)
        entropies -= (target * np.log(means) + (1.0 - target) * np.log1p(-means)).sum()
    errors = {"reconstruction_mse": squares / images.size}
    if (low, high) == (0.0, 1.0):
        errors["bce_per_pixel"] = entropies / images.size
    return errors


def _log_weights(model, images, num_samples, seed, weights_per_call, labels):
    """Yields `(slice of images, float64 (k, b))` until every image has `num_samples` weights."""
    if not hasattr(model, "log_weights"):
        raise TypeError(
            f"model: {type(model).__name__} has no log_weights(images, num_samples, seed), which "
            "latent-variable models give. Models with an exact likelihood have log_prob."
        )
    numbers = {"num_samples": num_samples, "weights_per_call": weights_per_call}
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}={number!r}: give an integer of at least 1.")
    images_per_call = max(1, weights_per_call // num_samples)
    samples_per_call = min(num_samples, weights_per_call)
    for first_image in range(0, len(images), images_per_call):
        block = slice(first_image, first_image + images_per_call)
        batch = images[block]
        conditions = () if labels is None else (labels[block],)
        for first_sample in range(0, num_samples, samples_per_call):
            count = min(samples_per_call, num_samples - first_sample)
            pair = _seed_pair(seed, first_image, first_sample)
            weights = np.asarray(model.log_weights(batch, count, pair, *conditions), "float64")
            if weights.shape != (count, len(batch)) or np.isnan(weights).any():
                raise ValueError(
                    f"log_weights of {type(model).__name__} gave shape {weights.shape} with "
                    f"{np.isnan(weights).sum()} NaN; it must be {(count, len(batch))} without."
                )
            yield block, weights


def _seed_pair(*numbers):
    """int32 `(2,)`, a hash of non-negative integers."""
    return np.random.SeedSequence(numbers).generate_state(2).view("int32")
