import numpy as np
import pytest
from PIL import Image

from keras_gen.metrics import (
    extrapolated_frechet_distance,
    frechet_bias_curve,
    frechet_distance,
    save_bias_curve,
)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_extrapolation_is_nearer_to_the_truth_than_the_largest_set(seed):
    random = np.random.default_rng(seed)
    size = 32
    real = random.standard_normal((100_000, size))
    generated = 1.1 * random.standard_normal((2000, size)) + 0.1
    truth = size * (0.1**2 + 0.1**2)  # of N(0, I) and N(0.1, 1.1^2 I)
    rows = frechet_bias_curve(real, generated, [200, 300, 500, 800, 1300, 2000], repeats=4)
    distance, slope = extrapolated_frechet_distance(rows)
    assert abs(distance - truth) < 0.4 * abs(rows[-1]["frechet_distance"] - truth)
    assert slope > 0.0
    values = [row["frechet_distance"] for row in rows]
    assert values == sorted(values, reverse=True)


def test_a_subset_of_all_rows_is_the_whole_set():
    random = np.random.default_rng(3)
    real, generated = random.standard_normal((2, 300, 4))
    rows = frechet_bias_curve(real, generated, [300, 100], repeats=2)
    assert [row["num_images"] for row in rows] == [100, 300]
    whole = frechet_distance(real, generated)
    assert rows[1]["frechet_distance"] == pytest.approx(whole, rel=1e-9)
    assert rows[1]["std"] < 1e-12 < rows[0]["std"] and rows[0]["repeats"] == 2


def test_the_seed_decides_the_subsets_and_fifteen_sizes_are_the_default():
    real, generated = np.random.default_rng(4).standard_normal((2, 400, 3))
    rows = frechet_bias_curve(real, generated, seed=1)
    assert rows == frechet_bias_curve(real, generated, seed=1)
    assert rows != frechet_bias_curve(real, generated, seed=2)
    sizes = [row["num_images"] for row in rows]
    assert len(sizes) == 15 and (sizes[0], sizes[-1]) == (40, 400)


def test_points_on_a_line_are_extrapolated_exactly():
    rows = [{"num_images": n, "frechet_distance": 3.5 + 70.0 / n} for n in (10, 25, 100, 1000)]
    assert extrapolated_frechet_distance(rows) == pytest.approx((3.5, 70.0), rel=1e-10)


def test_the_curve_is_drawn(tmp_path):
    rows = frechet_bias_curve(*np.random.default_rng(5).standard_normal((2, 400, 3)))
    save_bias_curve(rows, tmp_path / "curve.png", name="FD[mnist]")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.format == "PNG" and picture.width > 500


def test_wrong_numbers_are_named():
    rows = np.random.default_rng(6).standard_normal((30, 2))
    for sizes in ([1, 20], [20, 31], []):
        with pytest.raises(ValueError, match="from 2 to the 30 generated samples"):
            frechet_bias_curve(rows, rows, sizes)
    with pytest.raises(ValueError, match="repeats=0"):
        frechet_bias_curve(rows, rows, repeats=0)
    with pytest.raises(ValueError, match="1 sizes: a line needs at least 2"):
        extrapolated_frechet_distance(frechet_bias_curve(rows, rows, [30]))
