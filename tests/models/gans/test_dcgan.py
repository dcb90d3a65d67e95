import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.models import DCGAN
from keras_gen.models.gans.dcgan import build_discriminator, build_generator, doublings


def test_the_generator_at_64_pixels_is_figure_1_of_the_paper():
    generator = build_generator((64, 64, 3), 100, filters=128, kernel_size=5)
    shapes = [
        layer.output.shape[1:]
        for layer in generator.layers
        if isinstance(layer, keras.layers.Reshape | keras.layers.Conv2DTranspose)
    ]
    assert shapes == [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 12).map(lambda n: 4 * n),
    width=st.integers(1, 12).map(lambda n: 4 * n),
    channels=st.integers(1, 4),
)
def test_any_multiple_of_four_and_any_channels_go_in_and_out(height, width, channels):
    shape = (height, width, channels)
    assert build_generator(shape, 2, 2, 3).output.shape == (None, *shape)
    discriminator = build_discriminator(shape, 2, 3)
    assert discriminator.input.shape == (None, *shape)
    assert discriminator.output.shape == (None, 1)


@pytest.mark.parametrize("shape", [(30, 28, 1), (28, 27, 1), (0, 28, 1), (2, 2, 1)])
def test_other_sizes_are_refused_with_the_remedy(shape):
    with pytest.raises(ValueError, match="multiples of 4"):
        doublings(shape)


def test_batch_normalization_is_neither_on_the_output_nor_on_the_input():
    model = DCGAN((16, 16, 1), filters=4)

    def kinds(network):
        return [type(layer).__name__ for layer in network.layers]

    generator, discriminator = kinds(model.generator), kinds(model.discriminator)
    last_convolution = max(i for i, kind in enumerate(generator) if kind == "Conv2DTranspose")
    assert "BatchNormalization" not in generator[last_convolution:]
    first_convolution, second = [i for i, kind in enumerate(discriminator) if kind == "Conv2D"][:2]
    assert "BatchNormalization" not in discriminator[first_convolution:second]
    assert "BatchNormalization" in generator and "BatchNormalization" in discriminator
    assert "MaxPooling2D" not in generator + discriminator


def test_hidden_layers_of_the_discriminator_are_convolutions():
    network = DCGAN((16, 16, 1), filters=4).discriminator
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [1] and dense[0] is network.layers[-1]


def test_kernels_start_from_a_normal_of_deviation_002():
    model = DCGAN((64, 64, 3), filters=16)
    for network in (model.generator, model.discriminator):
        for weight in network.trainable_variables:
            if weight.name == "kernel" and weight.shape.num_elements() > 5000:
                values = np.asarray(weight)
                assert values.std() == pytest.approx(0.02, rel=0.05)
                assert values.mean() == pytest.approx(0.0, abs=0.001)


def test_default_optimizers_are_the_papers():
    model = DCGAN((8, 8, 1), filters=4)
    model.compile()
    for optimizer in model.optimizers.values():
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5


def test_activations_are_those_of_the_paper():
    model = DCGAN((16, 16, 1), filters=4)
    leaks = [
        layer.negative_slope
        for layer in model.discriminator.layers
        if isinstance(layer, keras.layers.LeakyReLU)
    ]
    assert leaks and set(leaks) == {0.2}
    assert model.generator.layers[-1].activation is keras.activations.tanh
    assert any(isinstance(layer, keras.layers.ReLU) for layer in model.generator.layers)
