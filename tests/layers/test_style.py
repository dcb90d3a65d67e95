import keras
import numpy as np

from keras_gen.layers import AdaIN, LearnedConstant, NoiseInput


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_adain_sets_each_channels_mean_and_deviation():
    x, w = 5.0 + 3.0 * noise(4, 6, 5, 3), noise(4, 7, seed=1)
    layer = AdaIN()
    found = np.asarray(layer([x, w]))
    style = w @ np.asarray(layer.affine.kernel) / np.sqrt(7) + np.asarray(layer.affine.bias)
    scale, shift = style[:, :3] + 1.0, style[:, 3:]
    np.testing.assert_allclose(found.mean(axis=(1, 2)), shift, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=(1, 2)), np.abs(scale), rtol=1e-3, atol=1e-4)


def test_adain_under_a_style_of_zeros_is_instance_normalization():
    x = 5.0 + 3.0 * noise(2, 6, 5, 3)
    expected = (x - x.mean(axis=(1, 2), keepdims=True)) / x.std(axis=(1, 2), keepdims=True)
    found = AdaIN()([x, np.zeros((2, 4), "float32")])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_noise_starts_without_strength_and_is_one_image_for_all_channels():
    x, drawn = noise(3, 4, 4, 2), noise(3, 4, 4, 1, seed=1)
    layer = NoiseInput()
    np.testing.assert_array_equal(layer([x, drawn]), x)
    layer.strength.assign([0.5, -2.0])
    layer.bias.assign([1.0, 3.0])
    expected = x + drawn * np.array([0.5, -2.0]) + np.array([1.0, 3.0])
    np.testing.assert_allclose(layer([x, drawn]), expected, rtol=1e-5, atol=1e-6)
    shared = layer([x, drawn[:1]])  # of a batch of one, noise serves all
    np.testing.assert_allclose(shared[0], expected[0], rtol=1e-5, atol=1e-6)


def test_a_file_keeps_what_a_styled_layer_has_learned(tmp_path):
    inputs = [keras.Input((4, 4, 2)), keras.Input((4, 4, 1)), keras.Input((3,))]
    model = keras.Model(inputs, AdaIN()([NoiseInput()(inputs[:2]), inputs[2]]))
    for variable in model.variables:
        variable.assign(noise(*variable.shape, seed=2))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    arguments = [noise(2, 4, 4, 2), noise(2, 4, 4, 1), noise(2, 3)]
    np.testing.assert_array_equal(loaded(arguments), model(arguments))


def test_a_learned_constant_may_be_an_image():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, LearnedConstant(1.0, shape=(4, 4, 2))(inputs))
    assert model.output_shape == (None, 4, 4, 2)
    np.testing.assert_array_equal(model(np.zeros((3, 5))), np.ones((3, 4, 4, 2)))
    (constant,) = model.trainable_variables
    constant.assign(noise(4, 4, 2))
    np.testing.assert_array_equal(model(np.zeros((3, 5)))[2], noise(4, 4, 2))


def test_a_learned_constant_may_start_from_a_normal_distribution():
    layer = LearnedConstant(2.0, shape=(20, 20, 20), deviation=0.5)
    values = np.asarray(layer.constant)
    assert abs(values.mean() - 2.0) < 0.03 and abs(values.std() - 0.5) < 0.02
    assert LearnedConstant.from_config(layer.get_config()).deviation == 0.5
