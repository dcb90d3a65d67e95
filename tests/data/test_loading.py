"""`load` and `load_or_stand_in`: names, arguments, and when a stand-in is right."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import EMBEDDED, DataError, DataUnavailableError, load, load_or_stand_in, named


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(named, "network_trouble", lambda: "the cable is cut")


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_embedded_set_loads_without_a_warning(name, split):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_or_stand_in(name, split=split)
    assert len(data) >= 360
    assert data.split == split
    assert data.stand_in_for is None


def test_the_value_range_is_that_asked_for():
    assert load("digits").value_range == (-1.0, 1.0)
    data = load("digits", value_range=(0, 1))
    assert data.value_range == (0.0, 1.0)
    (images,) = data.batches(1437, seed=0).take(1)
    assert (images.numpy().min(), images.numpy().max()) == (0.0, 1.0)


def test_an_absent_set_is_stood_in_for_by_digits_of_its_size():
    with pytest.warns(UserWarning) as caught:
        data = load_or_stand_in("mnist", split="test", value_range=(0.0, 1.0))
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "mnist is not prepared in" in message
    assert "the cable is cut" in message
    assert "embedded digits, scaled to 28x28, which stand in for mnist" in message
    assert "--strict-data" in message
    assert caught[0].filename == __file__
    assert (data.name, data.stand_in_for, data.split) == ("digits", "mnist", "test")
    assert data.examples.shape == (360, 28, 28, 1)
    assert data.value_range == (0.0, 1.0)


def test_a_stand_in_has_the_size_asked_for():
    with pytest.warns(UserWarning, match="scaled to 16x24"):
        assert load_or_stand_in("mnist", image_size=(16, 24)).example_shape == (16, 24, 1)


@pytest.mark.parametrize(
    ("split", "count"),
    [("trainA", 1437), ("testB", 360), ("validation", 360), ("train[:50%]", 1437)],
)
def test_splits_of_the_missing_set_map_to_those_of_the_stand_in(split, count):
    with pytest.warns(UserWarning, match="stand in for facades_unpaired128"):
        assert len(load_or_stand_in("facades_unpaired128", split=split)) == count


def test_strict_makes_an_absent_set_an_error():
    with pytest.raises(DataUnavailableError, match="the cable is cut"):
        load_or_stand_in("mnist", strict=True)


def test_nothing_but_absence_leads_to_a_stand_in(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.png").write_bytes(b"no image")
    wrong = ["mnsit", tmp_path / "empty", tmp_path / "broken", tmp_path / "missing", "imdb_reviews"]
    for name in wrong:
        with pytest.raises(DataError) as caught:
            load_or_stand_in(name)
        assert not isinstance(caught.value, DataUnavailableError)
    with pytest.raises(DataError, match="split='trian' is not a split of digits"):
        load_or_stand_in("mnist", split="trian")


def test_an_embedded_name_comes_before_a_folder_and_a_folder_before_a_download(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "mnist"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / name / "1.png")
    assert len(load("digits")) == 1437
    assert len(load("./digits", split="all")) == 1
    assert len(load("mnist", split="all")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_size": 0}, "image_size must be a positive whole number .*, not 0"),
        ({"image_size": -8}, "not -8"),
        ({"image_size": (8, 0)}, r"not \(8, 0\)"),
        ({"image_size": (8, 8, 1)}, "image_size"),
        ({"image_size": 8.0}, "not 8.0"),
        ({"image_size": True}, "not True"),
        ({"image_size": "64"}, "not '64'"),
        ({"value_range": (1.0, 0.0)}, r"value_range .* low < high, not \(1.0, 0.0\)"),
        ({"value_range": (0.0, 0.0)}, "value_range"),
        ({"seed": -1}, "seed must be"),
        ({"memory_budget_bytes": -1}, "memory_budget_bytes must be a whole number of at least 0"),
        ({"split": "valid"}, "split='valid' is not a split of digits; it has train, test"),
        ({"split": None}, "split must be the name of a split such as 'train', not None"),
        ({"split": ""}, "split must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        load("digits", **arguments)


@pytest.mark.parametrize("name", [None, "", 3])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(DataError, match=r"name_or_folder must be .*embedded are digits"):
        load(name)


def test_importing_the_package_imports_no_data_library():
    program = (
        "import sys, keras; before = set(sys.modules); import keras_gen.data; "
        "new = set(sys.modules) - before; "
        "print([m for m in new if m.startswith(('tensorflow_datasets', 'sklearn', 'requests'))])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
