"""What a pixel may be, given the pixels before it.

A distribution reads its parameters from a network's outputs at the pixel, gives the log-likelihood
of whole images, and draws a pixel as a function of uniform noise: the same noise, the same pixel.
Values are in [0, 1]; a temperature divides logits and multiplies scales, so that one below 1 draws
likelier pixels.

`colors` says how many times a network must be asked for one pixel: once for each channel where a
channel's parameters depend on the channels before it, else once.

Shapes: parameters (B, H, W, num_parameters); of one pixel (B, num_parameters); uniforms of one
pixel (B, num_uniforms).
"""

import math

from keras import ops

from keras_gen.losses import (
    bernoulli_log_likelihood,
    categorical_log_likelihood,
    logistic_mixture_log_likelihood,
)

LEVELS = 256
NUM_COMPONENTS = 10  # of a mixture, as PixelCNN++ has them
_TINY = 2.0**-24  # half of the distance of two uniform numbers
_MIN_LOG_SCALE = -7.0 - math.log(2.0)  # PixelCNN++'s -7, whose pixels span 2 and not 1


class BernoulliPixel:
    """Black or white, with the probability of white in each channel.

    Args:
        channels: of the images.
    """

    def __init__(self, channels):
        self.num_parameters = self.num_uniforms = self.colors = channels

    def log_likelihood(self, images, parameters):
        """Nats per image, `(B,)`, of images `(B, H, W, C)`."""
        return bernoulli_log_likelihood(images, parameters)

    def draw(self, color, parameters, uniforms, temperature):
        """Channel `color` of a pixel, `(B, 1)`."""
        logits = parameters[:, color : color + 1] / temperature
        return ops.cast(uniforms[:, color : color + 1] < ops.sigmoid(logits), "float32")


class CategoricalPixel:
    """One of 256 levels in each channel, each with a probability of its own.

    Args:
        channels: of the images.
    """

    def __init__(self, channels):
        self.num_parameters = LEVELS * channels
        self.num_uniforms = self.colors = channels

    def log_likelihood(self, images, parameters):
        """Nats per image, `(B,)`, of images `(B, H, W, C)` on the levels."""
        shape = (-1, *images.shape[1:], LEVELS)
        return categorical_log_likelihood(images, ops.reshape(parameters, shape))

    def draw(self, color, parameters, uniforms, temperature):
        """Channel `color` of a pixel, `(B, 1)`: the level at which the probabilities pass u."""
        logits = parameters[:, color * LEVELS : (color + 1) * LEVELS] / temperature
        level = _draw_index(logits, uniforms[:, color : color + 1])
        return ops.cast(level[:, None], "float32") / (LEVELS - 1)


class LogisticMixturePixel:
    """A mixture of discretized logistics, as in PixelCNN++ (arXiv:1701.05517, section 2.1).

    The network gives a pixel's parameters at once; the channels depend on each other linearly.

    Args:
        channels: of the images, C.
        num_components: of the mixture, M.
    """

    colors = 1

    def __init__(self, channels, num_components=NUM_COMPONENTS):
        self.channels, self.num_components = channels, num_components
        self.num_coefficients = channels * (channels - 1) // 2
        self.num_parameters = num_components * (1 + 2 * channels + self.num_coefficients)
        self.num_uniforms = 1 + channels

    def split(self, parameters):
        """Logits, means, logarithms of scales and coefficients, of parameters `(..., P)`."""
        channels, count = self.channels, self.num_components
        shape = (*ops.shape(parameters)[:-1], self.num_parameters // count, count)
        logits, means, log_scales, coefficients = ops.split(
            ops.reshape(parameters, shape), (1, 1 + channels, 1 + 2 * channels), axis=-2
        )
        means = 0.5 + means  # a fresh network's outputs, near 0, mean a middle grey
        log_scales = ops.maximum(log_scales - math.log(2.0), _MIN_LOG_SCALE)
        return logits[..., 0, :], means, log_scales, ops.tanh(coefficients)

    def log_likelihood(self, images, parameters):
        """Nats per image, `(B,)`, of images `(B, H, W, C)` on the levels."""
        return logistic_mixture_log_likelihood(images, *self.split(parameters), LEVELS)

    def draw(self, color, parameters, uniforms, temperature):
        """All channels of a pixel, `(B, C)`; `color` is 0."""
        logits, means, log_scales, coefficients = self.split(parameters)
        component = _draw_index(logits / temperature, uniforms[:, :1])
        chosen = ops.one_hot(component, self.num_components)[:, None, :]
        mean, scale, coefficient = (
            ops.sum(each * chosen, axis=-1) for each in (means, ops.exp(log_scales), coefficients)
        )
        uniforms = ops.clip(uniforms[:, 1:], _TINY, 1.0 - _TINY)
        noise = temperature * scale * (ops.log(uniforms) - ops.log1p(-uniforms))
        values, first = [], 0
        for channel in range(self.channels):
            shifts = [coefficient[:, first + j] * values[j] for j in range(channel)]
            value = mean[:, channel] + sum(shifts) + noise[:, channel]
            values.append(ops.round(ops.clip(value, 0.0, 1.0) * (LEVELS - 1)) / (LEVELS - 1))
            first += channel
        return ops.stack(values, axis=1)


def _draw_index(logits, uniforms):
    """Where cumulative probabilities of logits `(B, K)` pass uniforms `(B, 1)`: int32 `(B,)`."""
    reached = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # Relative to the last sum, which rounding may leave short of 1: u near 1 would else give K - 1
    # however unlikely it is.
    below = ops.cast(reached <= uniforms * reached[:, -1:], "int32")
    return ops.minimum(ops.sum(below, axis=-1), logits.shape[-1] - 1)


PIXELS = {
    "bernoulli": BernoulliPixel,
    "categorical": CategoricalPixel,
    "logistic_mixture": LogisticMixturePixel,
}
