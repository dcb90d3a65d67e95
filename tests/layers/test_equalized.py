import keras
import numpy as np
import pytest

from keras_gen.layers import EqualizedConv2D, EqualizedDense, downsample, upsample


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
@pytest.mark.parametrize("make", [EqualizedDense, EqualizedConv2D], ids=lambda c: c.__name__)
def test_outputs_have_unit_variance_at_init_whatever_the_width_and_the_rate(make, lr_multiplier):
    for width in (16, 200):
        keras.utils.set_random_seed(width)
        shape = (500, width) if make is EqualizedDense else (40, 8, 8, width)
        layer = make(64, gain=1.0, lr_multiplier=lr_multiplier)
        outputs = np.asarray(layer(noise(*shape)))
        if outputs.ndim == 4:
            outputs = outputs[:, 1:-1, 1:-1]  # beyond the border there are zeros
        assert abs(outputs.var() - 1.0) < 0.08
        assert abs(np.std(layer.kernel) * lr_multiplier - 1.0) < 0.05
        np.testing.assert_array_equal(layer.bias, 0.0)


def test_a_rectifier_behind_it_keeps_the_mean_square():
    keras.utils.set_random_seed(1)
    x = noise(400, 256)
    for _ in range(6):
        x = np.maximum(EqualizedDense(256)(x), 0.0)
    assert 0.6 < np.square(x).mean() < 1.7


def test_a_dense_layer_is_the_formula_of_its_docstring():
    layer = EqualizedDense(3, gain=0.5, lr_multiplier=0.1)
    x = noise(4, 5)
    layer.build(x.shape)
    layer.bias.assign([1.0, 2.0, 3.0])
    expected = x @ np.asarray(layer.kernel) * (0.5 * 0.1 / np.sqrt(5)) + 0.1 * np.arange(1, 4)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_a_convolution_is_the_direct_sum():
    x, layer = noise(2, 4, 5, 3), EqualizedConv2D(2)
    found = np.asarray(layer(x))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = np.asarray(layer.kernel) * np.sqrt(2 / 27)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("bhwcij,ijco->bhwo", windows, kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("resample", ["up", "down"])
def test_resampling_and_convolving_in_one_is_the_same_as_one_after_the_other(resample, kernel_size):
    x = noise(2, 6, 4, 3)
    fused = EqualizedConv2D(5, kernel_size, resample)
    plain = EqualizedConv2D(5, kernel_size)
    plain.build(x.shape)
    found = fused(x)
    plain.kernel.assign(fused.kernel)
    expected = plain(upsample(x)) if resample == "up" else downsample(plain(x))
    assert found.shape == fused.compute_output_shape(x.shape) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_file_keeps_the_layers(tmp_path):
    inputs = keras.Input((4, 4, 2))
    x = EqualizedConv2D(3, 1, "down", gain=1.0, use_bias=False)(inputs)
    x = EqualizedDense(2, lr_multiplier=0.1)(keras.layers.Flatten()(x))
    model = keras.Model(inputs, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(noise(3, 4, 4, 2)), model(noise(3, 4, 4, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "filters=0"),
        ({"filters": 2, "kernel_size": 2}, "kernel_size=2"),
        ({"filters": 2, "resample": "half"}, "resample='half'"),
        ({"filters": 2, "lr_multiplier": 0.0}, "lr_multiplier=0.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        EqualizedConv2D(**arguments)
