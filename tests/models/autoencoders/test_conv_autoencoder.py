import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.models import ConvAutoencoder
from keras_gen.models.autoencoders.conv_autoencoder import coarse_sides


def shapes_of(network, kind):
    return [layer.output.shape[1:] for layer in network.layers if isinstance(layer, kind)]


def test_the_default_networks_are_those_of_the_post():
    model = ConvAutoencoder()
    assert model.latent_dim == 128
    convolutions = shapes_of(model.encoder, keras.layers.Conv2D)
    pooled = shapes_of(model.encoder, keras.layers.MaxPooling2D)
    assert convolutions == [(28, 28, 16), (14, 14, 8), (7, 7, 8)]
    assert pooled == [(14, 14, 16), (7, 7, 8), (4, 4, 8)]
    assert shapes_of(model.decoder, keras.layers.Conv2D) == [
        (4, 4, 8),
        (8, 8, 8),
        (14, 14, 16),
        (28, 28, 1),
    ]
    # Counted by hand: (9 * channels in + 1) * channels out, of each convolution.
    assert model.networks.count_params() == sum((160, 1160, 584, 584, 584, 1168, 145))


def test_a_dense_code_has_the_size_that_is_asked_for():
    model = ConvAutoencoder(filters=(4, 6), latent_dim=5)
    dense = [
        (layer.input.shape[1], layer.units)
        for network in (model.encoder, model.decoder)
        for layer in network.layers
        if isinstance(layer, keras.layers.Dense)
    ]
    assert dense == [(7 * 7 * 6, 5), (5, 7 * 7 * 6)]
    images = np.zeros((3, 28, 28, 1), "float32")
    assert model.encode(images).shape == (3, 5) and model.latent_dim == 5
    assert model.reconstruct(images).shape == images.shape


@settings(max_examples=12, deadline=None)
@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    depth=st.integers(1, 3),
    shortened=st.booleans(),
    channels=st.sampled_from([1, 3]),
)
def test_any_sides_that_can_be_reached_again_come_out_as_they_went_in(
    height, width, depth, shortened, channels
):
    step = 2**depth
    less = 4 if shortened and step > 4 else 0
    shape = (step * (height + 1) - less, step * (width + 1) - less, channels)
    model = ConvAutoencoder(shape, filters=(3,) * depth)
    images = np.zeros((2, *shape), "float32")
    assert model.encode(images).shape == (2, model.latent_dim)
    assert model.reconstruct(images).shape == images.shape


def test_halving_and_doubling_worked_out_by_hand():
    assert coarse_sides((28, 28, 1), 3) == ((4, 4), 4)  # 28 14 7 4, and 4 8 16 (14) 28
    assert coarse_sides((28, 28, 1), 2) == ((7, 7), 0)
    assert coarse_sides((64, 32, 3), 3) == ((8, 4), 0)


@pytest.mark.parametrize("shape", [(30, 30, 1), (28, 32, 1), (27, 27, 1)])
def test_other_sides_are_refused_with_the_remedy(shape):
    with pytest.raises(ValueError, match="multiples of 8"):
        ConvAutoencoder(shape)


@pytest.mark.parametrize("filters", [(), (4, 0)])
def test_filters_that_are_none_are_refused(filters):
    with pytest.raises(ValueError, match="filters="):
        ConvAutoencoder(filters=filters)


def test_a_code_without_size_is_refused():
    with pytest.raises(ValueError, match="latent_dim=0"):
        ConvAutoencoder(latent_dim=0)


def test_latents_are_the_code_image_row_by_row():
    """A stroke in a corner changes the code beside it and leaves the code far away alone."""
    model = ConvAutoencoder((32, 32, 1), filters=(4, 4, 4))
    blank, marked = np.zeros((2, 1, 32, 32, 1), "float32")
    marked[0, :4, :4] = 1.0
    change = np.asarray(model.encode(marked) - model.encode(blank)).reshape(4, 4, 4)
    assert np.abs(change[0, 0]).max() > 0
    assert np.abs(change[2:]).max() == 0 and np.abs(change[:, 2:]).max() == 0
