"""Drawing images pixel by pixel, exactly: from a whole network, or with its activations cached.

Ramachandran et al., 2017, Fast Generation for Convolutional Autoregressive Models,
arXiv:1704.06001. The plain way runs the whole network for every pixel, and throws away all outputs
but those of that pixel. `CachedDrawing` keeps the activations that later pixels need, and computes
each layer at the current pixel alone: a pixel then costs the same wherever it lies, and the cost of
an image grows with its pixels and no longer with their square.

Functional networks can be cached that are made of `MaskedConv2D`s, each used once and in no model
within, and of layers that treat every pixel alike. Layers of vertical masks, which see whole rows,
belong in a network of their own, `row_network`: it is run once for each row, and its outputs are
inputs of the network of pixels.

Shapes: images (B, H, W, C); uniforms (B, H, W, num_uniforms); parameters (B, H, W,
num_parameters). `known` (B, H, W, 1) is 1 where a pixel of `given` is kept, 0 where one is drawn.
"""

import keras
import tensorflow as tf

from keras_gen.layers.masked_conv import MaskedConv2D, convolutions_by


def draw_with_network(network, distribution, uniforms, temperature, given, known, labels=()):
    """Draws images with the whole network, once for every pixel and colour.

    Args:
        network: from `[images, *labels]` to parameters.
        distribution: one of `PIXELS`.
        uniforms: noise, `(B, H, W, num_uniforms)`.
        temperature: a positive scalar.
        given: images, of which known pixels are kept.
        known: 1 where they are.
        labels: what else the network takes, in a list.

    Returns:
        float32 `(B, H, W, C)`.
    """
    height, width, channels = given.shape[1:]
    images = known * given
    groups = channels // distribution.colors
    for index in tf.range(height * width):
        row, column = index // width, index % width
        here = tf.one_hot(row, height)[:, None, None] * tf.one_hot(column, width)[:, None]
        here = here * (1.0 - known)
        for color in range(distribution.colors):
            parameters = call(network, images, *labels)[:, row, column]
            value = distribution.draw(color, parameters, uniforms[:, row, column], temperature)
            value = tf.pad(value, [[0, 0], [color * groups, channels - (color + 1) * groups]])
            images = images + here * value[:, None, None, :]
    return images


class CachedDrawing:
    """Draws images with a network's activations cached.

    Args:
        distribution: one of `PIXELS`.
        network: a functional network from `[images, *features, *labels]` to parameters, of images
            of any size.
        row_network: None, or one from `[images, *labels]` to the features, a list.
    """

    def __init__(self, distribution, network, row_network=None):
        self.distribution, self.network, self.row_network = distribution, network, row_network
        self.convolutions = _with_memory(network)
        self.row_convolutions = _with_memory(row_network) if row_network else []

    def __call__(self, uniforms, temperature, given, known, labels=()):
        """Draws images: arguments and result as of `draw_with_network`."""
        batch, (height, width, channels) = tf.shape(given)[0], given.shape[1:]

        def draw_row(row, above, rows_before, images):
            blank = tf.zeros((batch, 1, width, channels))
            features, entered = self._run_row(blank, labels, above)
            here = (uniforms[:, row], given[:, row], known[:, row])
            drawn, entered_pixels = self._draw_row(
                *here, temperature, features, labels, rows_before
            )
            _, entered_known = self._run_row(drawn[:, None], labels, above)
            for name, layer in self._named(self.row_convolutions):
                # What depends on the row itself: the others saw a blank one.
                new = entered_known if layer.mask_type == "vertical_A" else entered
                above[name] = tf.concat([above[name], new[name]], axis=1)[:, 1:]
            for name, layer in self._named(self.convolutions):
                rows_before[name] = _next_rows(layer, rows_before[name], entered_pixels[name])
            return row + 1, above, rows_before, images.write(row, drawn)

        def zeros(layer, *shape):
            return tf.zeros((batch, *shape, layer.kernel.shape[1]), layer.compute_dtype)

        above = {
            name: zeros(layer, layer.rows_above, width)
            for name, layer in self._named(self.row_convolutions)
        }
        rows_before = {
            name: zeros(layer, layer.rows_above, width + 2 * layer.columns_left)
            for name, layer in self._named(self.convolutions)
        }
        images = tf.TensorArray("float32", height, element_shape=(given.shape[0], width, channels))
        *_, images = tf.while_loop(
            lambda row, *_: row < height,
            draw_row,
            (tf.constant(0), above, rows_before, images),
            maximum_iterations=height,
        )
        return tf.ensure_shape(tf.transpose(images.stack(), (1, 0, 2, 3)), given.shape)

    def _draw_row(self, uniforms, given, known, temperature, features, labels, rows_before):
        """Draws a row `(B, W, C)`, and gives what entered the convolutions, `(B, W, F)` each."""
        batch, (width, channels) = tf.shape(given)[0], given.shape[1:]
        colors = self.distribution.colors
        groups = channels // colors

        def draw_pixel(column, lefts, pixels, arrays):
            before = {
                name: tf.concat([_window(layer, rows_before[name], column), lefts[name]], axis=1)
                for name, layer in self._named(self.convolutions)
            }
            here = [_columns(each, column, 1) for each in features]
            pixel = known[:, column] * given[:, column]
            for color in range(colors):
                parameters, entered = self._run_pixel(pixel, here, labels, before)
                value = self.distribution.draw(color, parameters, uniforms[:, column], temperature)
                value = tf.pad(value, [[0, 0], [color * groups, channels - (color + 1) * groups]])
                pixel = pixel + (1.0 - known[:, column]) * value
            _, entered_known = self._run_pixel(pixel, here, labels, before)
            for name, layer in self._named(self.convolutions):
                # What depends on all of the pixel: the others saw it without its last colour.
                new = (entered_known if layer.mask_type == "A" else entered)[name]
                lefts[name] = tf.concat([lefts[name], new[:, None]], axis=1)[:, 1:]
                arrays[name] = arrays[name].write(column, new)
            return column + 1, lefts, pixels.write(column, pixel), arrays

        lefts, arrays = {}, {}
        for name, layer in self._named(self.convolutions):
            size = layer.kernel.shape[1]
            lefts[name] = tf.zeros((batch, layer.columns_left, size), layer.compute_dtype)
            arrays[name] = tf.TensorArray(
                layer.compute_dtype, width, element_shape=(given.shape[0], size)
            )
        pixels = tf.TensorArray("float32", width, element_shape=(given.shape[0], channels))
        *_, pixels, arrays = tf.while_loop(
            lambda column, *_: column < width,
            draw_pixel,
            (tf.constant(0), lefts, pixels, arrays),
            maximum_iterations=width,
        )
        return _batch_first(pixels), {name: _batch_first(each) for name, each in arrays.items()}

    def _run_pixel(self, pixel, features, labels, before):
        """Parameters `(B, P)` of a pixel `(B, C)`, and what entered the convolutions, `(B, F)`."""
        entered = {}

        def convolve(layer, inputs):
            entered[layer.name] = inputs[:, 0, 0]
            return _at_pixel(layer, inputs, before.get(layer.name))

        with convolutions_by(convolve):
            parameters = call(self.network, pixel[:, None, None], *features, *labels)
        return parameters[:, 0, 0], entered

    def _run_row(self, row, labels, above):
        """Features of a row, `(B, 1, W, F)` each, and what entered the convolutions."""
        entered = {}

        def convolve(layer, inputs):
            entered[layer.name] = inputs
            return _at_row(layer, inputs, above.get(layer.name))

        if self.row_network is None:
            return [], entered
        with convolutions_by(convolve):
            return tf.nest.flatten(call(self.row_network, row, *labels)), entered

    @staticmethod
    def _named(layers):
        return [(layer.name, layer) for layer in layers]


