import types

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import KernelDensity

from keras_gen.metrics.parzen import DEVIATIONS, parzen_log_likelihood, parzen_metrics


def test_it_is_scikit_learns_kernel_density():
    random = np.random.default_rng(0)
    samples, images = random.uniform(size=(70, 2, 3, 1)), random.uniform(size=(1500, 2, 3, 1))
    oracle = KernelDensity(bandwidth=0.3).fit(samples.reshape(70, -1))
    expected = oracle.score_samples(images.reshape(1500, -1))
    np.testing.assert_allclose(parzen_log_likelihood(samples, images, 0.3), expected, rtol=1e-9)


def test_one_sample_gives_a_gaussian():
    image = np.array([[0.1, 0.7]])
    expected = stats.norm(0.5, 0.2).logpdf(image).sum()
    assert parzen_log_likelihood(np.full((1, 2), 0.5), image, 0.2) == pytest.approx(expected)


def test_the_deviation_is_chosen_on_training_images_alone():
    random = np.random.default_rng(0)
    images = lambda count: random.integers(0, 256, (count, 2, 2, 1)).astype("uint8")  # noqa: E731
    train = types.SimpleNamespace(examples=images(300), name="noise", split="train")
    test = types.SimpleNamespace(examples=images(20), name="noise", split="test")
    samples = random.uniform(size=(200, 2, 2, 1)).astype("float32")
    model = types.SimpleNamespace(sample=lambda count, seed: samples)
    held = train.examples[-100:] / 255.0
    scores = [parzen_log_likelihood(samples, held, each).mean() for each in DEVIATIONS]
    best = DEVIATIONS[int(np.argmax(scores))]
    (value, protocol) = parzen_metrics(model, train, test, 200, 100)["parzen_log_likelihood_nats"]
    expected = parzen_log_likelihood(samples, test.examples / 255.0, best).mean()
    assert value == pytest.approx(expected, rel=1e-5)
    assert f"deviation {best:g}" in protocol and "20 noise test images" in protocol


@pytest.mark.parametrize(
    ("samples", "deviation", "message"),
    [(np.zeros((2, 3)), 0.0, "deviation=0.0"), (np.zeros((2, 4)), 1.0, "4 values")],
)
def test_bad_arguments_are_refused(samples, deviation, message):
    with pytest.raises(ValueError, match=message):
        parzen_log_likelihood(samples, np.zeros((2, 3)), deviation)
