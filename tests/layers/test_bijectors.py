import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Chain,
    FactorOut,
    Flatten,
    InvertibleConv,
    Logit,
    Permutation,
    Scaling,
    SplineCoupling,
    Squeeze,
)
from keras_gen.layers.rational_quadratic import rational_quadratic
from tests.tiny_flows import check_bijector, randomize, small_network

# name -> (a function that makes one, the shape of an example)
BIJECTORS = {
    "scaling": (Scaling, (2, 3, 2)),
    "actnorm": (ActNorm, (2, 3, 2)),
    "actnorm of vectors": (ActNorm, (5,)),
    "convolution": (lambda: InvertibleConv(lu=False), (2, 3, 4)),
    "convolution, LU": (lambda: InvertibleConv(lu=True), (2, 3, 4)),
    "permutation": (lambda: Permutation([2, 0, 1]), (2, 3)),
    "squeeze": (Squeeze, (4, 2, 3)),
    "flatten": (Flatten, (2, 3, 2)),
    "logit": (Logit, (3, 2)),
    "additive": (lambda: AdditiveCoupling(small_network), (2, 2, 3)),
    "affine": (lambda: AffineCoupling(small_network), (2, 2, 3)),
    "affine, learned limit": (
        lambda: AffineCoupling(small_network, 0.7, True, mask="checkerboard", reverse=True),
        (3, 2, 2),
    ),
    "spline": (lambda: SplineCoupling(small_network, reverse=True), (1, 1, 2)),
    "spline, checkerboard": (
        lambda: SplineCoupling(small_network, 4, mask="checkerboard"),
        (3, 2, 1),
    ),
    "all": (
        lambda: Chain(
            [
                Squeeze(),
                ActNorm(),
                InvertibleConv(),
                AffineCoupling(small_network),
                FactorOut(Chain([Squeeze(), AdditiveCoupling(small_network), Flatten()])),
            ]
        ),
        (4, 8, 1),
    ),
}


def make(name, dtype="float64"):
    keras.config.set_dtype_policy(dtype)
    build, shape = BIJECTORS[name]
    bijector = build()
    bijector.build((None, *shape))
    return bijector, shape


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", BIJECTORS)
def test_both_directions_and_both_determinants(name, dtype):
    bijector, shape = make(name, dtype)
    randomize(bijector)
    x = np.random.default_rng(0).uniform(0.02, 0.98, size=(3, *shape))
    error, log_det_error = check_bijector(bijector, tf.constant(x, dtype))
    print(f"{name}, {dtype}: {error:.1e}, {log_det_error:.1e}")


@pytest.mark.parametrize("name", ["scaling", "actnorm", "spline", "additive", "affine"])
def test_fresh_ones_are_the_identity(name):
    keras.config.set_dtype_policy("float64")
    bijector, shape = make(name)
    for variable in bijector.trainable_variables:
        if "dense" in variable.path:  # a network that gives zeros, as those of the models do
            variable.assign(tf.zeros(variable.shape))
    x = np.random.default_rng(0).normal(size=(3, *shape))
    y, log_det = bijector.forward(tf.constant(x))
    np.testing.assert_allclose(y, x, atol=1e-14)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    channels=st.integers(1, 5),
    mask=st.sampled_from(["channels", "checkerboard"]),
    reverse=st.booleans(),
    kind=st.sampled_from(["additive", "affine", "spline"]),
    seed=st.integers(0, 100),
)
def test_couplings_of_any_shape_and_mask(rows, columns, channels, mask, reverse, kind, seed):
    keras.config.set_dtype_policy("float64")
    cls = {"additive": AdditiveCoupling, "affine": AffineCoupling, "spline": SplineCoupling}[kind]
    coupling = cls(small_network, mask=mask, reverse=reverse)
    if mask == "channels" and channels == 1:
        with pytest.raises(ValueError, match="1 channel cannot be parted. Use a checkerboard"):
            coupling.build((None, rows, columns, channels))
        return
    coupling.build((None, rows, columns, channels))
    randomize(coupling, seed=seed)
    x = np.random.default_rng(seed).normal(0.0, 2.0, size=(2, rows, columns, channels))
    check_bijector(coupling, tf.constant(x))
    y = coupling.forward(tf.constant(x))[0].numpy()
    if mask == "checkerboard":
        kept = (np.indices((rows, columns)).sum(axis=0) % 2) == int(reverse)
        np.testing.assert_array_equal(y[:, kept], x[:, kept])
    else:
        half = channels // 2
        kept = slice(half, None) if reverse else slice(None, half)
        np.testing.assert_array_equal(y[..., kept], x[..., kept])


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 3),
    columns=st.integers(1, 3),
    channels=st.integers(1, 6),
    lu=st.booleans(),
    seed=st.integers(0, 100),
)
def test_convolutions_and_norms_of_any_shape(rows, columns, channels, lu, seed):
    keras.config.set_dtype_policy("float64")
    chain = Chain([ActNorm(), InvertibleConv(lu), Squeeze(), ActNorm(), Flatten()])
    shape = (2 * rows, 2 * columns, channels)
    chain.build((None, *shape))
    randomize(chain, 0.05, seed=seed)
    x = np.random.default_rng(seed).normal(size=(2, *shape))
    check_bijector(chain, tf.constant(x))


