"""Sets whose labels are the values of a factor."""

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import (
    AGE_GROUPS,
    DataError,
    DataSet,
    DataUnavailableError,
    label_by_factor,
    load,
    load_by_factor,
)


def a_set(**factors):
    count = len(next(iter(factors.values())))
    return DataSet(
        name="drawn",
        split="train",
        examples=np.zeros((count, 2, 2, 1), "uint8"),
        labels=np.zeros(count, "int64"),
        label_names=("old",),
        factors=factors,
        factor_names={"hue": ("red", "green", "blue")},
    )


def test_whole_numbers_are_labels_as_they_stand():
    data = a_set(hue=np.array([2, 0, 1, 1]), tilt=np.array([0, 3, 3, 0]))
    labelled = label_by_factor(data, "hue")
    np.testing.assert_array_equal(labelled.labels, [2, 0, 1, 1])
    assert labelled.label_names == ("red", "green", "blue") and labelled.num_classes == 3
    unnamed = label_by_factor(data, "tilt")
    np.testing.assert_array_equal(unnamed.labels, [0, 3, 3, 0])
    assert unnamed.label_names is None and unnamed.num_classes == 4
    assert set(labelled.factors) == {"hue", "tilt"}  # the judge needs them all
    np.testing.assert_array_equal(data.labels, 0)  # the set itself stays


def test_real_numbers_are_cut_at_the_edges():
    data = a_set(angle=np.array([-3.0, 0.0, 0.9, 1.0, 4.0], "float32"))
    labelled = label_by_factor(data, "angle", edges=(0.0, 1.0))
    np.testing.assert_array_equal(labelled.labels, [0, 1, 1, 2, 2])
    assert labelled.label_names == ("below 0", "0 to 1", "from 1")
    np.testing.assert_array_equal(labelled.factors["angle"], labelled.labels)
    assert labelled.factor_names["angle"] == labelled.label_names


def test_values_that_one_split_lacks_keep_their_numbers():
    edges = (1.0, 2.0, 3.0)
    labelled = label_by_factor(a_set(angle=np.array([2.5, 3.5], "float32")), "angle", edges)
    np.testing.assert_array_equal(labelled.labels, [2, 3])
    assert labelled.num_classes == 4


@pytest.mark.parametrize(
    ("factor", "edges", "message"),
    [
        ("age", None, "factor='age' is not a factor of drawn; it has hue, angle, unknown"),
        ("hue", (1.0,), r"edges=\(1.0,\): hue of drawn is whole numbers"),
        ("angle", None, r"edges=\[\]: angle .* from 0.5 to 1.5; give rising edges"),
        ("angle", (2.0, 1.0), r"edges=\[2.0, 1.0\]"),
        ("angle", (float("nan"),), "edges="),
        ("unknown", None, "unknown of drawn is -1 somewhere"),
    ],
)
def test_what_cannot_be_labels_is_refused(factor, edges, message):
    data = a_set(
        hue=np.array([0, 1]),
        angle=np.array([0.5, 1.5], "float32"),
        unknown=np.array([-1, 1]),
    )
    with pytest.raises(DataError, match=message):
        label_by_factor(data, factor, edges)


def test_a_set_without_factors_is_refused():
    with pytest.raises(DataError, match="factor='hue' is not a factor of digits; it has none"):
        label_by_factor(load("digits"), "hue")


def test_a_named_set_is_labelled_by_the_factor_asked_for_or_the_usual_one():
    for factor, expected in ((None, "size"), ("rotation", "rotation")):
        data = load_by_factor("shapes", factor, split="test", image_size=16)
        np.testing.assert_array_equal(data.labels, data.factors[expected])
        assert data.label_names == data.factor_names[expected]
        assert data.example_shape == (16, 16, 3) and data.stand_in_for is None


def test_a_folder_is_one_of_faces(tmp_path):
    for age in (2, 40):
        Image.fromarray(np.full((8, 8, 3), age, np.uint8)).save(tmp_path / f"{age}_1_0_1.png")
    assert load_by_factor(tmp_path, split="all").label_names == AGE_GROUPS
    by_gender = load_by_factor(str(tmp_path), "gender", split="all")
    np.testing.assert_array_equal(by_gender.labels, [1, 1])
    assert by_gender.label_names == ("male", "female")


def test_a_set_without_a_usual_factor_needs_one():
    with pytest.raises(DataError, match="factor: say by which factor to label digits; it has none"):
        load_by_factor("digits")


def test_shapes_stand_in_for_a_set_that_cannot_be_had(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match="embedded shapes, which stand in for lpc_sprites"):
        data = load_by_factor("lpc_sprites", "hair", split="test", image_size=(32, 16))
    assert data.name == "shapes" and data.stand_in_for == "lpc_sprites"
    np.testing.assert_array_equal(data.labels, data.factors["size"])
    with pytest.raises(DataUnavailableError, match="lpc_sprites"):
        load_by_factor("lpc_sprites", strict=True, split="test")
