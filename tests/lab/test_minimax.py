import math

import numpy as np
import pytest

from keras_gen.lab.minimax import (
    METHODS,
    MOMENTUM,
    alternating_average_bound,
    compare,
    conserved_quantity,
    growth_factor,
    largest_radius,
    measured_growth,
    play,
    running_average,
    simultaneous_average_radius,
)

START = (1.0, 0.5)


def written_out(method, h):
    """The update of (x, y, x before, y before), from the methods' formulas, as a matrix."""
    keep = np.eye(2, 4)
    turn = np.array([[0.0, -h], [h, 0.0]])
    if method == "simultaneous":
        now, before = np.eye(2) + turn, np.zeros((2, 2))
    elif method == "alternating":
        now, before = np.array([[1.0, -h], [h, 1 - h**2]]), np.zeros((2, 2))
    elif method == "optimistic":
        now, before = np.eye(2) + 2 * turn, -turn
    elif method == "extragradient":
        now, before = np.eye(2) + turn + turn @ turn, np.zeros((2, 2))
    else:
        m = MOMENTUM
        now = np.array([[1 + m, -h], [h * (1 + m), 1 + m - h**2]])
        before = np.array([[-m, 0.0], [-h * m, -m]])
    return np.vstack([np.hstack([now, before]), keep])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("h", [0.05, 0.4, 1.3])
def test_every_step_is_the_update_matrix_of_its_formula(method, h):
    path = play(method, START, h, 6)
    state = np.array([*START, *START])
    for point in path[1:]:
        state = written_out(method, h) @ state
        np.testing.assert_allclose(point, state[:2], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("h", [0.05, 0.1, 0.4, 0.5, 0.55, 1.3])
def test_growth_factors_are_spectral_radii_by_numpy(method, h):
    radius = max(abs(np.linalg.eigvals(written_out(method, h))))
    assert growth_factor(method, h) == pytest.approx(radius, rel=1e-6)


@pytest.mark.parametrize("h", [0.01, 0.1, 0.5])
def test_simultaneous_play_grows_by_the_root_of_one_plus_the_squared_rate(h):
    path = play("simultaneous", START, h, 200)
    assert measured_growth(path) == pytest.approx(math.sqrt(1 + h**2), rel=1e-9)
    assert np.hypot(*path[-1]) == pytest.approx((1 + h**2) ** 100 * np.hypot(*START), rel=1e-9)


@pytest.mark.parametrize("h", [0.1, 1.1, 1.9])  # at 1 it has period six
def test_alternating_play_stays_on_its_ellipse(h):
    path = play("alternating", START, h, 5000)
    values = conserved_quantity(path, h)
    np.testing.assert_allclose(values, 1 + 0.25 - h * 0.5, rtol=1e-10)
    radii = np.hypot(*path.T)
    assert radii.max() <= largest_radius(START, h) * (1 + 1e-9)
    assert radii.max() == pytest.approx(largest_radius(START, h), rel=1e-3)


def test_at_a_rate_of_two_alternating_play_no_longer_turns():
    assert np.hypot(*play("alternating", START, 2.0, 1000)[-1]) > 100
    with pytest.raises(ValueError, match="learning_rate=2.0.*below 2"):
        growth_factor("alternating", 2.0)


@pytest.mark.parametrize("method", ["optimistic", "extragradient"])
@pytest.mark.parametrize("h", [0.1, 0.3])
def test_the_cures_decay_by_their_spectral_radius(method, h):
    measured = measured_growth(play(method, START, h, 400))
    assert measured == pytest.approx(growth_factor(method, h), rel=1e-6)
    assert measured < 1


def test_negative_momentum_decays_by_its_spectral_radius():
    # It swings as it decays, so that the slope of its logarithm is known less exactly.
    measured = measured_growth(play("negative_momentum", START, 0.1, 4000))
    assert measured == pytest.approx(growth_factor("negative_momentum", 0.1), abs=1e-5)
    assert growth_factor("negative_momentum", 0.1) < 0.999


def test_optimistic_play_converges_up_to_a_rate_of_one_over_root_three():
    assert growth_factor("optimistic", 0.577) < 1 < growth_factor("optimistic", 0.578)


def test_closed_form_of_the_optimistic_factor():
    for h in (0.1, 0.3):
        expected = math.sqrt((1 + math.sqrt(1 - 4 * h**2)) / 2)
        assert growth_factor("optimistic", h) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("h", [0.1, 1.0])
def test_the_mean_of_alternating_play_tends_to_the_equilibrium_as_one_over_steps(h):
    path = play("alternating", START, h, 3000)
    radii = np.hypot(*running_average(path).T)
    bounds = [alternating_average_bound(START, h, step) for step in range(len(path))]
    assert np.all(radii <= bounds)
    assert bounds[-1] == pytest.approx(bounds[0] / 3001)
    assert radii[2000:].max() > bounds[-1] / 20  # a bound of the right order


def test_averaging_does_not_cure_simultaneous_play():
    path = play("simultaneous", START, 0.1, 2000)
    radii = np.hypot(*running_average(path).T)
    expected = simultaneous_average_radius(START, 0.1, 2000)
    assert radii[-1] == pytest.approx(expected, rel=1e-9)
    assert radii[-1] > 100 * radii[0]


def test_every_number_lies_at_its_analytic_value():
    paths = {method: play(method, START, 0.1, 500) for method in METHODS}
    metrics = compare(paths, 0.1)
    for name, (value, analytic, _) in metrics.items():
        if name == "alternating_average_radius":
            assert value <= analytic
        else:
            assert value == pytest.approx(analytic, rel=1e-3, abs=1e-10), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("newton", START, 0.1, 5), "method='newton'.*simultaneous"),
        (("optimistic", START, 0.0, 5), "learning_rate=0.0"),
        (("optimistic", START, 0.1, 0), "steps=0"),
        (("optimistic", START, 1.9, 2000), "learning_rate=1.9 with steps=2000"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        play(*arguments)
