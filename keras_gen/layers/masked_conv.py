"""Causal convolutions: a pixel's output sees only what comes before it in raster order.

Van den Oord, Kalchbrenner and Kavukcuoglu, 2016, Pixel Recurrent Neural Networks,
arXiv:1601.06759, section 3.4, and for the two stacks Van den Oord et al., 2016, Conditional Image
Generation with PixelCNN Decoders, arXiv:1606.05328, section 2.2.

Seen from the pixel in its middle, an odd kernel reaches over pixels that are known and over later
ones. The first are its taps, in raster order:

    "A"              all rows above, and in the pixel's own row what lies left of it
    "B"              the same and the pixel itself
    "vertical_A"     all rows above
    "vertical_B"     the same and the pixel's whole row

What is masked out is never stored: the kernel variable has the taps alone, and for the convolution
it is filled up with zeros to whole rows, the last of which is the pixel's own.

Colours. With `colors` greater than 1 an image's channels are known one after the other, red before
green before blue, and so are features: the channels of a layer are divided into that many equal
groups. At the pixel itself group i sees groups 0 to i - 1 ("A") or 0 to i ("B"); elsewhere it sees
all. Stacks of rows above see whole pixels only and need no colours.
"""

import contextlib
import contextvars

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers.checks import check_choice, check_positive

MASK_TYPES = ("A", "B", "vertical_A", "vertical_B")
_stand_in = contextvars.ContextVar("stand_in", default=None)


@contextlib.contextmanager
def convolutions_by(function):
    """While open, every `MaskedConv2D` gives `function(layer, inputs)`: see `drawing`.

    A network can then be called on a single pixel, with what its convolutions see of others coming
    from elsewhere.
    """
    token = _stand_in.set(function)
    try:
        yield
    finally:
        _stand_in.reset(token)


def color_mask(in_channels, filters, mask_type, colors, parts=1):
    """Which inputs at the pixel itself an output sees.

    Args:
        in_channels: of the inputs.
        filters: outputs.
        mask_type: `"A"` or `"B"`.
        colors: groups of channels.
        parts: equal parts that the outputs will be cut into, such as the two sides of a gate; each
            has all the groups.

    Returns:
        float32 `(in_channels, filters)` of zeros and ones.
    """
    group_in = np.arange(in_channels) * colors // in_channels
    size = filters // parts
    group_out = np.tile(np.arange(size) * colors // size, parts)
    seen = np.less if mask_type == "A" else np.less_equal
    return seen(group_in[:, None], group_out[None, :]).astype("float32")


@keras.saving.register_keras_serializable(package="keras_gen")
class MaskedConv2D(keras.layers.Layer):
    """A convolution of stride 1 that sees known pixels only, with zeros around the image.

    Args:
        filters: channels of the outputs.
        kernel_size: odd, a number or `(rows, columns)`, of the kernel before it is masked.
        mask_type: one of `MASK_TYPES`.
        colors: groups of channels, at most 1 for vertical masks.
        parts: see `color_mask`.
        use_bias: whether the outputs have a bias.
        kernel_initializer: of the taps, `(taps, in_channels, filters)`.

    Call arguments:
        images: `(B, H, W, in_channels)`.

    Returns:
        `(B, H, W, filters)`.

    Raises:
        ValueError: an argument is none of the above, or channels do not divide into groups.

    Reference:
        arXiv:1601.06759, section 3.4.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        mask_type,
        colors=1,
        parts=1,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(filters=filters, colors=colors, parts=parts)
        whole = isinstance(kernel_size, int | np.integer)
        sizes = (int(kernel_size),) * 2 if whole else tuple(kernel_size)
        odd = [isinstance(size, int | np.integer) and size > 0 and size % 2 == 1 for size in sizes]
        if len(sizes) != 2 or not all(odd):
            raise ValueError(f"kernel_size={kernel_size!r}: give one or two odd integers.")
        check_choice("mask_type", mask_type, MASK_TYPES)
        vertical = mask_type.startswith("vertical")
        if colors > 1 and vertical:
            raise ValueError(f"colors={colors!r}: vertical masks take 1.")
        if filters % (colors * parts):
            raise ValueError(
                f"filters={filters!r}: give a multiple of {colors * parts}, for {colors} equal "
                f"groups in each of {parts} parts."
            )
        self.filters, self.kernel_size, self.mask_type = filters, sizes, mask_type
        self.colors, self.parts, self.use_bias = colors, parts, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

        self.rows_above, self.columns_left = sizes[0] // 2, sizes[1] // 2
        before = self.rows_above * sizes[1]  # taps in the rows above
        self.sees_pixel = mask_type == "B" or (mask_type == "A" and colors > 1)
        self.num_taps = {
            "vertical_A": before,
            "vertical_B": before + sizes[1],
        }.get(mask_type, before + self.columns_left + self.sees_pixel)
        if self.num_taps == 0:
            raise ValueError(f"kernel_size={kernel_size!r} leaves the mask {mask_type} no pixel.")

    def build(self, input_shape):
        """Makes the taps for inputs `(B, H, W, in_channels)`."""
        in_channels = input_shape[-1]
        if in_channels % self.colors:
            raise ValueError(
                f"Inputs of {in_channels} channels do not divide into colors={self.colors} groups."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_taps, in_channels, self.filters),
            initializer=self.kernel_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def taps(self):
        """The kernel `(num_taps, in_channels, filters)`, zero where colours must not be seen."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.colors == 1:
            return kernel
        shape = (kernel.shape[1], self.filters, self.mask_type, self.colors, self.parts)
        mask = ops.cast(color_mask(*shape), kernel.dtype)
        return ops.concatenate([kernel[:-1], kernel[-1:] * mask])

    def call(self, images):
        """Gives `(B, H, W, filters)`."""
        if _stand_in.get() is not None:
            return _stand_in.get()(self, images)
        kernel = self.taps()
        if self.kernel_size == (1, 1) and images.dtype == "float32":
            # As a product of matrices it takes two thirds of the time; in bfloat16 longer.
            outputs = self.add_bias(
                tf.matmul(tf.reshape(images, (-1, images.shape[-1])), kernel[0])
            )
            return tf.reshape(outputs, (*tf.unstack(tf.shape(images))[:3], self.filters))
        rows, columns = self.rows_above + 1, self.kernel_size[1]
        if rows == 1 and not self.mask_type.startswith("vertical"):
            columns = self.columns_left + 1
        if self.mask_type == "vertical_A":
            rows, images = self.rows_above, images[:, :-1]
        missing = rows * columns - self.num_taps
        kernel = ops.pad(kernel, [[0, missing], [0, 0], [0, 0]])
        kernel = ops.reshape(kernel, (rows, columns, *kernel.shape[1:]))
        right = columns - 1 - self.columns_left
        around = [[0, 0], [self.rows_above, 0], [self.columns_left, right], [0, 0]]
        # TensorFlow takes up to twice as long for gradients of a convolution that pads one side
        # more than the other, and in bfloat16 up to a hundred times.
        images = tf.pad(images, around)
        return self.add_bias(tf.nn.conv2d(images, kernel, strides=1, padding="VALID"))

    def add_bias(self, outputs):
        """Outputs `(..., filters)` with the bias, where there is one."""
        if not self.use_bias:
            return outputs
        return tf.nn.bias_add(outputs, ops.convert_to_tensor(self.bias))

    def compute_output_shape(self, input_shape):
        """`(B, H, W, filters)`."""
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "mask_type": self.mask_type,
            "colors": self.colors,
            "parts": self.parts,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
