import types

import numpy as np
import pytest

from keras_gen.data import DataSet
from keras_gen.metrics.codes import classification_error, code_metrics, prior_mmd, save_code_space


def normal(count, seed, mean=0.0, deviation=1.0):
    return np.random.default_rng(seed).normal(mean, deviation, size=(count, 2))


def test_the_discrepancy_is_the_sum_over_pairs():
    codes, latents = normal(5, 0), normal(4, 1)
    scale = 2.0 * latents.var(axis=0, ddof=1).sum()
    kernel = lambda x, y: scale / (scale + ((x - y) ** 2).sum())  # noqa: E731
    pairs = lambda a: np.mean(  # noqa: E731
        [kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j]
    )
    cross = np.mean([kernel(x, y) for x in codes for y in latents])
    expected = pairs(codes) + pairs(latents) - 2.0 * cross
    assert prior_mmd(codes, latents) == pytest.approx(expected, rel=1e-12)


def test_equal_distributions_have_no_discrepancy_and_others_have():
    same = [prior_mmd(normal(500, seed), normal(500, seed + 100)) for seed in range(20)]
    assert abs(np.mean(same)) < 3.0 * np.std(same) / np.sqrt(20) + 1e-4  # unbiased
    assert prior_mmd(normal(500, 0, mean=0.5), normal(500, 1)) > 10.0 * np.std(same)
    assert prior_mmd(normal(500, 0, deviation=0.5), normal(500, 1)) > 10.0 * np.std(same)


def test_the_discrepancy_does_not_change_with_the_scale():
    codes, latents = normal(60, 0, 0.3), normal(70, 1)
    assert prior_mmd(5.0 * codes, 5.0 * latents) == pytest.approx(prior_mmd(codes, latents))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="give"):
        prior_mmd(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="at least 2"):
        prior_mmd(np.zeros((1, 2)), np.zeros((3, 2)))


def labelled_set(split, count, seed):
    """Images of two pixels, dark ones of class 0 and bright ones of class 1."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    values = (60 + 130 * labels)[:, None] + random.integers(-20, 20, (count, 2))
    examples = values.astype("uint8").reshape(count, 1, 2, 1)
    return DataSet("pairs", split, examples, labels=labels, value_range=(0.0, 1.0))


class Copy:
    """Codes that are the pixels; the posterior adds noise."""

    value_range = (0.0, 1.0)

    def encode(self, images):
        return np.reshape(images, (-1, 2))

    def reconstruct(self, images):
        return images + 0.1

    def draw_latents(self, num_images, seed):
        return np.random.default_rng(seed).uniform(size=(num_images, 2))

    def draw_codes(self, images, seed):
        return self.encode(images) + np.random.default_rng(seed).normal(size=(len(images), 2))


def test_code_metrics_measure_reconstruction_discrepancy_and_probe():
    train, test = labelled_set("train", 400, 0), labelled_set("test", 300, 1)
    metrics = code_metrics(Copy(), train, test)
    assert metrics["reconstruction_mse"][0] == pytest.approx(0.01, rel=1e-4)
    assert metrics["probe_accuracy"][0] == 1.0
    assert "300 pairs test images" in metrics["probe_accuracy"][1]


def test_code_metrics_compare_reconstructions_with_targets_where_given():
    train, test = labelled_set("train", 400, 0), labelled_set("test", 300, 1)
    dark = DataSet("pairs", "test", 0 * test.examples, value_range=(0.0, 1.0))
    value, protocol = code_metrics(Copy(), train, test, targets=dark)["reconstruction_mse"]
    assert value == pytest.approx(np.mean((test.examples / 255.0 + 0.1) ** 2), rel=1e-4)
    assert protocol.endswith("the images before that")


def test_the_aggregated_posterior_has_its_noise_and_no_batch_repeats_it():
    seen = []

    class Recording(Copy):
        def draw_codes(self, images, seed):
            seen.append(tuple(seed))
            return super().draw_codes(images, seed)

    train, test = labelled_set("train", 400, 0), labelled_set("test", 300, 1)
    noisy = code_metrics(Recording(), train, test)["prior_mmd"][0]
    Copy.draw_codes, kept = None, Copy.draw_codes
    try:
        still = code_metrics(Copy(), train, test)["prior_mmd"][0]
    finally:
        Copy.draw_codes = kept
    assert len(set(seen)) == 2 and (0, 0) not in seen  # (0, 0) draws the latents
    assert noisy > 2.0 * still


def test_errors_are_counted_over_all_images():
    data = labelled_set("test", 300, 0)
    half = types.SimpleNamespace(classify=lambda images: np.tile([0.4, 0.6], (len(images), 1)))
    value, protocol = classification_error(half, data, 100)["classification_error"]
    assert value == pytest.approx(np.mean(data.labels == 0))
    assert "100 training labels" in protocol and "standard error" in protocol


def test_the_picture_of_codes_is_written(tmp_path):
    save_code_space(Copy(), labelled_set("test", 50, 0), tmp_path / "codes.png")
    assert (tmp_path / "codes.png").stat().st_size > 1000
