"""The strings of the grammar against the grammar itself."""

import itertools

import numpy as np
import pytest

from keras_gen.data import DataError, load
from keras_gen.data.grammar import (
    ALPHABET,
    COUNTS,
    ENTROPY_NATS,
    LENGTH,
    is_grammatical,
    to_text,
    to_tokens,
)


def expansions(length):
    """Every string of the grammar of at most `length` symbols, by expanding S over and over."""
    found = {"x"}
    while True:
        longer = {
            left + operator + right
            for left, right in itertools.product(found, repeat=2)
            for operator in "+-*/"
            if len(left) + len(right) < length
        }
        if longer <= found:
            return found
        found |= longer


def as_tokens(texts, length):
    return np.array([[ALPHABET.index(symbol) for symbol in text.ljust(length)] for text in texts])


@pytest.mark.parametrize("length", [1, 3, 5])
def test_exactly_what_the_grammar_generates_is_grammatical(length):
    every = np.array(list(itertools.product(range(len(ALPHABET)), repeat=length)))
    generated = as_tokens(sorted(expansions(length)), length)
    np.testing.assert_array_equal(
        np.unique(every[is_grammatical(every)], axis=0), np.unique(generated, axis=0)
    )


@pytest.mark.parametrize("text", ["", "+", "xx", "x+", "+x", "x x", "x +x", " x", "x+-x", "x+x*"])
def test_what_looks_nearly_right_is_not_grammatical(text):
    assert not is_grammatical(as_tokens([text], LENGTH)).any()


def test_the_longest_strings_are_grammatical():
    assert is_grammatical(as_tokens(["x+x-x*x/x+x", "x"], LENGTH)).all()


@pytest.mark.parametrize("split", ["train", "test"])
def test_all_strings_of_the_set_are_grammatical_and_of_all_lengths(split):
    texts = to_text(to_tokens(load("grammar", split=split).examples))
    assert len(texts) == COUNTS[split == "test"]
    assert set(texts) <= expansions(11)
    counts = np.bincount([len(text) for text in texts])
    np.testing.assert_allclose(counts[1::2] / len(texts), 1 / 6, atol=0.05)
    assert not counts[::2].any()


def test_the_entropy_is_that_of_the_probabilities_of_all_strings():
    lengths = [len(text) for text in expansions(11)]
    probabilities = [1 / 6 / lengths.count(length) for length in lengths]
    assert len(lengths) == 1365 and sum(probabilities) == pytest.approx(1.0)
    assert -np.dot(probabilities, np.log(probabilities)) == pytest.approx(ENTROPY_NATS)


def test_operators_are_equally_frequent():
    text = "".join(to_text(to_tokens(load("grammar").examples)))
    counts = np.array([text.count(operator) for operator in "+-*/"])
    np.testing.assert_allclose(counts / counts.sum(), 0.25, atol=0.02)


def test_batches_are_one_hot_and_text_comes_back():
    data = load("grammar", value_range=(0, 1))
    assert data.example_shape == (LENGTH, len(ALPHABET), 1)
    (batch,) = data.evaluation_batches(len(data)).as_numpy_iterator()
    np.testing.assert_array_equal(batch.sum(axis=(2, 3)), 1.0)
    tokens = to_tokens(batch)
    np.testing.assert_array_equal(as_tokens(to_text(tokens), LENGTH), tokens)


def test_splits_and_seeds_are_independent_streams():
    first = load("grammar", split="test").examples
    np.testing.assert_array_equal(first, load("grammar", split="test").examples)
    for other in (load("grammar"), load("grammar", split="test", seed=1)):
        assert not np.array_equal(first, other.examples[: len(first)])


def test_what_strings_do_not_have_is_refused():
    with pytest.raises(DataError, match="split='validation'"):
        load("grammar", split="validation")
    with pytest.raises(DataError, match="image_size"):
        load("grammar", image_size=8)
    with pytest.raises(DataError, match=r"images of shape \(2, 12, 5, 1\)"):
        to_tokens(np.zeros((2, 12, 5, 1)))
