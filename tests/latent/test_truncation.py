import numpy as np
import pytest
import scipy.stats

from keras_gen.export import export_model, load_exported
from keras_gen.latent import default_thresholds, sample_truncated, truncation_curve
from keras_gen.models import GAN, GumbelVAE, StyleGAN


@pytest.fixture(scope="module")
def gan():
    return GAN((4, 4, 1), latent_dim=6)


def test_rows_are_what_sample_gives_at_each_threshold(gan):
    result = sample_truncated(gan, (None, 1.0, 0.5), num_images=5, seed=3)
    assert result.thresholds == (None, 1.0, 0.5)
    for images, threshold in zip(result.images, result.thresholds, strict=True):
        expected = gan.sample(5, seed=3, truncation=threshold)
        np.testing.assert_allclose(images, expected, atol=1e-6)


def test_latents_have_the_truncated_law(gan):
    latents = sample_truncated(gan, num_images=2000).latents
    assert latents.shape == (4, 2000, 6)
    for values, threshold in zip(latents, (2, 1, 0.5, 0.04), strict=True):
        assert np.abs(values).max() <= threshold * (1 + 1e-6)
        law = scipy.stats.truncnorm(-threshold, threshold)
        np.testing.assert_allclose(values.std(), law.std(), rtol=0.03)


def test_the_curve_has_what_the_evaluation_gave_at_each_threshold(gan):
    seen, steps = [], []

    def evaluate(images):
        seen.append(images)
        return {"spread": float(images.std(axis=0).mean()), "count": len(images)}

    rows = truncation_curve(
        gan, evaluate, (None, 1.0, 0.1), 300, seed=3, progress=lambda *step: steps.append(step)
    )
    assert [row["truncation"] for row in rows] == [None, 1.0, 0.1]
    assert [row["count"] for row in rows] == [300] * 3
    assert rows[0]["spread"] > rows[1]["spread"] > rows[2]["spread"]
    np.testing.assert_allclose(seen[1], gan.sample(300, seed=3, truncation=1.0), atol=1e-6)
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("thresholds", [(), (0.0,), (1.0, -1.0), (float("nan"),)])
def test_thresholds_must_be_positive(thresholds, linear_model):
    with pytest.raises(ValueError, match="thresholds="):
        sample_truncated(linear_model, thresholds)
    with pytest.raises(ValueError, match="thresholds="):
        truncation_curve(linear_model, dict, thresholds)
    assert not linear_model.calls


def test_a_factor_towards_the_mean_is_called_so(tmp_path):
    model = StyleGAN((8, 8, 1), 4, (4, 4), mapping_layers=1, phase_images=0)
    result = sample_truncated(model, num_images=2)
    assert result.kind == "factor" and result.thresholds == default_thresholds(model)
    assert max(result.thresholds) < 1.0
    exported = load_exported(export_model(model, tmp_path))
    assert default_thresholds(exported) == default_thresholds(model)
    assert exported.description["truncation_kind"] == "factor"


def test_latents_that_have_no_magnitude_cannot_be_truncated():
    with pytest.raises(ValueError, match="GumbelVAE cannot truncate its latents"):
        sample_truncated(GumbelVAE((2, 2, 1), num_variables=2, num_classes=2, hidden_units=()))


def test_an_export_that_cannot_truncate_names_no_kind(tmp_path):
    model = GumbelVAE((2, 2, 1), num_variables=2, num_classes=2, hidden_units=())
    description = load_exported(export_model(model, tmp_path)).description
    assert description["truncation_kind"] is None and description["num_classes"] is None
