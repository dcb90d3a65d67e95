"""Log-likelihoods of images, in nats.

Every function takes images `(..., H, W, C)` and a decoder's parameters, whose leading axes
broadcast against theirs, sums over the last three axes, and gives float32 `(...)`: K draws of a
latent for each of B images, parameters `(K, B, H, W, C)` against images `(B, H, W, C)`, give
`(K, B)`.
"""

import math

from keras import ops

_PIXEL_AXES = (-3, -2, -1)


def bernoulli_log_likelihood(images, logits):
    """sum of x log p + (1 - x) log(1 - p), p = sigmoid(logits).

    A likelihood for black and white pixels only. For grey ones it is the usual cross-entropy, the
    mean over binarizations of the image, and compares with nothing else.

    Args:
        images: in [0, 1].
        logits: of white pixels; exact and finite at any size.

    Returns:
        At most 0.
    """
    images, logits = ops.cast(images, "float32"), ops.cast(logits, "float32")
    # log p = -softplus(-l) and log(1 - p) = -softplus(l) = -l - softplus(-l)
    return ops.sum(images * logits - ops.softplus(logits), axis=_PIXEL_AXES)


def gaussian_log_likelihood(images, means, log_variances):
    """sum of -(x - mean)^2 / (2 variance) - log(2 pi variance) / 2.

    A density, per unit of the images' own scale: it may be positive.

    Args:
        images: any values.
        means: of the pixels.
        log_variances: of the pixels; a number, or of a shape that broadcasts.
    """
    images, means = ops.cast(images, "float32"), ops.cast(means, "float32")
    log_variances = ops.cast(log_variances, "float32")
    squares = ops.square(images - means) * ops.exp(-log_variances)
    return -0.5 * ops.sum(squares + log_variances + math.log(2.0 * math.pi), axis=_PIXEL_AXES)


def discretized_logistic_log_likelihood(images, means, log_scales, levels=256):
    """sum of the log-probability of each pixel's level under a logistic distribution.

    The level k of `levels`, at k / (levels - 1), stands for all values nearer to it than to others;
    the lowest and the highest take the tails too, so that the levels' probabilities add up to 1
    (Kingma et al. 2016, arXiv:1606.04934; Salimans et al. 2017, arXiv:1701.05517, eq. 2).

    Args:
        images: in [0, 1], on the levels.
        means: of the logistic distributions, in the images' units.
        log_scales: logarithms of their scales, likewise; a number, or what broadcasts.
        levels: how many levels a pixel has.

    Returns:
        At most 0.
    """
    return ops.sum(_log_logistic_levels(images, means, log_scales, levels), axis=_PIXEL_AXES)


def _log_logistic_levels(images, means, log_scales, levels):
    """The log-probability of each value's level, in the shape to which the arguments broadcast."""
    images, means = ops.cast(images, "float32"), ops.cast(means, "float32")
    log_scales = ops.cast(log_scales, "float32")
    half = 0.5 / (levels - 1)
    inverse_scales = ops.exp(-log_scales)
    upper = (images + half - means) * inverse_scales
    lower = (images - half - means) * inverse_scales
    # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log(1 - sigmoid(l)) + log(1 - exp(l - u)),
    # which neither cancels in the middle nor vanishes in the tails.
    log_below, log_above = -ops.softplus(-upper), -ops.softplus(lower)
    within = log_below + log_above + _log_one_minus_exp(2.0 * half * inverse_scales)
    return ops.where(images < half, log_below, ops.where(images > 1.0 - half, log_above, within))


def categorical_log_likelihood(images, logits):
    """sum of the log-probability of each pixel's level under a softmax over all levels.

    Args:
        images: in [0, 1], on the levels k / (levels - 1).
        logits: `(..., H, W, C, levels)`.

    Returns:
        At most 0; NaN for images with a value beyond the levels.
    """
    images, logits = ops.cast(images, "float32"), ops.cast(logits, "float32")
    levels = logits.shape[-1]
    level = ops.round(images * (levels - 1))
    known = (level >= 0.0) & (level < levels)  # one_hot would make any other level certain
    chosen = ops.one_hot(ops.cast(level, "int32"), levels)
    log_probabilities = ops.sum(ops.log_softmax(logits, axis=-1) * chosen, axis=-1)
    return ops.sum(ops.where(known, log_probabilities, math.nan), axis=_PIXEL_AXES)


def logistic_mixture_log_likelihood(images, logits, means, log_scales, coefficients, levels=256):
    """sum over pixels of the log-probability of a mixture of discretized logistics.

    A pixel's component is drawn once for all of its channels; in it, the mean of channel c moves
    with the channels before: `means[c] + sum_{j < c} coefficients[c, j] images[j]` (Salimans et
    al. 2017, arXiv:1701.05517, eqs. 2 and 3).

    Args:
        images: `(B, H, W, C)` in [0, 1], on the levels.
        logits: of the components, `(B, H, W, M)`.
        means: `(B, H, W, C, M)`, in the images' units.
        log_scales: likewise.
        coefficients: `(B, H, W, C (C - 1) / 2, M)`: those of c = 1, j = 0, then of c = 2, j = 0
            and 1, and so on.
        levels: how many levels a pixel has.

    Returns:
        At most 0, `(B,)`.
    """
    images, logits, means = (ops.cast(each, "float32") for each in (images, logits, means))
    means = _shifted_means(means, images, coefficients)
    log_probabilities = _log_logistic_levels(images[..., None], means, log_scales, levels)
    per_component = ops.sum(log_probabilities, axis=-2) + ops.log_softmax(logits, axis=-1)
    return ops.sum(ops.logsumexp(per_component, axis=-1), axis=(-2, -1))


def _shifted_means(means, images, coefficients):
    """The means of all channels given the channels before, `(..., C, M)`: arguments as above."""
    coefficients, shifted, first = ops.cast(coefficients, "float32"), [means[..., 0, :]], 0
    for channel in range(1, images.shape[-1]):
        here = coefficients[..., first : first + channel, :]
        shift = ops.sum(here * images[..., :channel, None], axis=-2)
        shifted.append(means[..., channel, :] + shift)
        first += channel
    return ops.stack(shifted, axis=-2)


def _log_one_minus_exp(width):
    """log(1 - exp(-width)) of width > 0, exact where width is small as where it is large."""
    width = ops.maximum(width, 1e-30)
    return ops.where(
        width < math.log(2.0),
        ops.log(-ops.expm1(-ops.minimum(width, 1.0))),
        ops.log1p(-ops.exp(-ops.maximum(width, 0.1))),  # of 0, its gradient would be NaN
    )
