"""Images doubled, halved, faded into each other and blurred.

As the progressive GANs have it (Karras et al. 2018, arXiv:1710.10196, section 2 and figure 2).
"""

import keras
import numpy as np
from keras import ops


def upsample(images, factor=2):
    """Nearest-neighbour enlargement: `(B, H, W, C)` to `(B, factor * H, factor * W, C)`."""
    if factor == 1:
        return images
    return ops.repeat(ops.repeat(images, factor, axis=1), factor, axis=2)


def downsample(images, factor=2):
    """Means of squares of pixels: `(B, H, W, C)` to `(B, H / factor, W / factor, C)`."""
    if factor == 1:
        return images
    return ops.average_pool(images, factor, factor)


def fade(old, new, share):
    """`(1 - share) * old + share * new`: exactly the one at 0 and the other at 1.

    Args:
        old: a tensor.
        new: a tensor of the same shape.
        share: a scalar in [0, 1].
    """
    share = ops.cast(share, new.dtype)
    return (1.0 - share) * old + share * new


@keras.saving.register_keras_serializable(package="keras_gen")
class Blur(keras.layers.Layer):
    """Low-pass filter: each channel convolved with [1, 2, 1] along height and width, normalized.

    Around every doubling and halving in StyleGAN (Karras et al. 2019, arXiv:1812.04948, appendix C,
    after Zhang 2019, arXiv:1904.11486). Zeros are padded around the image.

    Call arguments:
        inputs: `(B, H, W, C)`.

    Returns:
        A tensor like it.
    """

    def call(self, inputs):
        """The blurred inputs."""
        kernel = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]) / 16.0
        kernel = np.repeat(kernel[:, :, None, None], inputs.shape[-1], axis=2)
        kernel = ops.convert_to_tensor(kernel, inputs.dtype)
        return ops.depthwise_conv(inputs, kernel, padding="same")

    def compute_output_shape(self, input_shape):
        """That of the inputs."""
        return input_shape
