"""PixelRNN: Row LSTM and Diagonal BiLSTM.

Van den Oord, Kalchbrenner and Kavukcuoglu, 2016, Pixel Recurrent Neural Networks, arXiv:1601.06759.

An image's probability is the product of its pixels' probabilities, each given the pixels above it
and to its left. Recurrent layers carry what they saw across the image: down its rows, or along its
diagonals, with all pixels before each one in view.

Objective (eq. 1), in nats per image:

    parameters = network(images)                         of the pixels' distributions
    nll = -mean[sum_i log p(images[i] | images[:i])]     those of pixel i depend on images[:i]

Differences from the paper:
    - Adam(1e-3) instead of RMSprop.
    - One colour, or several with the logistic mixture, which takes a pixel's colours together: the
      recurrent layers do not order them.
    - Images are one column wider inside the network, so that the Diagonal BiLSTM sees all earlier
      pixels: as written, the last pixel of the row above is out of sight beyond the first kernel.
    - The network sees 2 x - 1, not x: zeros around the image then differ from black.

Shapes: images (B, H, W, C) in [0, 1]; features (B, H, W, 2 * units); parameters (B, H, W,
num_parameters).
"""

import keras

from keras_gen.layers import DiagonalBiLSTM, MaskedConv2D, RowLSTM
from keras_gen.layers.checks import check_choice
from keras_gen.models.autoregressive.base import AutoregressiveModel
from keras_gen.models.base import check_image_shape, check_positive

VARIANTS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


def build_network(image_shape, num_parameters, variant, units, num_layers, head_filters):
    """A wide masked convolution, residual recurrent layers, and two layers of one pixel each.

    Args:
        image_shape: `(H, W, C)`.
        num_parameters: of a pixel's distribution.
        variant: a key of `VARIANTS`.
        units: channels h of a layer's state; between layers there are twice as many.
        num_layers: recurrent layers.
        head_filters: channels of the two layers behind them.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, H, W, num_parameters)`.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Rescaling(2.0, -1.0)(images)
    # One column more: a feature leaves its own pixel out, and without it no feature that the
    # direction from the right carries on to the next row would know the last pixel of a row.
    x = keras.layers.ZeroPadding2D(((0, 0), (0, 1)))(x)
    x = MaskedConv2D(2 * units, 7, "A")(x)
    for _ in range(num_layers):
        h = VARIANTS[variant](units)(x)
        x = keras.layers.Add()([x, MaskedConv2D(2 * units, 1, "B")(h)])  # Figure 5
    x = keras.layers.Cropping2D(((0, 0), (0, 1)))(x)
    for _ in range(2):
        x = MaskedConv2D(head_filters, 1, "B")(keras.layers.ReLU()(x))
    x = keras.layers.ReLU()(x)
    parameters = MaskedConv2D(num_parameters, 1, "B", dtype="float32", name="parameters")(x)
    return keras.Model(images, parameters, name="network")


@keras.saving.register_keras_serializable(package="keras_gen")
class PixelRNN(AutoregressiveModel):
    """PixelRNN of Row LSTM or Diagonal BiLSTM layers.

    Args:
        image_shape: `(H, W, C)`.
        variant: `"row"` or `"diagonal"`.
        units: channels h of a layer's state.
        num_layers: recurrent layers.
        head_filters: channels of the two layers behind them.
        likelihood: `"bernoulli"` for binarized images, `"categorical"` for 256 levels of one
            channel, or `"logistic_mixture"`.

    Raises:
        ValueError: an argument is none of the above, or a likelihood orders several channels.

    Reference:
        arXiv:1601.06759, sections 3.1 to 3.3 and 5.4 (7 layers of 16 units on MNIST).
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        variant="diagonal",
        units=16,
        num_layers=7,
        head_filters=32,
        likelihood="bernoulli",
        **kwargs,
    ):
        check_positive(units=units, num_layers=num_layers, head_filters=head_filters)
        check_choice("variant", variant, VARIANTS)
        if check_image_shape(image_shape)[-1] > 1 and likelihood != "logistic_mixture":
            raise ValueError(
                f"image_shape={image_shape!r}: with several channels PixelRNN takes the likelihood "
                f"logistic_mixture, not {likelihood}."
            )
        self.variant, self.units, self.num_layers = variant, units, num_layers
        self.head_filters = head_filters
        super().__init__(image_shape, likelihood, **kwargs)

    def build_network(self):
        """The network from images to parameters."""
        return build_network(
            self.image_shape,
            self.pixel.num_parameters,
            self.variant,
            self.units,
            self.num_layers,
            self.head_filters,
        )
