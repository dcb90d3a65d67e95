"""scripts/train_classifier.py: what it trains serves as an extractor; its augmentation."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from keras_gen.data import DataSet, load
from keras_gen.metrics.extractors import get_extractor

PATH = pathlib.Path(__file__).parents[2] / "scripts" / "train_classifier.py"
SPEC = importlib.util.spec_from_file_location("train_classifier", PATH)
train_classifier = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = train_classifier  # AutoGraph looks it up there
SPEC.loader.exec_module(train_classifier)

IMAGES = np.random.default_rng(0).uniform(size=(64, 6, 5, 2)).astype("float32")


def augmented(rotation=0.0, scale=0.0, shift=0.0, flip=False, seed=(0, 0)):
    return train_classifier._augment(IMAGES, seed, rotation, scale, shift, flip).numpy()


def test_a_trained_file_serves_as_an_extractor(tmp_path):
    train_classifier.main("digits", tmp_path / "one.npz", epochs=10)
    extractor = get_extractor(tmp_path / "one.npz")
    assert extractor.name == "digits" and extractor.test_accuracy > 0.95
    assert extractor.metadata["settings"]["epochs"] == 10
    with pytest.raises(SystemExit, match="exists"):
        train_classifier.main("digits", tmp_path / "one.npz")


def test_training_repeats(tmp_path):
    for name in ("one.npz", "two.npz"):
        train_classifier.main("digits", tmp_path / name, epochs=1)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_held_out_images_are_measured_and_not_trained_on(tmp_path):
    train_classifier.main("digits", tmp_path / "some.npz", epochs=1, hold_out=437)
    metadata, train = get_extractor(tmp_path / "some.npz").metadata, load("digits")
    assert (metadata["num_train_images"], metadata["num_test_images"]) == (1000, 437)
    for part, rows in (("train", slice(None, 1000)), ("test", slice(1000, None))):
        expected = DataSet("any", "any", train.examples[rows], train.labels[rows])
        assert metadata[f"{part}_fingerprint"] == expected.fingerprint


def test_factors_can_be_learned_in_place_of_labels(tmp_path):
    arguments = {"image_size": 16, "epochs": 1, "hold_out": 9800}
    train_classifier.main("shapes", tmp_path / "shape.npz", factor="shape", **arguments)
    names = load("shapes", image_size=16).factor_names["shape"]
    assert get_extractor(tmp_path / "shape.npz").class_names == tuple(names)
    with pytest.raises(SystemExit, match="--factor hair: shapes has shape"):
        train_classifier.main("shapes", tmp_path / "no.npz", factor="hair", **arguments)


def test_no_augmentation_leaves_images_as_they_are():
    np.testing.assert_allclose(augmented(), IMAGES, atol=1e-5)


def test_flips_mirror_about_half_of_the_images():
    flipped = augmented(flip=True)
    mirrored = np.abs(flipped - IMAGES[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-5
    kept = np.abs(flipped - IMAGES).max(axis=(1, 2, 3)) < 1e-5
    assert (mirrored ^ kept).all() and 20 < mirrored.sum() < 44


def test_augmentation_is_a_function_of_seed_and_step():
    arguments = {"rotation": 10.0, "scale": 0.1, "shift": 0.1}
    first = augmented(**arguments)
    np.testing.assert_array_equal(augmented(**arguments), first)
    assert not np.array_equal(augmented(**arguments, seed=(0, 1)), first)


def test_shifts_stay_within_their_bound():
    line = np.zeros((64, 41, 41, 1), "float32")
    line[:, :, 20] = 1.0
    moved = train_classifier._augment(line, (0, 0), 0.0, 0.0, 0.25, False).numpy()
    places = moved[:, 20, :, 0] @ np.arange(41) / moved[:, 20, :, 0].sum(axis=1)
    assert np.abs(places - 20).max() <= 0.25 * 41 + 1e-3
    assert np.abs(places - 20).max() > 0.2 * 41 and np.abs(places.mean() - 20) < 3
