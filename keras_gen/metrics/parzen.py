"""Parzen window log-likelihood: the score by which early papers on GANs compared models.

Goodfellow et al. 2014, arXiv:1406.2661, section 5; Makhzani et al. 2015, arXiv:1511.05644, section
3. Samples of a model become a density by a Gaussian around each, whose deviation is not chosen on
test images, and test images are scored by it:

    log p(x) = log mean_i N(x; sample_i, deviation^2 I)

It is kept to compare with old figures only. In hundreds of dimensions it needs far more samples
than anyone draws, it favours the means of clusters over images, and it ranks good models wrongly
(Theis, van den Oord and Bethge 2016, arXiv:1511.01844, section 3.2).

Shapes: images and samples (N, H, W, C) or (N, D), in [0, 1].
"""

import math

import numpy as np
from scipy.special import logsumexp
from sklearn.metrics.pairwise import euclidean_distances

from keras_gen.metrics.likelihood import mean_and_standard_error

DEVIATIONS = tuple(np.round(np.logspace(-1.0, 0.0, 10), 4).tolist())
"""Deviations that `parzen_metrics` chooses from."""

_ROWS = 1000  # images whose distances are held at once


def parzen_log_likelihood(samples, images, deviation):
    """Log-likelihood of images under Gaussians around samples.

    Args:
        samples: `(N, ...)`.
        images: `(M, ...)` of as many values each.
        deviation: of the Gaussians, positive.

    Returns:
        Nats, float64 `(M,)`.

    Raises:
        ValueError: other shapes, or a deviation that is not positive.
    """
    if not deviation > 0.0:
        raise ValueError(f"deviation={deviation!r}: give a positive number.")
    samples, images = (np.reshape(each, (len(each), -1)) for each in (samples, images))
    if samples.shape[1] != images.shape[1]:
        raise ValueError(
            f"samples of {samples.shape[1]} values and images of {images.shape[1]}: give as many."
        )
    constant = math.log(len(samples)) + samples.shape[1] * math.log(
        deviation * math.sqrt(2.0 * math.pi)
    )
    parts = []
    for at in range(0, len(images), _ROWS):
        squares = euclidean_distances(images[at : at + _ROWS], samples, squared=True)
        parts.append(logsumexp(-0.5 * squares.astype("float64") / deviation**2, axis=1))
    return np.concatenate(parts) - constant


def parzen_metrics(model, train, test, num_samples=10_000, num_validation=1000, seed=0):
    """The test log-likelihood by Parzen windows around a model's samples.

    The deviation is the one of `DEVIATIONS` that is best on the last training images, so that test
    images choose nothing. The papers choose it on images that the model has not seen either.

    Args:
        model: has `sample` and images in [0, 1].
        train: the training images, a data set in [0, 1].
        test: held-out images, likewise.
        num_samples: how many the model draws.
        num_validation: training images that choose the deviation.
        seed: of the samples.

    Returns:
        `{"parzen_log_likelihood_nats": (value, protocol)}`, a mean over all test images.
    """
    samples = np.asarray(model.sample(num_samples, seed=seed))
    validation = train.examples[-num_validation:].astype("float32") / np.float32(255.0)
    held_out = test.examples.astype("float32") / np.float32(255.0)
    scores = {
        deviation: parzen_log_likelihood(samples, validation, deviation).mean()
        for deviation in DEVIATIONS
    }
    best = max(scores, key=scores.get)
    value, error = mean_and_standard_error(parzen_log_likelihood(samples, held_out, best))
    protocol = (
        f"{len(held_out):,} {test.name} {test.split} images, {num_samples:,} samples, seed {seed}, "
        f"deviation {best:g} chosen on {len(validation):,} training images, standard error "
        f"{error:.1f}"
    )
    return {"parzen_log_likelihood_nats": (value, protocol)}
