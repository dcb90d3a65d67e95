"""How smooth images are: total variation."""

from keras import ops


def total_variation(images):
    """E[sum |x[i + 1, j] - x[i, j]| + sum |x[i, j + 1] - x[i, j]|] / (H * W * C).

    The anisotropic total variation of Rudin, Osher and Fatemi (Physica D 60, 1992) per number of
    an image: the sums run over neighbours below and to the right, in each channel.

    Args:
        images: `(B, H, W, C)`.

    Returns:
        Scalar in float32, at least 0, and 0 for images of one colour each.

    Raises:
        ValueError: no such images.
    """
    if len(images.shape) != 4:
        raise ValueError(f"images of shape {images.shape}: give (B, H, W, C).")
    images = ops.cast(images, "float32")
    below = ops.abs(images[:, 1:] - images[:, :-1])
    right = ops.abs(images[:, :, 1:] - images[:, :, :-1])
    numbers_in_all = ops.cast(ops.prod(ops.shape(images)), "float32")
    return (ops.sum(below) + ops.sum(right)) / numbers_in_all
