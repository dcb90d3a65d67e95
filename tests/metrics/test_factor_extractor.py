"""Features by a classifier of factors."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_gen.metrics import FactorExtractor, build_factor_classifier, evaluate_samples


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    return build_factor_classifier((8, 8, 1), {"left": 3, "right": 2}, (0.0, 1.0), filters=4)


@pytest.fixture(scope="module")
def extractor(classifier):
    return FactorExtractor(classifier, data())


def data(seed=1):
    rng = np.random.default_rng(seed)
    return SimpleNamespace(
        name="halves",
        split="test",
        examples=rng.integers(256, size=(60, 8, 8, 1), dtype="uint8"),
        factors={"left": rng.integers(3, size=60), "right": rng.integers(2, size=60)},
        factor_names={},
        value_range=(0.0, 1.0),
    )


def test_features_are_the_means_of_the_last_activations(classifier, extractor):
    images = data().examples
    features = extractor(images).features
    assert features.shape == (60, 16) == (60, extractor.num_features)
    x = images.astype("float32") / 255.0
    for layer in classifier.layers[1:]:
        if isinstance(layer, keras.layers.Flatten):
            break
        x = layer(x)
    np.testing.assert_allclose(features, np.mean(x, axis=(1, 2)), rtol=1e-4, atol=1e-5)


def test_floats_are_read_as_they_are(extractor):
    images = data().examples
    whole = extractor(images).features
    floats = images.astype("float32") / 127.5 - 1.0
    np.testing.assert_allclose(extractor.of_floats(floats, (-1.0, 1.0)), whole, atol=1e-5)
    moved = extractor.of_floats(np.minimum(floats + 1e-4, 1.0), (-1.0, 1.0))
    assert 0.0 < np.abs(moved - whole).max() < 1e-2


def test_it_says_what_it_is(extractor):
    assert extractor.name == "factors" and len(extractor.digest) == 16
    assert extractor.digest in extractor.description
    assert "halves factor classifier" in extractor.description and "test" in extractor.description


def test_samples_are_compared_by_it(extractor):
    found = evaluate_samples(data(2).examples, data(3), extractor=extractor, num_images=60)
    assert "fd_factors" in found.metrics and "classifier_score" not in found.metrics
