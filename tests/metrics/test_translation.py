import types

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataSet
from keras_gen.metrics.translation import (
    same_classes,
    save_translations,
    shipped_classifier,
    translation_metrics,
)


class Inverter:
    """Inverts grey both ways, but gives each image of class 3 as one of class 5 on the way to b."""

    value_range = (-1.0, 1.0)

    def translate(self, images, to):
        images = np.asarray(images)
        if to == "b":
            threes = np.abs(images - (3 / 5 - 1)) < 1e-2
            images = np.where(threes, 5 / 5 - 1, images)
        return -images


class Reader:
    """A classifier of greys k / 10, of bytes that may be inverted."""

    num_classes = 10

    def __init__(self, name, inverted):
        self.name, self.inverted = name, inverted
        self.description = f"the {name} classifier"

    def __call__(self, images):
        greys = np.asarray(images, "float64")[:, 0, 0, 0] / 25.5
        greys = 10 - greys if self.inverted else greys
        return types.SimpleNamespace(probabilities=np.eye(11)[np.round(greys).astype(int)])


def domain(name, inverted, count=40):
    labels = np.arange(count) % 10
    greys = np.round(labels * 25.5)
    greys = (255 - greys if inverted else greys).astype("uint8")
    examples = np.broadcast_to(greys[:, None, None, None], (count, 4, 4, 1)).copy()
    return DataSet(name, "test", examples, labels=labels, value_range=(-1.0, 1.0))


@pytest.fixture
def test_sets():
    return types.SimpleNamespace(a=domain("plain", False), b=domain("negative", True, 30))


JUDGES = (Reader("plain", False), Reader("negative", True))


def test_shares_are_those_of_the_classifier_of_the_target(test_sets):
    metrics = translation_metrics(Inverter(), test_sets, JUDGES)
    values = {name: value for name, (value, _) in metrics.items()}
    assert values["kept_class_a_to_b"] == pytest.approx(0.9), "class 3 becomes class 5"
    assert values["kept_class_b_to_a"] == pytest.approx(1.0)
    # As they are, greys of one domain are read in the other as 10 - k: right for class 5 alone.
    assert values["kept_class_a_to_b_untranslated"] == pytest.approx(0.1)
    assert values["kept_class_b_to_a_untranslated"] == pytest.approx(0.1)
    # Three becomes five: 2/10 of a range of 2, for a tenth of the images. Bytes are rounded.
    assert values["cycle_a_loss"] == pytest.approx(0.04, abs=1e-3)
    assert values["cycle_b_loss"] == pytest.approx(0.04, abs=1e-3)
    protocol = metrics["kept_class_a_to_b"][1]
    assert protocol == (
        "share of 40 plain/test images, translated, whose class is read by the negative "
        "classifier, which reads 100.00% of negative/test at this size"
    )


def test_without_common_classes_or_a_classifier_only_the_cycle_is_measured(test_sets):
    cycle = {"cycle_a_loss", "cycle_b_loss"}
    assert set(translation_metrics(Inverter(), test_sets)) == cycle, "no classifier of such names"
    unlabelled = DataSet("plain", "test", test_sets.a.examples, value_range=(-1.0, 1.0))
    sets = types.SimpleNamespace(a=unlabelled, b=test_sets.b)
    assert not same_classes(unlabelled, test_sets.b)
    assert set(translation_metrics(Inverter(), sets, JUDGES)) == cycle


def test_a_classifier_of_other_classes_is_refused(test_sets):
    judge = Reader("odd", False)
    judge.num_classes = 7
    with pytest.raises(ValueError, match="'odd' has 7 classes and plain 10"):
        translation_metrics(Inverter(), test_sets, (JUDGES[0], judge))


def test_digits_are_judged_by_what_comes_with_the_package():
    for name in ("mnist", "usps"):
        assert shipped_classifier(types.SimpleNamespace(name=name)).name == name
    assert shipped_classifier(types.SimpleNamespace(name="path/to/mine")) is None


def test_the_picture_has_both_domains(test_sets, tmp_path):
    save_translations(Inverter(), test_sets, tmp_path / "translations.png", columns=5)
    with Image.open(tmp_path / "translations.png") as picture:
        assert picture.width > 100 and picture.height > 100
