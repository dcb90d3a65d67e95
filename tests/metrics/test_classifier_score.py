import numpy as np
import pytest
import scipy.stats

from keras_gen.metrics import classifier_score


@pytest.mark.parametrize("classes", [2, 10])
def test_certain_and_balanced_answers_score_the_number_of_classes(classes):
    answers = np.tile(np.eye(classes, dtype="float32"), (20, 1))
    mean, std = classifier_score(answers, splits=4)
    assert mean == pytest.approx(classes, rel=1e-12)
    assert std == pytest.approx(0.0, abs=1e-12)


def test_the_same_answer_for_every_image_scores_one():
    answers = np.tile(np.float32([0.2, 0.5, 0.3]), (30, 1))
    assert classifier_score(answers) == pytest.approx((1.0, 0.0), abs=1e-12)


def test_one_certain_class_scores_one():
    assert classifier_score(np.tile([0.0, 1.0], (30, 1))) == (1.0, 0.0)


def test_two_images_by_hand():
    # KL of (3/4, 1/4) from (1/2, 1/2), for both.
    expected = np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    mean, _ = classifier_score([[0.75, 0.25], [0.25, 0.75]], splits=1)
    assert mean == pytest.approx(expected, rel=1e-12)


def test_parts_against_scipys_entropy():
    answers = np.random.default_rng(0).dirichlet(np.full(6, 0.3), 103).astype("float32")
    scores = []
    for part in range(10):  # consecutive parts of 10 or 11
        rows = answers[part * 103 // 10 : (part + 1) * 103 // 10].astype("float64")
        rows /= rows.sum(axis=1, keepdims=True)
        divergences = [scipy.stats.entropy(row, rows.mean(axis=0)) for row in rows]
        scores.append(np.exp(np.mean(divergences)))
    assert classifier_score(answers) == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-10)


def test_what_is_no_probability_is_named():
    with pytest.raises(ValueError, match="rows that sum to 2 to 2: give softmax outputs"):
        classifier_score(np.ones((20, 2)))
    with pytest.raises(ValueError, match="values from -1"):
        classifier_score([[-1.0, 2.0]] * 20)
    with pytest.raises(ValueError, match="probabilities: 3 rows: give at least 10"):
        classifier_score(np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match="splits=0"):
        classifier_score(np.full((3, 2), 0.5), splits=0)
