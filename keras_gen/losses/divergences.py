"""Divergences of a latent's posterior from its prior, in nats, float32.

In closed form wherever there is one. Variances are given by their logarithms.
"""

import math

from keras import ops


def gaussian_kl(means, log_variances):
    """KL(N(mean, variance) || N(0, 1)), per coordinate.

        (mean^2 + variance - log variance - 1) / 2     (arXiv:1312.6114, appendix B)

    Args:
        means: `(..., D)`.
        log_variances: likewise.

    Returns:
        `(..., D)`, at least 0, and 0 for N(0, 1).
    """
    means, log_variances = _float32(means, log_variances)
    return 0.5 * (ops.square(means) + ops.expm1(log_variances) - log_variances)


def gaussian_kl_between(means, log_variances, other_means, other_log_variances):
    """KL(N(mean, variance) || N(other mean, other variance)), per coordinate.

    Args:
        means: `(..., D)`.
        log_variances: likewise.
        other_means: of the second distribution, of a shape that broadcasts.
        other_log_variances: likewise.

    Returns:
        `(..., D)`, at least 0.
    """
    means, log_variances, other_means, other_log_variances = _float32(
        means, log_variances, other_means, other_log_variances
    )
    distances = ops.square(means - other_means) * ops.exp(-other_log_variances)
    ratios = log_variances - other_log_variances
    return 0.5 * (distances + ops.expm1(ratios) - ratios)


def log_normal_kl(means, log_variances, prior_means=0.0, prior_log_variances=0.0):
    """KL between log-normal distributions, per coordinate: that of their logarithms.

    A divergence does not change under an invertible map of the variable, here the exponential.

    Args:
        means: of the logarithm, `(..., D)`.
        log_variances: of the logarithm, likewise.
        prior_means: of the prior's logarithm.
        prior_log_variances: likewise.

    Returns:
        `(..., D)`, at least 0.
    """
    return gaussian_kl_between(means, log_variances, prior_means, prior_log_variances)


def categorical_kl_to_uniform(logits):
    """KL(softmax(logits) || uniform) = log K - entropy.

    Args:
        logits: `(..., K)`.

    Returns:
        `(...)`, from 0 to log K.
    """
    (logits,) = _float32(logits)
    log_probabilities = ops.log_softmax(logits, axis=-1)
    negative_entropy = ops.sum(ops.exp(log_probabilities) * log_probabilities, axis=-1)
    return math.log(logits.shape[-1]) + negative_entropy


def bernoulli_kl_to_uniform(logits):
    """KL(Bernoulli(sigmoid(logit)) || Bernoulli(1/2)) = log 2 - entropy, per coordinate.

    Args:
        logits: `(..., D)`.

    Returns:
        `(..., D)`, from 0 to log 2.
    """
    (logits,) = _float32(logits)
    # entropy = softplus(-|l|) + |l| sigmoid(-|l|): both terms vanish where the coin is sure
    size = ops.abs(logits)
    return math.log(2.0) - ops.softplus(-size) - size * ops.sigmoid(-size)


def skew_geometric_jensen_shannon(means, log_variances, skew=0.5):
    """Skew-geometric Jensen-Shannon divergence of N(mean, variance) from N(0, 1), per coordinate.

        (1 - skew) KL(q || g) + skew KL(p || g),    g = q^skew p^(1 - skew) / Z,

    q = N(mean, variance), p = N(0, 1): g is Gaussian too, with precision
    skew / variance + 1 - skew, so all is in closed form (Nielsen 2019, arXiv:1904.04017). The
    weights in g are those of Deasy et al. 2020, arXiv:2006.10599, section 3, the other way round
    than Nielsen's: so skew = 0 is KL(q || p), the divergence of the VAE, and skew = 1 is
    KL(p || q), with all between.

    Args:
        means: `(..., D)`.
        log_variances: likewise.
        skew: from 0 to 1; 1/2 weighs both alike.

    Returns:
        `(..., D)`, at least 0.

    Raises:
        ValueError: `skew` is outside [0, 1].
    """
    if not 0.0 <= skew <= 1.0:
        raise ValueError(f"skew={skew!r}: give a number from 0 to 1.")
    means, log_variances = _float32(means, log_variances)
    precisions = ops.exp(-log_variances)
    middle_precisions = skew * precisions + (1.0 - skew)
    middle_log_variances = -ops.log(middle_precisions)
    middle_means = skew * precisions * means / middle_precisions
    zeros = ops.zeros_like(means)
    of_posterior = gaussian_kl_between(means, log_variances, middle_means, middle_log_variances)
    of_prior = gaussian_kl_between(zeros, zeros, middle_means, middle_log_variances)
    return (1.0 - skew) * of_posterior + skew * of_prior


def jensen_shannon_monte_carlo(log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q):
    """Estimate of the Jensen-Shannon divergence from draws of both distributions.

        E_p[log p - log m] / 2 + E_q[log q - log m] / 2,    m = (p + q) / 2

    Unbiased; the divergence itself is from 0 to log 2, a single draw's estimate at most log 2.

    Args:
        log_p_at_p: log-densities of p at draws of p.
        log_q_at_p: those of q there.
        log_p_at_q: log-densities of p at draws of q.
        log_q_at_q: those of q there.

    Returns:
        Of the arguments' shape: an estimate for each pair of draws.
    """
    log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q = _float32(
        log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q
    )
    # log p - log m = log 2 - softplus(log q - log p)
    of_p = math.log(2.0) - ops.softplus(log_q_at_p - log_p_at_p)
    of_q = math.log(2.0) - ops.softplus(log_p_at_q - log_q_at_q)
    return 0.5 * (of_p + of_q)


def _float32(*values):
    return [ops.cast(value, "float32") for value in values]
