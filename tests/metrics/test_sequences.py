import json

import numpy as np
import pytest

from keras_gen.metrics.sequences import (
    SequenceProgress,
    distinct_share,
    grammatical_share,
    length_distance,
    save_sequence_curves,
)

PADDING = 9
# Lengths 1, 3, 3 and 2; two are the same.
TOKENS = np.array([[1, 9, 9], [1, 2, 1], [1, 2, 1], [2, 1, 9]])


def starts_with_one(tokens):
    return tokens[:, 0] == 1


def test_the_shares_of_a_hand_worked_case():
    assert grammatical_share(TOKENS, starts_with_one) == 3 / 4
    assert distinct_share(TOKENS) == 3 / 4


def test_the_length_distance_of_a_hand_worked_case():
    others = np.array([[1, 1, 1], [9, 9, 9]])  # lengths 3 and 0, half and half
    # lengths 0 to 3: 0, 1/4, 1/4, 1/2 against 1/2, 0, 0, 1/2
    assert length_distance(TOKENS, others, PADDING) == pytest.approx(1 / 2)
    assert length_distance(others, TOKENS, PADDING) == pytest.approx(1 / 2)
    assert length_distance(TOKENS, TOKENS[::-1], PADDING) == 0.0
    assert length_distance(TOKENS[:1], others, PADDING) == 1.0


@pytest.mark.parametrize("tokens", [TOKENS[0], TOKENS[:0], TOKENS / 2])
def test_what_are_no_tokens_is_refused(tokens):
    with pytest.raises(ValueError, match="tokens of shape"):
        distinct_share(tokens)


class Counting:
    """A model that draws one more right sequence with each step, and knows no randomness."""

    train_steps = 0

    def sample(self, num_images, seed):
        assert seed == 7
        tokens = np.full((num_images, 3), 2)
        tokens[: self.train_steps, 0] = 1
        return tokens


class Language:
    """Sequences are right that start with 1."""

    PADDING = PADDING
    to_tokens = staticmethod(np.asarray)
    is_grammatical = staticmethod(starts_with_one)

    @staticmethod
    def to_text(tokens):
        return ["".join(map(str, row)) for row in tokens]


def progress(path, every=2):
    callback = SequenceProgress(path, np.ones((4, 3), int), Language, every, seed=7)
    callback.set_model(Counting())
    return callback


def train(callback, last):
    callback.on_train_begin()
    while callback.model.train_steps < last:
        callback.model.train_steps += 1
        callback.on_train_batch_end(0)
    callback.on_train_end()


def test_progress_is_measured_at_the_start_when_due_and_at_the_end(tmp_path):
    callback = progress(tmp_path / "run")
    train(callback, 3)
    assert [row["step"] for row in callback.rows] == [0, 2, 3]
    assert [row["grammatical_share"] for row in callback.rows] == [0.0, 0.5, 0.75]
    assert json.loads((tmp_path / "run.json").read_text()) == callback.rows
    text = (tmp_path / "run.txt").read_text()
    assert "step 2, 50.0 % grammatical\n    122\n    122\n    222\n" in text


def test_metrics_are_the_last_measurements_with_their_protocol(tmp_path):
    callback = progress(tmp_path / "run")
    train(callback, 3)
    metrics = callback.metrics(prefix="baseline_")
    assert metrics["baseline_grammatical_share"][0] == 0.75
    assert metrics["baseline_distinct_share"][0] == 0.5
    assert "4 samples, seed 7" in metrics["baseline_length_distance"][1]
    assert "distinct share 0.250" in metrics["baseline_length_distance"][1]


def test_a_resumed_run_goes_on_with_the_measurements_up_to_its_step(tmp_path):
    train(progress(tmp_path / "run"), 4)
    resumed = progress(tmp_path / "run")
    resumed.model.train_steps = 2  # the last checkpoint was written there
    train(resumed, 4)
    whole = progress(tmp_path / "whole")
    train(whole, 4)
    assert resumed.rows == whole.rows


def test_a_finished_run_has_its_measurements_without_training(tmp_path):
    train(progress(tmp_path / "run"), 3)
    resumed = progress(tmp_path / "run")
    assert [row["step"] for row in resumed.rows] == [0, 2, 3]
    assert resumed.metrics()["grammatical_share"][0] == 0.75


def test_a_new_run_takes_up_nothing(tmp_path):
    train(progress(tmp_path / "run"), 4)
    anew = progress(tmp_path / "run")
    train(anew, 2)
    assert [row["step"] for row in anew.rows] == [0, 2]


def test_curves_are_drawn(tmp_path):
    callback = progress(tmp_path / "run")
    train(callback, 4)
    save_sequence_curves({"one": callback, "other": callback}, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_an_interval_of_no_steps_is_refused(tmp_path):
    with pytest.raises(ValueError, match="every=0"):
        progress(tmp_path / "run", every=0)
