"""PixelCNN.

Van den Oord, Kalchbrenner and Kavukcuoglu, 2016, Pixel Recurrent Neural Networks, arXiv:1601.06759.

An image's probability is the product of its pixels' probabilities, each given the pixels above it
and to its left. A convolutional network computes all of them at once: its kernels are masked so
that no pixel sees itself or a later one. Many small kernels together see far, but for a blind spot
to the right of the pixel above, which the masks never reach (see `GatedPixelCNN`).

Objective (eq. 1), in nats per image:

    parameters = network(images)                         of the pixels' distributions
    nll = -mean[sum_i log p(images[i] | images[:i])]     those of pixel i depend on images[:i]

Differences from the paper:
    - Adam(1e-3) instead of RMSprop, and fewer and narrower blocks by default than the paper's 15 of
      h = 128: a CPU can train them.
    - The network sees 2 x - 1, not x: zeros around the image then differ from black.
    - The mixture of discretized logistics of PixelCNN++ (Salimans et al. 2017, arXiv:1701.05517)
      is an option beside the softmax. It takes colours together, and masks do not order them.

Shapes: images (B, H, W, C) in [0, 1]; features (B, H, W, filters); parameters (B, H, W,
num_parameters), in the order of the colours.
"""

import keras

from keras_gen.layers import MaskedConv2D
from keras_gen.models.autoregressive.base import AutoregressiveModel, check_groups
from keras_gen.models.autoregressive.drawing import CachedDrawing
from keras_gen.models.base import check_positive


def build_network(image_shape, num_parameters, colors, filters, num_blocks, head_filters):
    """A wide masked convolution, residual blocks, and two layers of one pixel each.

    Args:
        image_shape: `(H, W, C)`.
        num_parameters: of a pixel's distribution.
        colors: groups of channels that are known one after the other.
        filters: channels between the blocks, the paper's 2h.
        num_blocks: residual blocks.
        head_filters: channels of the two layers behind them.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, H, W, num_parameters)`.
    """
    images = keras.Input((None, None, image_shape[-1]), name="images")
    x = keras.layers.Rescaling(2.0, -1.0)(images)
    x = MaskedConv2D(filters, 7, "A", colors)(x)
    for _ in range(num_blocks):
        x = residual_block(x, colors)
    for _ in range(2):
        x = MaskedConv2D(head_filters, 1, "B", colors)(keras.layers.ReLU()(x))
    x = keras.layers.ReLU()(x)
    parameters = MaskedConv2D(num_parameters, 1, "B", colors, dtype="float32", name="parameters")(x)
    return keras.Model(images, parameters, name="network")


def residual_block(features, colors):
    """Figure 5 of the paper: half as many channels in the middle, where a kernel of 3 sees around.

    Args:
        features: symbolic `(B, H, W, filters)`.
        colors: groups of channels.

    Returns:
        The same shape.
    """
    filters = features.shape[-1]
    x = MaskedConv2D(filters // 2, 1, "B", colors)(keras.layers.ReLU()(features))
    x = MaskedConv2D(filters // 2, 3, "B", colors)(keras.layers.ReLU()(x))
    x = MaskedConv2D(filters, 1, "B", colors)(keras.layers.ReLU()(x))
    return keras.layers.Add()([features, x])


@keras.saving.register_keras_serializable(package="keras_gen")
class PixelCNN(AutoregressiveModel):
    """PixelCNN with residual blocks.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels between the blocks, the paper's 2h: even, and where masks order several
            colours a multiple of twice their number.
        num_blocks: residual blocks.
        head_filters: channels of the two layers behind them: a multiple of the number of colours.
        likelihood: `"bernoulli"` for binarized images, `"categorical"` for 256 levels, or
            `"logistic_mixture"`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1601.06759, section 3.3 and Table 1.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        filters=60,
        num_blocks=5,
        head_filters=60,
        likelihood="bernoulli",
        **kwargs,
    ):
        check_positive(num_blocks=num_blocks)
        check_groups(likelihood, image_shape, filters=(filters, 2), head_filters=(head_filters, 1))
        self.filters, self.num_blocks, self.head_filters = filters, num_blocks, head_filters
        super().__init__(image_shape, likelihood, **kwargs)

    def build_network(self):
        """The network from images to parameters."""
        return build_network(
            self.image_shape,
            self.pixel.num_parameters,
            self.pixel.colors,
            self.filters,
            self.num_blocks,
            self.head_filters,
        )

    def build_drawing(self):
        """Caches the network's activations."""
        return CachedDrawing(self.pixel, self.network)
