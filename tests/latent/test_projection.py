import numpy as np
import pytest
import tensorflow as tf

from keras_gen.export import export_model, load_exported
from keras_gen.latent import draw_latents, project
from keras_gen.models import GAN


def least_squares(model, images):
    """The best latents of a linear decoder, and the mean squared errors that they leave."""
    goals = (images.reshape(len(images), -1) - model.offset).T
    latents, residuals, _, _ = np.linalg.lstsq(model.matrix.T, goals, rcond=None)
    return latents.T, residuals / len(goals)


def test_known_latents_of_a_linear_decoder_are_recovered(linear_model):
    latents = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    images = linear_model.decode(latents).numpy()
    result = project(linear_model, images, restarts=2)
    np.testing.assert_allclose(result.latents, latents, atol=1e-3)
    np.testing.assert_allclose(result.images, images, atol=1e-2)
    assert (result.errors < 1e-6).all()


def test_images_out_of_reach_get_the_least_squares_solution(linear_model):
    images = np.random.default_rng(1).normal(size=(4, 4, 4, 1)).astype("float32")
    latents, errors = least_squares(linear_model, images)
    assert errors.min() > 0.1
    result = project(linear_model, images, restarts=2)
    np.testing.assert_allclose(result.latents, latents, atol=1e-3)
    np.testing.assert_allclose(result.errors, errors, rtol=1e-4)


def test_a_normal_prior_pulls_as_in_ridge_regression(linear_model):
    images = np.random.default_rng(1).normal(size=(2, 4, 4, 1)).astype("float32")
    result = project(linear_model, images, restarts=2, prior_weight=0.5)
    # d/dz [mean over 16 pixels of (z matrix - goal)^2 + 0.5 * mean over 3 coordinates of z^2] = 0
    goals = images.reshape(2, -1) - linear_model.offset
    normal = linear_model.matrix @ linear_model.matrix.T / 16 + 0.5 * np.eye(3) / 3
    expected = np.linalg.solve(normal, linear_model.matrix @ goals.T / 16).T
    np.testing.assert_allclose(result.latents, expected, atol=1e-3)
    rest = expected @ linear_model.matrix - goals
    np.testing.assert_allclose(result.errors, (rest**2).mean(axis=1), rtol=1e-3)  # no penalty in it


def test_a_uniform_prior_pulls_from_outside_its_cube_only(linear_model):
    linear_model.latent_distribution = "uniform"
    inside, outside = np.array([[0.9, -0.9, 0.2], [3.0, 0.0, 0.0]], "float32")
    images = linear_model.decode(np.stack([inside, outside])).numpy()
    result = project(linear_model, images, restarts=2, prior_weight=100.0)
    np.testing.assert_allclose(result.latents[0], inside, atol=1e-3)
    assert abs(result.latents[1]).max() < 1.2


def test_features_decide_what_is_compared(linear_model):
    images = np.random.default_rng(1).normal(size=(2, 4, 4, 1)).astype("float32")
    result = project(linear_model, images, restarts=2, features=lambda images: images[:, :1])
    # One row of 4 pixels for 3 latents: least squares over these pixels alone.
    goals = images[:, 0].reshape(2, -1) - linear_model.offset[:4]
    expected, residuals, _, _ = np.linalg.lstsq(linear_model.matrix[:, :4].T, goals.T, rcond=None)
    np.testing.assert_allclose(result.errors, residuals / 4, rtol=1e-2, atol=1e-5)


class TwoValleys:
    """decode(z) = (z^2 - 1)^2 + z / 4 as one pixel: for images of -0.3, the right valley is z = -1.

    The other end, near z = +1, is a local minimum.
    """

    latent_dim, image_shape, value_range = 1, (1, 1, 1), (-9.0, 9.0)

    def decode(self, latents):
        latents = tf.cast(latents, "float32")
        return tf.reshape((latents**2 - 1.0) ** 2 + latents / 4.0, (-1, 1, 1, 1))

    def draw_latents(self, num_images, seed, truncation=None):
        return tf.random.stateless_normal((num_images, 1), seed)


