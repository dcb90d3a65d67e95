"""The classifier of several factors."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_gen.metrics.factors import (
    build_factor_classifier,
    factor_accuracy,
    factor_sizes,
    train_factor_classifier,
)


def halves(count, seed):
    """8x8 images: a grey of three in the left half, one of two in the right half."""
    rng = np.random.default_rng(seed)
    left, right = rng.integers(3, size=count), rng.integers(2, size=count)
    examples = np.zeros((count, 8, 8, 1), "uint8")
    examples[:, :, :4, 0] = (left * 120)[:, None, None]
    examples[:, :, 4:, 0] = (right * 200 + 20)[:, None, None]
    return SimpleNamespace(
        name="halves",
        examples=examples,
        factors={"left": left, "right": right},
        factor_names={"left": ("dark", "grey", "bright")},
        value_range=(0.0, 1.0),
    )


def test_factors_that_can_be_seen_are_learnt_and_read_on_other_images():
    classifier = train_factor_classifier(halves(400, 0), steps=80, filters=8)
    assert factor_accuracy(classifier, halves(200, 1)) == {"left": 1.0, "right": 1.0}


def test_a_factor_that_cannot_be_seen_is_guessed():
    data, others = halves(400, 0), halves(2000, 1)
    for each, seed in ((data, 2), (others, 3)):
        each.factors = {"coin": np.random.default_rng(seed).integers(2, size=len(each.examples))}
    classifier = train_factor_classifier(data, steps=20, filters=4)
    assert abs(factor_accuracy(classifier, others)["coin"] - 0.5) < 0.05


def test_accuracy_is_the_share_of_right_readings():
    data = halves(3, 0)
    data.factors = {"left": np.array([0, 1, 2]), "right": np.array([1, 1, 0])}

    def first_and_last(images):
        count = len(images)
        return {"left": np.tile([9.0, 1, 2], (count, 1)), "right": np.tile([-3.0, -2], (count, 1))}

    for batch_size in (1, 2, 512):
        accuracy = factor_accuracy(first_and_last, data, batch_size)
        assert accuracy == pytest.approx({"left": 1 / 3, "right": 2 / 3})


def test_training_is_a_function_of_its_seed_whatever_was_drawn_before():
    def weights():
        keras.random.normal((3,))
        np.random.rand()
        return train_factor_classifier(
            halves(40, 0), steps=3, batch_size=20, filters=2, seed=5
        ).get_weights()

    first, again = weights(), weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    starts = [build_factor_classifier((8, 8, 1), {"a": 2}, seed=seed) for seed in (5, 6)]
    assert not np.array_equal(starts[0].get_weights()[0], starts[1].get_weights()[0])


def test_the_value_range_does_not_change_what_is_seen():
    images = np.random.default_rng(0).random((4, 8, 8, 3), "float32")
    narrow, wide = (
        build_factor_classifier((8, 8, 3), {"a": 2, "b": 5}, value_range, filters=2)
        for value_range in ((0.0, 1.0), (-3.0, 5.0))
    )
    first, second = narrow(images), wide(images * 8.0 - 3.0)
    for name, size in {"a": 2, "b": 5}.items():
        assert first[name].shape == (4, size)
        np.testing.assert_allclose(first[name], second[name], atol=1e-5)


def test_outputs_are_logits_in_float32_under_half_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        classifier = build_factor_classifier((8, 8, 1), {"a": 2}, filters=2)
    finally:
        keras.config.set_dtype_policy(policy)
    assert classifier(np.zeros((1, 8, 8, 1)))["a"].dtype == "float32"


def test_sizes_come_from_the_names_or_else_from_the_values():
    data = halves(10, 0)
    data.factors = {"left": np.array([0, 1]), "right": np.array([0, 1])}
    assert factor_sizes(data) == {"left": 3, "right": 2}  # the third name is never shown


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({}, "no labelled factors.*lpc_sprites"),
        ({"angle": np.array([0.5, 1.5])}, "angle .*whole number"),
        ({"left": np.array([0, 0]), "constant": np.array([0, 0])}, "two values"),
    ],
)
def test_sets_without_usable_factors_are_refused(factors, message):
    data = halves(2, 0)
    data.factors = factors
    with pytest.raises(ValueError, match=message):
        train_factor_classifier(data, steps=1)
