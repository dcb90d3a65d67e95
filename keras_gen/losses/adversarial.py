"""Adversarial losses, in pairs, on logits.

A discriminator's logit `l` stands for the probability `D = sigmoid(l)` that an image is real, so
`-log D = softplus(-l)` and `-log(1 - D) = softplus(l)`: exact and finite at any logit, where
`log(sigmoid(l))` is not.

Every function takes logits of any shape and gives a scalar, the mean over them, in float32.
"""

from keras import ops


def minimax_discriminator(real_logits, fake_logits):
    """-E[log D(x)] - E[log(1 - D(G(z)))].

    The discriminator's side of the value function (Goodfellow et al. 2014, arXiv:1406.2661,
    eq. 1), and its loss beside the non-saturating generator loss too.

    Args:
        real_logits: logits of real images.
        fake_logits: logits of generated images.

    Returns:
        Scalar, 2 log 2 for a discriminator that cannot tell.
    """
    return _mean_softplus(-real_logits) + _mean_softplus(fake_logits)


def minimax_generator(fake_logits):
    """E[log(1 - D(G(z)))], the value function itself (arXiv:1406.2661, eq. 1).

    It saturates: its gradient in the logit is -D(G(z)), which vanishes where the discriminator
    is sure of its case.

    Args:
        fake_logits: logits of generated images.

    Returns:
        Scalar, at most 0.
    """
    return -_mean_softplus(fake_logits)


def non_saturating_generator(fake_logits):
    """-E[log D(G(z))] (arXiv:1406.2661, section 3).

    It has the fixed point of `minimax_generator`, but its gradient in the logit is
    -(1 - D(G(z))), largest where the discriminator is sure of its case.

    Args:
        fake_logits: logits of generated images.

    Returns:
        Scalar, at least 0.
    """
    return _mean_softplus(-fake_logits)


def _mean_softplus(logits):
    return ops.mean(ops.softplus(ops.cast(logits, "float32")))
