"""A folder of faces whose file names tell age and gender."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keras_gen.data import AGE_GROUPS, DataError, load, load_faces
from keras_gen.data.faces import age_group, parse_face_name
from keras_gen.data.folder_files import list_images


def save(folder, name, value=0):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 4, 3), value, np.uint8)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("name", "face"),
    [
        ("25_0_2_20170116174525125.jpg.chip.jpg", (25, 0)),
        ("1_1_3_20161219.png", (1, 1)),
        ("116_1_2_20170109.jpg", (116, 1)),
        ("61_1_20170109142408075.jpg.chip.jpg", (61, 1)),  # UTKFace has some without a race
        ("007_0.jpg", (7, 0)),
        ("25.jpg", None),
        ("25_2_0_20170116.jpg", None),  # no such gender
        ("25_10_0_20170116.jpg", None),
        ("_0_2_20170116.jpg", None),
        ("-5_0_2_20170116.jpg", None),
        ("121_0_2_20170116.jpg", None),
        ("2017_0_2_20170116.jpg", None),
        ("25.5_0_2_20170116.jpg", None),
        ("٢٥_0_2_20170116.jpg", None),  # digits, but not those of the naming
        ("a25_0_2_20170116.jpg", None),
    ],
)
def test_names_tell_age_and_gender_or_nothing(name, face):
    assert parse_face_name(name) == face


@given(st.text())
def test_no_name_is_too_odd_to_be_read(name):
    face = parse_face_name(name)
    assert face is None or (0 <= face.age <= 120 and face.gender in (0, 1))


def test_every_age_is_in_the_group_that_its_name_says():
    for age in range(121):
        first, _, last = AGE_GROUPS[age_group(age)].rstrip("+").partition("-")
        assert int(first) <= age <= int(last or 120)
    assert [age_group(age) for age in (0, 5, 6, 20, 21, 70, 71)] == [0, 0, 1, 3, 4, 8, 9]


def test_ages_become_labels_and_gender_a_factor(tmp_path):
    # Images of the value of their own age, so that labels can be checked against pixels.
    for age in range(0, 100, 3):
        save(tmp_path, f"{age}_{age % 2}_0_2017.png", value=age)
    data = load_faces(tmp_path, split="all", value_range=(0.0, 1.0))
    ages = data.examples[:, 0, 0, 0].astype(int)
    assert sorted(ages) == list(range(0, 100, 3))
    np.testing.assert_array_equal(data.labels, [age_group(age) for age in ages])
    np.testing.assert_array_equal(data.factors["age"], data.labels)
    np.testing.assert_array_equal(data.factors["gender"], ages % 2)
    assert data.label_names == data.factor_names["age"] == AGE_GROUPS
    assert data.factor_names["gender"] == ("male", "female")
    assert data.value_range == (0.0, 1.0) and data.notes == () and data.num_classes == 10


def test_the_test_split_holds_out_what_the_folder_loader_holds_out(tmp_path):
    for age in range(100):
        save(tmp_path, f"{age}_{age % 2}_0_2017.png", value=age)
    for split in ("train", "test"):
        np.testing.assert_array_equal(
            load_faces(tmp_path, split=split).examples, load(tmp_path, split=split).examples
        )


def test_sub_folders_name_no_classes(tmp_path):
    for part in ("part1", "part2"):
        for age in (3, 33):
            save(tmp_path, f"{part}/{age}_0_0_2017.png", value=age)
    data = load_faces(tmp_path, split="all")
    assert sorted(data.labels) == [0, 0, 5, 5]
    np.testing.assert_array_equal(data.labels == 5, data.examples[:, 0, 0, 0] == 33)
    assert data.label_names == AGE_GROUPS


def test_wrong_names_are_left_out_counted_and_logged(tmp_path, caplog):
    for name in ("10_0_0_1.png", "80_1_0_1.png", "b.png", "c_1_2.png", "200_1_1.png", "d.png"):
        save(tmp_path, name)
    (tmp_path / "notes.txt").touch()
    with caplog.at_level(logging.WARNING, "keras_gen"):
        data = load_faces(tmp_path, split="all")
    assert len(data) == 2
    assert data.notes == (
        "ignored 1 other files: 1 .txt",
        "4 of 6 images left out: no age and gender in 200_1_1.png, b.png, c_1_2.png and 1 more",
    )
    assert all(caplog.text.count(note) == 1 for note in data.notes)


def test_what_is_left_out_is_never_read(tmp_path):
    save(tmp_path, "10_0_0_1.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert len(load_faces(tmp_path, split="all")) == 1


def test_a_set_larger_than_the_budget_is_mapped_with_the_same_labels(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GEN_CACHE_DIR", str(tmp_path / "cache"))
    for age in range(20):
        save(tmp_path / "faces", f"{age}_0_0_1.png", value=age)
    save(tmp_path / "faces", "b.png")
    held = load_faces(tmp_path / "faces", split="all")
    mapped = load_faces(tmp_path / "faces", split="all", memory_budget_bytes=0)
    assert held.fingerprint == mapped.fingerprint


def test_a_folder_where_no_name_fits_is_refused(tmp_path):
    for name in ("cat.png", "dog.png"):
        save(tmp_path, name)
    with pytest.raises(DataError, match=r"2 images but none .* gender; cat\.png is one\. Name"):
        load_faces(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="folder='.*none' is no folder"):
        load_faces(tmp_path / "none")


def test_a_part_of_a_listing_can_be_loaded(tmp_path):
    from keras_gen.data.folder import load_folder

    for number in range(4):
        save(tmp_path, f"{number}.png", value=number)
    listing = list_images(tmp_path)
    part = listing._replace(files=listing.files[1:3])
    data = load_folder(tmp_path, "all", None, 10**6, part)
    assert sorted(data.examples[:, 0, 0, 0]) == [1, 2]
