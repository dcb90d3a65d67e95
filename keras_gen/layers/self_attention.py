"""Self-attention over the positions of a map (Zhang et al. 2019, arXiv:1805.08318)."""

import keras
from keras import ops

from keras_gen.layers.spectral_norm import SpectralNormalization


@keras.saving.register_keras_serializable(package="keras_gen")
class SelfAttention(keras.layers.Layer):
    """Adds to each position a mean over all positions, weighted by how alike they are (eqs. 1-3).

        weights[q, k] = softmax over k of <queries[q], keys[k]>
        outputs = x + gain * projection(sum over k of weights[q, k] values[k])

    Queries, keys, values and projection are 1x1 convolutions without biases under spectral
    normalization, to C / 8, C / 8, C / 2 and back to C channels. The gain is one number that starts
    at 0: the layer starts as the identity, and the network learns from near to far.

    Differences from the paper:
        - Keys and values are max-pooled 2x2, a quarter of the positions, and values have C / 2
          channels, as in the authors' code. The paper's text reduces values to C / 8 and mentions
          no pooling.

    Args:
        kernel_initializer: of all convolutions.

    Call arguments:
        inputs: maps `(B, H, W, C)`, H and W even.

    Returns:
        Maps of the same shape.

    Raises:
        ValueError: maps with an odd side.

    Reference:
        arXiv:1805.08318, section 3.
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.pool = keras.layers.MaxPooling2D(2, dtype=self.dtype_policy)

    def build(self, input_shape):
        """Builds the four convolutions for maps `(B, H, W, C)`."""
        _, height, width, channels = input_shape
        if height % 2 or width % 2:
            raise ValueError(
                f"maps of {height}x{width}: the keys are pooled 2x2; give maps with even sides."
            )
        few, half = max(channels // 8, 1), max(channels // 2, 1)
        self.queries = self._convolution("queries", channels, few)
        self.keys = self._convolution("keys", channels, few)
        self.values = self._convolution("values", channels, half)
        self.projection = self._convolution("projection", half, channels)
        self.gain = self.add_weight(name="gain", shape=(), initializer="zeros")
        self.built = True

    def call(self, inputs):
        """The maps with what they attend to."""
        height, width, _ = inputs.shape[1:]
        queries = _positions(self.queries(inputs))  # (B, H * W, C / 8)
        keys = _positions(self.pool(self.keys(inputs)))  # (B, H * W / 4, C / 8)
        values = _positions(self.pool(self.values(inputs)))  # (B, H * W / 4, C / 2)
        weights = ops.softmax(ops.matmul(queries, ops.swapaxes(keys, 1, 2)), axis=-1)
        attended = ops.matmul(weights, values)
        attended = ops.reshape(attended, (-1, height, width, attended.shape[-1]))
        return inputs + self.gain * self.projection(attended)

    def compute_output_shape(self, input_shape):
        """That of the inputs."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "kernel_initializer": initializer}

    def _convolution(self, name, channels_in, channels_out):
        layer = SpectralNormalization(
            keras.layers.Conv2D(
                channels_out,
                1,
                use_bias=False,
                # One of its own: an initializer with a seed would give queries and keys alike.
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
            ),
            name=name,
        )
        layer.build((None, None, None, channels_in))
        return layer


def _positions(maps):
    """Maps `(B, H, W, C)` as `(B, H * W, C)`."""
    _, height, width, channels = maps.shape
    return ops.reshape(maps, (-1, height * width, channels))
