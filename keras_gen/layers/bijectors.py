"""Invertible maps whose Jacobian determinants are known: what normalizing flows are made of.

The change of variables (Dinh, Krueger and Bengio 2015, arXiv:1410.8516, eq. 1) gives the density of
x from that of y = f(x):

    log p_x(x) = log p_y(f(x)) + log |det df / dx|

A bijector is built for one shape of its inputs. Its dtype is that of variables in the global
policy, float32 under a mixed one: only the networks inside of couplings compute in 16 bits.

Shapes: x and y (B, ...); log_det (B,), the logarithm of the absolute determinant.
"""

import math

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf
from keras import ops


class Bijector(keras.layers.Layer):
    """An invertible map of each example.

    A subclass has `forward` and `inverse`, and `output_shape_of` where the shape changes.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", keras.config.dtype_policy().variable_dtype)
        super().__init__(**kwargs)

    def forward(self, x):
        """Gives `(y, log_det)` of x `(B, ...)`."""
        raise NotImplementedError

    def inverse(self, y):
        """Gives `(x, log_det)` of y `(B, ...)`, `log_det` being that of this inverse map."""
        raise NotImplementedError

    def initialize(self, x):
        """Sets the weights that depend on data from a first batch, and gives y.

        Args:
            x: `(B, ...)`, the whole batch of all replicas; called outside of their context.
        """
        return self.forward(x)[0]

    def call(self, x):
        """Gives `(y, log_det)`, as `forward` does."""
        return self.forward(x)

    def output_shape_of(self, input_shape):
        """The shape of y."""
        return input_shape


class Chain(Bijector):
    """Bijectors one after the other.

    Args:
        bijectors: in the order of `forward`.
    """

    def __init__(self, bijectors, **kwargs):
        super().__init__(**kwargs)
        self.bijectors = list(bijectors)

    def build(self, input_shape):
        """Builds each for the shape that those before it give."""
        for bijector in self.bijectors:
            bijector.build(input_shape)
            input_shape = bijector.output_shape_of(input_shape)

    def forward(self, x):
        """The first one first."""
        total = 0.0
        for bijector in self.bijectors:
            x, log_det = bijector.forward(x)
            total = total + log_det
        return x, total

    def inverse(self, y):
        """The last one first."""
        total = 0.0
        for bijector in reversed(self.bijectors):
            y, log_det = bijector.inverse(y)
            total = total + log_det
        return y, total

    def initialize(self, x):
        """Each from what those before it make of the batch."""
        for bijector in self.bijectors:
            x = bijector.initialize(x)
        return x

    def output_shape_of(self, input_shape):
        """The shape that the last one gives."""
        for bijector in self.bijectors:
            input_shape = bijector.output_shape_of(input_shape)
        return input_shape


class Scaling(Bijector):
    """A factor for each value (NICE, arXiv:1410.8516, section 3.3): y = x exp(log_scale)."""

    def build(self, input_shape):
        """Makes the weights: log-scales 0, the identity."""
        self.log_scale = self.add_weight(
            name="log_scale", shape=input_shape[1:], initializer="zeros"
        )

    def forward(self, x):
        """Multiplies."""
        log_scale = ops.convert_to_tensor(self.log_scale)
        return x * ops.exp(log_scale), per_example(x, ops.sum(log_scale))

    def inverse(self, y):
        """Divides."""
        log_scale = ops.convert_to_tensor(self.log_scale)
        return y * ops.exp(-log_scale), per_example(y, -ops.sum(log_scale))


class ActNorm(Bijector):
    """A shift and a factor for each channel (Glow, arXiv:1807.03039, section 3.1).

    `y = (x + shift) exp(log_scale)`; `initialize` makes the mean of each channel 0 and its
    deviation 1 over the batch. Before, it is the identity.

    Args:
        epsilon: added to deviations, for channels that do not vary.
    """

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Makes the weights for `(B, ..., C)`."""
        channels = input_shape[-1:]
        self.places = math.prod(input_shape[1:-1])
        self.shift = self.add_weight(name="shift", shape=channels, initializer="zeros")
        self.log_scale = self.add_weight(name="log_scale", shape=channels, initializer="zeros")

    def initialize(self, x):
        """Sets both weights, whatever they were."""
        axes = tuple(range(len(x.shape) - 1))
        self.shift.assign(-ops.mean(x, axis=axes))
        self.log_scale.assign(-ops.log(ops.std(x, axis=axes) + self.epsilon))
        return self.forward(x)[0]

    def forward(self, x):
        """Shifts, then multiplies."""
        shift, log_scale = map(ops.convert_to_tensor, (self.shift, self.log_scale))
        y = (x + shift) * ops.exp(log_scale)
        return y, per_example(x, self.places * ops.sum(log_scale))

    def inverse(self, y):
        """Divides, then shifts back."""
        shift, log_scale = map(ops.convert_to_tensor, (self.shift, self.log_scale))
        x = y * ops.exp(-log_scale) - shift
        return x, per_example(y, -self.places * ops.sum(log_scale))


