import math

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.losses import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    wasserstein_critic,
    wasserstein_generator,
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


REAL = [[2.0], [-1.0], [0.5]]
FAKE = [[-3.0], [0.0], [1.5]]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # (1 + 4 + 0.25) / 3 / 2 + (9 + 0 + 2.25) / 3 / 2
        (least_squares_discriminator, 2.75),
        # max(0, 1 - x): 0, 2, 0.5; max(0, 1 + x): 0, 1, 2.5
        (hinge_discriminator, 2.0),
        # means -0.5 and 0.5
        (wasserstein_critic, -1.0),
    ],
)
def test_discriminator_losses_equal_hand_worked_values(loss, expected):
    assert float(loss(tf.constant(REAL), tf.constant(FAKE))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # (16 + 1 + 0.25) / 3 / 2
        (least_squares_generator, 2.875),
        (hinge_generator, 0.5),
        (wasserstein_generator, 0.5),
    ],
)
def test_generator_losses_equal_hand_worked_values(loss, expected):
    assert float(loss(tf.constant(FAKE))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "loss", [least_squares_discriminator, hinge_discriminator, wasserstein_critic]
)
def test_a_discriminator_step_raises_real_logits_and_lowers_fake_ones(loss):
    real, fake = tf.constant([[0.2], [-0.3]]), tf.constant([[0.2], [0.7]])
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        value = loss(real, fake)
    real_gradient, fake_gradient = tape.gradient(value, [real, fake])
    assert np.all(real_gradient < 0) and np.all(fake_gradient > 0)


@pytest.mark.parametrize(
    "loss",
    [
        minimax_generator,
        non_saturating_generator,
        least_squares_generator,
        hinge_generator,
        wasserstein_generator,
    ],
)
def test_a_generator_step_raises_fake_logits(loss):
    assert _gradient(loss, -0.5) < 0


def test_the_least_squares_optimum_is_the_share_of_real_images():
    # arXiv:1611.04076, eq. 11 with a = 0, b = 1: D*(x) = p_data / (p_data + p_g). Here a point x
    # that holds 3 of 4 real images and 1 of 4 generated ones.
    shares = np.linspace(0, 1, 101)
    losses = [
        float(
            least_squares_discriminator(
                tf.constant([[d], [d], [d], [9.0]]), tf.constant([[d], [9.0], [9.0], [9.0]])
            )
        )
        for d in shares
    ]
    assert shares[np.argmin(losses)] == pytest.approx(0.75)


def test_hinge_losses_ignore_images_beyond_the_margin():
    real, fake = tf.constant([[1.5], [9.0]]), tf.constant([[-1.5], [-9.0]])
    assert float(hinge_discriminator(real, fake)) == 0.0


@pytest.mark.parametrize(
    "loss", [least_squares_discriminator, hinge_discriminator, wasserstein_critic]
)
def test_half_precision_outputs_are_averaged_in_float32_by_every_pair(loss):
    logits = tf.cast(tf.fill((4096, 1), 20.0), "float16")
    value = loss(-logits, logits)
    assert value.dtype == tf.float32 and np.isfinite(float(value))


def _softplus(x):
    return np.logaddexp(0.0, x)


def _noisy_labels():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(scale=3.0, size=(2, 50, 1))
    real_targets, fake_targets = rng.uniform(0.7, 1.0, (50, 1)), rng.uniform(0.0, 0.3, (50, 1))
    flipped = rng.uniform(size=50) < 0.1
    real_targets[flipped], fake_targets[flipped] = 0.0, 1.0
    return real, fake, real_targets, fake_targets


@pytest.mark.parametrize("smooth", [0.9, 1.0])
def test_smoothed_and_noisy_targets_equal_the_cross_entropy_in_numpy(smooth):
    real, fake, real_targets, fake_targets = _noisy_labels()
    real_targets = smooth * real_targets
    value = minimax_discriminator(
        tf.constant(real, "float32"),
        tf.constant(fake, "float32"),
        real_targets=tf.constant(real_targets, "float32"),
        fake_targets=tf.constant(fake_targets, "float32"),
    )
    expected = np.mean(real_targets * _softplus(-real) + (1 - real_targets) * _softplus(real))
    expected += np.mean(fake_targets * _softplus(-fake) + (1 - fake_targets) * _softplus(fake))
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_one_sided_smoothing_moves_the_optimum_of_real_images_alone():
    # The cross-entropy against 0.9 is least at D = 0.9, the logit log 9.
    fake = tf.constant([[-1.0]])

    def loss(logit):
        return minimax_discriminator(logit, fake, real_targets=0.9)

    assert _gradient(loss, math.log(9.0)) == pytest.approx(0.0, abs=1e-7)
    assert _gradient(lambda logit: minimax_discriminator(fake, logit, 0.9), -60.0) < 1e-20


def test_flipped_targets_are_the_other_side_of_the_loss():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    flipped = minimax_discriminator(real, fake, real_targets=0, fake_targets=1)
    assert float(flipped) == float(minimax_discriminator(fake, real))


def test_default_targets_leave_the_loss_and_its_gradient_as_they_were_to_the_last_bit():
    rng = np.random.default_rng(1)
    logits = tf.constant(np.append(rng.normal(scale=30.0, size=300), [0.0, 1e30, -1e30])[:, None])
    logits = tf.cast(logits, "float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        value = minimax_discriminator(logits, logits[::-1])
        softplus = tf.math.softplus
        before = tf.reduce_mean(softplus(-logits)) + tf.reduce_mean(softplus(logits[::-1]))
    assert float(value) == float(before)
    np.testing.assert_array_equal(tape.gradient(value, logits), tape.gradient(before, logits))


@pytest.mark.parametrize("name", ["real_targets", "fake_targets"])
def test_targets_that_would_pair_every_logit_with_every_target_are_refused(name):
    logits = tf.zeros((3, 1))
    with pytest.raises(ValueError, match=rf"{name} of shape \(3,\) .* \(3, 1\)"):
        minimax_discriminator(logits, logits, **{name: tf.ones(3)})
    for target in (1.2, -0.1):
        with pytest.raises(ValueError, match=f"{name}={target}"):
            minimax_discriminator(logits, logits, **{name: target})
