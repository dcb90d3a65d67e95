"""Progressed images, judged: a painter whose mistakes are known and a judge that reads them."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gen.data import DataSet
from keras_gen.metrics.progression import progression_metrics, save_progression

VALUES = 4  # of the attribute, the grey of the left half; the right half shows two other factors


def painted(left, right, dots):
    """Images `(N, 2, 2, 1)` in [-1, 1]: four greys, three greys and a dot."""
    images = np.zeros((len(left), 2, 2, 1), "float32")
    images[:, :, 0, 0] = (np.asarray(left) / 4)[:, None]
    images[:, 0, 1, 0] = np.asarray(right) / 4
    images[:, 1, 1, 0] = np.asarray(dots) / 4
    return 2.0 * images - 1.0


def judge(images):
    """Reads the greys back, as logits."""
    greys = np.rint((np.asarray(images)[..., 0] + 1.0) * 2.0).astype(int)
    seen = {"left": greys[:, 0, 0], "right": greys[:, 0, 1], "dot": greys[:, 1, 1]}
    return {name: np.eye(5)[values] for name, values in seen.items()}


def a_set(count=12):
    left, right, dots = np.arange(count) % 4, np.arange(count) % 3, np.arange(count) % 2
    factors = {"left": left, "right": right, "dot": dots}
    return DataSet(
        name="painted",
        split="test",
        examples=np.rint((painted(left, right, dots) + 1.0) * 127.5).astype("uint8"),
        labels=left,
        label_names=tuple("abcd"),
        factors={name: values.astype("int64") for name, values in factors.items()},
    )


class Painter:
    """Paints what is asked for and changes what it is told to.

    Attributes:
        stuck: values of the attribute that it does not paint: the image stays at its own.
        dot_for: a value with which the dot changes, or None.
    """

    value_range = (-1.0, 1.0)

    def __init__(self, stuck=(), dot_for=None):
        self.stuck, self.dot_for = stuck, dot_for

    def progress(self, images):
        images = np.asarray(images)
        progressed = np.repeat(images[:, None], VALUES, axis=1)
        for asked in range(VALUES):
            if asked not in self.stuck:
                progressed[:, asked, :, 0] = asked / 2.0 - 1.0
        if self.dot_for is not None:
            progressed[:, self.dot_for, 1, 1] = 0.0  # a grey that no image has there
        return tf.constant(progressed)

    def reconstruct(self, images, labels):
        return np.asarray(images) + 0.2


def measured(model, **options):
    return progression_metrics(model, judge, a_set(), **options)


def test_a_perfect_painter_shows_all_and_keeps_all():
    metrics = measured(Painter())
    shares = {name: value for name, (value, _) in metrics.items()}
    assert shares.pop("reconstruction_mse") == pytest.approx(0.1**2, rel=1e-5)
    assert shares == {
        "progressed_accuracy": 1.0,
        "kept_right": 1.0,
        "kept_dot": 1.0,
        "factor_accuracy": 1.0,
    }


def test_the_judges_own_mistakes_stand_beside():
    """It takes every dot for none: 6 of 12 images, one of three factors."""

    def blind(images):
        logits = judge(images)
        return logits | {"dot": np.eye(5)[np.zeros(len(images), int)]}

    metrics = progression_metrics(Painter(), blind, a_set())
    share, protocol = metrics["factor_accuracy"]
    assert share == pytest.approx((1 + 1 + 0.5) / 3)
    assert protocol == "mean of left, right, dot on 12 painted test images"
    assert metrics["kept_dot"][0] == 1.0  # it reads nothing before and after


def test_only_other_values_than_the_images_own_are_asked_for():
    """Value 2 is never painted: images that have it are right there, but were not asked."""
    share, protocol = measured(Painter(stuck=(2,)))["progressed_accuracy"]
    # 12 images, 3 of each value: 36 progressions, 9 of them to value 2.
    assert share == pytest.approx(27 / 36)
    assert protocol == (
        "share in which a classifier reads the value asked for, of 36 progressions of 12 painted "
        "test images to each other of 4 values of left"
    )


def test_a_painter_that_does_nothing_keeps_all_and_shows_nothing():
    metrics = measured(Painter(stuck=range(VALUES)))
    assert metrics["progressed_accuracy"][0] == 0.0
    assert metrics["kept_right"][0] == metrics["kept_dot"][0] == 1.0


def test_what_else_changes_is_counted_for_its_own_factor():
    metrics = measured(Painter(dot_for=1))
    assert metrics["progressed_accuracy"][0] == metrics["kept_right"][0] == 1.0
    assert metrics["kept_dot"][0] == pytest.approx(27 / 36)


def test_the_first_images_are_measured_whatever_the_batch(monkeypatch):
    whole = measured(Painter(stuck=(2,), dot_for=1))
    monkeypatch.setattr("keras_gen.metrics.progression._BATCH", 5)
    for name, (value, _) in measured(Painter(stuck=(2,), dot_for=1)).items():
        assert value == pytest.approx(whole[name][0], rel=1e-6)
    protocol = measured(Painter(), num_images=5)["progressed_accuracy"][1]
    assert "15 progressions of 5 painted test images" in protocol


def test_labels_that_are_no_factor_are_refused():
    data = a_set()
    for labels in (None, 3 - data.labels):
        other = dataclasses.replace(data, labels=labels)
        with pytest.raises(ValueError, match="labels of painted are none of its factors left, r"):
            progression_metrics(Painter(), judge, other)


def test_an_attribute_of_one_value_is_refused():
    model = Painter()
    model.progress = lambda images: np.asarray(images)[:, None]
    with pytest.raises(ValueError, match="model knows one value of left"):
        measured(model)


def test_the_picture_has_a_row_for_each_image(tmp_path):
    sizes = []
    for rows in (1, 3):
        save_progression(Painter(), a_set(), tmp_path / "p.png", num_images=rows)
        with Image.open(tmp_path / "p.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] < sizes[1][1]


def test_the_picture_shows_the_image_and_then_its_values(tmp_path, monkeypatch):
    seen = types.SimpleNamespace()

    def record(images, value_range, path, *, column_labels):
        seen.images, seen.labels = images, column_labels

    monkeypatch.setattr("keras_gen.metrics.progression.save_labelled_grid", record)
    data = a_set()
    save_progression(Painter(), data, tmp_path / "p.png", num_images=2)
    assert seen.labels == ["image", "a", "b", "c", "d"]
    assert seen.images.shape == (2, 5, 2, 2, 1)
    np.testing.assert_allclose(seen.images[:, 0], data.examples[:2] / 127.5 - 1.0, atol=1e-6)
    np.testing.assert_allclose(seen.images[1, 1:, 0, 0, 0], np.arange(4) / 2.0 - 1.0, atol=1e-6)
