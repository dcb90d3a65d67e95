import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.losses import total_variation


def test_a_step_costs_its_height_times_its_length():
    """2x3 pixels, a step of 2 between the second and third column: 2 rows * 2 / 6 pixels."""
    image = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 2.0]])[None, :, :, None]
    assert float(total_variation(image)) == pytest.approx(4 / 6)


def test_a_checkerboard_costs_all_its_neighbours():
    """2x2 pixels of -1 and 1: four neighbours that differ by 2."""
    image = np.array([[1.0, -1.0], [-1.0, 1.0]])[None, :, :, None]
    assert float(total_variation(image)) == pytest.approx(4 * 2 / 4)


def test_it_is_tensorflows_own_per_number():
    images = np.random.default_rng(0).normal(size=(5, 4, 6, 3)).astype("float32")
    expected = np.mean(tf.image.total_variation(tf.constant(images))) / (4 * 6 * 3)
    assert float(total_variation(images)) == pytest.approx(expected, rel=1e-5)


def test_images_of_one_colour_and_of_one_pixel_cost_nothing():
    colours = np.random.default_rng(0).normal(size=(2, 1, 1, 3))
    assert float(total_variation(np.tile(colours, (1, 5, 4, 1)))) == 0.0
    assert float(total_variation(colours)) == 0.0


def test_half_precision_is_summed_in_float32():
    """300 x 300 pixels of a checkerboard: a sum that float16, up to 65,504, cannot hold."""
    rows, columns = np.indices((300, 300))
    images = keras.ops.cast(((rows + columns) % 2)[None, :, :, None], "float16")
    assert float(total_variation(images)) == pytest.approx(2 * 300 * 299 / 300**2, rel=1e-6)


def test_what_is_no_batch_of_images_is_refused():
    with pytest.raises(ValueError, match=r"images of shape \(4, 4, 1\): give \(B, H, W, C\)"):
        total_variation(np.zeros((4, 4, 1)))
