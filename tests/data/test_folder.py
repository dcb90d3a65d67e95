"""A folder of images as a data set."""

import logging
import os

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataError, load
from keras_gen.data.folder_files import files_of_split, list_images


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path, **options)


def grey(value, size=(6, 4)):
    return np.full(size, value, np.uint8)


def red_blue():
    """4x4 RGB, left half red, right half blue."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:, :2, 0] = pixels[:, 2:, 2] = 255
    return pixels


@pytest.fixture
def classes(tmp_path):
    """Three classes of 30 grey images, each image of one value of its own."""
    for index, name in enumerate(("ant", "bee", "cat")):
        for number in range(30):
            save(tmp_path / name / f"{number:02d}.png", grey(30 * index + number))
    return tmp_path


def values(data):
    assert np.all(data.examples == data.examples[:, :1, :1])
    return data.examples[:, 0, 0, 0].astype(int)


def by_name(folder, data):
    """All images of a folder, sorted by path."""
    files = files_of_split(folder, list_images(folder), "all")
    return data.examples[np.argsort([file.relative for file in files])]


def test_class_folders_become_sorted_labels(classes):
    data = load(classes, split="all")
    assert data.example_shape == (6, 4, 1)
    assert data.label_names == ("ant", "bee", "cat")
    np.testing.assert_array_equal(by_name(classes, data)[:, 0, 0, 0], np.arange(90))
    np.testing.assert_array_equal(data.labels, values(data) // 30)


def test_the_first_images_are_of_all_classes(classes):
    assert set(load(classes).labels[:10]) == {0, 1, 2}


def test_train_and_test_are_disjoint_and_together_all(classes):
    train, test = load(classes), load(classes, split="test")
    assert sorted([*values(train), *values(test)]) == list(range(90))
    assert 3 <= len(test) <= 20
    assert train.label_names == test.label_names


def test_images_added_later_move_no_other_to_another_split(classes):
    before = set(values(load(classes, split="test")))
    for number in range(100):
        save(classes / "cat" / f"new{number}.png", grey(200))
    after = {value for value in values(load(classes, split="test")) if value != 200}
    assert before == after


def test_a_copy_elsewhere_has_the_same_split_and_fingerprint(classes, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy") / "moved"
    classes.rename(copy)
    first = load(copy, split="test").fingerprint
    copy.rename(classes)
    assert load(classes, split="test").fingerprint == first


def test_a_flat_folder_has_no_labels(tmp_path):
    for number in range(5):
        save(tmp_path / f"{number}.jpg", grey(number * 40, (8, 8)))
    data = load(f"{tmp_path}{os.sep}", split="all")
    assert data.labels is None
    assert len(data) == 5


def test_split_folders_are_taken_as_they_are(tmp_path):
    save(tmp_path / "train" / "dog" / "1.png", grey(1))
    save(tmp_path / "train" / "cow" / "deep" / "2.png", grey(2))
    for number in (3, 4):
        save(tmp_path / "test" / "dog" / f"{number}.png", grey(number))
    train, test = load(tmp_path), load(tmp_path, split="test")
    assert sorted(values(train)) == [1, 2]
    assert sorted(values(test)) == [3, 4]
    # Labels agree although test has no cow.
    assert train.label_names == test.label_names == ("cow", "dog")
    assert test.labels.tolist() == [1, 1]
    assert len(load(tmp_path, split="all")) == 4
    with pytest.raises(DataError, match="split='valid' is not a split of the folder .*it has trai"):
        load(tmp_path, split="valid")


def test_a_class_may_be_named_train(tmp_path):
    for name in ("bus", "train"):
        for number in range(3):
            save(tmp_path / name / f"{number}.png", grey(number))
    assert load(tmp_path, split="all").label_names == ("bus", "train")


def test_train_and_test_agree_on_size_and_channels(tmp_path):
    for number in range(3):
        save(tmp_path / "train" / f"{number}.png", grey(9, (5, 5)))
        save(tmp_path / "test" / f"{number}.png", red_blue())
    save(tmp_path / "train" / "3.png", grey(9, (5, 5)))
    shapes = {load(tmp_path, split=split).example_shape for split in ("train", "test")}
    assert shapes == {(5, 5, 3)}


def test_mixed_sizes_go_to_the_most_common_and_are_counted(tmp_path, caplog):
    for number in range(3):
        save(tmp_path / f"{number}.png", grey(100, (10, 10)))
    save(tmp_path / "3.png", grey(100, (20, 30)))
    with caplog.at_level(logging.WARNING, "keras_gen"):
        data = load(tmp_path, split="all")
    assert data.example_shape == (10, 10, 1)
    assert data.notes == (
        "images of 2 sizes: all brought to the most common, 10x10",
        "1 of 4 images resized and cropped to 10x10",
    )
    assert all(caplog.text.count(note) == 1 for note in data.notes)
    assert load(tmp_path, split="all", image_size=(7, 3)).example_shape == (7, 3, 1)


def test_resizing_keeps_the_aspect_and_crops_at_the_centre(tmp_path):
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255  # the middle third is what a square keeps
    save(tmp_path / "1.png", wide)
    assert load(tmp_path, split="all", image_size=10).examples.min() == 255


def test_modes_are_brought_to_rgb_if_any_has_colour(tmp_path):
    colour = Image.fromarray(red_blue())
    see_through = colour.convert("RGBA")
    see_through.putalpha(Image.fromarray(np.array([[255, 0, 255, 51]] * 4, np.uint8)))
    save(tmp_path / "1.png", see_through)
    save(tmp_path / "2.png", colour.convert("P", palette=Image.Palette.ADAPTIVE))
    save(tmp_path / "3.png", np.full((4, 4), 0x8080, np.uint16))
    save(tmp_path / "4.png", grey(7, (4, 4)))
    save(tmp_path / "5.png", colour)
    data = load(tmp_path, split="all")
    expected = red_blue()
    composed = expected.copy()
    composed[:, 1], composed[:, 3] = 0, [0, 0, 51]
    examples = by_name(tmp_path, data)
    np.testing.assert_array_equal(examples[0], composed)
    np.testing.assert_array_equal(examples[1], expected)
    assert np.all(examples[2] == 128)
    assert np.all(examples[3] == 7)
    np.testing.assert_array_equal(examples[4], expected)
    assert data.notes == (
        "1 of 5 images composed over black, having transparency",
        "1 of 5 images scaled from 16 bits to 8",
        "2 of 5 images turned from grey to RGB",
    )


def test_grey_images_of_all_modes_stay_grey(tmp_path):
    save(tmp_path / "1.png", np.array([[True, False]] * 2))
    save(tmp_path / "2.png", Image.fromarray(grey(200, (2, 2))).convert("P"))
    save(tmp_path / "3.png", np.array([[0, 65535], [257, 32896]], np.uint16))
    save(tmp_path / "4.png", Image.merge("LA", [Image.new("L", (2, 2), v) for v in (100, 51)]))
    data = load(tmp_path, split="all")
    assert data.example_shape == (2, 2, 1)
    assert by_name(tmp_path, data)[..., 0].tolist() == [
        [[255, 0], [255, 0]],
        [[200, 200], [200, 200]],
        [[0, 255], [1, 128]],
        [[20, 20], [20, 20]],
    ]


def test_exif_orientation_is_respected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:, :16] = 255  # white on the left, which becomes the top
    save(tmp_path / "1.jpg", pixels, exif=exif, quality=95)
    data = load(tmp_path, split="all")
    assert data.example_shape == (32, 16, 1)
    assert data.examples[0, :14].min() > 240
    assert data.examples[0, 18:].max() < 15
    assert data.notes == ("1 of 1 images turned upright as their EXIF data say",)


def test_other_files_are_ignored_and_counted(tmp_path):
    save(tmp_path / "1.png", grey(1))
    for name in ("notes.txt", "more.TXT", ".DS_Store", "README", ".hidden.png"):
        (tmp_path / name).write_bytes(b"no image")
    save(tmp_path / ".thumbnails" / "2.png", grey(2))
    data = load(tmp_path, split="all")
    assert len(data) == 1
    assert data.notes == ("ignored 5 other files: 2 .txt, 2 hidden, 1 without suffix",)


def test_linked_folders_are_followed_but_not_in_circles(classes):
    (classes / "ant" / "back").symlink_to(classes, target_is_directory=True)
    assert len(load(classes, split="all")) == 90


def test_the_hash_sends_about_a_tenth_to_test(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number}.png").touch()
    held_out = [file.relative for file in list_images(tmp_path).files if file.split == "test"]
    assert 150 < len(held_out) < 250


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"holds no images; it is empty\. Images are files that end"
    ):
        load(tmp_path)
    (tmp_path / "a.heic").touch()
    (tmp_path / "b.heic").touch()
    with pytest.raises(DataError, match=r"holds no images; it holds other files: 2 \.heic"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["photos/none", "./none", "../none", "~/none/such", "mnist/"])
def test_a_missing_folder_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="The folder .* does not exist .looked for /"):
        load(name)


def test_a_file_is_no_folder(tmp_path):
    save(tmp_path / "1.png", grey(1))
    with pytest.raises(DataError, match=r"1\.png is a file; give the folder"):
        load(tmp_path / "1.png")


def test_images_beside_class_folders_are_refused(classes):
    save(classes / "stray.png", grey(1))
    with pytest.raises(DataError, match=r"without a class \(stray.png\) and in .*\(ant/00.png\)"):
        load(classes)


@pytest.mark.parametrize("content", [b"", b"this is text", b"\x89PNG\r\n\x1a\n then nothing"])
def test_a_file_that_is_no_image_is_named_whatever_its_split(content, classes):
    (classes / "bee" / "broken.png").write_bytes(content)
    for split in ("train", "test"):
        with pytest.raises(DataError, match=r"bee.broken\.png cannot be read as an image .*remove"):
            load(classes, split=split)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_truncated_image_is_named(suffix, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    for number in range(3):
        save(tmp_path / f"{number}.{suffix}", noise)
    path = tmp_path / f"1.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"1\.{suffix} cannot be read as an image"):
        load(tmp_path, split="all")


def test_images_without_an_8_bit_form_are_named(tmp_path):
    save(tmp_path / "1.tiff", np.zeros((4, 4), np.float32))
    with pytest.raises(DataError, match=r"1\.tiff holds float32 .* 8 or 16 bits"):
        load(tmp_path, split="all")


def test_next_to_nothing_held_out_is_refused(tmp_path):
    names = [f"{number}.png" for number in range(200)]
    for name in names:
        (tmp_path / name).touch()
    kept = [file.relative for file in list_images(tmp_path).files if file.split == "train"][:8]
    for name in set(names) - set(kept):
        (tmp_path / name).unlink()
    for name in kept:
        save(tmp_path / name, grey(1))
    assert len(load(tmp_path)) == 8
    with pytest.raises(DataError, match=r"split='test' .* has 0 of its 8 images.*split='all'"):
        load(tmp_path, split="test")
