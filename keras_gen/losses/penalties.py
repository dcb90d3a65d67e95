"""Penalties on a discriminator's gradient in its images, and the clipping of weights.

A penalty takes the network as a function of images alone, such as
`lambda images: critic(images, training=True)`, and gives a scalar in float32 (float64 for images
in float64), the mean over the batch that it is given; its weight is the caller's. Call it within
the tape that differentiates the loss. The outputs for one image, be they one logit or a map of
them, are summed before the gradient is taken, and must not depend on the other images: no batch
normalization in a penalized network (arXiv:1704.00028, section 4).
"""

import tensorflow as tf
from keras import ops

# Inside the square root, whose gradient at 0 is infinite. Beside 1 it vanishes in float32.
_EPSILON = 1e-12


def gradient_penalty(critic, real_images, fake_images, mixing, target=1.0, one_sided=False):
    """E[(||grad critic(x)||_2 - target)^2], x = mixing * real_images + (1 - mixing) * fake_images.

    Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, where its weight is 10. The norm is over all
    axes of an image.

    Args:
        critic: a function from images to logits.
        real_images: `(B, ...)`, of any number of axes.
        fake_images: of the same shape.
        mixing: `(B,)` or `(B, 1, ..., 1)`, one number for each pair of images, uniform in [0, 1]:
            see `mixing_weights`.
        target: the norm that costs nothing.
        one_sided: penalizes only norms above the target, max(0, ||.|| - target)^2 (the paper's
            section 4, "Two-sided penalty").

    Returns:
        Scalar, at least 0.

    Raises:
        ValueError: images of two shapes, or mixing that is not one number for each pair.
    """
    real_images, fake_images = _at_least_float32(real_images), _at_least_float32(fake_images)
    if not real_images.shape.is_compatible_with(fake_images.shape):
        raise ValueError(
            f"real_images of shape {real_images.shape} and fake_images of shape "
            f"{fake_images.shape}: give as many of the same size."
        )
    mixing = ops.cast(mixing, real_images.dtype)
    pairs = real_images.shape[:1]
    if not mixing.shape[:1].is_compatible_with(pairs) or any(n != 1 for n in mixing.shape[1:]):
        # Drawn per pixel, the mixed images would not lie on the line between the two.
        raise ValueError(
            f"mixing of shape {mixing.shape} for {pairs} pairs of images: give one number for each "
            "pair."
        )
    mixing = ops.reshape(mixing, (-1,) + (1,) * (len(real_images.shape) - 1))
    images = mixing * real_images + (1.0 - mixing) * fake_images
    return _norm_penalty(critic, images, target, one_sided)


def mixing_weights(batch_size, seed):
    """The weights between real and fake images of `gradient_penalty`; a function of its arguments.

    With several replicas, draw them as all noise: `replica_share(lambda count:
    mixing_weights(count, seed), batch_size)`.

    Args:
        batch_size: how many, B.
        seed: `(2,)` integers.

    Returns:
        float32 `(B,)`, uniform in [0, 1).
    """
    return tf.random.stateless_uniform((batch_size,), seed)


def r1_penalty(discriminator, real_images):
    """E[||grad discriminator(x)||_2^2] at x = real_images.

    Mescheder et al. 2018, arXiv:1801.04406, eq. 9, without its factor gamma / 2: multiply by
    gamma / 2 (the paper's experiments on images take gamma = 10, a factor of 5).

    Args:
        discriminator: a function from images to logits.
        real_images: `(B, ...)`, of any number of axes.

    Returns:
        Scalar, at least 0.
    """
    return ops.mean(_squared_gradient_norms(discriminator, _at_least_float32(real_images)))


