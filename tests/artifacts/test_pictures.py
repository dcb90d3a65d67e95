import numpy as np
import pytest
from PIL import Image

from keras_gen.artifacts import pictures, save_frames, save_labelled_grid


def test_a_labelled_grid_shows_every_image_in_its_cell(tmp_path):
    images = np.zeros((2, 3, 8, 8, 1), "float32")
    images[1, 2] = 1.0  # one white image, last of the last row
    save_labelled_grid(
        images, (0.0, 1.0), tmp_path / "grid.png", title="t", row_labels="ab", column_labels="cde"
    )
    picture = np.asarray(Image.open(tmp_path / "grid.png").convert("L"))
    black = np.argwhere(picture < 5)
    top, left = black.min(axis=0)
    bottom, right = black.max(axis=0)
    centre = (top + (bottom - top) * 3 // 4, left + (right - left) * 5 // 6)
    assert picture[centre] == 255
    assert picture[top + (bottom - top) // 4, left + (right - left) // 6] == 0


def test_labels_must_fit_the_grid(tmp_path):
    images = np.zeros((2, 3, 8, 8, 1), "float32")
    with pytest.raises(ValueError, match="row_labels: 1 texts for 2 rows"):
        save_labelled_grid(images, (0.0, 1.0), tmp_path / "grid.png", row_labels="a")
    assert not (tmp_path / "grid.png").exists()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_frames_run_to_the_end_and_back(frames, tmp_path):
    arrays = [np.full((4, 4), 40 * index, "uint8") for index in range(frames)]
    save_frames(arrays, tmp_path / "moves.gif")
    with Image.open(tmp_path / "moves.gif") as picture:
        shown = []
        for index in range(picture.n_frames):
            picture.seek(index)
            shown.append(int(np.asarray(picture.convert("L"))[0, 0]) // 40)
    assert shown == [*range(frames), *range(frames - 2, 0, -1)]


def test_curves_show_what_comes_after_the_start():
    fall = [357.0, 200.0, *(94.0 - 0.08 * step for step in range(100))]
    low, high = pictures._limits([fall])
    assert 85.0 < low < fall[-1] and fall[5] < high < 96.0
    assert pictures._limits([[1.0, 0.9, 0.8, 0.7]]) is None
    assert pictures._limits([[2.0] * 50]) is None
    spike = [90.0] * 50 + [5000.0] + [90.0] * 50
    assert pictures._limits([spike]) is None  # later surprises stay in view


def test_peaks_that_would_flatten_a_curve_run_out_of_the_panel_and_are_said(tmp_path, monkeypatch):
    values = np.linspace(90.0, 80.0, 1000)
    values[400] = 1e5
    low, high = pictures._limits([values])
    assert 75.0 < low < 80.0 and 89.0 < high < 95.0
    texts = []
    monkeypatch.setattr(
        pictures,
        "save_figure",
        lambda figure, path: texts.extend(text.get_text() for text in figure.axes[0].texts),
    )
    rows = [{"step": step, "nll_nats": value} for step, value in enumerate(values)]
    pictures.save_curves(rows, tmp_path / "curves.png", "Glow")
    assert texts == ["peaks from 80 to 1e+05"]
