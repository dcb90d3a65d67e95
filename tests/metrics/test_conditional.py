import types

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataSet, binarize
from keras_gen.metrics.conditional import (
    conditional_accuracy,
    conditional_likelihoods,
    save_class_grid,
)


class Painter:
    """Paints class k in the grey k / 10, but some images of class 3 in that of class 5."""

    num_classes, value_range, mistaken = 10, (0.0, 1.0), 0.5

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        labels = np.asarray(labels)
        wrong = np.random.default_rng(seed).uniform(size=num_images) < self.mistaken
        painted = np.where((labels == 3) & wrong, 5, labels)
        return np.ones((num_images, 4, 4, 1), "float32") * painted[:, None, None, None] / 10


class Reader:
    """A classifier that reads the grey back."""

    name, num_classes, description = "reader", 10, "a classifier that reads grey"

    def __call__(self, images):
        labels = np.round(images[:, 0, 0, 0] / 25.5).astype(int)
        return types.SimpleNamespace(probabilities=np.eye(10)[labels])


def test_the_share_is_that_of_the_samples_of_the_class_asked_for():
    share, protocol = conditional_accuracy(Painter(), Reader(), num_images=4000)
    # A tenth are of class 3, and half of those are wrong.
    assert share == pytest.approx(0.95, abs=0.01)
    assert protocol == "4,000 samples, seed 0, classes in turn, a classifier that reads grey"


def test_a_model_without_mistakes_has_share_one():
    painter = Painter()
    painter.mistaken = 0.0
    assert conditional_accuracy(painter, Reader(), num_images=1001)[0] == 1.0


def test_a_classifier_of_other_classes_is_refused():
    reader = Reader()
    reader.num_classes = 7
    with pytest.raises(ValueError, match="'reader' has 7 classes and the model 10"):
        conditional_accuracy(Painter(), reader)


class Exact:
    """log p(x, z | y) - log q(z | x, y) is minus the label, whatever z: the likelihood is too."""

    def log_weights(self, images, num_samples, seed, labels):
        assert len(images) == len(labels)
        return np.repeat(-labels[None].astype("float32"), num_samples, axis=0)


def test_likelihoods_are_given_each_images_own_label():
    labels = np.arange(300) % 7
    images = np.zeros((300, 2, 2, 1), "uint8")
    data = DataSet("black", "test", images, labels=labels, value_range=(0.0, 1.0))
    measured = conditional_likelihoods(Exact(), binarize(data, "none"), importance_samples=3)
    assert measured["nll_nats"][0] == pytest.approx(labels.mean())
    assert measured["elbo_nats"][0] == pytest.approx(-labels.mean())
    assert "300 black test images given labels, no binarization" in measured["nll_nats"][1]


def test_the_grid_has_a_row_for_each_class(tmp_path):
    save_class_grid(Painter(), tmp_path / "classes.png", columns=3)
    with Image.open(tmp_path / "classes.png") as picture:
        width, height = picture.size
        grey = np.asarray(picture.convert("L"))
    assert height > width
    middle = grey[:, width // 2 - 20 : width // 2 + 20].mean(axis=1)
    upper, lower = middle[height // 8 : height // 2], middle[height // 2 : 7 * height // 8]
    assert upper.mean() + 50 < lower.mean()  # class 0 is black, class 9 nearly white
