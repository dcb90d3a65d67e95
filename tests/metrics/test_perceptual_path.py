"""Perceptual path length, on generators for which it is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_gen.metrics import path_length_metrics, perceptual_path_length
from keras_gen.metrics.perceptual_path import _without_outliers

DIMENSIONS, PAIRS = 6, 400


def latents(seed, count=PAIRS):
    return np.random.default_rng(seed).normal(size=(count, DIMENSIONS))


def linear(matrix):
    """A generator of 2x2x3 images that are linear in the latents."""
    return lambda z: (z @ matrix.astype("float32")).reshape(-1, 2, 2, 3)


def flat(images):
    return np.asarray(images).reshape(len(images), -1)


MATRIX = np.random.default_rng(9).normal(size=(DIMENSIONS, 12))


@pytest.mark.parametrize("sampling", ["full", "end"])
def test_of_a_linear_generator_it_is_the_mean_squared_length_of_the_lines(sampling):
    starts, ends = latents(0), latents(1)
    found = perceptual_path_length(linear(MATRIX), starts, ends, flat, sampling=sampling)
    expected = np.sum(((ends - starts) @ MATRIX) ** 2, axis=1)
    # In float32 a step of 1e-4 has about three digits.
    np.testing.assert_allclose(np.median(found.distances / expected), 1.0, rtol=0.01)
    kept = _without_outliers(expected)
    assert found.mean == pytest.approx(kept.mean(), rel=0.02)
    assert found.standard_error == pytest.approx(kept.std() / np.sqrt(len(kept)), rel=0.1)


def test_along_great_circles_it_is_the_mean_squared_angle_times_the_squared_radius():
    starts, ends = latents(0), latents(1)
    isometry = np.linalg.qr(np.random.default_rng(2).normal(size=(12, DIMENSIONS)))[0].T
    cosines = np.sum(starts * ends, axis=1)
    cosines /= np.linalg.norm(starts, axis=1) * np.linalg.norm(ends, axis=1)
    expected = DIMENSIONS * np.arccos(cosines) ** 2
    found = perceptual_path_length(linear(isometry), starts, ends, flat, spherical=True)
    assert found.mean == pytest.approx(_without_outliers(expected).mean(), rel=0.02)


def test_it_is_the_slope_at_the_point_where_it_is_taken():
    """Of images z^2 the path's derivative at t is 2 (a + t (b - a)) (b - a)."""
    starts, ends = np.zeros((PAIRS, 1)), np.full((PAIRS, 1), 2.0)

    def squares(z):
        return (z**2).reshape(-1, 1, 1, 1)

    full, end = (
        perceptual_path_length(squares, starts + 1.0, ends, flat, sampling=sampling)
        for sampling in ("full", "end")
    )
    assert end.mean == pytest.approx(4.0, rel=0.02)  # at a = 1, b - a = 1
    assert full.mean == pytest.approx(4.0 * 7.0 / 3.0, rel=0.1)  # the mean of 4 (1 + t)^2
    assert full.distances.std() > 1.0 > 0.1 > end.distances.std()


def test_distances_beyond_the_first_and_last_percentile_are_left_out():
    distances = np.arange(1000.0)
    np.testing.assert_array_equal(_without_outliers(distances[::-1]), np.arange(990.0, 8.0, -1.0))
    assert len(_without_outliers(np.ones(7))) == 7


def test_the_same_seed_gives_the_same_value():
    arguments = (linear(MATRIX), latents(0), latents(1), flat)
    first, same, other = (perceptual_path_length(*arguments, seed=s).distances for s in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_model_with_a_mapping_is_measured_in_both_spaces():
    extractor = SimpleNamespace(of_floats=lambda images, _: flat(images), description="pixels")
    plain = SimpleNamespace(decode=linear(MATRIX), latent_dim=DIMENSIONS, value_range=(-1.0, 1.0))
    mapped = SimpleNamespace(**vars(plain), map_latents=lambda z: 3.0 * z)
    found = path_length_metrics(plain, extractor, num_pairs=200)
    assert set(found) == {"ppl_z_full", "ppl_z_end"}
    both = path_length_metrics(mapped, extractor, num_pairs=200)
    assert set(both) == {"ppl_z_full", "ppl_z_end", "ppl_w_full", "ppl_w_end"}
    assert both["ppl_z_full"][0] == pytest.approx(9.0 * found["ppl_z_full"][0], rel=0.02)
    assert "200 pairs" in found["ppl_z_full"][1] and "pixels" in found["ppl_z_full"][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ends": latents(1, 3)}, "pairs"),
        ({"sampling": "middle"}, "sampling='middle'"),
        ({"epsilon": 0.0}, "epsilon=0.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, message):
    arguments = {"starts": latents(0), "ends": latents(1), "features": flat} | change
    with pytest.raises(ValueError, match=message):
        perceptual_path_length(linear(MATRIX), **arguments)
