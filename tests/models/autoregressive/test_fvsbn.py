import keras
import numpy as np

from keras_gen.models import FVSBN


def test_log_prob_is_that_of_logistic_regressions_on_the_pixels_before():
    model, rng = FVSBN((2, 3, 1)), np.random.default_rng(0)
    kernel, bias = (variable for variable in model.network.trainable_variables)
    kernel.assign(rng.normal(size=(6, 6)))
    bias.assign(rng.normal(size=6))
    images = rng.integers(2, size=(5, 2, 3, 1)).astype("float32")
    x, expected = images.reshape(5, 6), np.zeros(5)
    for i in range(6):
        logits = bias.numpy()[i] + x[:, :i] @ kernel.numpy()[:i, i]
        expected -= np.logaddexp(0, np.where(x[:, i] == 1, -logits, logits))
    np.testing.assert_allclose(model.log_prob(images), expected, rtol=1e-5)


def test_an_untrained_one_gives_every_image_the_same_probability():
    images = np.random.default_rng(0).integers(2, size=(4, 3, 3, 1)).astype("float32")
    model = FVSBN((3, 3, 1))
    np.testing.assert_allclose(model.log_prob(images), -9 * np.log(2), rtol=1e-6)


def test_it_learns_that_a_row_repeats_the_one_above():
    rng = np.random.default_rng(0)
    rows = rng.integers(2, size=(512, 1, 4, 1)).astype("float32")
    images = np.repeat(rows, 3, axis=1)
    model = FVSBN((3, 4, 1))
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(images, batch_size=64, epochs=60, verbose=0)
    # Four fair coins, and the other pixels are known.
    assert -np.mean(model.log_prob(images)) < 4 * np.log(2) + 0.1
