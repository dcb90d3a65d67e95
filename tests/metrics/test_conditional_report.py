import json

import numpy as np
import pytest
from PIL import Image

from keras_gen.metrics import conditional_metrics_into, find_judge
from keras_gen.metrics.conditional_report import THRESHOLDS, measure_truncation
from keras_gen.metrics.extraction import Extracted


class Painter:
    """Paints class k in the grey k / 10; latents beyond 1 make a tenth of its images white."""

    num_classes, value_range = 4, (0.0, 1.0)

    def __init__(self):
        self.collected = []

    def collect_statistics(self, passes=100, batch_size=64, seed=0, truncation=None):
        self.collected.append((passes, seed, truncation))

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        rng = np.random.default_rng(seed)
        images = np.asarray(labels)[:, None, None, None] / 10 + np.zeros((num_images, 4, 4, 1))
        if truncation is None or truncation > 1.0:
            images[rng.uniform(size=num_images) < 0.1] = 1.0
        return images.astype("float32")


class Reader:
    """Reads the grey back as class and as features."""

    name, num_classes, description = "reader", 4, "a classifier that reads grey"

    def __call__(self, images):
        grey = images[:, 0, 0, 0] / 255.0
        classes = np.minimum(np.round(10 * grey).astype(int), 3)
        features = np.stack([grey, grey**2], axis=1).astype("float32")
        return Extracted(features, np.eye(4, dtype="float32")[classes])


class Greys:
    """The data set of all four greys."""

    name, split, label_names = "greys", "test", None
    examples = np.round(255 * np.repeat(np.arange(4) / 10, 50)).astype("uint8")
    examples = np.broadcast_to(examples[:, None, None, None], (200, 4, 4, 1))

    def __len__(self):
        return len(self.examples)


def test_each_threshold_has_its_own_samples_and_statistics():
    painter = Painter()
    rows, images, protocol = measure_truncation(
        painter, Greys(), Reader(), (None, 0.5), 200, 7, seed=3
    )
    assert [row["truncation"] for row in rows] == [None, 0.5]
    assert painter.collected == [(7, 3, None), (7, 3, 0.5), (7, 3, None)]
    assert images.shape == (2, 4, 4, 4, 1)
    np.testing.assert_array_equal(images[1, :, 0, 0, 0], np.round(255 * np.arange(4) / 10))
    wide, narrow = rows
    # White is read as class 3, which a quarter of the images are of.
    assert wide["conditional_accuracy"] == pytest.approx(1 - 0.1 * 0.75, abs=0.05)
    assert narrow["conditional_accuracy"] == 1.0
    assert narrow["classifier_score"] == pytest.approx(4.0, rel=1e-3)
    assert narrow["fd_reader"] == pytest.approx(0.0, abs=1e-4)
    assert wide["fd_reader"] > 1e-3
    assert protocol == (
        "200 generated, classes in turn, against 200 of greys/test, a classifier that reads grey, "
        "3 neighbours, 7 passes of statistics, seed 3"
    )


def test_the_run_folder_gets_pictures_numbers_and_the_metrics_at_one_half(tmp_path):
    metrics = conditional_metrics_into(tmp_path, Painter(), Greys(), Reader(), 200, 2, seed=1)
    written = json.loads((tmp_path / "truncation.json").read_text())
    assert [row["truncation"] for row in written["rows"]] == list(THRESHOLDS)
    for name in ("requested.png", "truncation.png", "truncation_curve.png"):
        assert np.asarray(Image.open(tmp_path / name)).std() > 0
    assert set(metrics) == {
        "conditional_accuracy",
        "truncated_fd_reader",
        "truncated_precision",
        "truncated_recall",
        "truncated_classifier_score",
        "truncated_conditional_accuracy",
    }
    value, protocol = metrics["truncated_conditional_accuracy"]
    assert value == 1.0 and protocol.startswith("at the threshold 0.5: 100 generated")


def test_without_a_judge_only_the_classes_are_drawn(tmp_path):
    assert conditional_metrics_into(tmp_path, Painter(), Greys(), None) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["requested.png"]


def test_the_judge_is_our_own_classifier_of_the_data_or_the_one_given(capsys):
    assert find_judge("digits", 10).name == "mnist"
    assert find_judge("cifar10", 10, "fashion_mnist").name == "fashion_mnist"
    assert find_judge("cifar10", 10) is None
    assert "scripts/train_classifier.py" in capsys.readouterr().out


def test_a_judge_of_other_classes_is_refused():
    with pytest.raises(ValueError, match="10 classes and shapes 3"):
        find_judge("shapes", 3, "mnist")
