"""The 2-D toys against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from keras_gen.data import DataError, PointSet, load


@pytest.mark.parametrize(("name", "nats"), [("ring", -4.293), ("grid", 0.065)])
def test_the_entropy_is_the_published_closed_form(name, nats):
    assert load(name).entropy_nats == pytest.approx(nats, abs=5e-4)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_minus_the_mean_log_density_of_the_points_is_the_entropy(name):
    data = load(name)
    log_density = data.log_density(data.examples)
    error = log_density.std() / math.sqrt(len(data))
    assert -log_density.mean() == pytest.approx(data.entropy_nats, abs=5 * error)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_density_integrates_to_one(name):
    data = load(name)
    offsets = np.linspace(-8, 8, 81) * data.scale
    around = np.stack(np.meshgrid(offsets, offsets), axis=-1)  # the modes lie far apart
    mass = sum(np.exp(data.log_density(mode + around)).sum() for mode in data.modes)
    assert mass * (offsets[1] - offsets[0]) ** 2 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_density_is_that_of_scipys_gaussians(name):
    data = load(name)
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (50, 2))
    densities = [stats.multivariate_normal(m, data.scale**2).logpdf(points) for m in data.modes]
    expected = np.logaddexp.reduce(densities, axis=0) - math.log(len(data.modes))
    np.testing.assert_allclose(data.log_density(points), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["moons", "swiss_roll"])
def test_the_density_of_a_noisy_curve_integrates_to_one_and_has_the_moments_of_its_points(name):
    data = load(name)
    ticks = np.linspace(-4.0, 4.0, 201)
    points = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
    masses = np.exp(data.log_density(points)) * (ticks[1] - ticks[0]) ** 2
    assert masses.sum() == pytest.approx(1.0, abs=1e-4)
    for power in (1, 2):
        expected = np.sum(points**power * masses[..., None], axis=(0, 1))
        found = (data.examples.astype("float64") ** power).mean(axis=0)
        error = (data.examples**power).std(axis=0) / math.sqrt(len(data))
        assert np.all(np.abs(found - expected) < 4 * error + 1e-3)


@pytest.mark.parametrize("name", ["moons", "swiss_roll"])
def test_held_out_points_are_as_likely_as_the_density_says_on_average(name):
    data = load(name, split="test")
    ticks = np.linspace(-4.0, 4.0, 201)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    log_density = data.log_density(grid)
    entropy = -np.sum(np.exp(log_density) * log_density) * (ticks[1] - ticks[0]) ** 2
    of_points = data.log_density(data.examples)
    assert -of_points.mean() == pytest.approx(
        entropy, abs=4 * of_points.std() / math.sqrt(len(data))
    )


def test_points_become_images_without_a_change():
    data = load("ring")
    images = data.as_images()
    assert images.example_shape == (1, 1, 2)
    np.testing.assert_array_equal(images.examples[:, 0, 0], data.examples)
    np.testing.assert_array_equal(
        images.log_density(images.examples)[:5, 0, 0], data.log_density(data.examples[:5])
    )


def test_far_points_have_a_finite_density():
    assert load("ring").log_density([100.0, 100.0]) < -1e7
    assert np.isfinite(load("ring").log_density([1e6, 0.0]))


@pytest.mark.parametrize(("name", "count"), [("ring", 8), ("grid", 25)])
def test_labels_name_the_nearest_mode_and_all_modes_are_equally_frequent(name, count):
    data = load(name)
    distances = np.linalg.norm(data.examples[:, None] - data.modes, axis=-1)
    np.testing.assert_array_equal(distances.argmin(axis=1), data.labels)
    assert data.num_classes == len(data.modes) == count
    assert stats.chisquare(np.bincount(data.labels)).pvalue > 1e-4
    centred = (data.examples - data.modes[data.labels]) / data.scale
    assert stats.kstest(centred.ravel(), "norm").pvalue > 1e-4


def test_the_ring_has_radius_one():
    np.testing.assert_allclose(np.linalg.norm(load("ring").modes, axis=1), 1.0)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("ring", 50000, 10000),
        ("grid", 50000, 10000),
        ("moons", 3000, 1000),
        ("swiss_roll", 10000, 2000),
    ],
)
def test_train_and_test_are_drawn_apart_and_reproducibly(name, train, test):
    splits = [load(name), load(name, split="test")]
    assert [len(data) for data in splits] == [train, test]
    assert all(isinstance(data, PointSet) for data in splits)
    assert all(data.examples.dtype == np.float32 for data in splits)
    if splits[0].modes is not None:  # one stream for both would begin with the same modes
        assert not np.array_equal(splits[0].labels[:test], splits[1].labels)
    points = np.concatenate([data.examples for data in splits])
    assert len(np.unique(points, axis=0)) > 0.99 * (train + test)
    assert splits[0].fingerprint == load(name).fingerprint
    assert splits[0].fingerprint != load(name, seed=1).fingerprint


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_moons_are_standardized_by_constants_of_the_distribution(split):
    data = load("moons", split=split)
    np.testing.assert_allclose(data.examples.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(data.examples.std(axis=0), 1.0, atol=0.02)
    # Back in make_moons' own units, moon 0 is the unit circle's upper half with noise 0.05.
    raw = data.examples * [math.sqrt(0.7525), math.sqrt(0.625 - 1 / math.pi - 0.06)] + [0.5, 0.25]
    radii = np.linalg.norm(raw[data.labels == 0], axis=1)
    assert abs(radii.mean() - 1.0) < 0.01
    assert radii.std() == pytest.approx(0.05, rel=0.1)


def test_the_roll_has_about_unit_deviation_and_no_labels():
    data = load("swiss_roll")
    np.testing.assert_allclose(data.examples.std(axis=0), 1.0, atol=0.06)
    assert data.labels is None


def test_batches_give_points_as_they_are():
    data = load("moons", value_range=(0.0, 1.0))
    (points,) = data.evaluation_batches(3000)
    np.testing.assert_array_equal(points, data.examples)


def test_what_points_cannot_answer_is_an_error():
    with pytest.raises(DataError, match="entropy of moons is not known in closed form; ring and"):
        _ = load("moons").entropy_nats
    with pytest.raises(DataError, match=r"points must have the shape \(..., 2\), not \(4, 3\)"):
        load("ring").log_density(np.zeros((4, 3)))
    with pytest.raises(DataError, match="image_size=32 has no meaning|has no meaning"):
        load("ring", image_size=32)
    with pytest.raises(DataError, match="split='valid' is not a split of grid; it has train, test"):
        load("grid", split="valid")
