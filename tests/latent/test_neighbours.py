import numpy as np
import pytest

from keras_gen.latent import latent_features, nearest_neighbours


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(12, 4, 4, 1)).astype("float32")


def by_definition(queries, features, count):
    """Sorts all pairs by their distance."""
    distances = [[np.sqrt(((q - f) ** 2).sum()) for f in features] for q in queries]
    order = [sorted(range(len(row)), key=row.__getitem__)[:count] for row in distances]
    return order, [[row[i] for i in first] for row, first in zip(distances, order, strict=True)]


def test_pixels_are_compared_as_by_definition(images):
    queries = images[:3] + 0.3
    result = nearest_neighbours(queries, images, 4)
    indices, distances = by_definition(queries, images, 4)
    np.testing.assert_array_equal(result.indices, indices)
    np.testing.assert_allclose(result.distances, distances, rtol=1e-6)
    np.testing.assert_array_equal(result.images, images[indices])


def test_latents_are_compared_as_by_definition(images, linear_autoencoder):
    result = nearest_neighbours(images[:3], images, 5, latent_features(linear_autoencoder))
    latents = linear_autoencoder.encode(images)
    indices, distances = by_definition(latents[:3], latents, 5)
    np.testing.assert_array_equal(result.indices, indices)
    np.testing.assert_allclose(result.distances, distances, rtol=1e-4, atol=1e-5)
    assert (result.indices != nearest_neighbours(images[:3], images, 5).indices).any()


def test_features_of_any_shape_are_compared(images):
    result = nearest_neighbours(images[:2], images, 3, lambda images: images[:, :1])
    indices, _ = by_definition(images[:2, :1], images[:, :1], 3)
    np.testing.assert_array_equal(result.indices, indices)


def test_bytes_do_not_wrap_around():
    images = np.array([0, 250], "uint8").reshape(2, 1, 1, 1)
    result = nearest_neighbours(images[1:], images, 2)
    np.testing.assert_array_equal(result.distances, [[0.0, 250.0]])


def test_what_does_not_fit_is_named(images, linear_model):
    with pytest.raises(ValueError, match="count=13: the set has 12"):
        nearest_neighbours(images, images, 13)
    with pytest.raises(ValueError, match="one shape, type and value range"):
        nearest_neighbours(images.astype("uint8"), images)
    with pytest.raises(ValueError, match="queries of shape"):
        nearest_neighbours(images[0], images)
    with pytest.raises(ValueError, match="needs encode"):
        latent_features(linear_model)
