import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.metrics import sliced_wasserstein, sliced_wasserstein_pyramid
from keras_gen.metrics.sliced_wasserstein import _laplacian_pyramid


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_numbers_against_scipys_wasserstein_distance_for_any_set_sizes(n, m, seed):
    random = np.random.default_rng(seed)
    real, generated = random.standard_normal(n), random.exponential(size=m)
    distance = sliced_wasserstein(real[:, None], generated[:, None], projections=3, order=1)
    assert distance == pytest.approx(scipy.stats.wasserstein_distance(real, generated), abs=1e-12)


def test_two_and_three_numbers_of_order_two_by_hand():
    # Quantiles: 0, 0 | 0, 6 | 6, 6 against 1, 1 | 4, 4 | 7, 7 in sixths.
    distance = sliced_wasserstein([[0.0], [6.0]], [[1.0], [4.0], [7.0]], order=2)
    assert distance == pytest.approx(np.sqrt((1 + 1 + 16 + 4 + 1 + 1) / 6), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_a_shift_against_the_closed_form(order):
    rows = np.random.default_rng(0).standard_normal((300, 6))
    shift = np.array([3.0, 0, -4.0, 0, 0, 0])
    # A coordinate of a random unit vector in D = 6: mean square 1/6, mean magnitude
    # Gamma(3) / (sqrt(pi) Gamma(3.5)).
    expected = {1: 5 * 2 / (np.sqrt(np.pi) * 3.3233509704478426), 2: 5 / np.sqrt(6)}[order]
    distance = sliced_wasserstein(rows, rows[::-1] + shift, projections=20000, order=order)
    assert distance == pytest.approx(expected, rel=0.02)


def test_equal_sets_are_at_distance_zero_and_repeated_sets_too():
    rows = np.random.default_rng(1).standard_normal((50, 4))
    assert sliced_wasserstein(rows, rows[::-1], projections=40) < 1e-12
    assert sliced_wasserstein(rows, np.repeat(rows, 3, axis=0), projections=40) < 1e-12


def test_the_seed_decides_the_directions():
    rows = np.random.default_rng(2).standard_normal((2, 60, 5))
    assert sliced_wasserstein(*rows, 7, seed=1) == sliced_wasserstein(*rows, 7, seed=1)
    assert sliced_wasserstein(*rows, 7, seed=1) != sliced_wasserstein(*rows, 7, seed=2)


def test_the_pyramid_against_scipys_convolution_with_the_papers_filter():
    images = np.random.default_rng(3).integers(0, 256, (2, 32, 16, 3), dtype="uint8")
    line = np.array([1, 4, 6, 4, 1])
    blur = (np.outer(line, line) / 256)[None, :, :, None]
    smaller = scipy.ndimage.convolve(images.astype(float), blur, mode="mirror")[:, ::2, ::2]
    spread = np.zeros(images.shape)
    spread[:, ::2, ::2] = smaller
    details = images - scipy.ndimage.convolve(spread, 4 * blur, mode="mirror")
    levels = _laplacian_pyramid(images, 8)
    assert [level.shape for level in levels] == [(2, 32, 16, 3), (2, 16, 8, 3)]
    assert np.allclose(levels[0], details, atol=1e-3)
    assert np.allclose(levels[1], smaller, atol=1e-3)


def drawn(count, blur, seed):
    noise = np.random.default_rng(seed).standard_normal((count, 32, 32, 1))
    images = 4 * scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0))  # large shapes
    images += 0.5 * scipy.ndimage.gaussian_filter(noise[:, ::-1], (0, blur, blur, 0))  # grain
    return np.clip(127 + 60 * images, 0, 255).astype("uint8")


def test_the_finest_level_sees_lost_grain_and_the_coarsest_hardly_does():
    real, others, smooth = drawn(300, 0.0, 0), drawn(200, 0.0, 1), drawn(200, 1.5, 1)
    same = sliced_wasserstein_pyramid(real, others, patches=16, projections=64)
    lost = sliced_wasserstein_pyramid(real, smooth, patches=16, projections=64)
    assert list(same) == list(lost) == ["32x32", "16x16"]
    assert lost["32x32"] > 5 * same["32x32"]
    assert lost["16x16"] < lost["32x32"] / 2
    again = sliced_wasserstein_pyramid(real, others, patches=16, projections=64)
    assert again == same


def test_brightness_and_contrast_are_taken_out():
    real = drawn(300, 0.0, 0)
    darker = (real // 2).astype("uint8")
    same = sliced_wasserstein_pyramid(real, real, patches=16, projections=64)
    changed = sliced_wasserstein_pyramid(real, darker, patches=16, projections=64)
    assert changed["16x16"] < 3 * same["16x16"]


def test_levels_go_down_to_the_smallest_side():
    images = np.zeros((2, 28, 28, 1), "uint8")
    assert sliced_wasserstein_pyramid(images, images, 2, 4) == {"28x28": 0.0}
    levels = sliced_wasserstein_pyramid(images, images, 2, 4, smallest_side=7)
    assert list(levels) == ["28x28", "14x14", "7x7"]


def test_wrong_arguments_are_named():
    rows, images = np.zeros((5, 2)), np.zeros((3, 16, 16, 1), "uint8")
    with pytest.raises(ValueError, match="order=3"):
        sliced_wasserstein(rows, rows, order=3)
    with pytest.raises(ValueError, match="projections=0"):
        sliced_wasserstein(rows, rows, projections=0)
    with pytest.raises(ValueError, match="real: 0 rows"):
        sliced_wasserstein(rows[:0], rows)
    with pytest.raises(ValueError, match="generated_images: .* uint8"):
        sliced_wasserstein_pyramid(images, images / 2)
    with pytest.raises(ValueError, match="images of one size"):
        sliced_wasserstein_pyramid(images, images[:, :14])
    with pytest.raises(ValueError, match="smallest_side=20"):
        sliced_wasserstein_pyramid(images, images, smallest_side=20)
    with pytest.raises(ValueError, match="patches=0"):
        sliced_wasserstein_pyramid(images, images, patches=0)