def test_a_first_batch_leaves_the_normalization_with_mean_zero_and_deviation_one():
    norm, shape = make("actnorm")
    x = np.random.default_rng(0).normal(3.0, [0.1, 7.0], size=(50, *shape))
    y = norm.initialize(tf.constant(x)).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1.0, atol=1e-4)


def test_a_channel_that_does_not_vary_stays_finite():
    norm, shape = make("actnorm", "float32")
    y = norm.initialize(tf.ones((4, *shape)))
    assert np.isfinite(y).all()


def test_each_normalization_in_a_chain_sees_what_those_before_it_give():
    chain, shape = make("all")
    randomize(chain)
    inner = chain.bijectors[1]
    chain.initialize(tf.constant(np.random.default_rng(0).normal(size=(40, *shape))))
    x = tf.constant(np.random.default_rng(0).normal(size=(40, *shape)))
    y = inner.forward(chain.bijectors[0].forward(x)[0])[0].numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0.0, atol=1e-12)


@pytest.mark.parametrize("lu", [True, False])
def test_a_fresh_convolution_is_a_rotation(lu):
    keras.config.set_dtype_policy("float64")
    layer = InvertibleConv(lu)
    layer.build((None, 2, 2, 6))
    kernel, log_det = layer.kernel()
    np.testing.assert_allclose(kernel @ tf.transpose(kernel), np.eye(6), atol=1e-6)
    assert abs(float(log_det)) < 1e-6


def test_squeezed_blocks_hold_the_pixels_of_one_place():
    squeeze, _ = make("squeeze")
    y = squeeze.forward(tf.reshape(tf.range(16.0, dtype="float64"), (1, 4, 4, 1)))[0]
    np.testing.assert_array_equal(y[0, 0, 1], [2, 3, 6, 7])


class TestSplines:
    widths, heights, slopes = (np.random.default_rng(0).normal(size=(1, n)) for n in (5, 5, 4))

    def spline(self, x, **options):
        tiled = [tf.repeat(each, len(x), 0) for each in (self.widths, self.heights, self.slopes)]
        return rational_quadratic(tf.constant(x), *tiled, 3.0, **options)

    def test_they_rise_and_have_the_slope_that_they_say(self):
        x = np.linspace(-4.0, 4.0, 20_001)
        y, log_slopes = map(np.asarray, self.spline(x))
        assert (np.diff(y) > 0.0).all()
        np.testing.assert_allclose(np.gradient(y, x)[1:-1], np.exp(log_slopes)[1:-1], rtol=5e-3)

    def test_they_pass_the_knots_that_the_parameters_name(self):
        def knots(parameters):
            shares = np.exp(parameters[0]) / np.exp(parameters[0]).sum()
            return np.cumsum(6.0 * (1e-3 + (1 - 5e-3) * shares)) - 3.0

        x, y = knots(self.widths)[:-1], knots(self.heights)[:-1]
        found, log_slopes = self.spline(x)
        np.testing.assert_allclose(found, y, atol=1e-12)
        offset = np.log(np.expm1(1 - 1e-3))
        slopes = 1e-3 + np.log1p(np.exp(self.slopes[0] + offset))
        np.testing.assert_allclose(np.exp(log_slopes), slopes, rtol=1e-10)

    def test_outside_they_are_the_identity_at_any_distance(self):
        x = np.array([-1e30, -3.0, 3.0, 3.5, 1e30])
        y, log_slopes = self.spline(x)
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(log_slopes, 0.0)

    @pytest.mark.parametrize("inverse", [False, True])
    def test_extreme_ones_stay_finite_in_float32_up_to_their_edges(self, inverse):
        rng = np.random.default_rng(0)
        widths, heights, slopes = (
            tf.constant(rng.normal(0.0, 5.0, size=(5000, n)), "float32") for n in (8, 8, 7)
        )
        edge = np.nextafter(np.float32(3.0), np.float32(0.0))
        for x in (edge, -edge, np.float32(0.0)):
            x = tf.fill((5000,), x)
            y, log_slopes = rational_quadratic(x, widths, heights, slopes, 3.0, inverse)
            assert np.isfinite(y).all() and np.isfinite(log_slopes).all()
            assert np.abs(y).max() <= 3.0 + 1e-5
            np.testing.assert_allclose(np.abs(y)[np.abs(x) > 2.0], 3.0, atol=1e-2)

    def test_gradients_are_finite_everywhere(self):
        x = tf.constant(np.linspace(-4.0, 4.0, 101))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_slopes = self.spline(x)
            total = tf.reduce_sum(y) + tf.reduce_sum(log_slopes)
        assert np.isfinite(tape.gradient(total, x)).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Logit(0.5), "margin=0.5"),
        (lambda: Permutation([0, 0]), r"order=\[0, 0\]"),
        (lambda: AffineCoupling(small_network, limit=0.0), "limit=0.0"),
        (lambda: AffineCoupling(small_network, mask="rows"), "mask='rows'"),
        (
            lambda: SplineCoupling(small_network, num_bins=1000),
            "num_bins=1000: give less than 1000",
        ),
        (lambda: SplineCoupling(small_network, bound=0), "bound=0"),
        (lambda: Squeeze().build((None, 3, 4, 1)), "odd side"),
        (lambda: FactorOut(Flatten()).build((None, 2, 2, 3)), "3 channels"),
        (
            lambda: AdditiveCoupling(small_network, mask="checkerboard").build((None, 4)),
            "A checkerboard needs",
        ),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
