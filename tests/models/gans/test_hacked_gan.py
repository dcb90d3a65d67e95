import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import sample_latents
from keras_gen.models import DCGAN, HackedGAN

SHAPE = (8, 8, 1)
IMAGES = tf.zeros((2000, *SHAPE))
SEEDS = (tf.constant([1, 2]), tf.constant([3, 4]))


def hacked(*hacks, **arguments):
    model = HackedGAN(SHAPE, 3, 4, hacks=hacks, **arguments)
    model.compile()
    return model


def test_without_tricks_it_trains_as_dcgan(monkeypatch):
    models = [DCGAN(SHAPE, 3, 4, latent_distribution="normal"), hacked()]
    models[0].compile()
    data = np.random.default_rng(0).uniform(-1, 1, (12, *SHAPE)).astype("float32")
    latents = np.random.default_rng(1).normal(size=(3, 4, 3)).astype("float32")
    for variable, other in zip(models[1].variables, models[0].variables, strict=True):
        variable.assign(other)
    for model in models:
        queue = list(latents)
        model.draw_latents = lambda *_, queue=queue: tf.constant(queue.pop(0))
        for start in (0, 4, 8):
            model.train_step(tf.constant(data[start : start + 4]))
    for variable, other in zip(models[1].variables, models[0].variables, strict=True):
        np.testing.assert_allclose(variable, other, rtol=1e-5, atol=1e-6, err_msg=other.path)


def test_smoothing_moves_the_targets_of_real_images_alone():
    real, fake = hacked("label_smoothing").targets_for(IMAGES, *SEEDS)
    np.testing.assert_allclose(real, np.full((2000, 1), 0.9), rtol=1e-6)
    np.testing.assert_array_equal(fake, np.zeros((2000, 1)))


def test_noisy_targets_are_drawn_for_each_image():
    real, fake = (np.asarray(each) for each in hacked("noisy_labels").targets_for(IMAGES, *SEEDS))
    assert real.shape == fake.shape == (2000, 1) and len(np.unique(real)) > 1900
    assert 0.7 <= real.min() < 0.71 and 0.99 < real.max() <= 1.0
    assert 0.0 <= fake.min() < 0.01 and 0.29 < fake.max() <= 0.3
    assert abs(np.corrcoef(real.ravel(), fake.ravel())[0, 1]) < 0.1


def test_one_target_in_twenty_is_flipped():
    real, fake = (np.asarray(each) for each in hacked("label_flips").targets_for(IMAGES, *SEEDS))
    assert set(np.unique(real)) == set(np.unique(fake)) == {0.0, 1.0}
    # Four deviations of a binomial of 2000 draws at 5 %.
    assert abs((real == 0).mean() - 0.05) < 0.02 and abs((fake == 1).mean() - 0.05) < 0.02


def test_instance_noise_has_the_deviation_that_is_stated_and_is_off_otherwise():
    noisy = np.asarray(hacked("instance_noise").noisy(IMAGES, SEEDS[0]))
    assert noisy.std() == pytest.approx(0.1, rel=0.02) and abs(noisy.mean()) < 0.002
    np.testing.assert_array_equal(hacked().noisy(IMAGES, SEEDS[0]), IMAGES)


def test_dropout_of_the_generator_is_on_in_sampling_and_still_a_function_of_the_latent():
    model = hacked("generator_dropout")
    np.testing.assert_array_equal(model.sample(4, seed=1), model.sample(4, seed=1))
    names = {type(layer).__name__ for layer in model.generator.layers}
    assert "LatentDropout" in names
    assert "LatentDropout" not in {type(layer).__name__ for layer in hacked().generator.layers}


def test_the_history_is_the_mean_of_the_parameters_over_training():
    model = hacked("historical_averaging")
    kernels = [np.asarray(model.generator.trainable_variables[0])]
    data = np.random.default_rng(0).uniform(-1, 1, (4, *SHAPE)).astype("float32")
    assert float(model.distance_from_history("generator")) == 0.0
    for _ in range(4):
        model.train_step(tf.constant(data))
        kernels.append(np.asarray(model.generator.trainable_variables[0]))
    mean = np.asarray(model.histories["generator"].weights[0])
    np.testing.assert_allclose(mean, np.mean(kernels, axis=0), atol=1e-6)
    expected = sum(
        np.sum((np.asarray(new) - np.asarray(old)) ** 2)
        for new, old in zip(
            model.generator.weights, model.histories["generator"].weights, strict=True
        )
        if new.trainable
    )
    found = float(model.distance_from_history("generator"))
    assert found > 0 and found == pytest.approx(expected, rel=1e-5)


def test_an_unknown_trick_is_refused_by_name():
    with pytest.raises(ValueError, match="'more_layers' is none of label_smoothing"):
        hacked("more_layers")


def test_spherical_latents_have_one_length_and_uniform_directions():
    latents = np.asarray(sample_latents("spherical", (4000, 5), [1, 2]))
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), np.sqrt(5), rtol=1e-5)
    # Of a uniform direction in five dimensions every coordinate has mean 0 and variance 1.
    assert np.abs(latents.mean(axis=0)).max() < 0.08
    np.testing.assert_allclose(np.cov(latents.T), np.eye(5), atol=0.08)
