import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import Dropout, Maxout, batch_normalization, sample_latents


def test_maxout_is_the_largest_of_its_affine_maps():
    layer = Maxout(3, pieces=4)
    x = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    output = np.asarray(layer(x))
    kernel, bias = (np.asarray(weight) for weight in layer.weights)
    pieces = (x @ kernel + bias).reshape(5, 3, 4)
    np.testing.assert_allclose(output, pieces.max(axis=-1), rtol=1e-5)


def test_maxout_with_two_pieces_can_be_the_absolute_value():
    layer = Maxout(1, pieces=2)
    layer.build((None, 1))
    layer.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
    np.testing.assert_allclose(layer(np.array([[-2.0], [3.0]])), [[2.0], [3.0]])


def test_dropout_drops_at_its_rate_and_keeps_the_mean():
    layer = Dropout(0.3)
    output = np.asarray(layer(tf.ones((400, 500)), training=True))
    assert (output == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert output.mean() == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(output[output > 0], 1 / 0.7, rtol=2**-16)


def test_dropout_is_the_identity_outside_training():
    x = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    np.testing.assert_array_equal(Dropout(0.9)(x), x)


def test_dropout_masks_differ_between_calls_and_replicas(mirrored):
    with mirrored.scope():
        layer = Dropout(0.5)
        layer.build((None, 64))

    @tf.function
    def masks():
        return mirrored.run(lambda: layer(tf.ones((8, 64)), training=True))

    first, second = (
        [np.asarray(mask) for mask in mirrored.experimental_local_results(masks())]
        for _ in range(2)
    )
    seen = [first[0], first[1], second[0], second[1]]
    for i in range(4):
        for j in range(i):
            assert abs(np.corrcoef(seen[i].ravel(), seen[j].ravel())[0, 1]) < 0.2


def test_dropout_goes_on_after_its_state_is_restored():
    x = tf.ones((8, 8))
    layer, other = Dropout(0.5), Dropout(0.5)
    layer(x, training=True)
    other.build((8, 8))
    for variable, saved in zip(other.variables, layer.variables, strict=True):
        variable.assign(saved)
    np.testing.assert_array_equal(layer(x, training=True), other(x, training=True))


@pytest.mark.parametrize("shape", [(30_000,), (1, 3, 9_999), (300, 7, 15)])
@pytest.mark.parametrize("rate", [1e-7, 0.001, 0.5, 1.0 - 1e-7])
def test_dropout_keeps_the_mean_at_any_rate_and_shape(shape, rate):
    """Rates are rounded to 2**-16, and one of nearly 1 leaves one input in as many."""
    layer = Dropout(rate)
    layer.build(shape)
    total = int(np.prod(shape))
    output = np.stack([layer(tf.ones(shape), training=True) for _ in range(40)])
    assert output.shape == (40, *shape)
    chance = min(round(rate * 2**16), 2**16 - 1) / 2**16
    error = np.sqrt(chance * (1.0 - chance) / (40 * total))
    assert (output == 0).mean() == pytest.approx(chance, abs=5 * error + 1e-12)
    np.testing.assert_allclose(output[output > 0], 1.0 / (1.0 - chance), rtol=1e-6)


def test_in_float16_a_scale_that_is_too_large_leaves_zeros_zero():
    output = Dropout(0.99999, dtype="float16")(tf.ones((200, 1000), "float16"), training=True)
    assert not np.isnan(output).any()


def test_neighbours_that_share_random_bits_are_dropped_independently():
    output = np.asarray(Dropout(0.5)(tf.ones((1000, 64)), training=True)) > 0
    correlations = np.corrcoef(output.T) - np.eye(64)
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_dropout_refuses_rates_that_are_no_probability_below_one(rate):
    with pytest.raises(ValueError, match="rate="):
        Dropout(rate)


def test_layers_come_back_from_their_configuration():
    for layer in (Maxout(3, pieces=2), Dropout(0.25)):
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert copy.get_config() == layer.get_config()


@settings(max_examples=20, deadline=None)
@given(
    distribution=st.sampled_from(["normal", "uniform"]),
    count=st.integers(1, 50),
    dim=st.integers(1, 20),
    seed=st.integers(0, 2**31 - 1),
    truncation=st.none() | st.floats(0.05, 10),
)
def test_latents_have_their_shape_stay_in_bounds_and_repeat(
    distribution, count, dim, seed, truncation
):
    draw = [sample_latents(distribution, (count, dim), [seed, 0], truncation) for _ in range(2)]
    np.testing.assert_array_equal(*draw)
    assert draw[0].shape == (count, dim) and draw[0].dtype == tf.float32
    bound = min(1.0 if distribution == "uniform" else np.inf, truncation or np.inf)
    assert np.abs(draw[0]).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("truncation", [None, 0.1, 0.7, 2.0, 30.0])
def test_normal_latents_follow_scipys_truncated_normal(truncation):
    latents = np.asarray(sample_latents("normal", (20_000, 1), [1, 2], truncation)).ravel()
    bound = truncation or np.inf
    test = scipy.stats.kstest(latents, scipy.stats.truncnorm(-bound, bound).cdf)
    assert test.pvalue > 0.001


def test_uniform_latents_follow_the_uniform_distribution():
    latents = np.asarray(sample_latents("uniform", (20_000, 1), [1, 2])).ravel()
    assert scipy.stats.kstest(latents, scipy.stats.uniform(-1, 2).cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cauchy", (1, 1), [0, 0]), "latent_distribution='cauchy'"),
        (("normal", (1, 1), [0, 0], 0.0), "truncation=0.0"),
        (("normal", (1, 1), [0, 0], -1), "truncation=-1"),
    ],
)
def test_latents_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_latents(*arguments)


def test_batch_normalization_on_two_replicas_is_that_of_the_global_batch(mirrored):
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(8, 5)).astype("float32")
    single = batch_normalization()
    single.build((None, 5))
    start = single.get_weights()
    expected = np.asarray(single(x, training=True))

    with mirrored.scope():
        layer = batch_normalization()
        layer.build((None, 5))
        layer.set_weights(start)
    batches = mirrored.experimental_distribute_dataset(tf.data.Dataset.from_tensors(x).rebatch(8))
    output = mirrored.run(lambda part: layer(part, training=True), (next(iter(batches)),))

    output = np.concatenate([np.asarray(part) for part in output.values])
    assert len(output) == 8
    np.testing.assert_allclose(output, expected, atol=1e-5)
    for variable, reference in zip(layer.variables, single.variables, strict=True):
        for copy in variable.value.values:
            np.testing.assert_allclose(copy, reference, atol=1e-5)
