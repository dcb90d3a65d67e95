"""Fully visible sigmoid belief network (FVSBN).

Neal, 1992, Connectionist learning of belief networks; a baseline of NADE (Larochelle and Murray
2011) and of MADE (Germain, Gregor, Murray and Larochelle 2015, arXiv:1502.03509).

The cheapest autoregressive model: each pixel is a logistic regression on the pixels before it. What
it reaches is what more than pairs of pixels has to be learned for.

Objective, in nats per image, with D binary pixels in raster order:

    logits[i] = bias[i] + sum_{j < i} kernel[j, i] images[j]
    nll = -mean[sum_i log p(images[i] | images[:i])],   p(images[i] = 1 | images[:i]) = sigmoid

Differences from the paper:
    - Adam(1e-3) on batches; Neal's learning is stochastic gradient ascent on single examples.

Shapes: images (B, H, W, C), of zeros and ones; logits (B, H, W, C); kernel (D, D).
"""

import math

import keras
import numpy as np
from keras import ops

from keras_gen.models.autoregressive.base import AutoregressiveModel


@keras.saving.register_keras_serializable(package="keras_gen")
class PrecedingPixels(keras.layers.Layer):
    """A linear map of each value's predecessors: a dense layer of a strictly triangular kernel.

    Call arguments:
        values: `(B, D)`.

    Returns:
        `(B, D)`, of which entry i depends on values before i.
    """

    def build(self, input_shape):
        """Makes the weights for inputs `(B, D)`: all zero, every value fair."""
        size = input_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(size, size), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros")

    def call(self, values):
        """Gives `(B, D)`."""
        mask = np.triu(np.ones(self.kernel.shape, "float32"), 1)
        kernel = ops.convert_to_tensor(self.kernel)
        return ops.matmul(values, kernel * ops.cast(mask, kernel.dtype)) + self.bias


def build_network(image_shape):
    """The logits of all pixels.

    Args:
        image_shape: `(H, W, C)`.

    Returns:
        A network from `(B, H, W, C)` to float32 logits of that shape.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Reshape((math.prod(image_shape),))(images)
    x = PrecedingPixels(dtype="float32")(x)
    logits = keras.layers.Reshape(image_shape, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="network")


@keras.saving.register_keras_serializable(package="keras_gen")
class FVSBN(AutoregressiveModel):
    """Fully visible sigmoid belief network, of binarized images.

    Args:
        image_shape: `(H, W, C)`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1502.03509, where it is a baseline.
    """

    def __init__(self, image_shape=(28, 28, 1), **kwargs):
        super().__init__(image_shape, "bernoulli", **kwargs)

    def build_network(self):
        """The network from images to logits."""
        return build_network(self.image_shape)
