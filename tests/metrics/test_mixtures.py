"""Against hand-worked cases and exact draws from the mixtures."""

import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from keras_gen.data import load
from keras_gen.metrics.mixtures import (
    grid_mixture,
    kl_to_uniform,
    mode_coverage,
    ring_mixture,
    save_scatter,
)

MIXTURES = {"ring": ring_mixture, "grid": grid_mixture}


@pytest.mark.parametrize("name", MIXTURES)
def test_the_mixtures_are_those_of_the_data_sets(name):
    data, mixture = load(name, split="test"), MIXTURES[name]()
    np.testing.assert_array_equal(mixture.centres, data.modes)
    assert mixture.sigma == data.scale


@pytest.mark.parametrize("name", MIXTURES)
def test_exact_draws_reach_the_ceiling(name):
    centres, sigma = MIXTURES[name]()
    generator = np.random.default_rng(0)
    modes = generator.integers(len(centres), size=200_000)
    points = centres[modes] + sigma * generator.normal(size=(len(modes), 2))
    coverage = mode_coverage(points, centres, sigma)
    assert coverage.modes == coverage.num_modes == len(centres)
    np.testing.assert_allclose(coverage.ceiling, 1.0 - math.exp(-4.5))
    error = math.sqrt(0.0111 * 0.9889 / len(points))
    assert abs(coverage.high_quality_share - 0.98889) < 4 * error
    # 2 N KL is chi-squared with K - 1 degrees of freedom (the likelihood ratio test).
    statistic = 2 * coverage.counts.sum() * coverage.reverse_kl
    assert 1e-3 < stats.chi2.sf(statistic, len(centres) - 1) < 1 - 1e-3


def test_a_hand_worked_case():
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = [
        [0.0, 2.9],  # near the first
        [-2.0, -2.0],  # 2.83 from the first: near
        [2.5, 2.5],  # 3.54 from the first: not near
        [10.0, 0.5],  # near the second
        [7.2, 10.0],  # near the last
        [np.nan, 0.0],
        [np.inf, 0.0],
        [5.0, 5.0],
    ]
    coverage = mode_coverage(points, centres, 1.0)
    assert coverage.counts.tolist() == [2, 1, 0, 1]
    assert coverage.modes == 3
    assert coverage.high_quality_share == 0.5
    np.testing.assert_allclose(
        coverage.reverse_kl, 0.5 * math.log(2.0) + 0.25 * math.log(1.0) * 2, atol=1e-12
    )
    assert mode_coverage(points, centres, 1.0, deviations=2.0).counts.tolist() == [0, 1, 0, 0]
    assert mode_coverage(points, centres, 1.0, deviations=4.0).counts.tolist() == [3, 1, 0, 1]


def test_a_collapsed_generator_has_the_largest_divergence():
    centres, sigma = grid_mixture()
    coverage = mode_coverage(np.tile(centres[3], (100, 1)), centres, sigma)
    assert coverage.modes == 1
    assert coverage.high_quality_share == 1.0
    np.testing.assert_allclose(coverage.reverse_kl, math.log(25))


def test_samples_without_any_good_one_have_no_divergence():
    coverage = mode_coverage([[100.0, 100.0]], *ring_mixture())
    assert coverage.modes == 0 and coverage.high_quality_share == 0.0
    assert math.isnan(coverage.reverse_kl)


def test_divergence_from_uniform_agrees_with_scipy():
    counts = np.random.default_rng(0).integers(0, 20, size=30)
    np.testing.assert_allclose(kl_to_uniform(counts), stats.entropy(counts, np.ones(30)))
    assert kl_to_uniform([7, 7, 7]) == pytest.approx(0.0, abs=1e-15)


def test_the_line_for_people_states_the_ceiling():
    centres, sigma = ring_mixture()
    line = str(mode_coverage(np.repeat(centres, 10, axis=0), centres, sigma))
    assert line.startswith("8 of 8 modes; 100.0 % of 80 samples within 3 sigma")
    assert "(perfect data: 98.9 %); reverse KL 0.0000 nats (perfect data: 0.0437)" in line


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"points of shape \(4, 3\).*\(8, 2\)"):
        mode_coverage(np.zeros((4, 3)), *ring_mixture())
    with pytest.raises(ValueError, match="at least one point"):
        mode_coverage(np.zeros((0, 2)), *ring_mixture())


def test_the_picture_shows_missed_modes_in_red(tmp_path):
    centres, sigma = ring_mixture()
    pictures = []
    for first in (0, 3):
        points = np.concatenate([np.repeat(centres[first:], 5, axis=0), [[0.0, 0.0], [99.0, 0.0]]])
        path = tmp_path / f"{first}.png"
        save_scatter(points, centres, sigma, path)
        pictures.append(np.asarray(Image.open(path).convert("RGB")).astype(int))
    red = [((p[..., 0] > 200) & (p[..., 1] < 60) & (p[..., 2] < 60)).sum() for p in pictures]
    assert red[0] == 0 < 50 < red[1]
    with pytest.raises(ValueError, match="plane"):
        save_scatter(np.zeros((2, 3)), np.zeros((1, 3)), 1.0, tmp_path / "no.png")
