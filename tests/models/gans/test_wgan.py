import keras
import numpy as np
import pytest
import tensorflow as tf
from gan_steps import SHAPE, LinearNetworks, batches, trained

from keras_gen.models import WGAN, WGANGP


class LinearWGAN(LinearNetworks, WGAN):
    pass


def test_a_training_step_is_algorithm_1_worked_out_in_numpy():
    clip = 0.91
    model = LinearWGAN(SHAPE, latent_dim=1, critic_steps=2, clip=clip)
    model.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    real, latents = batches(2, 3)
    g, w, clipped = np.ones(4), np.ones(4), []
    for x, z in zip((real[0::2], real[1::2]), latents[:2], strict=True):
        w = w + 0.05 * (x.reshape(-1, 4).mean(0) - (z * g).mean(0))  # ascent
        clipped.extend(np.abs(w) > clip)
        w = np.clip(w, -clip, clip)
    assert any(clipped) and not all(clipped)
    g = g + 0.05 * latents[2].mean() * w  # new latents in the generator's step
    for found, expected in zip(trained(model, real, latents), (g, w), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_every_weight_of_the_critic_stays_in_the_box():
    model = WGAN((8, 8, 1), 2, 4, critic_steps=1)
    model.compile(keras.optimizers.RMSprop(0.1))
    model.fit(np.random.default_rng(0).uniform(-1, 1, (16, 8, 8, 1)), batch_size=4, verbose=0)
    largest = [np.abs(variable).max() for variable in model.critic.trainable_variables]
    assert max(largest) == np.float32(0.01)
    assert max(np.abs(v).max() for v in model.generator.trainable_variables) > 0.01


def test_every_critic_step_sees_a_fresh_real_batch():
    model = LinearWGAN(SHAPE, latent_dim=1, critic_steps=3)
    model.compile()
    critic, seen = model.discriminator, []
    model.discriminator = lambda images, training: (
        seen.append(np.asarray(images)),
        critic(images, training=training),
    )[1]
    model.discriminator.trainable_variables = critic.trainable_variables
    real = np.arange(3 * 2 * 4, dtype="float32").reshape(6, *SHAPE)
    model.update = lambda *_: None
    model.train_step(tf.constant(real))
    np.testing.assert_array_equal(np.stack(seen[0:6:2], 1).reshape(real.shape), real)


def test_default_optimizers_are_the_papers():
    model = WGAN((8, 8, 1), filters=4)
    model.compile()
    for optimizer in model.optimizers.values():
        assert isinstance(optimizer, keras.optimizers.RMSprop)
        assert float(optimizer.learning_rate) == pytest.approx(5e-5)
    assert model.clip == 0.01 and model.batches_per_step == 5


def test_the_estimate_follows_the_distance_between_two_points():
    """Two images a known distance apart: the estimate is proportional to it."""
    estimates = []
    for distance in (0.5, 1.0):
        model = LinearWGAN(SHAPE, latent_dim=1, critic_steps=1)
        model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.0))
        model.generator.set_weights([np.zeros((1, 4))])
        model.fit(np.full((8, *SHAPE), distance, "float32"), batch_size=4, epochs=2, verbose=0)
        logs = model.evaluate(np.full((4, *SHAPE), distance), verbose=0, return_dict=True)
        estimates.append(logs["earth_mover"])
    np.testing.assert_allclose(estimates, [4 * 0.01 * 0.5, 4 * 0.01 * 1.0], rtol=1e-5)


def test_a_clip_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="clip=0.0"):
        WGAN((8, 8, 1), clip=0.0)


@pytest.mark.parametrize("cls", [WGAN, WGANGP])
def test_two_replicas_and_several_critic_steps_compute_the_update_of_one_device(cls, mirrored):
    def build():
        model = cls((8, 8, 1), 3, 4, critic_steps=2)
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
        return model

    single = build()
    with mirrored.scope():
        double = build()
    for variable, other in zip(double.variables, single.variables, strict=True):
        variable.assign(other.numpy())
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 8, 1)).astype("float32")
    for model in (single, double):
        model.fit(tf.data.Dataset.from_tensor_slices(images), verbose=0)
    for first, second in zip(single.trainable_variables, double.trainable_variables, strict=True):
        np.testing.assert_allclose(first.numpy(), second.numpy(), rtol=1e-4, atol=1e-6)
