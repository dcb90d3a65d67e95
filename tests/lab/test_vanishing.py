import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.integrate import quad
from scipy.stats import norm

from keras_gen.lab.vanishing import (
    GENERATOR_LOSSES,
    best_logit,
    gaussian_slopes,
    gaussian_slopes_by_quadrature,
    vanishing_asymptote,
    watch,
)


def test_the_best_logit_is_the_log_ratio_of_the_densities():
    for x in (-2.0, 0.3, 5.0):
        ratio = norm.logpdf(x, 0.0, 0.7) - norm.logpdf(x, 2.0, 0.7)
        assert best_logit(x, 2.0, 0.7) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(("mean", "scale"), [(0.5, 1.0), (3.0, 1.0), (6.0, 1.0), (1.0, 0.5)])
def test_slopes_by_our_losses_equal_those_by_quadrature(mean, scale):
    ours = gaussian_slopes(mean, scale)
    expected = gaussian_slopes_by_quadrature(mean, scale)
    for name in GENERATOR_LOSSES:
        assert ours[name] == pytest.approx(expected[name], rel=2e-3), name


@pytest.mark.parametrize("mean", [0.5, 2.0, 4.0])
def test_the_quadrature_is_the_difference_quotient_of_the_loss_itself(mean):
    # The discriminator is that of `mean` throughout; only the fake points move.
    def loss(position):
        def integrand(x):
            return -norm.pdf(x, position) * np.logaddexp(0.0, mean * (mean / 2 - x))

        return quad(integrand, position - 12, position + 12, epsabs=1e-13, points=[mean / 2])[0]

    quotient = (loss(mean + 1e-3) - loss(mean - 1e-3)) / 2e-3
    assert gaussian_slopes_by_quadrature(mean, 1.0)["minimax"] == pytest.approx(quotient, rel=1e-5)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_minimax_slope_dies_out_like_its_asymptote(scale):
    for factor, tolerance in ((8, 0.1), (20, 0.02)):
        slope = gaussian_slopes_by_quadrature(factor * scale, scale)["minimax"]
        assert slope == pytest.approx(vanishing_asymptote(factor * scale, scale), rel=tolerance)
        by_hand = math.sqrt(math.pi / 2) / scale * math.exp(-(factor**2) / 8)
        assert vanishing_asymptote(factor * scale, scale) == pytest.approx(by_hand, rel=1e-12)


def test_the_non_saturating_slope_grows_with_the_distance_and_the_earth_movers_is_one():
    for mean in (6.0, 12.0):
        slopes = gaussian_slopes_by_quadrature(mean, 1.0)
        assert slopes["non_saturating"] == pytest.approx(mean, rel=0.01)
        assert gaussian_slopes(mean, 1.0)["wasserstein"] == pytest.approx(1.0, rel=1e-5)


@pytest.fixture(scope="module")
def watched():
    """A generator of grey squares, never right, before and after; and what was read on the way."""
    keras.utils.set_random_seed(0)
    latents = keras.Input((2,))
    images = keras.layers.Dense(64, activation="tanh")(latents)
    generator = keras.Model(latents, keras.layers.Reshape((8, 8, 1))(images))
    before = generator.get_weights()
    real = tf.random.stateless_normal((16, 8, 8, 1), [0, 0], mean=0.5, stddev=0.1)
    readings = watch(
        generator,
        lambda count, seed: tf.random.stateless_normal((count, 2), seed),
        tf.data.Dataset.from_tensors(real).repeat(),
        120,
        learning_rate=5e-3,
        readings=6,
    )
    return generator, before, readings


def test_against_a_sure_discriminator_the_minimax_gradient_alone_vanishes(watched):
    _, _, readings = watched
    largest = {name: max(each.norms[name] for each in readings) for name in GENERATOR_LOSSES}
    last = readings[-1]
    assert last.discriminator_loss < 0.05 and last.fake_probability < 0.05
    assert last.norms["minimax"] < 0.2 * largest["minimax"]
    assert last.norms["non_saturating"] > 5 * last.norms["minimax"]
    assert last.norms["wasserstein"] > 0.3 * largest["wasserstein"]


def test_before_the_discriminator_has_learned_both_losses_say_the_same(watched):
    # D is near 1/2 everywhere, and so is 1 - D.
    norms = watched[2][0].norms
    assert norms["minimax"] == pytest.approx(norms["non_saturating"], rel=0.5)


def test_readings_run_from_the_first_step_to_the_last(watched):
    steps = [reading.step for reading in watched[2]]
    assert steps[0] == 1 and steps[-1] == 120 and steps == sorted(steps)


def test_the_generator_stands_still(watched):
    generator, before, _ = watched
    for one, other in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_too_few_batches_are_an_error():
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(64)])
    generator.add(keras.layers.Reshape((8, 8, 1)))
    with pytest.raises(ValueError, match="ended before step 3"):
        watch(
            generator,
            lambda count, seed: tf.random.stateless_normal((count, 2), seed),
            [tf.zeros((4, 8, 8, 1))] * 2,
            3,
        )
    with pytest.raises(ValueError, match="steps=0"):
        watch(generator, None, [], 0)
