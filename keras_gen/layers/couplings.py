"""Couplings: bijectors that move one part of an example by a network of the other part.

    y_kept = x_kept,    y_moved = g(x_moved; network(x_kept))

The network may be anything and is never inverted, for the kept part is known both ways; g is
invertible for each value, so that log_det is the sum of its logarithmic slopes (NICE, Dinh et al.
2015, arXiv:1410.8516, section 3.1).

Masks say which part is kept. `"channels"` is the first half of the last axis, which for points in
the plane is their x-coordinate; `"checkerboard"` the places (row, column) of an image with
row + column even (as in RealNVP, arXiv:1605.08803, section 3.4, where it is odd first). `reverse`
keeps the other part.

Shapes: x and y (B, ..., C); log_det (B,).
"""

import keras
import numpy as np
from keras import ops

from keras_gen.layers.bijectors import Bijector, sum_over_example
from keras_gen.layers.checks import check_choice, check_positive
from keras_gen.layers.rational_quadratic import MIN_BIN, rational_quadratic

MASKS = ("channels", "checkerboard")


class Coupling(Bijector):
    """A coupling; a subclass says what g is, by `move`, and how many parameters a value takes.

    Args:
        build_network: a function of the shape `(..., C)` of the kept part and a number of outputs
            that gives a network from `(B, ..., C)` to `(B, ..., outputs)`.
        mask: `"channels"` or `"checkerboard"`; under a checkerboard the network sees zeros at the
            places that are moved.
        reverse: whether the other part is kept.

    Raises:
        ValueError: another mask, or a shape that it does not divide.
    """

    parameters_per_value = 1

    def __init__(self, build_network, mask="channels", reverse=False, **kwargs):
        super().__init__(**kwargs)
        check_choice("mask", mask, MASKS)
        self.build_network, self.mask, self.reverse = build_network, mask, reverse

    def build(self, input_shape):
        """Makes the network for inputs `(B, ..., C)`."""
        *places, channels = input_shape[1:]
        if self.mask == "checkerboard":
            if len(places) != 2:
                raise ValueError(f"A checkerboard needs (B, H, W, C), not inputs {input_shape}.")
            rows, columns = np.indices(places)
            self.kept = ((rows + columns) % 2 == int(self.reverse))[None, ..., None]
            kept_channels = moved_channels = channels
        else:
            self.first = channels // 2
            parts = self.first, channels - self.first
            kept_channels, moved_channels = reversed(parts) if self.reverse else parts
            if not kept_channels or not moved_channels:
                raise ValueError(f"{channels} channel cannot be parted. Use a checkerboard.")
        self.moved_shape = (*places, moved_channels)
        outputs = moved_channels * self.parameters_per_value
        self.network = self.build_network((*places, kept_channels), outputs)

    def forward(self, x):
        """Moves one part."""
        return self._move(x, inverse=False)

    def inverse(self, y):
        """Moves it back."""
        return self._move(y, inverse=True)

    def _move(self, x, inverse):
        if self.mask == "checkerboard":
            parameters = self._parameters(ops.where(self.kept, x, 0.0))
            moved, log_slopes = self.move(x, parameters, inverse)
            log_slopes = ops.where(self.kept, 0.0, log_slopes)
            return ops.where(self.kept, x, moved), sum_over_example(log_slopes)
        first, second = ops.split(x, [self.first], axis=-1)
        kept, moved = (second, first) if self.reverse else (first, second)
        moved, log_slopes = self.move(moved, self._parameters(kept), inverse)
        parts = (moved, kept) if self.reverse else (kept, moved)
        return ops.concatenate(parts, axis=-1), sum_over_example(log_slopes)

    def _parameters(self, kept):
        """`(B, ..., C, parameters_per_value)`."""
        parameters = ops.cast(self.network(kept), kept.dtype)
        return ops.reshape(parameters, (-1, *self.moved_shape, self.parameters_per_value))

    def move(self, x, parameters, inverse):
        """Moves values by their parameters.

        Args:
            x: `(B, ..., C)`.
            parameters: `(B, ..., C, parameters_per_value)`.
            inverse: whether to move back.

        Returns:
            The moved values and log |dy/dx| of this direction, both `(B, ..., C)`.
        """
        raise NotImplementedError


class AdditiveCoupling(Coupling):
    """y = x + shift (NICE, arXiv:1410.8516, section 3.2): log_det is 0."""

    def move(self, x, parameters, inverse):
        """Adds or subtracts."""
        shift = parameters[..., 0]
        return x - shift if inverse else x + shift, ops.zeros_like(x)


class AffineCoupling(Coupling):
    """y = x exp(log_scale) + shift (RealNVP, arXiv:1605.08803, eqs. 4 and 5).

    `log_scale = limit tanh(output / limit)` is bounded: no factor leaves [exp(-limit), exp(limit)],
    so that neither direction overflows. A learned limit may grow in training.

    Args:
        build_network: as in `Coupling`.
        limit: of log-scales, positive.
        learned_limit: whether the factor of the tanh is a weight for each channel that starts at
            `limit`: RealNVP's learned scale.
        **kwargs: `mask` and `reverse`, as in `Coupling`.
    """

    parameters_per_value = 2

    def __init__(self, build_network, limit=2.0, learned_limit=False, **kwargs):
        super().__init__(build_network, **kwargs)
        if not limit > 0.0:
            raise ValueError(f"limit={limit!r}: give a positive number.")
        self.limit, self.learned_limit = limit, learned_limit

    def build(self, input_shape):
        """Makes the network, and the limit if it is learned."""
        super().build(input_shape)
        if self.learned_limit:
            self.limits = self.add_weight(
                name="limit",
                shape=self.moved_shape[-1:],
                initializer=keras.initializers.Constant(self.limit),
            )

    def move(self, x, parameters, inverse):
        """Scales and shifts, or the reverse."""
        shift = parameters[..., 0]
        limit = ops.convert_to_tensor(self.limits) if self.learned_limit else self.limit
        log_scale = limit * ops.tanh(parameters[..., 1] / self.limit)
        if inverse:
            return (x - shift) * ops.exp(-log_scale), -log_scale
        return x * ops.exp(log_scale) + shift, log_scale


class SplineCoupling(Coupling):
    """y = a monotonic rational-quadratic spline of x (Durkan et al. 2019, arXiv:1906.04032).

    The identity outside of [-bound, bound], and everywhere where the network's outputs are 0.

    Args:
        build_network: as in `Coupling`.
        num_bins: pieces of the spline, less than 1,000.
        bound: where it ends, positive.
        **kwargs: `mask` and `reverse`, as in `Coupling`.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(self, build_network, num_bins=8, bound=3.0, **kwargs):
        super().__init__(build_network, **kwargs)
        check_positive(num_bins=num_bins)
        if not num_bins * MIN_BIN < 1.0:
            raise ValueError(f"num_bins={num_bins!r}: give less than {1.0 / MIN_BIN:.0f}.")
        if not bound > 0.0:
            raise ValueError(f"bound={bound!r}: give a positive number.")
        self.num_bins, self.bound = num_bins, bound
        self.parameters_per_value = 3 * num_bins - 1

    def move(self, x, parameters, inverse):
        """The spline, or its inverse."""
        count = self.num_bins
        widths, heights, slopes = ops.split(parameters, [count, 2 * count], axis=-1)
        return rational_quadratic(x, widths, heights, slopes, self.bound, inverse)
