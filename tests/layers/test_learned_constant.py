import keras
import numpy as np
import tensorflow as tf

from keras_gen.layers import LearnedConstant


def network():
    inputs = keras.Input((3,))
    return keras.Model(inputs, LearnedConstant(-2.0)(inputs))


def test_it_gives_its_number_for_each_input_whatever_the_input():
    model = network()
    for count in (1, 4):
        outputs = model(np.random.default_rng(0).normal(size=(count, 3)))
        assert outputs.shape == (count, 1, 1, 1) and outputs.dtype == tf.float32
        np.testing.assert_array_equal(outputs, -2.0)
    assert model.output_shape == (None, 1, 1, 1)


def test_the_number_is_learned_and_kept_in_a_file(tmp_path):
    model = network()
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    inputs, targets = np.zeros((4, 3)), np.zeros((4, 1, 1, 1))
    model.fit(inputs, targets, epochs=1, batch_size=4, verbose=0)
    np.testing.assert_allclose(model(inputs), -2.0 + 0.1 * 2 * 2.0)  # d(c^2)/dc = 2c
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.layers[-1].get_config()["initial_value"] == -2.0


def test_it_stays_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert network()(np.zeros((2, 3))).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy("float32")
