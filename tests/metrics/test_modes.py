"""Against hand-made digits, closed forms of coupon collecting, and SciPy."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from keras_gen.metrics.modes import (
    class_histogram,
    duplicate_share,
    duplicate_threshold,
    expected_modes,
    stack_digits,
    stacked_modes,
)

# Class k is a picture of constant grey 20 k, and the classifier reads it off.
DIGITS = np.arange(10, dtype="uint8").repeat(4)
IMAGES = np.broadcast_to(20 * DIGITS[:, None, None, None], (40, 3, 3, 1)).astype("uint8")


def perfect(images):
    assert images.dtype == np.uint8 and images.shape[1:] == (3, 3, 1)
    return SimpleNamespace(probabilities=np.eye(10)[images[:, 1, 1, 0] // 20])


def test_a_perfect_classifier_finds_the_modes_that_were_stacked():
    stacks, modes = stack_digits(IMAGES, DIGITS, 1300, seed=0)
    assert stacks.shape == (1300, 3, 3, 3) and stacks.dtype == np.uint8
    found = stacked_modes(stacks, perfect)
    assert found.num_modes == 1000
    np.testing.assert_array_equal(found.counts, np.bincount(modes, minlength=1000))
    assert found.modes == len(set(modes.tolist()))
    first = (stacks[0, 0, 0] // 20).astype(int)
    assert modes[0] == 100 * first[0] + 10 * first[1] + first[2]


@pytest.mark.parametrize("count", [500, 3000])
def test_real_stacks_cover_as_many_modes_as_coupon_collecting_says(count):
    covered = [
        stacked_modes(stack_digits(IMAGES, DIGITS, count, seed)[0], perfect).modes
        for seed in range(10)
    ]
    expected = 1000 * (1 - 0.999**count)
    np.testing.assert_allclose(expected_modes(count), expected)
    # Variance of the number of empty cells of an occupancy problem.
    empty = (0.999**count, 0.998**count)
    variance = 1000 * empty[0] + 1000 * 999 * empty[1] - (1000 * empty[0]) ** 2
    assert abs(np.mean(covered) - expected) < 4 * math.sqrt(variance / 10)


def test_the_divergence_of_real_stacks_is_that_of_finite_samples():
    counts = stacked_modes(stack_digits(IMAGES, DIGITS, 26_000, seed=0)[0], perfect)
    np.testing.assert_allclose(counts.kl, stats.entropy(counts.counts, np.ones(1000)))
    assert 1e-3 < stats.chi2.sf(2 * 26_000 * counts.kl, 999) < 1 - 1e-3


def test_a_collapsed_model_has_one_mode_and_the_largest_divergence():
    stacks = np.tile(IMAGES[[12]], (30, 1, 1, 3))
    found = stacked_modes(stacks, perfect)
    assert (found.modes, found.counts[333]) == (1, 30)
    np.testing.assert_allclose(found.kl, math.log(1000))


def test_the_divergence_may_be_measured_against_real_shares():
    stacks, modes = stack_digits(IMAGES, DIGITS, 2000, seed=0)
    counts = np.bincount(modes, minlength=1000)
    assert stacked_modes(stacks, perfect, reference=5 * counts).kl == pytest.approx(0.0, abs=1e-12)
    assert stacked_modes(stacks, perfect, reference=np.eye(1000)[3]).kl == math.inf
    with pytest.raises(ValueError, match=r"reference of shape \(10,\)"):
        stacked_modes(stacks, perfect, reference=np.ones(10))


def test_stacks_are_a_function_of_the_seed_and_draw_channels_independently():
    first, again, other = (stack_digits(IMAGES, DIGITS, 5000, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[1] != other[1]).any()
    digits = first[0][:, 0, 0] // 20
    assert abs(np.corrcoef(digits.T)[np.triu_indices(3, 1)]).max() < 4 / math.sqrt(5000)


def test_images_of_other_shapes_are_named():
    with pytest.raises(ValueError, match=r"images of shape \(40, 3, 3\)"):
        stack_digits(IMAGES[..., 0], DIGITS, 3, 0)
    with pytest.raises(ValueError, match=r"stacks \(N, H, W, 3\)"):
        stacked_modes(IMAGES, perfect)
    with pytest.raises(ValueError, match="uint8"):
        stacked_modes(np.zeros((2, 3, 3, 3)), perfect)


def test_expected_modes_of_unequal_shares_by_hand():
    np.testing.assert_allclose(expected_modes(2, [0.5, 0.3, 0.2]), 0.75 + 0.51 + 0.36)
    assert expected_modes(1) == pytest.approx(1.0)


def test_class_histogram_by_hand():
    probabilities = [[0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.5, 0.4, 0.1], [0.9, 0.1, 0.0]]
    assert class_histogram(probabilities).tolist() == [0.75, 0.0, 0.25]


def test_exact_duplicates_are_those_that_occur_twice():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, size=(50, 4, 4, 3), dtype="uint8")
    assert duplicate_share(images) == 0.0
    images[7] = images[3]
    images[[20, 30]] = images[10]
    assert duplicate_share(images) == 5 / 50
    images[7, 0, 0, 0] ^= 1  # one grey level is a distance of 1
    assert duplicate_share(images) == 3 / 50
    assert duplicate_share(images, threshold=1.0) == 5 / 50


def test_near_duplicates_by_hand():
    points = [[0.0, 0.0], [3.0, 4.0], [100.0, 0.0], [100.0, 1.0], [500.0, 0.0]]
    shares = [duplicate_share(np.array(points), t) for t in (0.5, 1.0, 4.9, 5.0, 1000.0)]
    assert shares == [0.0, 0.4, 0.4, 0.8, 1.0]


def test_the_threshold_lets_its_percentile_of_real_samples_pass():
    real = np.random.default_rng(0).normal(size=(1000, 5))
    threshold = duplicate_threshold(real, percentile=3.0)
    assert abs(duplicate_share(real, threshold) - 0.03) < 0.002
    copies = np.concatenate([real[:500], real[:500] + 1e-3 * threshold])
    assert duplicate_share(copies, threshold) == 1.0


def test_a_generator_of_few_images_shows_the_birthday_paradox():
    """200 draws from D images: a share 1 - (1 - 1/D)^199 has a double."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(1000, 8))
    shares = [duplicate_share(images[generator.integers(1000, size=200)]) for _ in range(50)]
    np.testing.assert_allclose(np.mean(shares), 1 - (1 - 1e-3) ** 199, atol=0.02)


def test_one_sample_has_no_duplicates_to_speak_of():
    with pytest.raises(ValueError, match="at least 2"):
        duplicate_share(np.zeros((1, 4)))
