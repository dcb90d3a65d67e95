import keras
import numpy as np
import pytest

from keras_gen.layers import LatentDropout


def masks(rate=0.4, rows=3000, channels=7, latent_dim=10, seed=0):
    latents = np.random.default_rng(seed).normal(size=(rows, latent_dim)).astype("float32")
    layer = LatentDropout(rate)
    return latents, layer, np.asarray(layer([np.ones((rows, channels), "float32"), latents]))


def test_each_channel_is_dropped_at_the_rate_and_the_rest_is_scaled_up():
    _, _, values = masks()
    np.testing.assert_allclose(np.unique(values), [0.0, 1 / 0.6], rtol=1e-6)
    # Four deviations of a share of 3000 draws.
    assert np.abs((values == 0).mean(axis=0) - 0.4).max() < 4 * np.sqrt(0.24 / 3000)


def test_channels_and_neighbouring_latents_are_dropped_independently():
    latents, layer, values = masks()
    correlations = np.corrcoef((values == 0).T)
    assert np.abs(correlations - np.eye(7)).max() < 0.08
    near = latents + np.random.default_rng(1).normal(0.0, 0.05, latents.shape).astype("float32")
    moved = np.asarray(layer([np.ones((3000, 7), "float32"), near]))
    assert abs(np.corrcoef((values == 0).ravel(), (moved == 0).ravel())[0, 1]) < 0.05


def test_the_same_latent_has_the_same_mask_at_every_place():
    latents, layer, values = masks(rows=4)
    images = np.asarray(layer([np.ones((4, 3, 2, 7), "float32"), latents]))
    np.testing.assert_array_equal(images, np.broadcast_to(values[:, None, None], images.shape))


def test_a_file_keeps_the_masks(tmp_path):
    x, latents = keras.Input((7,)), keras.Input((10,))
    model = keras.Model([x, latents], LatentDropout(0.5)([x, latents]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = [np.ones((5, 7)), np.random.default_rng(0).normal(size=(5, 10))]
    np.testing.assert_array_equal(model(inputs), loaded(inputs))


def test_a_rate_of_one_is_refused():
    with pytest.raises(ValueError, match="rate=1.0"):
        LatentDropout(1.0)
