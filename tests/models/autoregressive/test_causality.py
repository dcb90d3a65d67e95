"""What a pixel's parameters depend on, by the Jacobian at random weights."""

import itertools

import numpy as np
import pytest
from tiny_autoregressive import MODELS, jacobian, make


def earlier(model):
    """Which values come before each row of `jacobian`, bool of its shape."""
    height, width, channels = model.image_shape
    per_group = channels // model.pixel.colors
    order = np.arange(height * width * channels) // per_group
    return order[None, :] < np.arange(height * width * model.pixel.colors)[:, None]


@pytest.mark.parametrize("name", MODELS)
def test_no_pixel_depends_on_itself_or_a_later_one(name):
    model = make(name)
    assert jacobian(model)[~earlier(model)].max() == 0.0


SEES_ALL = [
    "FVSBN",
    "PixelCNN-colours",  # of images so small that no pixel is in its blind spot
    "GatedPixelCNN",
    "GatedPixelCNN-colours",
    "ConditionalPixelCNN",
    "ConditionalPixelCNN-colours",
    "PixelRNN-diagonal",
]


@pytest.mark.parametrize("name", SEES_ALL)
def test_every_earlier_pixel_is_seen(name):
    model = make(name)
    assert (jacobian(model)[earlier(model)] > 0.0).all()


@pytest.mark.parametrize("shape", [(2, 12, 1), (9, 3, 1), (3, 9, 1)])
def test_the_diagonal_lstm_sees_every_earlier_pixel_of_wide_and_of_high_images(shape):
    model = make("PixelRNN-diagonal", shape)
    assert (jacobian(model)[earlier(model)] > 0.0).all()


def seen_from(model, row, column):
    height, width, _ = model.image_shape
    return jacobian(model)[row * width + column].reshape(height, width) > 0.0


def test_pixel_cnn_has_a_blind_spot_and_gated_pixel_cnn_has_none():
    """Section 2.2 of arXiv:1606.05328: pixels to the right of those that single kernels reach.

    A first kernel of 7 sees three columns to the right in the rows above; each further kernel of 3
    adds one row and one column. So from a pixel in column c the row just above is seen to column
    c + 3 only, whatever the number of layers.
    """
    shape = (6, 12, 1)
    seen = seen_from(make("PixelCNN", shape, num_blocks=4), 5, 2)
    assert seen[4, :6].all() and not seen[4, 6:].any()
    assert seen[2, : 2 + 3 + 2 + 1].all()
    assert not seen[5, 2:].any()
    seen = seen_from(make("GatedPixelCNN", shape, num_layers=8), 5, 2)
    assert seen[:5].all() and seen[5, :2].all()


def test_row_lstm_sees_a_triangle():
    """Section 3.1 of arXiv:1601.06759: with each row up one column more on either side."""
    model = make("PixelRNN-row", (6, 17, 1), num_layers=1)
    seen = seen_from(model, 5, 8)
    for above in range(1, 4):
        columns = np.flatnonzero(seen[5 - above])
        # Right of it the first kernel reaches 3, and a state's upper neighbour knows one more with
        # each row, in whose feature the pixel itself is missing. On the left both masks reach one
        # further, and the input-to-state kernel sees one pixel to the left.
        assert columns.max() == 8 + 2 + above
        assert columns.min() == max(0, 4 - above)


@pytest.mark.parametrize(
    "name", ["FVSBN", "PixelCNN", "GatedPixelCNN", "PixelRNN-row", "PixelRNN-diagonal"]
)
def test_the_probabilities_of_all_images_add_up_to_one(name):
    model = make(name, (3, 3, 1))
    images = np.array(list(itertools.product([0, 1], repeat=9)), "float32").reshape(-1, 3, 3, 1)
    total = np.exp(model.log_prob(images).numpy().astype("float64")).sum()
    assert total == pytest.approx(1.0, abs=1e-5)


def test_the_probabilities_of_each_class_add_up_to_one():
    model = make("ConditionalPixelCNN", (2, 3, 1))
    images = np.array(list(itertools.product([0, 1], repeat=6)), "float32").reshape(-1, 2, 3, 1)
    probabilities = [
        np.exp(model.log_prob(images, np.full(len(images), label)).numpy().astype("float64"))
        for label in range(3)
    ]
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1.0, atol=1e-5)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3
