import itertools

import numpy as np
import pytest

from keras_gen.metrics import kernel_distance


def direct_double_sum(first, second):
    """The definition, one pair at a time."""

    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1.0) ** 3

    def mean(pairs):
        return np.mean([kernel(x, y) for x, y in pairs])

    return (
        mean(itertools.permutations(first, 2))
        + mean(itertools.permutations(second, 2))
        - 2 * mean(itertools.product(first, second))
    )


def test_one_subset_of_all_rows_against_the_direct_double_sum():
    random = np.random.default_rng(0)
    real, generated = random.standard_normal((2, 11, 4)).astype("float32")
    mean, std = kernel_distance(real, generated + 1, subsets=1)
    assert mean == pytest.approx(direct_double_sum(real.tolist(), (generated + 1).tolist()), 1e-12)
    assert std == 0.0


def test_the_subsets_are_drawn_without_replacement_and_averaged():
    # Of two rows from three there are three subsets a set; many draws average over all of them.
    random = np.random.default_rng(1)
    real, generated = random.standard_normal((2, 3, 2))
    values = [
        direct_double_sum(first, second)
        for first in itertools.combinations(real.tolist(), 2)
        for second in itertools.combinations(generated.tolist(), 2)
    ]
    mean, std = kernel_distance(real, generated, subsets=20000, subset_size=2)
    assert mean == pytest.approx(np.mean(values), abs=4 * np.std(values) / np.sqrt(20000))
    assert std == pytest.approx(np.std(values), rel=0.03)


def test_gaussians_against_the_closed_form():
    # In one dimension the kernel is the product of (x^3, sqrt(3) x^2, sqrt(3) x, 1) of both sides;
    # N(0, 1) and N(1, 1) differ in these means by 4, sqrt(3) and sqrt(3): 16 + 3 + 3.
    random = np.random.default_rng(2)
    real, generated = random.standard_normal((2, 50_000, 1))
    mean, std = kernel_distance(real, generated + 1, subsets=100, subset_size=800)
    assert mean == pytest.approx(22.0, abs=4 * std / np.sqrt(50))  # 50: the draws share rows


def test_it_is_unbiased_also_for_few_rows():
    random = np.random.default_rng(3)
    values = [kernel_distance(*random.standard_normal((2, 5, 3)), subsets=1)[0] for _ in range(800)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0.0


def test_the_seed_decides_the_subsets():
    real, generated = np.random.default_rng(4).standard_normal((2, 300, 3))
    first = kernel_distance(real, generated, 5, 50, seed=1)
    assert first == kernel_distance(real, generated, 5, 50, seed=1)
    assert first != kernel_distance(real, generated, 5, 50, seed=2)


def test_wrong_numbers_are_named():
    rows = np.zeros((5, 2))
    with pytest.raises(ValueError, match="subsets=0"):
        kernel_distance(rows, rows, subsets=0)
    with pytest.raises(ValueError, match="subset_size=1"):
        kernel_distance(rows, rows, subset_size=1)
    with pytest.raises(ValueError, match="generated: 1 rows: give at least 2"):
        kernel_distance(rows, rows[:1])
    with pytest.raises(ValueError, match="generated: rows of 3 values"):
        kernel_distance(rows, np.zeros((5, 3)))
