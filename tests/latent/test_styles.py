"""Pictures of a style-based generator."""

import numpy as np
import pytest
from PIL import Image

from keras_gen.latent import save_noise, save_style_mixing, save_style_truncation
from keras_gen.latent.styles import mix
from keras_gen.models import StyleGAN


@pytest.fixture(scope="module")
def model():
    return StyleGAN((16, 16, 1), 3, (3, 3, 3), 1, phase_images=0)


def test_some_layers_take_the_styles_of_the_second():
    first, second = np.zeros((2, 3)), np.ones((1, 3))
    expected = np.zeros((2, 6, 3))
    expected[:, 2:4] = 1.0
    np.testing.assert_array_equal(mix(first, second, (2, 4), 6), expected)
    expected[:, 2:] = 1.0
    np.testing.assert_array_equal(mix(first, second, (2, None), 6), expected)


@pytest.mark.parametrize("save", [save_style_mixing, save_noise, save_style_truncation])
def test_each_picture_is_written_and_repeats(save, model, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_gen.latent.styles._REALIZATIONS", 3)
    pictures = []
    for name in ("first.png", "second.png"):
        save(model, tmp_path / name, seed=1)
        with Image.open(tmp_path / name) as picture:
            pictures.append(np.asarray(picture))
    np.testing.assert_array_equal(*pictures)
    assert pictures[0].std() > 0


def test_a_picture_of_nothing_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="num_first=0"):
        save_style_mixing(model, tmp_path / "mixing.png", num_first=0)
