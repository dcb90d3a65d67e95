"""The study of control as a whole, on a linear model whose entanglement is known."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gen.latent.control import study_control

SLANTED = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)
PICTURES = ("entanglement", "entanglement_matched", "directions", "directions_held", "ascent")


class Pixels:
    """Four pixels that are the latent."""

    latent_dim = 4
    value_range = (-3.0, 3.0)
    latent_distribution = "normal"

    def decode(self, latents):
        return tf.reshape(tf.convert_to_tensor(latents), (-1, 2, 2, 1))


def reader(size_axis, scale=8.0):
    """Colour is the sign of the first pixel, size the sign along `size_axis`."""

    def read(images):
        pixels = tf.reshape(images, (-1, 4))
        axes = {"colour": np.eye(4)[0], "size": size_axis}
        scores = {name: tf.linalg.matvec(pixels, np.float32(each)) for name, each in axes.items()}
        return {
            name: scale * tf.stack([tf.zeros_like(each), each], axis=1)
            for name, each in scores.items()
        }

    return read


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A study of a mixed model: its folder and what it gave."""
    folder = tmp_path_factory.mktemp("mixed")
    names = {"size": ("small", "big")}
    return folder, study_control(
        Pixels(), reader(SLANTED), folder, names=names, num_latents=4000, num_moved=100
    )


def test_projecting_out_disentangles_what_is_mixed_linearly(mixed):
    folder, metrics = mixed
    before, after = metrics["entanglement"][0], metrics["entanglement_projected"][0]
    assert before > 0.1
    assert after < 0.4 * before
    assert all("100 samples" in protocol for _, protocol in metrics.values())
    report = json.loads((folder / "control.json").read_text())
    assert report["matched"]["directions"]["other_factors_changed"] == before
    assert report["matched"]["others projected out"]["other_factors_changed"] == after
    for each in report["matched"].values():
        assert each["moved_factors_changed"] >= 0.5
    ascent = report["matched"]["gradient ascent, others held"]
    assert ascent["moved_factors_changed"] > 0.9 and ascent["other_factors_changed"] < before


def test_the_report_says_what_the_samples_show_and_how_well_the_boundaries_fit(mixed):
    report = json.loads((mixed[0] / "control.json").read_text())
    assert list(report["boundary_fit"]) == ["colour 0", "colour 1", "size small", "size big"]
    assert min(report["boundary_fit"].values()) > 0.95
    for factor in ("colour", "size"):
        assert report["generated"][factor]["shares"] == pytest.approx([0.5, 0.5], abs=0.03)
        assert 0.9 < report["generated"][factor]["confidence"] < 1.0
    # Held directions are at 45 degrees to the plain ones: sqrt(2) as far for the same change.
    amounts = report["matched_amounts"]
    for factor in ("colour", "size"):
        ratio = amounts["others projected out"][factor] / amounts["directions"][factor]
        assert ratio == pytest.approx(np.sqrt(2.0), rel=0.25)


def test_all_pictures_are_drawn(mixed):
    for name in PICTURES:
        with Image.open(mixed[0] / f"{name}.png") as picture:
            assert min(picture.size) > 100


def test_an_independent_classifier_judges(tmp_path):
    # The judge's size has nothing to do with the colour, the reader's has.
    metrics = study_control(
        Pixels(),
        reader(SLANTED),
        tmp_path,
        judge=reader(np.eye(4)[3]),
        num_latents=2000,
        num_moved=50,
    )
    report = json.loads((tmp_path / "control.json").read_text())
    colour, size = report["at_amount"]["directions"]["changed"]
    assert colour[1] < 0.2  # moving the colour leaves what the judge calls size
    assert size[1] < 0.2  # moving what the reader calls size leaves it too
    assert "entanglement" in metrics


def test_samples_that_are_all_alike_have_no_directions(tmp_path):
    class Collapsed(Pixels):
        def decode(self, latents):
            return tf.ones((len(latents), 2, 2, 1))

    with pytest.warns(UserWarning, match="same values.*collapsed"):
        assert study_control(Collapsed(), reader(SLANTED), tmp_path, num_latents=300) == {}
    assert not list(tmp_path.iterdir())
