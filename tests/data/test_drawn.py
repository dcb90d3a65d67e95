"""The embedded image sets: digits and shapes."""

import numpy as np
import pytest
from sklearn import datasets

from keras_gen.data import DataError, draw_shapes, load
from keras_gen.data.shapes import FACTOR_NAMES


def rows(data):
    return {image.tobytes() for image in data.examples}


def one_shape(**changes):
    middle = {"shape": 0, "colour": 0, "size": 5, "x": 4, "y": 4, "rotation": 0}
    return {name: np.array([value]) for name, value in (middle | changes).items()}


def test_the_digits_are_scikit_learns_split_once_and_for_all():
    train, test = load("digits"), load("digits", split="test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.example_shape == (8, 8, 1)
    assert rows(train).isdisjoint(rows(test))
    stored = datasets.load_digits()
    grey = np.rint(stored.images * 255 / 16).astype(np.uint8)
    assert rows(train) | rows(test) == {image.tobytes() for image in grey}
    pairs = {(i.tobytes(), n) for i, n in zip(grey, stored.target, strict=True)}
    for data in (train, test):
        found = zip(data.examples, data.labels, strict=True)
        assert {(image.tobytes(), label) for image, label in found} <= pairs


def test_every_fifth_digit_of_each_class_is_held_out():
    train, test = (np.bincount(load("digits", split=s).labels) for s in ("train", "test"))
    np.testing.assert_allclose(test / (train + test), 0.2, atol=0.005)


def test_digits_are_scaled_to_the_size_asked_for():
    assert load("digits", image_size=28).example_shape == (28, 28, 1)
    assert load("digits", image_size=(20, 12)).example_shape == (20, 12, 1)
    small, large = load("digits", split="test"), load("digits", split="test", image_size=32)
    means = large.examples.reshape(360, 8, 4, 8, 4).mean(axis=(2, 4))
    assert np.corrcoef(means.ravel(), small.examples.ravel())[0, 1] > 0.98


def test_shapes_of_train_and_test_share_no_factors_and_no_image():
    train, test = load("shapes"), load("shapes", split="test")
    assert (len(train), len(test)) == (10000, 2000)
    assert train.example_shape == (32, 32, 3)
    factors = [set(zip(*data.factors.values(), strict=True)) for data in (train, test)]
    assert [len(combinations) for combinations in factors] == [10000, 2000]
    assert factors[0].isdisjoint(factors[1])
    assert len(rows(train) | rows(test)) == 12000
    assert tuple(train.factors) == tuple(train.factor_names) == tuple(FACTOR_NAMES)
    np.testing.assert_array_equal(train.labels, train.factors["shape"])


def test_shapes_depend_on_the_seed_alone():
    assert load("shapes").fingerprint == load("shapes32").fingerprint
    assert load("shapes").fingerprint != load("shapes", seed=1).fingerprint


def test_an_image_is_a_pure_function_of_its_factors():
    data = load("shapes64", split="test")
    some = {name: values[100:120] for name, values in data.factors.items()}
    np.testing.assert_array_equal(draw_shapes(some, 64), data.examples[100:120])
    assert load("shapes", image_size=64, split="test").fingerprint == data.fingerprint


def test_no_shape_leaves_the_frame():
    grid = np.meshgrid(range(3), [0], [5], [0, 7], [0, 7], range(8), indexing="ij")
    extreme = dict(zip(FACTOR_NAMES, (axis.ravel() for axis in grid), strict=True))
    images = draw_shapes(extreme, 64)
    assert images[:, [0, -1]].max() == images[:, :, [0, -1]].max() == 0
    assert np.all(images.max(axis=(1, 2, 3)) == 255)


@pytest.mark.parametrize(("shape", "area"), [(0, np.pi / 2), (1, 2.0), (2, 1.0)])
@pytest.mark.parametrize("rotation", [0, 3])
def test_the_covered_area_is_that_of_the_shape(shape, area, rotation):
    image = draw_shapes(one_shape(shape=shape, rotation=rotation), 64)[0, :, :, 0] / 255
    assert image.sum() / 64**2 == pytest.approx(area * 0.22**2, rel=0.02)


def test_position_rotation_and_colour_are_those_named():
    right_and_down = draw_shapes(one_shape(x=7, y=7), 64)[0, :, :, 0]
    down, right = np.argwhere(right_and_down > 127).mean(axis=0)
    np.testing.assert_allclose([down, right], 0.72 * 64 - 0.5, atol=0.5)
    upright = np.argwhere(draw_shapes(one_shape(rotation=4), 64)[0, :, :, 0] > 127)
    assert np.ptp(upright[:, 0]) > 1.8 * np.ptp(upright[:, 1])
    # A rotation of 45 degrees is counterclockwise: the long axis rises to the right.
    rising = np.argwhere(draw_shapes(one_shape(rotation=2), 64)[0, :, :, 0] > 127)
    assert np.corrcoef(rising.T)[0, 1] < -0.5
    colours = [draw_shapes(one_shape(colour=c), 32).max(axis=(0, 1, 2)) for c in range(8)]
    assert colours[0].tolist() == [255, 0, 0]
    assert len({tuple(colour) for colour in colours}) == 8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load("digits", split="valid"), "split='valid' is not a split of digits; it has"),
        (lambda: load("shapes", split="all"), "split='all' is not a split of shapes; it has"),
        (lambda: load("shapes64", image_size=32), r"image_size=\(32, 32\) contradicts .* shapes64"),
        (lambda: load("shapes", image_size=(32, 64)), r"image_size=\(32, 64\) .* square"),
        (lambda: load("shapes", image_size=8), "at least 16"),
        (lambda: draw_shapes({}), "shape is missing"),
        (lambda: draw_shapes(one_shape(size=6)), r"factors\['size'\] .* \[0, 6\)"),
        (lambda: draw_shapes(one_shape(x=-1)), r"factors\['x'\]"),
        (lambda: draw_shapes(one_shape(x=0.5)), r"factors\['x'\]"),
        (lambda: draw_shapes(one_shape(), 4), "image_size must be a whole number of at least 16"),
    ],
)
def test_wrong_requests_are_refused(call, words):
    with pytest.raises(DataError, match=words):
        call()
