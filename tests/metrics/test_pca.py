import numpy as np
import pytest

from keras_gen.data import DataSet
from keras_gen.metrics.pca import autoencoder_metrics, pca_reconstructions

RANDOM = np.random.default_rng(0)


def images_of(count):
    return RANDOM.integers(60, 190, size=(count, 3, 4, 1)).astype("uint8")


def by_svd(train, images, rank):
    """The textbook's way: the leading right singular vectors of the centred matrix."""
    train, images = (each.reshape(len(each), -1) / 255.0 for each in (train, images))
    mean = train.mean(axis=0)
    basis = np.linalg.svd(train - mean, full_matrices=False)[2][:rank]
    return (mean + (images - mean) @ basis.T @ basis).reshape(-1, 3, 4, 1)


@pytest.mark.parametrize("rank", [1, 5, 12])
def test_reconstructions_are_those_of_the_singular_value_decomposition(rank):
    train, images = images_of(40), images_of(7)
    expected = np.clip(by_svd(train, images, rank), 0, 1)
    np.testing.assert_allclose(pca_reconstructions(train, images, rank), expected, atol=1e-5)


def test_all_components_give_the_images_back():
    train, images = images_of(40), images_of(7)
    np.testing.assert_allclose(pca_reconstructions(train, images, 12), images / 255.0, atol=1e-5)


@pytest.mark.parametrize("components", [0, 13])
def test_components_that_there_are_not_are_refused(components):
    with pytest.raises(ValueError, match=f"num_components={components}: give 1 to 12"):
        pca_reconstructions(images_of(40), images_of(7), components)


def test_a_model_is_measured_beside_pca_on_the_test_images():
    class Grey:
        value_range, latent_dim = (0.0, 1.0), 2

        def reconstruct(self, images):
            return np.full_like(images, 0.5)

    train, test = (
        DataSet("noise", split, images_of(count), value_range=(0.0, 1.0))
        for split, count in (("train", 40), ("test", 300))
    )
    measured = autoencoder_metrics(Grey(), train, test)
    pixels = test.examples / 255.0
    expected = np.clip(by_svd(train.examples, test.examples, 2), 0, 1)
    assert measured["reconstruction_mse"][0] == pytest.approx(np.mean((pixels - 0.5) ** 2))
    assert measured["bce_per_pixel"][0] == pytest.approx(np.log(2.0))
    assert measured["pca_mse"][0] == pytest.approx(np.mean((pixels - expected) ** 2), rel=1e-4)
    assert "300 noise test images, grey pixels, codes of 2 numbers" in measured["pca_mse"][1]
