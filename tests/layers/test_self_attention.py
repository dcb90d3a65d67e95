import keras
import numpy as np
import pytest

from keras_gen.layers import SelfAttention


def made(channels=16, gain=0.7, initializer="glorot_uniform"):
    layer = SelfAttention(initializer)
    layer.build((None, 4, 6, channels))
    layer.gain.assign(gain)
    return layer


def maps(channels=16):
    return np.random.default_rng(0).normal(size=(2, 4, 6, channels)).astype("float32")


def test_at_the_start_it_is_the_identity():
    layer = SelfAttention()
    np.testing.assert_array_equal(layer(maps()), maps())
    assert layer.gain.numpy() == 0.0


def test_it_is_equation_3_over_pooled_keys_and_values():
    layer, x = made(), maps()

    def convolved(name):
        kernel = np.asarray(getattr(layer, name).normalized_kernel())[0, 0]
        return np.einsum("bhwc,cd->bhwd", x, kernel)

    def pooled(values):
        return values.reshape(2, 2, 2, 3, 2, -1).max(axis=(2, 4))

    queries, keys, values = convolved("queries"), pooled(convolved("keys")), convolved("values")
    values = pooled(values)
    assert queries.shape[-1] == keys.shape[-1] == 2 and values.shape[-1] == 8
    likeness = np.exp(np.einsum("bhwc,bijc->bhwij", queries, keys))
    weights = likeness / likeness.sum(axis=(3, 4), keepdims=True)
    attended = np.einsum("bhwij,bijc->bhwc", weights, values)
    kernel = np.asarray(layer.projection.normalized_kernel())[0, 0]
    expected = x + 0.7 * np.einsum("bhwc,cd->bhwd", attended, kernel)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_its_parameters_are_four_kernels_and_a_gain():
    channels = 16
    sizes = channels * (2 * channels // 8 + 2 * channels // 2)
    assert sum(int(np.prod(v.shape)) for v in made().trainable_variables) == sizes + 1


def test_queries_and_keys_start_apart():
    layer = made(initializer=keras.initializers.GlorotUniform())
    assert not np.array_equal(layer.queries.kernel, layer.keys.kernel)


def test_a_copy_has_the_same_initializer():
    copy = SelfAttention.from_config(SelfAttention("orthogonal").get_config())
    assert isinstance(copy.kernel_initializer, keras.initializers.Orthogonal)


def test_maps_with_an_odd_side_are_refused():
    with pytest.raises(ValueError, match="5x6"):
        SelfAttention()(np.zeros((1, 5, 6, 8), "float32"))
