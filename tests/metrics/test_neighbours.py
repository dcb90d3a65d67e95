import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from keras_gen.metrics import density_coverage, prdc, precision_recall


def by_definition(real, generated, k_precision, k_coverage):
    """The papers' definitions with all distances in one table, in whole numbers where they are."""

    def squares(first, second):
        return np.sum((first[:, None] - second[None]) ** 2, axis=-1)

    def radii(rows, k):
        distances = squares(rows, rows).astype(float)
        np.fill_diagonal(distances, np.inf)
        return np.sort(distances, axis=1)[:, k - 1]

    between = squares(real, generated)
    in_real = between <= radii(real, k_precision)[:, None]
    in_generated = between <= radii(generated, k_precision)[None]
    in_wider = between <= radii(real, k_coverage)[:, None]
    return {
        "precision": in_real.any(axis=0).mean(),
        "recall": in_generated.any(axis=1).mean(),
        "density": in_wider.sum() / (k_coverage * len(generated)),
        "coverage": in_wider.any(axis=1).mean(),
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 40), st.integers(6, 40), st.integers(1, 3))
def test_whole_numbers_with_ties_and_duplicates_against_the_definition(seed, n, m, dimensions):
    random = np.random.default_rng(seed)
    real = random.integers(0, 5, (n, dimensions))
    generated = random.integers(0, 5, (m, dimensions))
    assert prdc(real, generated) == pytest.approx(by_definition(real, generated, 3, 5), abs=1e-12)
    # Far from the origin: no digit may be lost to the offset.
    shifted = prdc(real + 2**20, generated + 2**20)
    assert shifted == pytest.approx(by_definition(real, generated, 3, 5), abs=1e-12)


@pytest.mark.parametrize(("real_size", "generated_size"), [(700, 530), (300, 900)])
def test_features_over_several_blocks_against_the_definition(real_size, generated_size):
    random = np.random.default_rng(0)
    real = random.standard_normal((real_size, 12)).astype("float32")
    generated = (random.standard_normal((generated_size, 12)) * 0.9 + 0.2).astype("float32")
    # Duplicates within and between, in the first block and the last.
    real[100:140], generated[:60], generated[-60:] = real[:40], real[:60], real[60:120]
    expected = by_definition(real.astype(float), generated.astype(float), 4, 6)
    assert prdc(real, generated, 4, 6) == pytest.approx(expected, abs=1e-12)
    assert 0.02 < expected["precision"] < 0.98 and 0.02 < expected["recall"] < 0.98


def test_four_points_on_a_line_by_hand():
    real, generated = [[0.0], [1.0], [3.0], [10.0]], [[0.5], [-1.0], [20.0]]
    # k = 1: the real balls are [-1, 1], [0, 2], [1, 5] and [3, 17]; 0.5 lies in two, -1 on the
    # border of one, 20 in none. The generated ones are [-1, 2], [-2.5, 0.5] and [0.5, 39.5].
    assert precision_recall(real, generated, 1) == pytest.approx((2 / 3, 1.0))
    assert density_coverage(real, generated, 1) == pytest.approx((3 / 3, 2 / 4))


def test_the_pairs_are_parts_of_all_four():
    random = np.random.default_rng(1)
    real, generated = random.standard_normal((200, 5)), random.standard_normal((150, 5)) + 0.5
    whole = prdc(real, generated, 3, 5)
    assert precision_recall(real, generated) == (whole["precision"], whole["recall"])
    assert density_coverage(real, generated) == (whole["density"], whole["coverage"])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_duplicates_are_at_distance_zero(offset):
    distinct = np.float32(offset) + np.random.default_rng(2).random((60, 128), "float32")
    real = np.repeat(distinct, 7, axis=0)  # more copies than neighbours: every radius is 0
    assert set(prdc(real, distinct).values()) == {1.0, 7 / 5}
    moved = distinct.copy()
    moved[:, 0] = np.nextafter(moved[:, 0], np.float32(np.inf))  # the least that can be told apart
    assert prdc(real, moved) == by_definition(real.astype(float), moved.astype(float), 3, 5)
    assert prdc(real, moved)["precision"] == prdc(real, moved)["coverage"] == 0.0


