"""Gated PixelCNN, and the same told the class: conditional PixelCNN.

Van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu, 2016, Conditional Image
Generation with PixelCNN Decoders, arXiv:1606.05328.

Two changes to the PixelCNN. Two stacks of convolutions see what one with masked kernels cannot: the
vertical one sees all rows above, the horizontal one the pixel's own row and, layer by layer, what
the vertical one found: together they leave no blind spot. And units are gated, as the LSTMs of
PixelRNNs are, so that a layer can multiply what it sees.

Objective (eq. 1; eq. 3 with labels), in nats per image:

    parameters = network(images[, labels])               of the pixels' distributions
    nll = -mean[sum_i log p(images[i] | images[:i][, labels])]

Each layer (eq. 2 and Figure 2; eq. 4 with labels, whose terms are linear in the one-hot class):

    v = convolve_vertical(v)                             2 p channels
    h' = convolve_horizontal(h) + pointwise(v)           2 p channels
    v, h' = gate(v), gate(h'),                           gate(a, b) = tanh(a) * sigmoid(b)
    h = h + pointwise(h')                                not in the first layer

Differences from the paper:
    - Fewer and narrower layers by default than the paper's: a CPU can train them. Adam(1e-3).
    - The network sees 2 x - 1, not x: zeros around the image then differ from black.
    - Labels act on every pixel alike; location-dependent conditioning (eq. 5) is left out.

Shapes: images (B, H, W, C) in [0, 1]; labels (B,), integers; features (B, H, W, filters);
parameters (B, H, W, num_parameters), in the order of the colours.
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import MaskedConv2D
from keras_gen.models.autoregressive.base import AutoregressiveModel, check_groups
from keras_gen.models.autoregressive.drawing import CachedDrawing, call
from keras_gen.models.base import check_positive


def build_row_network(channels, filters, num_layers, num_classes=None):
    """The vertical stack: what each layer of the horizontal one is told of the rows above.

    Args:
        channels: of the images.
        filters: channels p of a layer.
        num_layers: how many, L.
        num_classes: None, or labels are 0 to num_classes - 1.

    Returns:
        A network from images `(B, H, W, C)` of any size, or `[images, labels]`, to a list of L
        times `(B, H, W, 2 * filters)`.
    """
    images = keras.Input((None, None, channels), name="images")
    labels = _label_inputs(num_classes)
    v, features = keras.layers.Rescaling(2.0, -1.0)(images), []
    for layer in range(num_layers):
        size, mask_type = (7, "vertical_A") if layer == 0 else (3, "vertical_B")
        v = MaskedConv2D(2 * filters, size, mask_type, name=f"vertical_{layer}")(v)
        features.append(MaskedConv2D(2 * filters, 1, "B", name=f"across_{layer}")(v))
        v = gate(add_label(v, labels, num_classes, layer))
    return keras.Model([images, *labels], features, name="row_network")


def build_pixel_network(
    channels, num_parameters, colors, filters, num_layers, head_filters, num_classes=None
):
    """The horizontal stack and the two layers of one pixel each behind it.

    Args:
        channels: of the images.
        num_parameters: of a pixel's distribution.
        colors: groups of channels that are known one after the other.
        filters: channels p of a layer.
        num_layers: how many, L.
        head_filters: channels of the layers behind.
        num_classes: None, or labels are 0 to num_classes - 1.

    Returns:
        A network from `[images, *features]`, or `[images, *features, labels]`, with the features of
        `build_row_network`, to float32 `(B, H, W, num_parameters)`.
    """
    images = keras.Input((None, None, channels), name="images")
    features = [keras.Input((None, None, 2 * filters)) for _ in range(num_layers)]
    labels = _label_inputs(num_classes)
    h = keras.layers.Rescaling(2.0, -1.0)(images)
    for layer, from_above in enumerate(features):
        size, mask_type = ((1, 7), "A") if layer == 0 else ((1, 3), "B")
        name = f"horizontal_{layer}"
        x = MaskedConv2D(2 * filters, size, mask_type, colors, parts=2, name=name)(h)
        x = gate(add_label(keras.layers.Add()([x, from_above]), labels, num_classes, layer))
        x = MaskedConv2D(filters, 1, "B", colors, name=f"out_{layer}")(x)
        h = x if layer == 0 else keras.layers.Add()([h, x])
    for layer in range(2):
        h = keras.layers.ReLU()(h)
        h = MaskedConv2D(head_filters, 1, "B", colors, name=f"head_{layer}")(h)
    h = keras.layers.ReLU()(h)
    parameters = MaskedConv2D(num_parameters, 1, "B", colors, dtype="float32", name="parameters")(h)
    return keras.Model([images, *features, *labels], parameters, name="pixel_network")


def gate(features):
    """`tanh(a) * sigmoid(b)` of features `(B, H, W, 2 p)`, whose first half a is."""
    a, b = ops.split(features, 2, axis=-1)
    return ops.tanh(a) * ops.sigmoid(b)


def add_label(features, labels, num_classes, layer):
    """Features `(B, H, W, F)` and, of conditional networks, a linear map of the one-hot class."""
    if num_classes is None:
        return features
    one_hot = ops.one_hot(labels[0], num_classes)
    bias = keras.layers.Dense(features.shape[-1], use_bias=False, name=f"label_{layer}")(one_hot)
    return features + ops.expand_dims(bias, (1, 2))


def _label_inputs(num_classes):
    return [] if num_classes is None else [keras.Input((), dtype="int32", name="labels")]


@keras.saving.register_keras_serializable(package="keras_gen")
class GatedPixelCNN(AutoregressiveModel):
    """Gated PixelCNN.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels p of a layer: where masks order several colours, a multiple of their
            number.
        num_layers: how many.
        head_filters: channels of the two layers behind them: likewise.
        likelihood: `"bernoulli"` for binarized images, `"categorical"` for 256 levels, or
            `"logistic_mixture"`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1606.05328, section 2.
    """

    num_classes = None

    def __init__(
        self,
        image_shape=(28, 28, 1),
        filters=30,
        num_layers=7,
        head_filters=60,
        likelihood="bernoulli",
        **kwargs,
    ):
        check_positive(num_layers=num_layers)
        check_groups(likelihood, image_shape, filters=(filters, 1), head_filters=(head_filters, 1))
        self.filters, self.num_layers, self.head_filters = filters, num_layers, head_filters
        super().__init__(image_shape, likelihood, **kwargs)

    def build_network(self):
        """The network from images, or `[images, labels]`, to parameters."""
        channels, colors = self.image_shape[-1], self.pixel.colors
        layers = (self.filters, self.num_layers)
        self.row_network = build_row_network(channels, *layers, self.num_classes)
        self.pixel_network = build_pixel_network(
            channels,
            self.pixel.num_parameters,
            colors,
            *layers,
            self.head_filters,
            self.num_classes,
        )
        images = keras.Input(self.image_shape, name="images")
        labels = _label_inputs(self.num_classes)
        features = tf.nest.flatten(call(self.row_network, images, *labels))
        parameters = self.pixel_network([images, *features, *labels])
        return keras.Model([images, *labels], parameters, name="network")

    def build_drawing(self):
        """Caches the activations of both stacks."""
        return CachedDrawing(self.pixel, self.pixel_network, self.row_network)


@keras.saving.register_keras_serializable(package="keras_gen")
class ConditionalPixelCNN(GatedPixelCNN):
    """Gated PixelCNN that is told the class.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        filters: as in `GatedPixelCNN`.
        num_layers: likewise.
        head_filters: likewise.
        likelihood: likewise.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1606.05328, section 2.3.
    """

    conditional = True

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        filters=30,
        num_layers=7,
        head_filters=60,
        likelihood="bernoulli",
        **kwargs,
    ):
        check_positive(num_classes=num_classes)
        self.num_classes = num_classes
        super().__init__(image_shape, filters, num_layers, head_filters, likelihood, **kwargs)
