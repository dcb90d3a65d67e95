import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import MaskedConv2D
from keras_gen.layers.masked_conv import MASK_TYPES, color_mask


def whole_kernel(layer):
    """The kernel as the papers draw it: of its full size, with zeros where pixels are masked."""
    rows, columns = layer.kernel_size
    kernel = np.zeros((rows, columns, *layer.kernel.shape[1:]), "float32")
    taps = iter(layer.kernel.numpy())
    middle = (rows // 2, columns // 2)
    for row in range(rows):
        for column in range(columns):
            seen = {
                "A": (row, column) < middle,
                "B": (row, column) <= middle,
                "vertical_A": row < middle[0],
                "vertical_B": row <= middle[0],
            }[layer.mask_type]
            if seen or (layer.colors > 1 and (row, column) == middle):
                kernel[row, column] = next(taps)
    if layer.colors > 1:
        shape = (*layer.kernel.shape[1:], layer.mask_type, layer.colors, layer.parts)
        kernel[middle] *= color_mask(*shape)
    assert next(taps, None) is None
    return kernel


@pytest.mark.parametrize("kernel_size", [1, 3, 5, (1, 5), (3, 1), (5, 3)])
@pytest.mark.parametrize("mask_type", MASK_TYPES)
def test_it_is_a_convolution_with_a_masked_kernel(mask_type, kernel_size):
    try:
        layer = MaskedConv2D(4, kernel_size, mask_type)
    except ValueError as error:
        assert "leaves the mask" in str(error)
        return
    images = np.random.default_rng(0).normal(size=(2, 6, 7, 3)).astype("float32")
    outputs = layer(images)
    expected = tf.nn.conv2d(images, whole_kernel(layer), 1, "SAME")
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    mask_type=st.sampled_from(["A", "B"]),
    colors=st.integers(2, 3),
    groups=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    parts=st.integers(1, 2),
    size=st.sampled_from([1, 3, (1, 3)]),
)
def test_with_colours_too(mask_type, colors, groups, parts, size):
    layer = MaskedConv2D(colors * groups[1] * parts, size, mask_type, colors, parts)
    images = np.random.default_rng(0).normal(size=(1, 4, 3, colors * groups[0])).astype("float32")
    outputs = layer(images)
    expected = tf.nn.conv2d(images, whole_kernel(layer), 1, "SAME")
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_the_masks_of_three_colours():
    """Red sees no colour of its own pixel, green sees red, blue sees both."""
    a = [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    b = [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(color_mask(3, 3, "A", 3), a)
    np.testing.assert_array_equal(color_mask(3, 3, "B", 3), b)
    np.testing.assert_array_equal(color_mask(3, 6, "B", 3, parts=2), np.hstack([b, b]))
    np.testing.assert_array_equal(color_mask(3, 6, "B", 3), np.repeat(b, 2, axis=1))


def test_only_what_is_seen_is_stored():
    layer = MaskedConv2D(5, 7, "A")
    layer.build((None, 28, 28, 1))
    assert layer.kernel.shape == (24, 1, 5)
    layer = MaskedConv2D(5, 3, "B")
    layer.build((None, 28, 28, 2))
    assert layer.kernel.shape == (5, 2, 5)


def test_its_configuration_makes_it_again():
    layer = MaskedConv2D(6, (1, 3), "B", colors=3, parts=2, use_bias=False)
    copy = MaskedConv2D.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    inputs = keras.Input((4, 4, 3))
    assert layer(inputs).shape == (None, 4, 4, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 2, "A"), "kernel_size=2"),
        ((4, 3, "C"), "mask_type='C'"),
        ((4, 3, "A", 3), "filters=4"),
        ((4, 3, "vertical_A", 2), "colors=2"),
        ((4, 1, "A"), "leaves the mask A no pixel"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedConv2D(*arguments)


def test_channels_must_divide_into_colours():
    with pytest.raises(ValueError, match="colors=3"):
        MaskedConv2D(3, 3, "A", 3).build((None, 4, 4, 2))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_in_bfloat16_it_is_the_same_convolution(kernel_size):
    """Kernels of one pixel are products of matrices in float32 alone."""
    images = np.random.default_rng(0).normal(size=(2, 6, 7, 3)).astype("float32")
    exact, rough = (
        MaskedConv2D(4, kernel_size, "B", dtype=policy) for policy in ("float32", "mixed_bfloat16")
    )
    expected = exact(images)
    exact.bias.assign([1.0, -2.0, 3.0, -4.0])
    rough.build(images.shape)
    rough.set_weights(exact.get_weights())
    outputs = rough(images)
    assert outputs.dtype == "bfloat16"
    np.testing.assert_allclose(tf.cast(outputs, "float32"), expected + exact.bias, atol=0.05)
