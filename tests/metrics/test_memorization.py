import importlib

import numpy as np
import pytest
from PIL import Image

from keras_gen.metrics import memorization, save_memorization_grid

RANDOM = np.random.default_rng(0)
TRAINING = RANDOM.standard_normal((2000, 5)).astype("float32")
TEST = RANDOM.standard_normal((1500, 5)).astype("float32")


def test_copies_are_all_nearer_than_test_samples():
    result = memorization(TRAINING[500:1100], TRAINING, TEST)
    assert result.share_nearer == 1.0 and result.test_share == 0.01
    assert result.generated_median == 0.0 < result.threshold < result.test_median
    assert result.z_score < -30


@pytest.mark.parametrize("percentile", [1.0, 10.0])
def test_independent_samples_are_as_near_as_test_samples(percentile):
    generated = RANDOM.standard_normal((1500, 5))
    result = memorization(generated, TRAINING, TEST, percentile)
    share = percentile / 100
    assert result.test_share == pytest.approx(share, abs=1e-3)
    # Both the share and its threshold are estimates of 1500 samples.
    assert result.share_nearer == pytest.approx(share, abs=4 * np.sqrt(2 * share / 1500))
    assert abs(result.z_score) < 4


def test_the_z_score_is_standard_normal_for_independent_samples():
    scores = [
        memorization(*RANDOM.standard_normal((3, 60, 2))).z_score  # generated, training, test
        for _ in range(150)
    ]
    assert abs(np.mean(scores)) < 4 / np.sqrt(150)
    assert 0.75 < np.std(scores) < 1.3


def test_a_few_copies_are_in_the_share_and_first_among_the_pairs():
    generated = RANDOM.standard_normal((1000, 5)).astype("float32")
    copied = RANDOM.choice(1000, 50, replace=False)
    generated[copied] = TRAINING[copied + 700]
    result = memorization(generated, TRAINING, TEST)
    assert result.share_nearer >= 0.05
    assert set(result.generated_indices[:50]) == set(copied)
    assert np.array_equal(result.training_indices[:50], result.generated_indices[:50] + 700)
    assert np.all(result.distances[:50] == 0.0) and result.distances[50] > 0.0
    assert np.all(np.diff(result.distances) >= 0.0)


def test_three_samples_by_hand():
    # Distances of the generated ones 1, 0, 4; of the test ones 2, 3.
    result = memorization([[1.0], [0.0], [14.0]], [[0.0], [10.0]], [[-2.0], [7.0]], percentile=50)
    assert (result.threshold, result.share_nearer, result.test_share) == (2.0, 2 / 3, 0.5)
    assert (result.generated_median, result.test_median) == (1.0, 2.5)
    assert result.z_score == pytest.approx((2 - 3) / np.sqrt(3 * 2 * 6 / 12))  # U = 2 pairs of 6
    assert result.generated_indices.tolist() == [1, 0, 2]
    assert result.training_indices.tolist() == [0, 0, 1]
    assert result.distances.tolist() == [0.0, 1.0, 4.0]


def test_duplicates_in_the_test_set_show_in_its_own_share():
    test = TEST.copy()
    test[:300] = TRAINING[:300]
    result = memorization(TRAINING[:100], TRAINING, test)
    assert result.threshold == 0.0 and result.test_share == 0.2 and result.share_nearer == 1.0


def test_samples_off_the_data_score_far_above_zero():
    result = memorization(TEST[:500] + 10.0, TRAINING, TEST)
    assert result.z_score > 20 and result.share_nearer == 0.0


def test_numbers_are_what_a_report_can_hold():
    numbers = memorization(TEST, TRAINING, TEST[::-1]).numbers()
    assert sorted(numbers) == [
        "generated_median",
        "percentile",
        "share_nearer",
        "test_median",
        "test_share",
        "threshold",
        "z_score",
    ]
    assert all(type(value) is float for value in numbers.values())


def test_the_picture_shows_the_nearest_pairs(tmp_path, monkeypatch):
    images = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 8, 8, 1), "uint8")
    rows = images[:, 0, 0].astype(float)
    result = memorization(rows[[30, 2]] + [[0.25], [0.0]], rows[:35], rows[35:])
    drawn = []
    monkeypatch.setattr(
        importlib.import_module("keras_gen.metrics.memorization"),
        "save_labelled_grid",
        lambda images, *args, **kwargs: drawn.append((images, kwargs)),
    )
    save_memorization_grid(result, images[[31, 2]], images, tmp_path / "pairs.png")
    shown, labels = drawn[0]
    assert shown[:, :, 0, 0, 0].tolist() == [[2, 31], [2, 30]]
    assert labels["column_labels"] == ["0", "0.25"]
    monkeypatch.undo()
    save_memorization_grid(result, images[[31, 2]], images, tmp_path / "pairs.png")
    with Image.open(tmp_path / "pairs.png") as picture:
        assert picture.format == "PNG"


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="percentile=0"):
        memorization(TEST, TRAINING, TEST, percentile=0)
    with pytest.raises(ValueError, match="test: rows of 3 values"):
        memorization(TEST, TRAINING, TEST[:, :3])
    with pytest.raises(ValueError, match="generated: 0 rows"):
        memorization(TEST[:0], TRAINING, TEST)
    result = memorization(TEST[:10], TRAINING, TEST)
    with pytest.raises(ValueError, match="generated_images: 3 images for a result on 10"):
        save_memorization_grid(result, TEST[:3], TRAINING, tmp_path / "pairs.png")
    with pytest.raises(ValueError, match="training_images: 1 images"):
        save_memorization_grid(result, TEST[:10], TRAINING[:1], tmp_path / "pairs.png")