def test_the_best_restart_counts():
    result = project(TwoValleys(), np.full((3, 1, 1, 1), -0.3), restarts=8, learning_rate=0.02)
    assert result.restart_errors.shape == (3, 8)
    assert (result.restart_errors > 0.1).any()  # some ended in the wrong valley
    assert (result.latents < 0.0).all()
    np.testing.assert_array_equal(result.errors, result.restart_errors.min(axis=1))
    found = TwoValleys().decode(result.latents).numpy()
    np.testing.assert_allclose(result.errors, ((found + 0.3) ** 2).ravel(), rtol=1e-4, atol=1e-9)


class NearAndFar:
    """decode(z) is 0 at z = -2, far in the tail of the prior, and 0.05 at z = 0.5."""

    latent_dim, image_shape, value_range = 1, (1, 1, 1), (-9.0, 9.0)

    def decode(self, latents):
        valleys = (latents - 0.5) ** 2 * (latents + 2.0) ** 2 / 4.0
        return tf.reshape(valleys + 0.02 * (latents + 2.0), (-1, 1, 1, 1))


def test_of_restarts_the_best_objective_counts_not_the_least_error():
    arguments = {"images": np.zeros((1, 1, 1, 1)), "restarts": 16, "learning_rate": 0.02}
    assert project(NearAndFar(), **arguments).latents[0] == pytest.approx(-2.0, abs=0.1)
    pulled = project(NearAndFar(), **arguments, prior_weight=0.01)
    assert pulled.latents[0] == pytest.approx(0.5, abs=0.2)
    assert pulled.errors[0] > pulled.restart_errors.min()


def test_the_encoding_is_the_first_start(linear_autoencoder):
    images = np.random.default_rng(1).normal(size=(2, 4, 4, 1)).astype("float32")
    result = project(linear_autoencoder, images, steps=1, learning_rate=1e-6, restarts=3)
    _, errors = least_squares(linear_autoencoder, images)
    np.testing.assert_allclose(result.restart_errors[:, 0], errors, rtol=1e-4)
    assert (result.restart_errors[:, 1:] > 2.0 * errors[:, None]).any()


def test_an_image_does_not_depend_on_those_beside_it(linear_model, monkeypatch):
    images = np.random.default_rng(1).normal(size=(5, 4, 4, 1)).astype("float32")
    together = project(linear_model, images, steps=20)
    steps = []
    monkeypatch.setattr("keras_gen.latent.projection.CHUNK", 8)
    chunks = project(linear_model, images, steps=20, progress=lambda *step: steps.append(step))
    np.testing.assert_allclose(chunks.latents, together.latents, atol=1e-5)
    assert steps == [(done, 60) for done in range(1, 61)]  # 3 chunks of 2, 2 and 1 images


def test_an_exported_model_is_inverted_too(tmp_path):
    model = GAN((4, 4, 1), latent_dim=2)
    exported = load_exported(export_model(model, tmp_path))
    exported.latent_distribution = "normal"
    images = model.sample(2, seed=1).numpy()
    ours, theirs = (project(each, images, steps=30, seed=2) for each in (model, exported))
    np.testing.assert_allclose(theirs.latents, ours.latents, atol=1e-3)
    assert theirs.errors.max() < 1e-5


def test_bytes_are_scaled_to_the_value_range(linear_model):
    result = project(linear_model, np.full((1, 4, 4, 1), 255, "uint8"), steps=1)
    assert (result.targets == 9.0).all()


@pytest.mark.parametrize(
    "arguments",
    [{"steps": 0}, {"restarts": 0}, {"learning_rate": 0.0}, {"prior_weight": -1.0}],
)
def test_numbers_out_of_range_are_named(arguments, linear_model):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        project(linear_model, np.zeros((1, 4, 4, 1)), **arguments)
    assert not linear_model.calls


def test_starts_are_a_function_of_the_seed(linear_model):
    images = linear_model.decode(draw_latents(linear_model, 2)).numpy()
    first, same, other = (project(linear_model, images, steps=1, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.latents, same.latents)
    assert (first.latents != other.latents).any()


def test_an_unknown_prior_has_no_penalty(linear_model):
    linear_model.latent_distribution = None
    with pytest.raises(ValueError, match="prior_weight=0.1: the prior of LinearModel"):
        project(linear_model, np.zeros((1, 4, 4, 1)), prior_weight=0.1)
    assert not linear_model.calls