def test_radii_smaller_than_the_rounding_of_the_fast_distances_are_exact():
    # Some points 1e-7 apart about each of 40 that are hundreds apart: |x|^2 + |y|^2 - 2 x.y of
    # neighbours is rounding alone.
    random = np.random.default_rng(7)
    middles = 500 * random.standard_normal((40, 1, 8))
    for crowd, (k_precision, k_coverage) in ((6, (1, 5)), (12, (2, 4))):
        cloud, other = (
            (middles + 1e-7 * random.standard_normal((40, crowd, 8))).reshape(-1, 8)
            for _ in range(2)
        )
        expected = by_definition(cloud, other, k_precision, k_coverage)
        assert prdc(cloud, other, k_precision, k_coverage) == pytest.approx(expected, abs=1e-12)
        assert 0.1 < expected["precision"] < 0.9


def test_neighbours_that_are_equally_far_but_for_rounding_are_told_apart():
    # Five points about each of 40 middles, at distances that differ in their last digits.
    random = np.random.default_rng(8)
    middles = 5 * random.standard_normal((40, 1, 8))
    offsets = random.standard_normal((40, 5, 8))
    offsets /= np.linalg.norm(offsets, axis=-1, keepdims=True)
    real = np.concatenate([middles, middles + offsets], axis=1).reshape(-1, 8)
    assert prdc(real, real, 3, 5) == pytest.approx(by_definition(real, real, 3, 5), abs=1e-12)


def test_a_set_all_of_one_point_is_no_exception():
    point = np.full((40, 3), 0.1, "float32")
    assert prdc(point, point) == {"precision": 1, "recall": 1, "density": 40 / 5, "coverage": 1}


def test_equal_distributions_give_the_expected_density_and_coverage():
    # arXiv:2002.09797: E density = 1; E coverage = 1 - product over i of (n - i) / (2 n - i),
    # i = 1..k, with k-th neighbours among n - 1 others: about 1 - 2^-k.
    real, generated = np.random.default_rng(3).standard_normal((2, 3000, 8))
    density, coverage = density_coverage(real, generated, neighbours=5)
    assert density == pytest.approx(1.0, abs=0.06)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.015)


def test_a_collapsed_generator_keeps_precision_and_loses_recall_and_coverage():
    random = np.random.default_rng(4)
    real = np.concatenate([random.normal(-10, 1, (500, 4)), random.normal(10, 1, (500, 4))])
    collapsed = prdc(real, random.normal(-10, 1, (1000, 4)))
    assert collapsed["precision"] > 0.9 and collapsed["density"] > 0.9
    assert 0.4 < collapsed["recall"] <= 0.5 and 0.4 < collapsed["coverage"] <= 0.5
    noise = prdc(real, random.uniform(-30, 30, (1000, 4)))
    assert noise["precision"] < 0.2


def test_distances_agree_with_scipys():
    from keras_gen.metrics.neighbours import nearest_rows, squared_distances

    rows, queries = np.random.default_rng(5).standard_normal((2, 90, 6))
    nearest = nearest_rows(queries, rows, 1)[:, 0]
    distances = np.sqrt(squared_distances(queries, np.arange(90), rows, nearest))
    assert np.allclose(distances, cdist(queries, rows).min(axis=1), rtol=1e-12)


def test_sets_without_kth_neighbours_are_named():
    rows = np.zeros((5, 2))
    with pytest.raises(ValueError, match="real: 5 rows: give at least 6"):
        prdc(rows, rows)
    with pytest.raises(ValueError, match="generated: 3 rows: give at least 4"):
        precision_recall(rows, rows[:3])
    with pytest.raises(ValueError, match="neighbours=0"):
        density_coverage(rows, rows, neighbours=0)
    with pytest.raises(ValueError, match="precision_neighbours=-1"):
        prdc(rows, rows, precision_neighbours=-1)
