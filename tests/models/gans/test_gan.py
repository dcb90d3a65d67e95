import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.losses import minimax_discriminator
from keras_gen.models import DCGAN, GAN, SNGAN

SHAPE = (2, 2, 1)


class LinearGAN(GAN):
    """A GAN on one weight each, whose updates can be worked out by hand."""

    def build_networks(self):
        ones = keras.initializers.Constant(1.0)
        dense = {"use_bias": False, "kernel_initializer": ones}
        latents = keras.Input((self.latent_dim,))
        x = keras.layers.Dense(4, **dense)(latents)
        generator = keras.Model(latents, keras.layers.Reshape(SHAPE)(x), name="generator")
        images = keras.Input(SHAPE)
        logits = keras.layers.Dense(1, **dense)(keras.layers.Flatten()(images))
        return generator, keras.Model(images, logits, name="discriminator")


def _sgd_gan(rate, **arguments):
    model = LinearGAN(SHAPE, latent_dim=1, **arguments)
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return model


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _expected_step(model, real_batches, latent_batches, rate, minimax, simultaneous):
    """Algorithm 1 of arXiv:1406.2661 in NumPy, for the linear networks."""
    g = np.ones(4)
    d = np.ones(4)
    for real, z in zip(real_batches, latent_batches, strict=True):
        real, fake, before = real.reshape(-1, 4), z * g, d
        # d/dlogit of -log D is D - 1; of -log(1 - D) it is D.
        gradient = ((_sigmoid(real @ d) - 1)[:, None] * real).mean(0)
        gradient += (_sigmoid(fake @ d)[:, None] * fake).mean(0)
        d = d - rate * gradient
    d_seen = before if simultaneous else d
    probability = _sigmoid(fake @ d_seen)
    outer = -probability if minimax else probability - 1
    g = g - rate * (outer[:, None] * z * d_seen).mean(0)
    return g, d


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
@pytest.mark.parametrize("discriminator_steps", [1, 3])
@pytest.mark.parametrize("simultaneous", [False, True])
def test_a_training_step_is_algorithm_1_worked_out_in_numpy(
    loss, discriminator_steps, simultaneous
):
    model = _sgd_gan(
        0.5,
        generator_loss=loss,
        discriminator_steps=discriminator_steps,
        simultaneous=simultaneous,
    )
    rng = np.random.default_rng(0)
    real = rng.normal(size=(discriminator_steps * 5, *SHAPE)).astype("float32")
    latents = rng.normal(size=(discriminator_steps, 5, 1)).astype("float32")
    queue = list(latents)
    model.draw_latents = lambda *_: tf.constant(queue.pop(0))
    model.run_eagerly = True

    model.train_step(tf.constant(real))

    g, d = _expected_step(
        model,
        [real[i::discriminator_steps] for i in range(discriminator_steps)],
        latents,
        0.5,
        loss == "minimax",
        simultaneous,
    )
    np.testing.assert_allclose(model.generator.get_weights()[0].ravel(), g, rtol=1e-5)
    np.testing.assert_allclose(model.discriminator.get_weights()[0].ravel(), d, rtol=1e-5)
    assert not queue


def _two_passes(model, images):
    """Gradients of both losses by two passes of the discriminator over one batch of fakes."""
    fakes = model.generator(model.draw_latents(len(images), [0, 0]), training=True)
    with tf.GradientTape() as tape:
        real_logits, fake_logits = model.discriminator(images), model.discriminator(fakes)
        loss = minimax_discriminator(real_logits, fake_logits)
    gradients = tape.gradient(loss, model.discriminator.trainable_variables)
    with tf.GradientTape() as tape:
        fakes = model.generator(model.draw_latents(len(images), [0, 0]), training=True)
        loss = model.generator_loss(model.discriminator(fakes))
    return gradients + tape.gradient(loss, model.generator.trainable_variables)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_simultaneous_gradients_are_those_of_two_passes(loss):
    keras.utils.set_random_seed(0)
    model = GAN((4, 4, 1), latent_dim=3, generator_loss=loss, simultaneous=True)
    for layer in model.discriminator.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0.0  # two passes would drop other units
    model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    latents = tf.random.normal((8, 3), seed=0)
    model.draw_latents = lambda *_: latents
    images = tf.random.uniform((8, 4, 4, 1), seed=0)
    networks = (model.discriminator, model.generator)
    variables = [each for network in networks for each in network.trainable_variables]
    before = [each.numpy() for each in variables]
    expected = _two_passes(model, images)
    model.train_step(images)
    for old, new, gradient in zip(before, variables, expected, strict=True):
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(old - new.numpy(), gradient, rtol=1e-3, atol=1e-4 * scale + 1e-7)


