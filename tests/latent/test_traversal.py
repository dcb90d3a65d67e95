import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from keras_gen.latent import draw_latents, traverse


def test_one_coordinate_moves_and_all_others_stay(linear_model):
    latent = np.array([0.5, -1.0, 2.0], "float32")
    result = traverse(linear_model, (2, 0), [-1.0, 0.0, 3.0], latent)
    np.testing.assert_array_equal(
        result.latents,
        [
            [[0.5, -1.0, -1.0], [0.5, -1.0, 0.0], [0.5, -1.0, 3.0]],
            [[-1.0, -1.0, 2.0], [0.0, -1.0, 2.0], [3.0, -1.0, 2.0]],
        ],
    )


def test_a_linear_decoder_moves_along_its_row(linear_model):
    result = traverse(linear_model, 1, [0.0, 2.0])
    moved = (result.images[0, 1] - result.images[0, 0]).ravel()
    np.testing.assert_allclose(moved, 2.0 * linear_model.matrix[1], atol=1e-4)


def test_values_are_quantiles_of_the_prior_and_the_latent_is_drawn(linear_model):
    result = traverse(linear_model, 0, seed=5)
    np.testing.assert_allclose(
        scipy.stats.norm.cdf(result.values), np.linspace(0.02, 0.98, 31)[None], atol=1e-6
    )
    np.testing.assert_array_equal(
        result.latents[0, :, 1:], np.tile(draw_latents(linear_model, 1, 5)[:, 1:], (31, 1))
    )


def test_each_coordinate_runs_through_its_own_prior(make_linear_model):
    model = make_linear_model(latent_dim=2)
    model.latent_distribution = None
    scale = np.array([0.1, 10.0], "float32")
    model.draw_latents = lambda count, seed: scale * tf.random.stateless_normal((count, 2), seed)
    low, high = traverse(model, (1, 0)).values[:, [0, -1]].T
    np.testing.assert_allclose(high, 2.05 * scale[::-1], rtol=0.1)  # the normal quantile at 0.98
    np.testing.assert_allclose(low, -2.05 * scale[::-1], rtol=0.1)


@pytest.mark.parametrize("coordinates", [3, (0, -1), 1.0, [[0]]])
def test_coordinates_that_are_not_there_are_named(coordinates, linear_model):
    with pytest.raises(ValueError, match="give indices from 0 to 2"):
        traverse(linear_model, coordinates)
    assert not linear_model.calls


@pytest.mark.parametrize("values", [[], [[1.0]], [np.nan]])
def test_values_must_be_a_row_of_numbers(values, linear_model):
    with pytest.raises(ValueError, match="values of shape"):
        traverse(linear_model, 0, values)


def test_one_latent_at_a_time(linear_model):
    with pytest.raises(ValueError, match="latent: 2 of them"):
        traverse(linear_model, 0, latent=np.zeros((2, 3)))
