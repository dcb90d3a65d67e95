import numpy as np
import pytest
from scipy import special, stats

from keras_gen.data import binarize, load
from keras_gen.metrics import annealed_likelihood_metrics, pixel_logits
from keras_gen.models import VAE


def by_quadrature(model, images):
    """log p(x) of a linear decoder with two latent coordinates, over a grid."""
    kernel, bias = (weight.astype("float64") for weight in model.decoder.get_weights())
    ticks = np.linspace(-6.0, 6.0, 241)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    logits, pixels = points @ kernel + bias, images.reshape(len(images), -1)
    log_likelihoods = logits @ pixels.T - np.logaddexp(0.0, logits).sum(axis=1, keepdims=True)
    log_joints = log_likelihoods + stats.norm.logpdf(points).sum(axis=1, keepdims=True)
    return special.logsumexp(log_joints, axis=0) + 2 * np.log(ticks[1] - ticks[0])


def test_the_likelihood_is_that_of_quadrature():
    data = binarize(load("digits", split="test", value_range=(0.0, 1.0)), "threshold", 0)
    model = VAE(data.example_shape, 2, ())
    metrics = annealed_likelihood_metrics(model, data, 20, chains=30, temperatures=100)
    value, protocol = metrics["nll_nats"]
    images = next(data.evaluation_batches(20).as_numpy_iterator())
    assert value == pytest.approx(-by_quadrature(model, images).mean(), abs=0.1)
    assert protocol.startswith("20 digits test images, threshold") and "30 chains" in protocol
    gap, protocol = metrics["bound_gap_nats"]
    own = model.elbo(images).numpy().mean()
    assert gap == pytest.approx(-value - own, abs=1e-3) and "the same 20 images" in protocol
    bound, protocol = metrics["elbo_nats"]
    assert bound < -value + 5.0 and protocol.startswith(f"{len(data):,} digits test images")


def test_a_decoder_without_logits_is_refused():
    model = VAE((2, 3, 1), 2, (), likelihood="gaussian")
    with pytest.raises(ValueError, match="decoder gives means, log_variances"):
        pixel_logits(model, np.zeros((1, 2), "float32"))
