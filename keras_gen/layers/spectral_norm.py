"""Spectral normalization (Miyato et al. 2018, arXiv:1802.05957)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# Where a kernel's outputs are: the last axis, but for transposed convolutions. (h, w, out, in)
_OUTPUTS_LAST = (
    keras.layers.Dense,
    keras.layers.Embedding,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
_OUTPUTS_BEFORE_LAST = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
_WARM_UP = 15  # power iterations on the kernel that the layer starts with


@keras.saving.register_keras_serializable(package="keras_gen")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides a layer's kernel by its largest singular value: `W / sigma`, `sigma = u^T W v`.

    `W` is the kernel as a matrix, outputs by inputs (of a convolution, outputs by the `h * w * in`
    weights of each). `u` and `v`, unit vectors near the first pair of singular vectors, move by
    power iteration and count as constants in the gradient, so that it is (eq. 12)

        dL/dW = (dL/dW' - <dL/dW', W'> u v^T) / sigma,   W' = W / sigma.

    The kernel itself is kept, as in the paper: training moves `W`, and every call, in training or
    not, uses `W / sigma`. A call moves nothing. `update_spectral_norms(network)` makes the power
    iterations, once before each update of the discriminator (Algorithm 1), so that its passes on
    real and on generated images see one function.

    `keras.layers.SpectralNormalization` is another method: in each training call it replaces the
    kernel by the normalized one, and the gradient does not flow through sigma.

    Differences from the paper:
        - `u` and `v` start from 15 power iterations on the initial kernel, not from noise: sigma is
          nearly right from the first step.
        - A kernel of zeros, which has no norm to be divided by, is used as it is.

    Args:
        layer: a `Dense`, `Embedding`, `Conv1D`, `Conv2D`, `Conv3D` or transposed convolution. Its
            bias, activation and dtype policy act as without the wrapper.
        power_iterations: iterations in each update; the paper takes 1.

    Call arguments:
        inputs: those of `layer`.

    Returns:
        The outputs of `layer` with the normalized kernel.

    Raises:
        TypeError: a layer of another type.
        ValueError: power_iterations below 1, or a layer with an activity regularizer.

    Reference:
        arXiv:1802.05957, section 2.1 and Algorithm 1.
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        if not isinstance(layer, _OUTPUTS_LAST + _OUTPUTS_BEFORE_LAST):
            names = ", ".join(each.__name__ for each in _OUTPUTS_LAST + _OUTPUTS_BEFORE_LAST)
            raise TypeError(f"layer={layer!r}: give one of {names}.")
        if layer.activity_regularizer is not None:
            raise ValueError(
                f"layer.activity_regularizer={layer.activity_regularizer!r} would be lost: give "
                "activity_regularizer to SpectralNormalization instead."
            )
        if not isinstance(power_iterations, int) or power_iterations < 1:
            raise ValueError(
                f"power_iterations={power_iterations!r}: give an integer of at least 1."
            )
        # In float32 under mixed precision, too: bfloat16 has eight bits for sigma. The inputs are
        # left to the layer, which casts them and the normalized kernel as its policy says.
        dtype = "float64" if layer.variable_dtype == "float64" else "float32"
        super().__init__(layer, **{"dtype": dtype, "autocast": False, **kwargs})
        self.power_iterations = power_iterations

    def build(self, input_shape=None):
        """Builds the layer for `input_shape`, and `u` and `v` for its kernel."""
        super().build(input_shape)
        inputs, outputs = self._matrix().shape
        noise = keras.initializers.RandomNormal(stddev=1.0)

        def first_u(shape, dtype):
            # NumPy is faster at many small steps. By this function it also runs inside a graph.
            u = tf.numpy_function(_warmed_up, [self._matrix(), noise(shape, dtype)], dtype)
            return tf.ensure_shape(u, shape)

        def first_v(shape, dtype):
            return _unit(ops.matmul(self._matrix(), self.u), otherwise=_unit(noise(shape, dtype)))

        self.u = self._add_vector("u", outputs, first_u)
        self.v = self._add_vector("v", inputs, first_v)

    def call(self, inputs):
        """The layer's outputs with `W / sigma` for its kernel."""
        # Within the scope the layer reads the given tensor in the place of its variable, which
        # itself stays as it is.
        with keras.StatelessScope([(self.kernel, self.normalized_kernel())]):
            return self.layer(inputs)

    @property
    def kernel(self):
        """The layer's kernel as it is trained, a variable."""
        is_embedding = isinstance(self.layer, keras.layers.Embedding)
        return self.layer.embeddings if is_embedding else self.layer.kernel

    def normalized_kernel(self):
        """The kernel that every call uses, `W / sigma` in the kernel's shape."""
        sigma = self.spectral_norm()
        return ops.cast(self.kernel, self.dtype) / ops.where(sigma == 0.0, 1.0, sigma)

    def spectral_norm(self):
        """sigma = u^T W v, the estimate of the kernel's largest singular value."""
        # In a moving average of a network u and v are averages, and somewhat shorter than 1.
        u, v = ops.stop_gradient(_unit(self.u)), ops.stop_gradient(_unit(self.v))
        return ops.sum(ops.matmul(v, self._matrix()) * u)

    def update_spectral_norm(self):
        """Moves `u` and `v` by `power_iterations` power iterations on the kernel as it is now."""
        u, v = _power_iterations(self._matrix(), self.u, self.v, self.power_iterations)
        self.u.assign(u)
        self.v.assign(v)

    def compute_output_shape(self, *args, **kwargs):
        """That of the layer."""
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        """That of the layer."""
        return self.layer.compute_output_spec(*args, **kwargs)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "power_iterations": self.power_iterations}

    def _add_vector(self, name, size, initializer):
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=initializer,
            trainable=False,
            # They depend on nothing but weights: each replica computes the same.
            aggregation="only_first_replica",
        )

    def _matrix(self):
        """The kernel as a matrix, a column for each output: the transpose of the paper's W."""
        kernel = ops.cast(self.kernel, self.dtype)
        if isinstance(self.layer, _OUTPUTS_BEFORE_LAST):
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))


def update_spectral_norms(network):
    """Makes the power iterations of every `SpectralNormalization` within a network.

    Call it once before each update of the discriminator's weights. After a kernel was set by
    hand, one call may not suffice for sigma to come near its norm.

    Args:
        network: a Keras model or layer, nested to any depth. Without such layers, nothing happens.
    """
    for layer in network._flatten_layers():
        if isinstance(layer, SpectralNormalization):
            layer.update_spectral_norm()


def _warmed_up(matrix, u):
    """`u` after the first power iterations, of arrays."""
    for _ in range(_WARM_UP):
        # `@` would warn of flags that BLAS sets on what lies beside a small matrix in a register.
        moved = np.dot(np.dot(matrix, u), matrix)
        length = np.linalg.norm(moved)
        u = moved / length if length > 0.0 else u
    return u / np.linalg.norm(u)


def _power_iterations(matrix, u, v, count):
    for _ in range(count):
        v = _unit(ops.matmul(matrix, u), otherwise=v)
        u = _unit(ops.matmul(v, matrix), otherwise=u)
    return u, v


def _unit(vector, otherwise=0.0):
    """The vector at length 1; `otherwise` in the place of one that is 0."""
    length = ops.sqrt(ops.sum(ops.square(vector)))
    return ops.where(length > 0.0, vector / ops.where(length > 0.0, length, 1.0), otherwise)