class InvertibleConv(Bijector):
    """A 1x1 convolution with an invertible kernel (Glow, arXiv:1807.03039, section 3.2).

    `y = x kernel` at each place; log_det is the number of places times log |det kernel|. The kernel
    starts as a random rotation: log_det is 0.

    Args:
        lu: whether the kernel is kept as P L (U + diag(sign exp(log_diagonal))) with a fixed
            permutation P, fixed signs and triangular L and U (eq. 10): its log-determinant is a
            sum, and it cannot become singular.
    """

    def __init__(self, lu=True, **kwargs):
        super().__init__(**kwargs)
        self.lu = lu

    def build(self, input_shape):
        """Makes the weights for `(B, ..., C)`."""
        channels = input_shape[-1]
        self.places = math.prod(input_shape[1:-1])
        rotation = keras.initializers.Orthogonal()((channels, channels), dtype="float32")
        rotation = np.asarray(rotation, "float64")
        if not self.lu:
            self.free = self._weight("kernel", rotation)
            return
        permutation, lower, upper = scipy.linalg.lu(rotation)
        diagonal = np.diag(upper)
        self.permutation = self._weight("permutation", permutation, trainable=False)
        self.signs = self._weight("signs", np.sign(diagonal), trainable=False)
        self.log_diagonal = self._weight("log_diagonal", np.log(np.abs(diagonal)))
        # Only their triangles count: the rest of both is masked.
        self.lower = self._weight("lower", np.tril(lower, -1))
        self.upper = self._weight("upper", np.triu(upper, 1))

    def _weight(self, name, value, trainable=True):
        return self.add_weight(
            name=name,
            shape=value.shape,
            # A plain initializer would be drawn anew on each replica.
            initializer=lambda shape, dtype: tf.constant(value, dtype),
            trainable=trainable,
        )

    def kernel(self):
        """The kernel `(C, C)` and log |det kernel|."""
        if not self.lu:
            kernel = ops.convert_to_tensor(self.free)
            return kernel, tf.linalg.slogdet(kernel).log_abs_determinant
        size = self.log_diagonal.shape[0]
        below = np.tril(np.ones((size, size), self.lower.dtype), -1)
        log_diagonal = ops.convert_to_tensor(self.log_diagonal)
        lower = self.lower * below + np.eye(size, dtype=below.dtype)
        upper = tf.linalg.set_diag(self.upper * below.T, self.signs * ops.exp(log_diagonal))
        kernel = ops.matmul(ops.matmul(ops.convert_to_tensor(self.permutation), lower), upper)
        return kernel, ops.sum(log_diagonal)

    def forward(self, x):
        """Multiplies the channels by the kernel."""
        kernel, log_det = self.kernel()
        return _at_each_place(x, kernel), per_example(x, self.places * log_det)

    def inverse(self, y):
        """Multiplies the channels by the kernel's inverse."""
        kernel, log_det = self.kernel()
        return _at_each_place(y, tf.linalg.inv(kernel)), per_example(y, -self.places * log_det)


class Permutation(Bijector):
    """Another order of the last axis.

    Args:
        order: integers, a permutation: y[..., i] = x[..., order[i]].

    Raises:
        ValueError: `order` is no permutation.
    """

    def __init__(self, order, **kwargs):
        super().__init__(**kwargs)
        self.order = np.asarray(order)
        if sorted(self.order.tolist()) != list(range(self.order.size)):
            raise ValueError(f"order={order!r}: give each of 0, ..., n - 1 once.")

    def forward(self, x):
        """Puts values in order."""
        return ops.take(x, self.order, axis=-1), per_example(x, 0.0)

    def inverse(self, y):
        """Puts them back."""
        return ops.take(y, np.argsort(self.order), axis=-1), per_example(y, 0.0)


