import math

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.losses import (
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
)


def _gradient(loss, logit):
    logits = tf.constant([[logit]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    return float(tape.gradient(value, logits)[0, 0])


def test_a_discriminator_that_cannot_tell_pays_two_log_two():
    zeros = tf.zeros((5, 1))
    assert float(minimax_discriminator(zeros, zeros)) == pytest.approx(2 * math.log(2), abs=1e-6)


def test_losses_equal_hand_worked_logarithms():
    # sigmoid(log 3) = 3/4 and sigmoid(-log 3) = 1/4.
    real, fake = tf.constant([[math.log(3)]]), tf.constant([[-math.log(3)]])
    assert float(minimax_discriminator(real, fake)) == pytest.approx(-2 * math.log(3 / 4), rel=1e-6)
    assert float(minimax_generator(fake)) == pytest.approx(math.log(3 / 4), rel=1e-6)
    assert float(non_saturating_generator(fake)) == pytest.approx(-math.log(1 / 4), rel=1e-6)


def test_losses_are_means_over_the_batch():
    logits = tf.constant([[0.0], [math.log(3)]])
    expected = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    assert float(non_saturating_generator(logits)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_losses_and_gradients_are_finite_at_extreme_logits(logit):
    logits = tf.constant([[logit]])
    for value in (
        minimax_discriminator(logits, logits),
        minimax_generator(logits),
        non_saturating_generator(logits),
    ):
        assert np.isfinite(float(value))
    assert float(minimax_discriminator(logits, logits)) == pytest.approx(100.0)
    for loss in (minimax_generator, non_saturating_generator):
        assert np.isfinite(_gradient(loss, logit))


def test_the_minimax_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not():
    # D(G(z)) -> 0 is a logit far below 0 (arXiv:1406.2661, section 3).
    assert abs(_gradient(minimax_generator, -20.0)) < 1e-8
    assert _gradient(non_saturating_generator, -20.0) == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize("logit", [-3.0, 0.0, 2.0])
def test_generator_gradients_equal_their_closed_forms(logit):
    probability = 1 / (1 + math.exp(-logit))
    assert _gradient(minimax_generator, logit) == pytest.approx(-probability, rel=1e-5)
    assert _gradient(non_saturating_generator, logit) == pytest.approx(probability - 1, rel=1e-5)


def test_half_precision_logits_are_averaged_in_float32():
    logits = tf.cast(tf.fill((4096, 1), 20.0), "float16")
    # Summed in float16, 4096 * 20 would be infinite.
    assert float(minimax_discriminator(-logits, logits)) == pytest.approx(40.0)
