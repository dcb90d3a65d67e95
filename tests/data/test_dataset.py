"""DataSet: the facts about a set, its checks and its fingerprint."""

import hashlib

import numpy as np
import pytest

from keras_gen.data import DataError, DataSet


def small(**changes):
    parts = {
        "name": "small",
        "split": "train",
        "examples": np.arange(48, dtype=np.uint8).reshape(6, 2, 2, 2),
        "labels": np.array([0, 1, 2, 0, 1, 2]),
        "factors": {"size": np.arange(6), "angle": np.linspace(0, 1, 6, dtype=np.float32)},
    }
    return DataSet(**(parts | changes))


def test_a_set_tells_its_length_shape_and_classes():
    data = small()
    assert len(data) == 6
    assert data.example_shape == (2, 2, 2)
    assert data.num_classes == 3
    assert small(label_names=tuple("abcd")).num_classes == 4  # a class may have no examples here
    assert data.stand_in_for is None
    assert repr(data) == "<DataSet small/train: 6 of 2 x 2 x 2>"


def test_the_fingerprint_has_its_documented_value():
    examples = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    labels = np.array([3, 4], np.int64)
    digest = hashlib.sha256(b"examples |u1 (2, 2, 2, 1);" + bytes(range(8)))
    digest.update(b"labels <i8 (2,);" + labels.tobytes())
    assert DataSet("any", "train", examples, labels=labels).fingerprint == digest.hexdigest()


def test_the_fingerprint_depends_on_the_values_alone():
    first = small()
    assert first.fingerprint == small(name="other", split="test", notes=("x",)).fingerprint
    assert first.fingerprint == small(value_range=(0.0, 1.0)).fingerprint
    shuffled_factors = dict(reversed(first.factors.items()))
    assert first.fingerprint == small(factors=shuffled_factors).fingerprint


@pytest.mark.parametrize("part", ["pixel", "label", "factor", "shape", "no labels"])
def test_the_fingerprint_is_sensitive_to_every_part(part):
    examples, labels = small().examples.copy(), small().labels.copy()
    factors = {name: values.copy() for name, values in small().factors.items()}
    if part == "pixel":
        examples[-1, -1, -1, -1] ^= 1
    elif part == "label":
        labels[-1] += 1
    elif part == "factor":
        factors["angle"][0] += 1e-3
    elif part == "shape":
        examples = examples.reshape(6, 4, 2, 1)
    else:
        labels = None
    changed = small(examples=examples, labels=labels, factors=factors)
    assert changed.fingerprint != small().fingerprint


def test_the_fingerprint_does_not_depend_on_how_much_is_hashed_at_once(monkeypatch):
    whole = small().fingerprint
    monkeypatch.setattr("keras_gen.data.dataset.HASHED_AT_ONCE", 9)
    assert small().fingerprint == whole


def test_values_cannot_be_changed_through_a_set_nor_by_making_one():
    examples = np.zeros((6, 2, 2, 2), np.uint8)
    data = small(examples=examples)
    with pytest.raises(ValueError, match="read-only"):
        data.examples[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.factors["size"][0] = 1
    examples[0] = 1  # the caller's own array stays writable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"examples": np.zeros((0, 2, 2, 1), np.uint8)}, "at least one"),
        ({"examples": np.zeros((6, 2, 2, 1), np.float32)}, "not float32"),
        ({"labels": np.zeros(5, int)}, r"labels of small must have the shape \(6,\)"),
        ({"factors": {"size": np.zeros(7, int)}}, "factor size of small"),
        ({"value_range": (1.0, 1.0)}, r"value_range .* low < high, not \(1.0, 1.0\)"),
        ({"value_range": (1.0, -1.0)}, "value_range"),
        ({"value_range": (0.0, float("inf"))}, "value_range"),
        ({"value_range": (0.0, float("nan"))}, "value_range"),
        ({"value_range": 1.0}, "value_range"),
        ({"value_range": (0, 1, 2)}, "value_range"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(DataError, match=words):
        small(**changes)