class Squeeze(Bijector):
    """Turns each 2 x 2 block of places into channels (RealNVP, arXiv:1605.08803, section 3.6)."""

    def build(self, input_shape):
        """Raises ValueError unless images `(B, H, W, C)` can be cut into blocks."""
        if len(input_shape) != 4 or input_shape[1] % 2 or input_shape[2] % 2:
            raise ValueError(f"Images of {input_shape[1:]} cannot be squeezed: an odd side.")

    def forward(self, x):
        """From `(B, H, W, C)` to `(B, H / 2, W / 2, 4 C)`."""
        return tf.nn.space_to_depth(x, 2), per_example(x, 0.0)

    def inverse(self, y):
        """From `(B, H / 2, W / 2, 4 C)` to `(B, H, W, C)`."""
        return tf.nn.depth_to_space(y, 2), per_example(y, 0.0)

    def output_shape_of(self, input_shape):
        """Halves the sides."""
        batch, height, width, channels = input_shape
        return batch, height // 2, width // 2, 4 * channels


class Flatten(Bijector):
    """From `(B, ...)` to `(B, D)`."""

    def build(self, input_shape):
        """Keeps the shape to come back to."""
        self.example_shape = tuple(input_shape[1:])

    def forward(self, x):
        """In raster order."""
        return ops.reshape(x, (-1, math.prod(self.example_shape))), per_example(x, 0.0)

    def inverse(self, y):
        """Back to `(B, ...)`."""
        return ops.reshape(y, (-1, *self.example_shape)), per_example(y, 0.0)

    def output_shape_of(self, input_shape):
        """The number of values."""
        return input_shape[0], math.prod(input_shape[1:])


class FactorOut(Bijector):
    """Half of the channels are done, the others go on (RealNVP, arXiv:1605.08803, eq. 14).

    Args:
        rest: the bijector of the other half, to `(B, D)`. Its values come first in y.

    Raises:
        ValueError: an odd number of channels.
    """

    def __init__(self, rest, **kwargs):
        super().__init__(**kwargs)
        self.rest = rest

    def build(self, input_shape):
        """Builds the rest for half of the channels."""
        if input_shape[-1] % 2:
            raise ValueError(f"{input_shape[-1]} channels cannot be halved.")
        self.half_shape = (*input_shape[1:-1], input_shape[-1] // 2)
        self.rest.build((None, *self.half_shape))

    def forward(self, x):
        """From `(B, H, W, C)` to `(B, D)`."""
        going, done = ops.split(x, 2, axis=-1)
        y, log_det = self.rest.forward(going)
        return self._join(y, done), log_det

    def inverse(self, y):
        """From `(B, D)` to `(B, H, W, C)`."""
        going, done = ops.split(y, 2, axis=-1)
        x, log_det = self.rest.inverse(going)
        return ops.concatenate([x, ops.reshape(done, (-1, *self.half_shape))], axis=-1), log_det

    def initialize(self, x):
        """Initializes the rest."""
        going, done = ops.split(x, 2, axis=-1)
        return self._join(self.rest.initialize(going), done)

    def _join(self, y, done):
        return ops.concatenate([y, ops.reshape(done, (-1, math.prod(self.half_shape)))], axis=-1)

    def output_shape_of(self, input_shape):
        """The number of values."""
        return input_shape[0], math.prod(input_shape[1:])


class Logit(Bijector):
    """Takes [0, 1] to the real line (RealNVP, arXiv:1605.08803, section 4.1).

    `y = logit(margin + (1 - 2 margin) x)`: the margin keeps y finite at 0 and 1. The paper's text
    has one at 0 alone, its authors' code both.

    Args:
        margin: in (0, 1/2).
    """

    def __init__(self, margin=0.05, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 < margin < 0.5:
            raise ValueError(f"margin={margin!r}: give a number between 0 and 1/2.")
        self.margin = margin

    def forward(self, x):
        """From [0, 1] to logits."""
        p = self.margin + (1.0 - 2.0 * self.margin) * x
        y = ops.log(p) - ops.log1p(-p)
        return y, self._log_det(y)

    def inverse(self, y):
        """From logits to (-margin, 1 - margin) / (1 - 2 margin)."""
        x = (ops.sigmoid(y) - self.margin) / (1.0 - 2.0 * self.margin)
        return x, -self._log_det(y)

    def _log_det(self, y):
        """log dy/dx = log(1 - 2 margin) - log p(1 - p), of which softplus loses nothing."""
        logs = math.log(1.0 - 2.0 * self.margin) + ops.softplus(y) + ops.softplus(-y)
        return sum_over_example(logs)


def per_example(x, value):
    """A value that all examples share, `(B,)`, in the dtype of x `(B, ...)`."""
    return ops.broadcast_to(ops.cast(value, x.dtype), ops.shape(x)[:1])


def sum_over_example(values):
    """From `(B, ...)` to `(B,)`."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _at_each_place(x, kernel):
    """The last axis of x times a matrix."""
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    return ops.reshape(flat, (-1, *x.shape[1:]))
