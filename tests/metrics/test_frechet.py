import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.metrics import FrechetDistance, frechet_distance, frechet_distance_from_moments


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def test_diagonal_gaussians_by_hand():
    distance = frechet_distance_from_moments(
        [0.0, 0.0], np.diag([1.0, 4.0]), [3.0, 4.0], np.diag([9.0, 16.0])
    )
    assert distance == pytest.approx(9 + 16 + (1 - 3) ** 2 + (2 - 4) ** 2, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_two_dimensional_gaussians_against_the_closed_form(seed):
    random = np.random.default_rng(seed)
    first, second = random.standard_normal((2, 2, 2))
    cov_1, cov_2 = first @ first.T, second @ second.T
    # The square root of a 2x2 matrix has the trace sqrt(trace + 2 sqrt(determinant)).
    product = cov_1 @ cov_2
    root_trace = np.sqrt(np.trace(product) + 2 * abs(np.linalg.det(first) * np.linalg.det(second)))
    expected = 1 + 4 + np.trace(cov_1 + cov_2) - 2 * root_trace
    distance = frechet_distance_from_moments([0, 0], cov_1, [1, 2], cov_2)
    assert distance == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("size", [1, 5, 200])
def test_covariances_that_commute_against_the_closed_form_also_when_singular(size):
    random = np.random.default_rng(size)
    deviations_1, deviations_2 = random.exponential(size=(2, size))
    deviations_1[: size // 3] = 0.0
    deviations_2[size // 4 : size // 2] = 0.0
    axes = rotation(size, 0)
    mean_1, mean_2 = random.standard_normal((2, size))
    distance = frechet_distance_from_moments(
        mean_1, axes * deviations_1**2 @ axes.T, mean_2, axes * deviations_2**2 @ axes.T
    )
    expected = np.sum((mean_1 - mean_2) ** 2) + np.sum((deviations_1 - deviations_2) ** 2)
    # An eigenvalue that is zero but for a rounding of 1e-16 has a root of 1e-8.
    assert distance == pytest.approx(expected, rel=2e-8, abs=1e-8)


@pytest.mark.parametrize("size", [2, 30, 128])
def test_features_against_scipys_matrix_square_root(size):
    random = np.random.default_rng(size)
    real = random.standard_normal((1500, size)) @ random.standard_normal((size, size))
    generated = np.maximum(random.standard_normal((1000, size)) * 2 + 0.5, 0.0)
    real, generated = real.astype("float32"), generated.astype("float32")
    cov_1, cov_2 = (np.cov(x.astype("float64"), rowvar=False) for x in (real, generated))
    shift = real.astype("float64").mean(0) - generated.astype("float64").mean(0)
    root = scipy.linalg.sqrtm(cov_1 @ cov_2)
    expected = shift @ shift + np.trace(cov_1 + cov_2 - 2 * root.real)
    assert frechet_distance(real, generated) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_fewer_images_than_features_against_the_nuclear_norm_of_the_data():
    random = np.random.default_rng(3)
    real, generated = random.standard_normal((40, 100)), random.standard_normal((25, 100)) + 0.2
    # Tr (cov_1 cov_2)^(1/2) without covariances: from the centred data themselves.
    first, second = real - real.mean(0), generated - generated.mean(0)
    root_trace = scipy.linalg.svdvals(first @ second.T).sum() / np.sqrt(39 * 24)
    expected = (
        np.sum((real.mean(0) - generated.mean(0)) ** 2)
        + np.sum(first**2) / 39
        + np.sum(second**2) / 24
        - 2 * root_trace
    )
    assert frechet_distance(real, generated) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("count", [2, 30, 700])
def test_a_set_is_at_distance_zero_from_itself(count):
    features = np.maximum(np.random.default_rng(0).standard_normal((count, 90)) - 1.0, 0.0)
    assert 0.0 <= frechet_distance(features, features[::-1]) < 1e-10


def test_the_covariance_divides_by_one_less_than_the_count():
    # Means 1 and 0, variances 2 and 0.
    assert frechet_distance([[0.0], [2.0]], [[0.0], [0.0]]) == pytest.approx(3.0, abs=1e-12)


def test_a_mean_far_from_zero_costs_no_digits():
    random = np.random.default_rng(5)
    real, generated = random.standard_normal((1500, 4)), 2 * random.standard_normal((1200, 4))
    near = frechet_distance(real, generated)
    assert frechet_distance(real + 1e7, generated + 1e7) == pytest.approx(near, rel=1e-6)


def test_it_is_unchanged_by_a_rotation_and_an_exchange_of_the_sets():
    random = np.random.default_rng(6)
    real, generated = random.standard_normal((600, 12)), random.exponential(size=(500, 12))
    axes, distance = rotation(12, 1), frechet_distance(real, generated)
    assert frechet_distance(real @ axes, generated @ axes) == pytest.approx(distance, rel=1e-10)
    assert frechet_distance(generated, real) == pytest.approx(distance, rel=1e-10)


@pytest.mark.parametrize(
    ("moments", "words"),
    [
        (([0.0], np.eye(2), [0.0], np.eye(1)), "mean_1, cov_1: shapes"),
        (([0.0], np.eye(1), [0.0, 0.0], np.eye(2)), "mean_2: 2 values beside 1"),
        (([0.0, 0.0], [[1, 1], [0, 1]], [0.0, 0.0], np.eye(2)), "cov_1 is not symmetric"),
        (([0.0, 0.0], np.eye(2), [0.0, 0.0], np.diag([1, -1])), "cov_2 is no covariance"),
        (([0.0], [[np.nan]], [0.0], [[1.0]]), "cov_1: .* NaN"),
    ],
)
def test_what_is_no_moment_is_named(moments, words):
    with pytest.raises(ValueError, match=words):
        frechet_distance_from_moments(*moments)


def test_sets_that_cannot_be_compared_are_named():
    with pytest.raises(ValueError, match="generated: 1 rows: give at least 2"):
        frechet_distance(np.zeros((5, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="generated: rows of 3 values beside real rows of 2"):
        frechet_distance(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="real: 0 rows"):
        FrechetDistance().result()
