import numpy as np
import pytest
import scipy.spatial
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_gen.latent import interpolate, linear_interpolation, spherical_interpolation


def norms(path):
    return np.linalg.norm(path, axis=-1)


@settings(deadline=None)
@given(data=st.data(), size=st.integers(2, 40), steps=st.integers(2, 9), norm=st.floats(1e-3, 1e3))
def test_spheres_are_not_left(data, size, steps, norm):
    directions = arrays("float64", size, elements=st.floats(-1, 1)).filter(
        lambda vector: np.linalg.norm(vector) > 1e-3
    )
    start, end = data.draw(directions), data.draw(directions)
    start, end = (norm * each / np.linalg.norm(each) for each in (start, end))
    path = spherical_interpolation(start, end, steps)
    np.testing.assert_allclose(norms(path), norm, rtol=1e-9)
    np.testing.assert_allclose(path[[0, -1]], [start, end], atol=1e-9 * norm)


def test_the_points_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for size in (2, 3, 100):
        start, end = rng.normal(size=(2, size))
        start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
        expected = scipy.spatial.geometric_slerp(start, end, np.linspace(0, 1, 7))
        np.testing.assert_allclose(spherical_interpolation(start, end, 7), expected, atol=1e-12)


def test_a_batch_is_its_pairs_one_by_one():
    start, end = np.random.default_rng(1).normal(size=(2, 4, 5, 6))
    for method in (spherical_interpolation, linear_interpolation):
        paths = method(start, end, 3)
        assert paths.shape == (4, 5, 3, 6)
        np.testing.assert_allclose(paths[2, 4], method(start[2, 4], end[2, 4], 3), atol=1e-12)


def test_norms_that_differ_are_interpolated_linearly():
    path = spherical_interpolation([3.0, 0.0], [0.0, 1.0], 3)
    np.testing.assert_allclose(path, [[3, 0], [2**0.5, 2**0.5], [0, 1]], atol=1e-12)


def test_a_straight_line_is_evenly_spaced():
    path = linear_interpolation([0.0, 4.0], [2.0, 0.0], 5)
    np.testing.assert_allclose(path, [[0, 4], [0.5, 3], [1, 2], [1.5, 1], [2, 0]])


@pytest.mark.parametrize("gap", [0.0, 1e-16, 1e-12, 1e-9, 1e-6])
def test_nearly_parallel_ends_give_nearly_the_straight_line(gap):
    start, end = np.array([1.0, 0.0, 0.0]), np.array([1.0, gap, 0.0])
    path = spherical_interpolation(start, end, 5)
    np.testing.assert_allclose(path, linear_interpolation(start, end, 5), atol=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1e-16, 1e-13, 1e-9])
def test_opposite_ends_are_joined_by_half_a_circle(gap):
    start = np.array([3.0, -4.0, 1.0])
    end = -start + gap * np.array([4.0, 3.0, 0.0])
    path = spherical_interpolation(start, end, 7)
    np.testing.assert_allclose(norms(path), norms(start), rtol=1e-9)
    np.testing.assert_allclose(path[-1], end, atol=1e-9)
    chords = norms(np.diff(path, axis=0))
    np.testing.assert_allclose(chords, 2 * norms(start) * np.sin(np.pi / 12), rtol=1e-6)


def test_a_zero_end_is_reached_straight():
    path = spherical_interpolation([0.0, 0.0], [0.0, 2.0], 3)
    np.testing.assert_allclose(path, [[0, 0], [0, 1], [0, 2]], atol=1e-12)
    assert not spherical_interpolation(np.zeros(3), np.zeros(3), 4).any()


@pytest.mark.parametrize(
    "start, end, steps, message",
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], 3, r"start of shape \(2,\) and end of shape \(3,\)"),
        (1.0, 2.0, 3, "shape"),
        ([1.0, 2.0], [3.0, 4.0], 1, "steps=1"),
        ([1.0], [3.0], 3, "no sphere"),
    ],
)
def test_ends_that_do_not_fit_are_named(start, end, steps, message):
    with pytest.raises(ValueError, match=message):
        spherical_interpolation(start, end, steps)


def test_images_of_a_linear_decoder_move_in_a_straight_line(linear_model):
    start, end = np.random.default_rng(2).normal(size=(2, 4, 3))
    result = interpolate(linear_model, start, end, 5, method="linear")
    assert result.images.shape == (4, 5, 4, 4, 1) and result.latents.shape == (4, 5, 3)
    ends = linear_model.decode(start).numpy(), linear_model.decode(end).numpy()
    np.testing.assert_allclose(result.images[:, 1], 0.75 * ends[0] + 0.25 * ends[1], atol=1e-4)


def test_a_single_pair_is_a_batch_of_one(linear_model):
    start, end = np.eye(3)[:2]
    result = interpolate(linear_model, start, end, 3)
    np.testing.assert_allclose(result.latents[0, 1], [0.5**0.5, 0.5**0.5, 0.0], atol=1e-6)


def test_images_are_interpolated_by_their_encodings(linear_autoencoder):
    start, end = np.random.default_rng(3).normal(size=(2, 2, 3)).astype("float32")
    images = [linear_autoencoder.decode(each).numpy() for each in (start, end)]
    result = interpolate(linear_autoencoder, *images, steps=4)
    np.testing.assert_allclose(result.latents, spherical_interpolation(start, end, 4), atol=1e-4)


def test_an_unknown_method_is_named_before_anything_is_computed(linear_model):
    with pytest.raises(ValueError, match="method='cubic': give one of spherical, linear"):
        interpolate(linear_model, np.zeros(3), np.zeros(3), method="cubic")
    assert not linear_model.calls
