import numpy as np
import pytest
from PIL import Image

from keras_gen.data import binarize, load
from keras_gen.metrics import exact_likelihood_metrics, save_drawing, save_inpaintings


class Coin:
    """Every pixel is white with probability 0.25; told a class, with (1 + class) / 16."""

    value_range = (0.0, 1.0)

    def __init__(self, conditional=False):
        self.conditional = conditional

    def log_prob(self, images, labels=None):
        white = 0.25 if labels is None else ((1.0 + np.asarray(labels)) / 16)[:, None, None, None]
        images = np.asarray(images)
        return (images * np.log(white) + (1 - images) * np.log1p(-white)).sum(axis=(1, 2, 3))

    def inpaint(self, images, known, seed, labels=None):
        assert (labels is not None) == self.conditional
        return np.where(known[..., None], images, float(seed))


@pytest.fixture
def digits():
    data = load("digits", split="test", image_size=8, value_range=(0.0, 1.0))
    return binarize(data, "static", 3)


def test_the_report_is_the_mean_over_all_images_in_both_units(digits):
    metrics = exact_likelihood_metrics(Coin(), digits)
    images = np.concatenate(list(digits.evaluation_batches(100).as_numpy_iterator()))
    nll = -Coin().log_prob(images).mean()
    assert metrics["nll_nats"][0] == pytest.approx(nll)
    assert metrics["bits_per_dim"][0] == pytest.approx(nll / 64 / np.log(2))
    assert f"{len(images):,} digits test images, static Bernoulli" in metrics["nll_nats"][1]


def test_a_conditional_model_is_told_the_labels(digits):
    metrics = exact_likelihood_metrics(Coin(conditional=True), digits)
    images = np.concatenate(list(digits.evaluation_batches(100).as_numpy_iterator()))
    assert metrics["nll_nats"][0] == pytest.approx(-Coin().log_prob(images, digits.labels).mean())
    assert "given labels" in metrics["nll_nats"][1]


@pytest.mark.parametrize("conditional", [False, True])
def test_inpaintings_are_drawn(conditional, digits, tmp_path):
    save_inpaintings(Coin(conditional), digits, tmp_path / "in.png", num_images=3, draws=2)
    assert Image.open(tmp_path / "in.png").size[0] > 100


def test_a_drawing_shows_pixels_in_raster_order(tmp_path):
    save_drawing(np.ones((1, 2, 2, 1)), (0.0, 1.0), tmp_path / "draw.gif", frames=5)
    movie = Image.open(tmp_path / "draw.gif")
    whites = []
    for frame in range(5):
        movie.seek(frame)
        whites.append(int((np.asarray(movie.convert("L")) == 255).sum()))
    assert whites == [0, 1, 2, 3, 4]
