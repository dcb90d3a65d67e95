import math

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.lab.earth_mover import (
    critic_distance,
    critic_loss,
    discriminator_loss,
    exact_transport,
    js_distance,
    js_generator,
    judged,
    line,
    measure,
    penalized_earth_mover,
    sampling_distance,
    trained_judges,
)
from keras_gen.losses import wasserstein_generator

OFFSETS = (-0.5, 0.0, 0.2, 1.0)


@pytest.fixture(scope="module")
def discriminated():
    """`{offset: (JS, slope)}` of discriminators trained for 300 steps."""
    judges = trained_judges(discriminator_loss, OFFSETS, 300)
    return {
        offset: judged(judge, js_distance, js_generator, offset)
        for offset, judge in zip(OFFSETS, judges, strict=True)
    }


@pytest.fixture(scope="module")
def criticized():
    """`{offset: (W1, slope)}` of critics trained for 400 steps, weight of the penalty 5."""
    judges = trained_judges(critic_loss(5.0), OFFSETS, 400)
    return {
        offset: judged(judge, critic_distance, wasserstein_generator, offset)
        for offset, judge in zip(OFFSETS, judges, strict=True)
    }


def test_js_is_log_two_wherever_the_lines_are_apart_and_zero_where_they_are_not(discriminated):
    for offset, (js, _) in discriminated.items():
        assert js == pytest.approx(math.log(2) if offset else 0.0, abs=0.02), offset


def test_the_slope_of_js_vanishes_where_the_lines_are_apart(discriminated):
    for offset, (_, slope) in discriminated.items():
        if offset:
            assert abs(slope) < 0.02, offset


def test_the_critic_finds_the_offset_at_the_price_of_its_penalty(criticized):
    for offset, (distance, _) in criticized.items():
        expected = abs(offset) + offset**2 / 10
        assert penalized_earth_mover(offset, 5.0) == pytest.approx(expected, rel=1e-12)
        assert distance == pytest.approx(expected, abs=0.03), offset


def test_the_slope_of_the_critic_points_to_the_real_line(criticized):
    for offset, (_, slope) in criticized.items():
        if offset:
            expected = math.copysign(1 + abs(offset) / 10, offset)
            assert slope == pytest.approx(expected, abs=0.08), offset


def test_judges_start_anew_at_every_offset():
    alone = [judge.get_weights() for judge in trained_judges(discriminator_loss, (0.2,), 5)][0]
    after = [judge.get_weights() for judge in trained_judges(discriminator_loss, (1.0, 0.2), 5)][-1]
    for one, other in zip(alone, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("offset", [-1.0, -0.3, 0.5])
def test_exact_transport_is_the_offset_within_the_error_of_sampling(offset):
    distance, slope = exact_transport(offset, count=200)
    assert abs(offset) <= distance <= abs(offset) + 0.03
    assert slope == pytest.approx(math.copysign(1.0, offset), abs=0.03)


def test_samples_of_one_line_differ_by_the_area_between_their_distribution_functions():
    found = np.mean([exact_transport(0.0, count=100, seed=seed)[0] for seed in range(40)])
    assert sampling_distance(100) == pytest.approx(0.0443, abs=1e-4)  # 0.4431 / sqrt(100)
    assert found == pytest.approx(sampling_distance(100), rel=0.2)


def test_points_lie_on_their_line_uniformly():
    points = line(0.7, 4000, [0, 0]).numpy()
    np.testing.assert_array_equal(points[:, 0], np.float32(0.7))
    assert points[:, 1].min() >= 0 and points[:, 1].max() < 1
    assert points[:, 1].mean() == pytest.approx(0.5, abs=0.02)


def test_distances_of_hand_worked_logits():
    # D = 3/4 for the real point and 1/4 for the fake one.
    real, fake = tf.constant([[math.log(3)]]), tf.constant([[-math.log(3)]])
    assert float(js_distance(real, fake)) == pytest.approx(math.log(2) + math.log(3 / 4), rel=1e-6)
    assert float(critic_distance(real, fake)) == pytest.approx(2 * math.log(3), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1.0, 2.0), 5, 10.0, 0), r"offsets=\(1.0, 2.0\): give 0 once"),
        (((0.0,), 5, 10.0, 0), r"offsets=\(0.0,\).*others"),
        (((0.0, 1.0), 0, 10.0, 0), "steps=0"),
        (((0.0, 1.0), 5, 0.0, 0), "penalty_weight=0.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(*arguments)
