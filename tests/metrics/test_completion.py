import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataSet
from keras_gen.metrics.completion import (
    completion_metrics,
    completion_nll_nats,
    neighbour_completions,
    save_completions,
)

SEEN = np.array([[True, True], [False, False]])[..., None]  # the upper row of 2 x 2


def pictures(*rows):
    return np.array(rows, "float32").reshape(-1, 2, 2, 1)


TRAIN = pictures([0, 0, 0.1, 0.2], [1, 1, 0.5, 0.6], [0, 1, 0.8, 0.9])


def test_the_nearest_image_by_seen_pixels_gives_the_missing_ones():
    images = pictures([0.1, 0.0, 0.9, 0.9], [0.9, 0.8, 0.0, 0.0])
    expected = pictures([0.1, 0.0, 0.1, 0.2], [0.9, 0.8, 0.5, 0.6])
    np.testing.assert_allclose(neighbour_completions(TRAIN, images, SEEN), expected)


def test_several_neighbours_are_averaged():
    images = pictures([0.1, 0.6, 0.9, 0.9])  # nearest the third image, then the first
    expected = pictures([0.1, 0.6, (0.8 + 0.1) / 2, (0.9 + 0.2) / 2])
    np.testing.assert_allclose(neighbour_completions(TRAIN, images, SEEN, 2), expected, rtol=1e-6)


def test_missing_pixels_are_not_looked_at_and_brute_force_agrees():
    random = np.random.default_rng(0)
    train = random.integers(0, 256, size=(700, 3, 4, 1)).astype("uint8")
    images = random.integers(0, 256, size=(600, 3, 4, 1)).astype("uint8")
    seen = random.uniform(size=(3, 4, 1)) < 0.5
    found = neighbour_completions(train, images, seen)
    for index in (0, 499, 500, 599):
        distances = ((train / 255.0 - images[index] / 255.0) ** 2)[:, seen].sum(axis=1)
        nearest = train[distances.argmin()] / 255.0
        np.testing.assert_allclose(found[index][~seen], nearest[~seen], rtol=1e-6)
    changed = np.where(seen, images, 255 - images)
    np.testing.assert_array_equal(found, neighbour_completions(train, changed, seen))


def test_the_likelihood_counts_missing_pixels_worked_out_by_hand():
    images = pictures([0.3, 0.3, 1.0, 0.5])
    completions = pictures([0.9, 0.9, 0.25, 0.5])
    expected = -np.log(0.25) - np.log(0.5)
    assert completion_nll_nats(images, completions, SEEN) == pytest.approx([expected])


def test_a_mean_of_few_pictures_is_never_certain():
    images, completions = pictures([0, 0, 1, 1]), pictures([0, 0, 0, 1])
    # Of 3 pictures none and all: (0 + 1/2) / 4 and (3 + 1/2) / 4.
    expected = -np.log(1 / 8) - np.log(7 / 8)
    assert completion_nll_nats(images, completions, SEEN, 3) == pytest.approx([expected])
    assert np.isfinite(completion_nll_nats(images, completions, SEEN)).all()


class Half:
    """Guesses 1/2; its importance weights are -2 nats, or -4 by every other draw."""

    value_range, seen = (0.0, 1.0), SEEN

    def guess(self, images):
        return np.where(SEEN, images, 0.5)

    def complete(self, images, seed=None):
        return np.where(SEEN, images, 0.1 * seed)

    def log_weights(self, images, num_samples, seed):
        weights = np.where(np.arange(num_samples) % 2, -4.0, -2.0)[:, None]
        return np.repeat(weights, len(images), axis=1).astype("float32")


@pytest.fixture
def sets():
    random = np.random.default_rng(0)
    return [
        DataSet(
            "noise",
            split,
            random.integers(0, 256, size=(count, 2, 2, 1)).astype("uint8"),
            value_range=(0.0, 1.0),
        )
        for split, count in (("train", 40), ("test", 30))
    ]


def test_a_model_is_measured_beside_its_guess_and_neighbours(sets):
    measured = completion_metrics(Half(), *sets, neighbours=3, importance_samples=20)
    assert measured["nll_nats"][0] == pytest.approx(-np.log((np.exp(-2) + np.exp(-4)) / 2))
    assert measured["elbo_nats"][0] == pytest.approx(-3.0)
    assert measured["baseline_nll_nats"][0] == pytest.approx(2 * np.log(2))
    train, test = sets
    near = neighbour_completions(train.examples, test.examples, SEEN, 3)
    expected = completion_nll_nats(test.examples / 255.0, near, SEEN, 3).mean()
    assert measured["neighbours_nll_nats"][0] == pytest.approx(expected)
    assert "missing pixels of 30 noise test images, grey, 50% of" in measured["nll_nats"][1]


def test_completions_are_drawn(sets, tmp_path):
    save_completions(Half(), *sets, tmp_path / "completions.png", neighbours=3)
    with Image.open(tmp_path / "completions.png") as picture:
        assert min(picture.size) > 100


@pytest.mark.parametrize(
    ("images", "seen", "count", "message"),
    [
        (TRAIN, SEEN, 4, "count=4"),
        (TRAIN, SEEN, 0, "count=0"),
        (TRAIN.astype("float64"), SEEN, 1, "of one type"),
        (TRAIN, SEEN[..., 0], 1, "give a bool for each pixel"),
        (TRAIN, np.ones_like(SEEN), 1, "some True and some False"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(images, seen, count, message):
    with pytest.raises(ValueError, match=message):
        neighbour_completions(TRAIN, images, seen, count)