def test_a_sure_discriminator_leaves_simultaneous_gradients_finite():
    model = _sgd_gan(1.0, simultaneous=True)
    model.discriminator.set_weights([np.full((4, 1), -30.0, "float32")])
    latents = tf.ones((5, 1))
    model.draw_latents = lambda *_: latents  # logits of -120
    model.train_step(tf.zeros((5, *SHAPE)))
    for weights in model.get_weights():
        assert np.isfinite(weights).all()


class NormalizedGAN(GAN):
    def build_networks(self):
        return DCGAN((16, 16, 1), latent_dim=2, filters=2).build_networks()


def test_simultaneous_is_refused_where_it_would_be_wrong_or_ignored():
    with pytest.raises(ValueError, match="batch normalization"):
        NormalizedGAN((16, 16, 1), latent_dim=2, simultaneous=True)
    with pytest.raises(TypeError, match="SNGAN takes no simultaneous: it takes image_shape, "):
        SNGAN((16, 16, 1), latent_dim=2, filters=2, simultaneous=True)


def test_every_discriminator_step_sees_a_fresh_real_batch():
    model = _sgd_gan(0.1, discriminator_steps=3)
    seen = []
    discriminator = model.discriminator
    model.discriminator = lambda images, training: (
        seen.append(np.asarray(images)),
        discriminator(images, training=training),
    )[1]
    real = np.arange(3 * 2 * 4, dtype="float32").reshape(6, *SHAPE)
    model.update = lambda *_, **__: []
    model.train_step(tf.constant(real))
    np.testing.assert_array_equal(
        np.stack([seen[0], seen[2], seen[4]], 1).reshape(real.shape), real
    )


def test_a_batch_that_does_not_divide_among_the_discriminator_steps_is_refused():
    model = _sgd_gan(0.1, discriminator_steps=3)
    with pytest.raises(ValueError, match="4 images cannot be cut into 3"):
        model.fit(np.zeros((4, *SHAPE), "float32"), batch_size=4, verbose=0)


def test_the_generator_runs_once_in_a_training_step():
    model = _sgd_gan(0.1)
    calls = []
    generator = model.generator
    model.generator = lambda latents, training: (
        calls.append(1),
        generator(latents, training=training),
    )[1]
    model.generator.trainable_variables = generator.trainable_variables
    model.train_step(tf.zeros((4, *SHAPE)))
    assert len(calls) == 1


def test_the_moving_average_starts_from_the_generator_and_follows_it():
    model = GAN(SHAPE, latent_dim=2, ema_decay=0.25)
    model.compile(keras.optimizers.SGD(10.0), keras.optimizers.SGD(100.0))
    start = model.generator.get_weights()
    for average, weight in zip(model.ema_generator.get_weights(), start, strict=True):
        np.testing.assert_array_equal(average, weight)
    expected = start
    for update in (1, 2, 3):
        model.train_step(tf.zeros((4, *SHAPE)))
        decay = min(0.25, (1 + update) / (10 + update))  # 2/11, 3/12, then the limit
        expected = [
            decay * average + (1 - decay) * weight
            for average, weight in zip(expected, model.generator.get_weights(), strict=True)
        ]
    for average, value in zip(model.ema_generator.get_weights(), expected, strict=True):
        np.testing.assert_allclose(average, value, rtol=1e-5, atol=1e-7)
    latents = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    np.testing.assert_allclose(model.decode(latents), model.ema_generator(latents), atol=1e-6)
    assert not np.allclose(model.decode(latents), model.generator(latents), atol=1e-5)


def test_an_evaluation_whose_last_batch_leaves_a_replica_empty_stays_finite(mirrored):
    with mirrored.scope():
        model = GAN(SHAPE, latent_dim=2)
        model.compile()
    batches = tf.data.Dataset.from_tensor_slices(tf.zeros((3, *SHAPE))).batch(2)
    assert np.isfinite(model.evaluate(batches, verbose=0)).all()


def test_the_optimum_on_one_point_is_reached():
    """Where all data is one image, the generator must learn to give that image."""
    image = np.linspace(0.1, 0.9, 4, dtype="float32").reshape(1, *SHAPE)
    model = GAN(SHAPE, latent_dim=2)
    model.compile(keras.optimizers.Adam(5e-4, beta_1=0.5), keras.optimizers.Adam(2e-4, beta_1=0.5))
    model.fit(np.repeat(image, 32 * 150, axis=0), batch_size=32, verbose=0)
    error = np.abs(np.asarray(model.sample(64, seed=0)) - image).mean()
    assert error < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"generator_loss": "hinge"}, "generator_loss='hinge': give one of minimax"),
        ({"discriminator_steps": 0}, "discriminator_steps=0"),
        ({"ema_decay": 1.0}, "ema_decay=1.0"),
        ({"latent_distribution": "beta"}, "latent_distribution='beta'"),
    ],
)
def test_bad_arguments_are_refused_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        GAN(SHAPE, **arguments)


def test_labels_are_refused_by_an_unconditional_model():
    with pytest.raises(ValueError, match="GAN is unconditional"):
        GAN(SHAPE).sample(1, labels=[3])
