import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from PIL import Image

from keras_gen.data import binarize, load
from keras_gen.metrics import likelihood_metrics, save_reconstructions
from keras_gen.metrics.likelihood_report import first_images


class OneLatent:
    """p(z) = N(0, 1), p(x | z) = N(z, 1) of the mean pixel, q(z | x) = N(x / 2, 1)."""

    value_range = (0.0, 1.0)

    def encode(self, images):
        return tf.stack([tf.reduce_mean(images, axis=(1, 2, 3)) / 2, tf.zeros(len(images))], 1)

    def reconstruct(self, images):
        return tf.fill(images.shape, 0.25)

    def log_weights(self, images, num_samples, seed):
        x = images.mean(axis=(1, 2, 3))
        z = x / 2 + tf.random.stateless_normal((num_samples, len(x)), seed).numpy()
        normal = scipy.stats.norm
        return normal.logpdf(z) + normal.logpdf(x, z) - normal.logpdf(z, x / 2)


@pytest.fixture
def digits():
    data = load("digits", split="test", image_size=8, value_range=(0.0, 1.0))
    return binarize(data, "static", 3)


def test_the_report_holds_the_exact_likelihood_and_bound_of_a_gaussian_model(digits):
    metrics = likelihood_metrics(OneLatent(), digits, importance_samples=2000, seed=1)
    images = (digits.examples / 255.0).astype("float32")
    x = images.mean(axis=(1, 2, 3), dtype="float64")
    likelihood = scipy.stats.norm.logpdf(x, 0.0, np.sqrt(2.0))
    # The posterior is N(x / 2, 1 / 2): KL(N(m, 1) || N(m, 1 / 2)) = (2 - 1 - log 2) / 2 is lost.
    bound = likelihood - (1.0 - np.log(2.0)) / 2
    assert metrics["nll_nats"][0] == pytest.approx(-likelihood.mean(), abs=0.01)
    assert metrics["elbo_nats"][0] == pytest.approx(bound.mean(), abs=0.12)
    assert metrics["active_units"][0] == (np.var(x / 2) > 0.01)
    assert metrics["reconstruction_mse"][0] == pytest.approx(np.mean((images - 0.25) ** 2))


def test_every_number_says_on_what_and_how_it_was_measured(digits):
    metrics = likelihood_metrics(OneLatent(), digits, 7, seed=1, num_images=300)
    for _, protocol in metrics.values():
        assert protocol.startswith("300 digits test images, static Bernoulli binarization, seed 3")
    assert "7 importance samples an image, seed 1" in metrics["nll_nats"][1]


@pytest.mark.parametrize("count", [1, 249, 250, 251, 360])
def test_the_first_images_are_those_of_the_evaluation(digits, count):
    images = first_images(digits, count)
    np.testing.assert_array_equal(images, (digits.examples[:count] / 255.0).astype("float32"))


def test_images_of_a_dynamic_set_are_binarized_as_its_evaluation_is():
    grey = load("digits", split="test", image_size=8, value_range=(0.0, 1.0))
    dynamic, static = (first_images(binarize(grey, mode, 5), 20) for mode in ("dynamic", "static"))
    np.testing.assert_array_equal(dynamic, static)


def test_images_stand_over_their_reconstructions(digits, tmp_path):
    save_reconstructions(OneLatent(), digits, tmp_path / "pair.png", num_images=5)
    pixels = np.asarray(Image.open(tmp_path / "pair.png").convert("L"))
    assert (pixels == 64).mean() > 0.1  # the reconstructions' grey, 0.25
