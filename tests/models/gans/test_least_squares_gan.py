import keras
import numpy as np
from gan_steps import SHAPE, LinearNetworks, batches, trained

from keras_gen.models import LSGAN


class LinearLSGAN(LinearNetworks, LSGAN):
    pass


def test_a_training_step_is_the_papers_worked_out_in_numpy():
    model = LinearLSGAN(SHAPE, latent_dim=1, discriminator_steps=2)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    real, latents = batches(2, 2)
    g, d = np.ones(4), np.ones(4)
    for x, z in zip((real[0::2], real[1::2]), latents, strict=True):
        x, fake = x.reshape(-1, 4), z * g
        gradient = ((x @ d - 1)[:, None] * x).mean(0) + ((fake @ d)[:, None] * fake).mean(0)
        d = d - 0.1 * gradient
    g = g - 0.1 * ((fake @ d - 1)[:, None] * z * d).mean(0)
    for found, expected in zip(trained(model, real, latents), (g, d), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_scores_of_a_trained_discriminator_lie_between_the_targets():
    """On data that a discriminator cannot tell apart, both scores tend to 1/2."""
    model = LSGAN((8, 8, 1), 2, 4)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5), keras.optimizers.SGD(0.0))
    latents = np.random.default_rng(0).uniform(-1, 1, (64 * 60, 2))
    data = np.asarray(model.generator(latents, training=True))
    logs = model.fit(data, batch_size=64, epochs=3, verbose=0).history
    for name in ("real_score", "fake_score"):
        assert abs(logs[name][-1] - 0.5) < 0.1
    assert abs(logs["discriminator_loss"][-1] - 0.25) < 0.05