def dragan_penalty(discriminator, real_images, noise, target=1.0):
    """E[(||grad discriminator(x)||_2 - target)^2] at x = real_images + noise.

    Kodali et al. 2017, arXiv:1705.07215, where its weight is 10.

    Args:
        discriminator: a function from images to logits, as in the authors' code.
        real_images: `(B, ...)`, of any number of axes.
        noise: of the same shape: see `dragan_noise`. The paper writes N(0, c) per pixel.
        target: the norm that costs nothing, the paper's k.

    Returns:
        Scalar, at least 0.

    Raises:
        ValueError: noise of another shape than the images.
    """
    real_images, noise = _at_least_float32(real_images), _at_least_float32(noise)
    if not real_images.shape.is_compatible_with(noise.shape):
        raise ValueError(
            f"noise of shape {noise.shape} for real_images of shape {real_images.shape}: give "
            "noise for each pixel, as dragan_noise does."
        )
    return _norm_penalty(discriminator, real_images + noise, target)


def dragan_noise(images, seed, count=None):
    """mixing * std(images) / 2 * uniform: how far `dragan_penalty` goes from the data.

    The noise of the authors' code rather than the paper's N(0, c): uniform in [0, 1) per pixel,
    half as large as the standard deviation over all pixels of the batch, and shrunk by another
    uniform number for each image, so that it fills the way from the data outwards.

    With several replicas, draw it as all noise: `replica_share(lambda count:
    dragan_noise(images, seed, count), batch_size)`; the deviation is that of the replica's images.

    Args:
        images: `(B, ...)`, real ones.
        seed: `(2,)` integers.
        count: how many to draw, N; None for B.

    Returns:
        float32 `(N, ...)` (float64 for images in float64), at least 0.
    """
    images = _at_least_float32(images)
    shape = tf.shape(images)
    rows = shape[:1] if count is None else tf.reshape(tf.cast(count, "int32"), (1,))
    seeds = tf.random.experimental.stateless_split(seed, 2)
    uniform = tf.random.stateless_uniform(
        tf.concat([rows, shape[1:]], 0), seeds[0], dtype=images.dtype
    )
    ones = tf.ones_like(shape[1:])
    mixing = tf.random.stateless_uniform(tf.concat([rows, ones], 0), seeds[1], dtype=images.dtype)
    return mixing * 0.5 * ops.std(images) * uniform


def drift_penalty(real_logits):
    """E[D(x)^2] at real images.

    Karras et al. 2018, arXiv:1710.10196, appendix A.1, where its weight is 0.001. A Wasserstein
    loss does not change when a constant is added to all scores; this keeps them near zero.

    Args:
        real_logits: logits of real images, of any shape.

    Returns:
        Scalar, at least 0.
    """
    return ops.mean(ops.square(_at_least_float32(real_logits)))


def clip_weights(network, bound):
    """Clips every trainable variable of a network to [-bound, bound].

    Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1, after each step of the critic, with 0.01.
    Within a replica of `tf.distribute` each clips its own copy, and equal copies stay equal.

    Args:
        network: a Keras model or layer.
        bound: a number above 0.

    Raises:
        ValueError: a bound that is not above 0.
    """
    if not bound > 0:
        raise ValueError(f"bound={bound!r}: give a number above 0, such as 0.01.")
    for variable in network.trainable_variables:
        variable.assign(ops.clip(variable, -bound, bound))


def _norm_penalty(network, images, target, one_sided=False):
    norms = ops.sqrt(_squared_gradient_norms(network, images) + _EPSILON)
    excess = ops.relu(norms - target) if one_sided else norms - target
    return ops.mean(ops.square(excess))


def _squared_gradient_norms(network, images):
    """||grad network(x)||_2^2 for each of the images, `(B,)`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = network(images)
    # Images in float32 have gradients in float32, whatever the network computes in.
    gradients = tape.gradient(logits, images)
    return ops.sum(ops.square(gradients), axis=tuple(range(1, len(images.shape))))


def _at_least_float32(images):
    images = tf.convert_to_tensor(images)
    return images if images.dtype == "float64" else ops.cast(images, "float32")
