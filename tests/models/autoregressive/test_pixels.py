"""What a pixel may be: probabilities that add up, and draws that follow them."""

import numpy as np
import pytest
from scipy import special, stats

from keras_gen.models.autoregressive.pixels import (
    BernoulliPixel,
    CategoricalPixel,
    LogisticMixturePixel,
)


def uniforms(count, size, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, size)).astype("float32")


def test_bernoulli_draws_follow_their_probabilities():
    pixel = BernoulliPixel(2)
    logits = np.tile(np.float32([[0.7, -1.2]]), (20_000, 1))
    for temperature in (1.0, 0.5):
        for color, logit in enumerate((0.7, -1.2)):
            values = np.asarray(pixel.draw(color, logits, uniforms(20_000, 2), temperature))
            assert set(np.unique(values)) == {0.0, 1.0}
            expected = 1 / (1 + np.exp(-logit / temperature))
            assert values.mean() == pytest.approx(expected, abs=0.01)


def test_categorical_draws_follow_their_probabilities():
    pixel = CategoricalPixel(1)
    logits = np.full(256, -20.0, "float32")
    logits[[0, 100, 255]] = np.log([0.2, 0.5, 0.3])
    values = pixel.draw(0, np.tile(logits, (10_000, 1)), uniforms(10_000, 1), 1.0)
    counts = np.bincount(np.round(np.ravel(values) * 255).astype(int), minlength=256)
    assert stats.chisquare(counts[[0, 100, 255]], [2000, 5000, 3000]).pvalue > 0.01


def test_categorical_probabilities_add_up_to_one():
    pixel = CategoricalPixel(1)
    levels = (np.arange(256) / 255).reshape(256, 1, 1, 1)
    parameters = np.tile(np.random.default_rng(0).normal(size=256), (256, 1, 1, 1))
    values = pixel.log_likelihood(levels, parameters.astype("float32"))
    assert np.exp(np.asarray(values, "float64")).sum() == pytest.approx(1.0, abs=1e-5)


def test_categorical_parameters_of_a_pixel_are_those_of_its_first_channel_and_then_the_second():
    pixel, rng = CategoricalPixel(2), np.random.default_rng(0)
    parameters = rng.normal(size=(1, 1, 1, 512)).astype("float32")
    levels = np.array([3, 200])
    value = pixel.log_likelihood((levels / 255).reshape(1, 1, 1, 2), parameters)
    expected = sum(
        special.log_softmax(parameters[0, 0, 0, 256 * c : 256 * (c + 1)])[levels[c]] for c in (0, 1)
    )
    np.testing.assert_allclose(value, [expected], rtol=1e-5)
    parameters[0, 0, 0, 256 + 77] = 50.0
    assert pixel.draw(1, parameters[0, 0], uniforms(1, 2), 1.0).numpy() * 255 == pytest.approx(77)


@pytest.mark.parametrize("value", [-1.0, 2.0, 255.0])
def test_values_beyond_the_levels_have_no_likelihood(value):
    images, parameters = np.full((1, 1, 1, 1), value), np.zeros((1, 1, 1, 256), "float32")
    assert np.isnan(CategoricalPixel(1).log_likelihood(images, parameters)).all()


def test_noise_next_to_one_does_not_draw_what_is_impossible():
    logits = np.zeros((1000, 256), "float32")
    logits[:, 200:] = -60.0
    logits += np.random.default_rng(0).normal(size=(1000, 1))
    noise = np.full((1000, 1), 1.0 - 2.0**-23, "float32")
    assert np.max(CategoricalPixel(1).draw(0, logits, noise, 1.0)) * 255 < 200


def test_a_mixture_of_two_channels_adds_up_to_one_over_all_pairs_of_levels():
    pixel = LogisticMixturePixel(2, num_components=3)
    parameters = np.random.default_rng(1).normal(size=(1, 1, 1, pixel.num_parameters))
    first, second = np.meshgrid(np.arange(256), np.arange(256))
    pairs = (np.stack([first, second], -1).reshape(-1, 1, 1, 2) / 255).astype("float32")
    tiled = np.tile(parameters, (len(pairs), 1, 1, 1)).astype("float32")
    values = np.asarray(pixel.log_likelihood(pairs, tiled), "float64")
    assert np.exp(values).sum() == pytest.approx(1.0, abs=1e-4)


def test_mixture_draws_follow_their_probabilities():
    pixel = LogisticMixturePixel(2, num_components=2)
    parameters = np.random.default_rng(2).normal(size=(1, pixel.num_parameters)).astype("float32")
    count = 20_000
    drawn = np.asarray(pixel.draw(0, np.tile(parameters, (count, 1)), uniforms(count, 3), 1.0))
    np.testing.assert_allclose(drawn * 255, np.round(drawn * 255), atol=1e-4)
    first, second = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    pairs = (np.stack([first, second], -1).reshape(-1, 1, 1, 2) / 255).astype("float32")
    tiled = np.tile(parameters[:, None, None], (len(pairs), 1, 1, 1))
    table = np.exp(np.asarray(pixel.log_likelihood(pairs, tiled), "float64")).reshape(256, 256)
    blocks = table.reshape(4, 64, 4, 64).sum(axis=(1, 3))
    cells = np.round(drawn * 255).astype(int) // 64
    counts = np.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16)
    expected = blocks.ravel() * count / blocks.sum()
    keep = expected > 5
    observed, expected = counts[keep], expected[keep] * counts[keep].sum() / expected[keep].sum()
    assert stats.chisquare(observed, expected).pvalue > 0.01


def test_a_low_temperature_draws_the_likeliest():
    logits = np.random.default_rng(0).normal(size=(5, 256)).astype("float32")
    values = CategoricalPixel(1).draw(0, logits, uniforms(5, 1), 1e-3)
    np.testing.assert_allclose(np.ravel(values) * 255, logits.argmax(axis=1), atol=1e-4)
