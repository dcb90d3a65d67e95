"""The embedded set `grammar`: strings of a context-free grammar, padded and coded one-hot.

The grammar of Kusner and Hernandez-Lobato, 2016, arXiv:1611.04051:

    S -> x | S + S | S - S | S * S | S / S

Its strings are what alternates between x and an operator and begins and ends with x, so their
length is odd. Those of a length n have equally many derivations each, hence, with equal rules for
the operators, equal probability. The grammar's own distribution of lengths is dull: whatever
the probability of the rule S -> x, at least 64 % of the strings of at most 12 symbols are the
single x. Lengths are therefore drawn uniformly here from 1, 3, 5, 7, 9 and 11, and then the string
as the grammar draws one of that length: 1,365 different ones.

Shapes: tokens (N, 12), integers that index ALPHABET; examples (N, 12, 6, 1), bytes of 0 and 255,
which batches in the value range (0, 1) give as one-hot rows.
"""

from __future__ import annotations

import math

import numpy as np

from keras_gen.data.arguments import check_split
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError

ALPHABET = "x+-*/ "  # a space ends the string and fills what is left
OPERAND, PADDING = ALPHABET.index("x"), ALPHABET.index(" ")
OPERATORS = tuple(ALPHABET.index(operator) for operator in "+-*/")
LENGTH = 12
COUNTS = (5_000, 1_000)  # strings in (train, test)
MOST_OPERANDS = (LENGTH + 1) // 2
# The entropy of what `load_grammar` draws: that of the length, and of the operators given it.
ENTROPY_NATS = math.log(MOST_OPERANDS) + (MOST_OPERANDS - 1) / 2 * math.log(len(OPERATORS))


def load_grammar(split: str, image_size, seed: int) -> DataSet:
    """Draw strings of the grammar, as images of 12 rows, a symbol each, by 6 columns.

    Args:
        split: "train" or "test", which are drawn from independent streams. There are few different
            strings, so most of those in the test split are in the training split too.
        image_size: must be None: strings have no size to choose.
        seed: the seed of the drawing.

    Raises:
        DataError: another split, or an image size.
    """
    check_split("grammar", split, ("train", "test"))
    if image_size is not None:
        raise DataError(
            f"image_size={image_size!r} has no meaning for the strings of grammar; "
            f"leave it out, or choose an image set such as digits."
        )
    is_test = split == "test"
    tokens = draw_tokens(COUNTS[is_test], np.random.default_rng([seed, int(is_test)]))
    one_hot = np.eye(len(ALPHABET), dtype=np.uint8)[tokens] * np.uint8(255)
    return DataSet(name="grammar", split=split, examples=one_hot[..., None])


def draw_tokens(count: int, generator: np.random.Generator) -> np.ndarray:
    """Strings of the grammar: the length uniform, each operator too.

    Returns:
        int64 `(count, 12)`.
    """
    operands = generator.integers(1, MOST_OPERANDS + 1, size=count)
    tokens = np.full((count, LENGTH), OPERAND)
    tokens[:, 1::2] = generator.choice(OPERATORS, size=(count, LENGTH // 2))
    tokens[np.arange(LENGTH) >= 2 * operands[:, None] - 1] = PADDING
    return tokens


def to_tokens(images) -> np.ndarray:
    """The largest entry of each row, as a symbol.

    Args:
        images: `(N, length, 6, 1)`, one-hot or relaxed.

    Returns:
        int64 `(N, length)`.

    Raises:
        DataError: images of another shape.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[2:] != (len(ALPHABET), 1):
        raise DataError(
            f"images of shape {images.shape}: the strings of grammar have the shape "
            f"(N, length, {len(ALPHABET)}, 1), a row for each symbol."
        )
    return images[..., 0].argmax(axis=-1)


def to_text(tokens) -> list[str]:
    """Tokens `(N, length)` as strings, without the padding at their end."""
    return ["".join(ALPHABET[token] for token in row).rstrip(" ") for row in np.asarray(tokens)]


def is_grammatical(tokens) -> np.ndarray:
    """Whether the grammar generates the string, followed by padding and nothing else.

    Args:
        tokens: integers `(N, length)`.

    Returns:
        bool `(N,)`.
    """
    tokens = np.asarray(tokens)
    lengths = (tokens != PADDING).sum(axis=1)
    positions = np.arange(tokens.shape[1])
    expected = np.where(
        positions >= lengths[:, None],
        tokens == PADDING,
        np.where(positions % 2 == 0, tokens == OPERAND, np.isin(tokens, OPERATORS)),
    )
    return expected.all(axis=1) & (lengths % 2 == 1)
