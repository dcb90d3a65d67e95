"""Distances between images, pixel by pixel."""

from keras import ops


def mean_absolute_difference(images, others):
    """mean |images - others| over all pixels, channels and images.

    Args:
        images: `(B, H, W, C)`.
        others: of the same shape.

    Returns:
        Scalar, at least 0.
    """
    return ops.mean(ops.abs(images - others))
