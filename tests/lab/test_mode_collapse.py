import math
import types

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import load
from keras_gen.lab import mode_collapse, mode_seeking


@pytest.fixture(scope="module")
def ring():
    return load("ring", split="test")


def test_held_out_data_are_as_good_as_perfect_ones(ring):
    found = mode_collapse.measure(ring.examples[:2500], ring.examples, ring.modes, ring.scale)
    assert found["modes"] == (8, 8)
    share, ceiling = found["high_quality_share"]
    assert ceiling == pytest.approx(1 - math.exp(-4.5)) and abs(share - ceiling) < 0.01
    assert 0 < found["reverse_kl"][0] < 5 * found["reverse_kl"][1]


def test_one_mode_alone_has_the_reverse_kl_log_8(ring):
    points = np.repeat(ring.modes[:1], 100, axis=0)
    found = mode_collapse.measure(points, ring.examples, ring.modes, ring.scale)
    assert found["modes"][0] == 1 and found["high_quality_share"][0] == 1.0
    assert found["reverse_kl"][0] == pytest.approx(math.log(8))


def test_samples_that_hit_no_mode_count_as_collapsed(ring):
    found = mode_collapse.measure(np.zeros((10, 2)), ring.examples, ring.modes, ring.scale)
    assert found["modes"][0] == 0 and found["reverse_kl"][0] == pytest.approx(math.log(8))


def test_without_modes_points_are_measured_by_their_distance_from_the_data():
    roll = load("swiss_roll", split="test").examples
    (near, floor), (far, _) = (
        mode_collapse.measure(points, roll)["sliced_wasserstein"]
        for points in (load("swiss_roll", split="train").examples[:2000], roll + [1.0, 0.0])
    )
    assert near < 3 * floor
    # Moved by 1, a cloud is |cos| away on each line: 2 / pi on average.
    assert far == pytest.approx(2 / math.pi, abs=0.03)


def test_means_and_standard_errors_are_those_over_runs():
    runs = [{"modes": (value, 8)} for value in (5, 7, 8, 8)]
    (mean, perfect, error) = mode_collapse.summarize(runs)["modes"]
    assert (mean, perfect) == (7.0, 8.0)
    assert error == pytest.approx(np.std([5, 7, 8, 8], ddof=1) / 2)


def test_each_label_and_seed_is_trained_once_and_the_first_seed_is_filmed(ring, tmp_path):
    calls = []

    def train(label, seed, after):
        calls.append((label, seed))
        shift = {"good": 0.0, "bad": 1.0}[label]
        model = types.SimpleNamespace(
            sample=lambda count, seed: ring.examples[:count].reshape(-1, 1, 1, 2) + shift
        )
        after(1, model)
        after(2, model)
        return model

    mixture = (ring.examples, ring.modes, ring.scale)
    found, frames = mode_collapse.compare(train, ("good", "bad"), range(3, 5), *mixture, 500)
    assert calls == [("good", 3), ("bad", 3), ("good", 4), ("bad", 4)]
    assert found["good"]["modes"][0] == 8 and found["bad"]["modes"][0] < 8
    assert {step: set(each) for step, each in frames.items()} == {
        1: {"good", "bad"},
        2: {"good", "bad"},
    }
    mode_collapse.save_movie(frames, ring.examples, tmp_path / "movie.gif")
    with Image.open(tmp_path / "movie.gif") as movie:
        assert movie.n_frames == 2
    text = mode_collapse.table(found)
    assert "| good | 8.000 +- 0.000 |" in text and "| perfect data | 8.000 |" in text
    metrics = mode_collapse.as_metrics("ring", found, "2 runs")
    assert metrics["ring_good_modes"] == (8.0, 8.0, "2 runs, standard error 0")


def test_maximum_likelihood_covers_both_modes():
    mean, deviation, divergence = mode_seeking.fit(mode_seeking.forward_kl, 2.0, 0.5, (0.5, 1.0))
    assert mean == pytest.approx(0.0, abs=1e-3)
    assert deviation == pytest.approx(math.sqrt(4.25), rel=1e-3)
    # KL = entropy of the best Gaussian less that of the mixture, log 2 above one mode's if apart.
    apart = 0.5 * math.log(4.25 / 0.25) - math.log(2.0)
    assert divergence == pytest.approx(apart, abs=1e-3)


def test_reverse_kl_takes_one_mode():
    mean, deviation, divergence = mode_seeking.fit(mode_seeking.reverse_kl, 2.0, 0.5, (0.5, 1.0))
    assert mean == pytest.approx(2.0, abs=1e-2) and deviation == pytest.approx(0.5, abs=1e-2)
    assert divergence == pytest.approx(math.log(2.0), abs=1e-3)


def test_the_divergence_of_one_gaussian_from_another_is_the_closed_form():
    """With both modes in one place the mixture is a Gaussian."""
    expected = math.log(0.5 / 0.8) + (0.8**2 + 0.3**2) / (2 * 0.5**2) - 0.5
    assert mode_seeking.reverse_kl(0.3, 0.8, 0.0, 0.5) == pytest.approx(expected, rel=1e-6)