def call(network, *inputs, **options):
    """The network's outputs: Keras takes one input as it is and several in a list."""
    return network(list(inputs) if len(inputs) > 1 else inputs[0], **options)


def _with_memory(network):
    """The convolutions in a network that see more than the current pixel or row.

    Raises:
        ValueError: the network has another one within, whose activations would not be kept.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            raise ValueError(f"{layer.name} is a model within a model: give its layers instead.")
    return [
        layer
        for layer in network.layers
        if isinstance(layer, MaskedConv2D) and layer.kernel_size != (1, 1)
    ]


def _at_pixel(layer, pixel, before):
    """A convolution's output at one pixel, `(B, 1, 1, filters)`: one matrix product.

    Args:
        layer: a `MaskedConv2D` of mask A or B.
        pixel: its input there, `(B, 1, 1, F)`.
        before: None, or its input at earlier taps, `(B, taps, F)`.
    """
    taps = [] if before is None else [before]
    if layer.sees_pixel:
        taps.append(pixel[:, 0])
    taps = tf.concat(taps, axis=1) if len(taps) > 1 else taps[0]
    size = taps.shape[1] * taps.shape[2]
    kernel = tf.reshape(layer.taps(), (size, layer.filters))
    return layer.add_bias(tf.matmul(tf.reshape(taps, (-1, size)), kernel))[:, None, None]


def _at_row(layer, row, above):
    """A convolution's output in one row, `(B, 1, W, filters)`.

    Args:
        layer: a `MaskedConv2D` of a vertical mask.
        row: its input there, `(B, 1, W, F)`.
        above: None, or its input in the rows above, `(B, rows_above, W, F)`.
    """
    rows = [] if above is None else [above]
    if layer.mask_type != "vertical_A":
        rows.append(row)
    rows = tf.concat(rows, axis=1) if len(rows) > 1 else rows[0]
    width, left = rows.shape[2], layer.columns_left
    rows = tf.pad(rows, [[0, 0], [0, 0], [left, left], [0, 0]])
    windows = [rows[:, :, first : first + width] for first in range(2 * left + 1)]
    taps = tf.transpose(tf.stack(windows, axis=3), (0, 2, 1, 3, 4))  # (B, W, rows, columns, F)
    size = taps.shape[2] * taps.shape[3] * taps.shape[4]
    kernel = tf.reshape(layer.taps(), (size, layer.filters))
    outputs = layer.add_bias(tf.matmul(tf.reshape(taps, (-1, size)), kernel))
    return tf.reshape(outputs, (-1, 1, width, layer.filters))


def _window(layer, rows, column):
    """The taps in the rows above, `(B, taps, F)`, of rows `(B, rows_above, W + padding, F)`."""
    columns = 2 * layer.columns_left + 1
    window = _columns(rows, column, columns)
    return tf.reshape(window, (tf.shape(rows)[0], layer.rows_above * columns, rows.shape[-1]))


def _columns(rows, first, count):
    """rows[:, :, first : first + count]: the slice as written has no fixed size for XLA."""
    size = (tf.shape(rows)[0], rows.shape[1], count, rows.shape[3])
    return tf.slice(rows, (0, 0, first, 0), size)


def _next_rows(layer, rows, row):
    """The rows above the next row, when `row` `(B, W, F)` is the last of them."""
    if not layer.rows_above:
        return rows
    sides = [layer.columns_left] * 2
    return tf.concat([rows, tf.pad(row, [[0, 0], sides, [0, 0]])[:, None]], axis=1)[:, 1:]


def _batch_first(array):
    return tf.transpose(array.stack(), (1, 0, 2))
