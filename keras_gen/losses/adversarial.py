"""Adversarial losses, in pairs, on logits.

A logit is a discriminator's output as it stands, with nothing on top. In the minimax and the
non-saturating losses a logit `l` stands for the probability `D = sigmoid(l)` that an image is
real, so `-log D = softplus(-l)` and `-log(1 - D) = softplus(l)`: exact and finite at any logit,
where `log(sigmoid(l))` is not. The least squares, hinge and Wasserstein losses use the logit
itself, `D = l`.

Every function takes logits of any shape and gives a scalar, the mean over them, in float32.
"""

from keras import ops


def minimax_discriminator(real_logits, fake_logits, real_targets=1.0, fake_targets=0.0):
    """-E[log D(x)] - E[log(1 - D(G(z)))].

    The discriminator's side of the value function (Goodfellow et al. 2014, arXiv:1406.2661,
    eq. 1), and its loss beside the non-saturating generator loss too.

    With other targets t, the cross-entropy -E[t log D + (1 - t) log(1 - D)] of each side: 0.9 for
    real images is one-sided label smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4);
    targets drawn per image are noisy labels, and 0 in place of 1 for some of them flipped ones.

    Args:
        real_logits: logits of real images.
        fake_logits: logits of generated images.
        real_targets: the probabilities, in [0, 1], that the discriminator shall give real images:
            a number, or a tensor of as many axes as the logits that broadcasts to their shape.
        fake_targets: those that it shall give generated images, likewise.

    Returns:
        Scalar. With the default targets, 2 log 2 for a discriminator that cannot tell.

    Raises:
        ValueError: targets outside [0, 1], or with another number of axes than the logits.
    """
    real_loss = _mean_cross_entropy(real_logits, real_targets, "real_targets")
    return real_loss + _mean_cross_entropy(fake_logits, fake_targets, "fake_targets")


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


def least_squares_discriminator(real_logits, fake_logits):
    """E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2.

    Mao et al. 2017, arXiv:1611.04076, eq. 9: labels a = 0 for generated and b = 1 for real images.

    Args:
        real_logits: logits of real images.
        fake_logits: logits of generated images.

    Returns:
        Scalar, 1/4 for a discriminator that gives 1/2 to every image.
    """
    return 0.5 * (_mean_square(real_logits, 1.0) + _mean_square(fake_logits, 0.0))


def least_squares_generator(fake_logits):
    """E[(D(G(z)) - 1)^2] / 2 (arXiv:1611.04076, eq. 9, c = 1).

    An image far on the right side of the decision boundary costs too, so that the gradient does
    not vanish there.

    Args:
        fake_logits: logits of generated images.

    Returns:
        Scalar, at least 0.
    """
    return 0.5 * _mean_square(fake_logits, 1.0)


def hinge_discriminator(real_logits, fake_logits):
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].

    Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16 (there the
    value to maximize, here the loss to minimize). Images beyond the margin of 1 count no more.

    Args:
        real_logits: logits of real images.
        fake_logits: logits of generated images.

    Returns:
        Scalar, 2 for a discriminator that gives 0 to every image.
    """
    return _mean(ops.relu(1.0 - _float32(real_logits))) + _mean(
        ops.relu(1.0 + _float32(fake_logits))
    )


def hinge_generator(fake_logits):
    """-E[D(G(z))] (arXiv:1802.05957, eq. 17): no hinge on the generator's side.

    Args:
        fake_logits: logits of generated images.

    Returns:
        Scalar of any sign.
    """
    return -_mean(fake_logits)


def wasserstein_critic(real_logits, fake_logits):
    """E[D(G(z))] - E[D(x)].

    Arjovsky et al. 2017, arXiv:1701.07875, eq. 2. Its negative estimates the Wasserstein-1
    distance, times the critic's Lipschitz constant, once the critic is trained: bound that
    constant by `clip_weights`, by `gradient_penalty` or by spectral normalization.

    Args:
        real_logits: the critic's outputs for real images.
        fake_logits: the critic's outputs for generated images.

    Returns:
        Scalar of any sign, 0 for a constant critic.
    """
    return _mean(fake_logits) - _mean(real_logits)


def wasserstein_generator(fake_logits):
    """-E[D(G(z))] (arXiv:1701.07875, Algorithm 1).

    Args:
        fake_logits: the critic's outputs for generated images.

    Returns:
        Scalar of any sign.
    """
    return -_mean(fake_logits)


def _float32(logits):
    return ops.cast(logits, "float32")


def _mean(logits):
    return ops.mean(_float32(logits))


def _mean_softplus(logits):
    return ops.mean(ops.softplus(_float32(logits)))


def _mean_square(logits, label):
    return ops.mean(ops.square(_float32(logits) - label))


def _mean_cross_entropy(logits, targets, name):
    if isinstance(targets, int | float) and not 0.0 <= targets <= 1.0:
        raise ValueError(f"{name}={targets!r}: give probabilities, in [0, 1].")
    logits, targets = _float32(logits), _float32(targets)
    if targets.ndim not in (0, logits.ndim):
        # (B,) against (B, 1) would broadcast to (B, B): every logit with every target.
        raise ValueError(
            f"{name} of shape {tuple(targets.shape)} for logits of shape {tuple(logits.shape)}: "
            "give a number, or a tensor with as many axes as the logits."
        )
    targets = ops.broadcast_to(targets, ops.shape(logits))
    return ops.mean(targets * ops.softplus(-logits) + (1.0 - targets) * ops.softplus(logits))
