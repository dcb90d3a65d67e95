"""Pictures are read back: every image has a grey of its own, which must be where it belongs."""

import numpy as np
import pytest
from PIL import Image

from keras_gen import latent

RANGE = (0.0, 255.0)


def plain(*greys):
    """Images 8x8 of one grey each, in the shape of the arguments' nesting."""
    greys = np.asarray(greys, "float32")
    return np.tile(greys[..., None, None, None], (8, 8, 1))


def levels(*shape):
    """Different greys, growing from index to index, none that text has much of."""
    return np.round(np.linspace(40, 215, int(np.prod(shape)))).reshape(shape)


def place(path, grey):
    """The `(row, column)` in the middle of what has this grey in a PNG."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("L")).astype(int)
    found = np.argwhere(np.abs(pixels - grey) <= 1)  # colour maps round
    assert len(found) > 100, f"{grey} is not in the picture"
    return np.median(found, axis=0)


def places(path, greys):
    return np.array([place(path, grey) for grey in greys.ravel()]).reshape(*greys.shape, 2)


def assert_grid(path, greys):
    """Rows lie below each other, columns beside each other."""
    found = places(path, greys)
    assert (np.diff(found[..., 0], axis=0) > 10).all()
    assert (np.diff(found[..., 1], axis=1) > 10).all()
    np.testing.assert_allclose(found[..., 0].std(axis=1), 0.0, atol=1.0)
    np.testing.assert_allclose(found[..., 1].std(axis=0), 0.0, atol=1.0)


def frames(path):
    with Image.open(path) as picture:
        assert picture.format == "GIF"
        shown = []
        for index in range(picture.n_frames):
            picture.seek(index)
            shown.append(np.asarray(picture.convert("L")))
    return shown


def test_a_path_goes_from_left_to_right_and_forth_and_back(tmp_path):
    greys = levels(2, 5)
    result = latent.Interpolation(np.zeros((2, 5, 3)), plain(*greys), np.linspace(0, 1, 5))
    latent.save_interpolation(result, RANGE, tmp_path / "i.png", tmp_path / "i.gif")
    assert_grid(tmp_path / "i.png", greys)
    shown = frames(tmp_path / "i.gif")
    assert [int(frame[0, 0]) for frame in shown] == [*greys[0], *greys[0, -2:0:-1]]
    assert [int(frame[0, -1]) for frame in shown] == [*greys[1], *greys[1, -2:0:-1]]
    assert 240 < max(shown[0].shape) <= 480  # small images are enlarged


def test_a_long_path_is_thinned_out_in_the_picture_and_whole_in_the_gif(tmp_path):
    greys = levels(1, 31)
    result = latent.Interpolation(np.zeros((1, 31, 3)), plain(*greys), np.linspace(0, 1, 31))
    latent.save_interpolation(result, RANGE, tmp_path / "i.png", tmp_path / "i.gif")
    assert_grid(tmp_path / "i.png", greys[:, ::3])
    with pytest.raises(AssertionError, match="not in the picture"):
        place(tmp_path / "i.png", greys[0, 1])
    assert len(frames(tmp_path / "i.gif")) == 60


def test_without_a_path_there_is_no_gif(tmp_path):
    result = latent.Interpolation(np.zeros((1, 2, 3)), plain([40, 90]), np.linspace(0, 1, 2))
    latent.save_interpolation(result, RANGE, tmp_path / "i.png")
    assert [path.name for path in tmp_path.iterdir()] == ["i.png"]


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0)])
def test_a_traversal_has_a_row_for_each_coordinate(scales, tmp_path):
    greys = levels(3, 5)
    values = np.outer(scales, np.linspace(-1, 1, 5))
    result = latent.Traversal(np.zeros((3, 5, 9)), plain(*greys), (0, 7, 8), values)
    latent.save_traversal(result, RANGE, tmp_path / "t.png", tmp_path / "t.gif")
    assert_grid(tmp_path / "t.png", greys)
    assert len(frames(tmp_path / "t.gif")) == 8


def test_arithmetic_shows_examples_over_means_and_beside_them_the_results(tmp_path):
    path = tmp_path / "a.png"
    examples = [plain(50), plain(54, 70, 78), plain(*np.full(100, 118))]
    results, means = levels(3, 3), np.array([30, 95, 160])
    result = latent.Arithmetic(
        np.zeros((9, 3)), plain(*results.ravel()), tuple(examples), plain(*means)
    )
    latent.save_arithmetic(result, RANGE, path)
    assert_grid(path, results)
    assert_grid(path, means[None])
    assert_grid(path, np.array([[54], [70], [78]]))
    for first, mean in zip((50, 54, 118), means, strict=True):
        assert place(path, first)[0] < place(path, mean)[0]
        assert place(path, first)[1] == pytest.approx(place(path, mean)[1], abs=2)
    assert place(path, means[2])[1] < place(path, results[0, 0])[1]


def test_a_manifold_is_a_square_of_images(tmp_path):
    greys = levels(4, 4)
    result = latent.Manifold(np.zeros((4, 4, 2)), plain(*greys), np.zeros((4, 2)))
    latent.save_manifold(result, RANGE, tmp_path / "m.png")
    assert_grid(tmp_path / "m.png", greys)


def test_a_truncation_has_a_row_for_each_threshold(tmp_path):
    greys = levels(3, 6)
    result = latent.Truncation(np.zeros((3, 6, 2)), plain(*greys), (None, 1.0, 0.04))
    latent.save_truncation(result, RANGE, tmp_path / "t.png")
    assert_grid(tmp_path / "t.png", greys)


def test_the_curve_plots_the_entries_asked_for(tmp_path):
    rows = [
        {"truncation": None, "density": 0.5, "recall": 0.9},
        {"truncation": 2.0, "density": 0.5, "recall": 0.9},
        {"truncation": 0.5, "density": 0.9, "recall": 0.2},
    ]
    for fidelity, diversity, sign in (("density", "recall", 1), ("recall", "recall", -1)):
        latent.save_truncation_curve(rows, tmp_path / "c.png", fidelity, diversity)
        with Image.open(tmp_path / "c.png") as picture:
            red, _, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), -1, 0)
        # Rows of a picture count downwards: a falling curve goes down as it goes to the right.
        assert sign * np.corrcoef(np.argwhere(blue - red > 100).T)[0, 1] > 0.9
    with pytest.raises(ValueError, match="fidelity='precision': the rows have truncation, density"):
        latent.save_truncation_curve(rows, tmp_path / "other.png")
    assert not (tmp_path / "other.png").exists()


def test_a_projection_shows_target_reconstruction_and_difference(tmp_path):
    targets, images = np.array([100.0, 110.0, 120.0]), np.array([105.0, 70.0, 200.0])
    errors = (targets - images) ** 2
    # Shifted by 20: no difference is black at the low end of the range, wherever that lies.
    result = latent.Projection(
        np.zeros((3, 2)), plain(*images) + 20, plain(*targets) + 20, errors, errors[:, None]
    )
    latent.save_projection(result, (20.0, 275.0), tmp_path / "p.png")
    assert_grid(tmp_path / "p.png", np.stack([targets, images, np.abs(targets - images)])[:, 1:])


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_neighbours_stand_in_a_row_with_their_query(dtype, tmp_path):
    greys = levels(2, 4)
    images = plain(*greys).astype(dtype)
    value_range = (0, 1) if dtype == "uint8" else RANGE
    result = latent.Neighbours(
        images[:, 0], images[:, 1:], np.zeros((2, 3), int), np.full((2, 3), 8.0)
    )
    latent.save_neighbours(result, value_range, tmp_path / "n.png")
    assert_grid(tmp_path / "n.png", greys)


def test_real_results_of_every_tool_can_be_drawn(linear_autoencoder, tmp_path):
    model, random = linear_autoencoder, np.random.default_rng(0)
    latents = random.normal(size=(3, 3))
    images = model.decode(latents).numpy()
    moves = latent.interpolate(model, latents[:2], latents[1:], 4)
    latent.save_interpolation(moves, model.value_range, tmp_path / "0.png", tmp_path / "0.gif")
    moves = latent.traverse(model, (0, 1))
    latent.save_traversal(moves, model.value_range, tmp_path / "1.png", tmp_path / "1.gif")
    still = latent.latent_arithmetic(model, latents, latents[:2], latents[1:])
    latent.save_arithmetic(still, model.value_range, tmp_path / "2.png")
    still = latent.project(model, images, steps=1)
    latent.save_projection(still, model.value_range, tmp_path / "3.png")
    still = latent.nearest_neighbours(images, images, 2, latent.latent_features(model))
    latent.save_neighbours(still, model.value_range, tmp_path / "4.png")
    assert len(list(tmp_path.iterdir())) == 7
