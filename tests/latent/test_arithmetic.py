import numpy as np
import pytest

from keras_gen.latent import latent_arithmetic


@pytest.fixture
def terms():
    random = np.random.default_rng(0)
    return [random.normal(size=(count, 3)).astype("float32") for count in (3, 2, 5)]


def test_the_centre_is_the_difference_of_the_means_and_the_base(linear_model, terms):
    result = latent_arithmetic(linear_model, *terms)
    # Worked out by hand on each coordinate, with plain sums.
    expected = [
        sum(terms[0][:, k]) / 3 - sum(terms[1][:, k]) / 2 + sum(terms[2][:, k]) / 5
        for k in range(3)
    ]
    np.testing.assert_allclose(result.latents[4], expected, atol=1e-6)
    # Through a linear decoder, the same arithmetic holds of the mean images.
    first, second, third = result.means
    np.testing.assert_allclose(result.images[4], first - second + third, atol=1e-4)
    assert [len(examples) for examples in result.examples] == [3, 2, 5]
    np.testing.assert_allclose(result.examples[1], linear_model.decode(terms[1]), atol=1e-5)


def test_the_neighbours_lie_uniformly_within_the_noise(make_linear_model):
    model = make_linear_model(latent_dim=4000)
    latents = latent_arithmetic(model, *np.zeros((3, 1, 4000)), seed=1).latents
    around = np.delete(latents, 4, axis=0)
    assert (latents[4] == 0.0).all()
    assert 0.249 < np.abs(around).max() <= 0.25
    np.testing.assert_allclose(around.std(), 0.5 / 12**0.5, rtol=0.02)
    np.testing.assert_allclose(around.mean(), 0.0, atol=0.005)


def test_noise_is_a_function_of_the_seed(linear_model, terms):
    same, again, other = (latent_arithmetic(linear_model, *terms, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(same.latents, again.latents)
    assert (same.latents[0] != other.latents[0]).all()
    quiet = latent_arithmetic(linear_model, *terms, noise=0.0)
    assert (quiet.latents == quiet.latents[4]).all()


def test_images_stand_for_their_encodings(linear_autoencoder, terms):
    images = [linear_autoencoder.decode(each).numpy() for each in terms]
    of_images = latent_arithmetic(linear_autoencoder, *images).latents
    of_latents = latent_arithmetic(linear_autoencoder, *terms).latents
    np.testing.assert_allclose(of_images, of_latents, atol=1e-4)


def test_a_term_of_another_size_is_named(linear_model, terms):
    with pytest.raises(ValueError, match="minus of shape"):
        latent_arithmetic(linear_model, terms[0], np.zeros((2, 4)), terms[2])
    with pytest.raises(ValueError, match="noise=-1"):
        latent_arithmetic(linear_model, *terms, noise=-1)
    assert not linear_model.calls
