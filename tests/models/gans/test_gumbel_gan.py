import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import GumbelGAN
from keras_gen.models.gans.gumbel_gan import linear_temperature

SHAPE = (4, 3, 1)


def gan(**arguments):
    model = GumbelGAN(SHAPE, units=5, **arguments)
    model.compile()
    return model


def constant_logits(model, logits):
    """Makes the generator give the same logits at each step, whatever it reads."""
    weights = [np.zeros_like(weight) for weight in model.generator.get_weights()]
    weights[-1] = np.array(logits, "float32")
    model.generator.set_weights(weights)


def batch(count=6, seed=0):
    tokens = np.random.default_rng(seed).integers(3, size=(count, 4))
    return tf.constant(np.eye(3, dtype="float32")[tokens][..., None])


def values(network):
    return [weight.numpy() for weight in network.weights]


def test_cold_sequences_are_the_samples_and_hot_ones_are_mixtures():
    model = gan()
    latents = model.draw_latents(64, tf.constant([1, 2]))
    samples = model.decode(latents).numpy()
    np.testing.assert_array_equal(np.sort(samples, axis=2)[:, :, :, 0], [[[0, 0, 1]] * 4] * 64)
    cold = model.relaxed_sequences(latents, 1e-4).numpy()
    near = np.abs(cold - samples).max(axis=(1, 2, 3)) < 1e-3
    assert near.mean() > 0.95  # the others had two symbols of nearly equal logits
    hot = model.relaxed_sequences(latents, 1e4).numpy()
    np.testing.assert_allclose(hot, 1 / 3, atol=1e-2)
    np.testing.assert_allclose(hot.sum(axis=2), 1.0, atol=1e-5)


def test_symbols_are_drawn_as_often_as_the_softmax_says():
    model = gan()
    constant_logits(model, np.log([0.7, 0.2, 0.1]))
    frequencies = np.asarray(model.sample(5000, seed=0)).mean(axis=(0, 1))[:, 0]
    np.testing.assert_allclose(frequencies, [0.7, 0.2, 0.1], atol=0.015)


def test_a_relaxed_symbol_is_the_formula_worked_out_in_numpy():
    model = gan()
    logits = np.array([0.5, -1.0, 2.0])
    constant_logits(model, logits)
    latents = model.draw_latents(7, tf.constant([3, 4]))
    noise = latents.numpy()[:, 10:].reshape(7, 4, 3)
    powers = np.exp((logits + noise) / 0.7)
    expected = powers / powers.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(model.relaxed_sequences(latents, 0.7)[..., 0], expected, rtol=1e-4)


def test_straight_through_shows_choices_and_passes_the_mixtures_gradient():
    soft, hard = gan(), gan(straight_through=True)
    hard.generator.set_weights(soft.generator.get_weights())
    latents = soft.draw_latents(8, tf.constant([1, 2]))
    np.testing.assert_array_equal(hard.relaxed_sequences(latents, 0.7), soft.decode(latents))
    with tf.GradientTape() as tape:
        judged = tf.reduce_sum(hard.relaxed_sequences(latents, 0.7)[:, -1, 0])
    gradients = tape.gradient(judged, hard.generator.trainable_variables)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_the_first_states_and_each_symbols_noise_are_in_the_latent():
    model = gan()
    latents = model.draw_latents(2000, tf.constant([5, 6])).numpy()
    assert latents.shape == (2000, model.latent_dim) == (2000, 2 * 5 + 4 * 3)
    states, noise = latents[:, :10], latents[:, 10:]
    np.testing.assert_allclose([states.mean(), states.std()], [0, 1], atol=0.03)
    # Gumbel: mean Euler's constant, variance pi^2 / 6.
    np.testing.assert_allclose([noise.mean(), noise.var()], [0.5772, np.pi**2 / 6], atol=0.05)
    correlations = np.corrcoef(latents, rowvar=False) - np.eye(model.latent_dim)
    assert np.abs(correlations).max() < 0.1


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 5.0), (1, 4.9), (10, 4.0), (39, 1.1), (40, 1.0), (1000, 1.0)]
)
def test_the_temperature_falls_in_a_straight_line_and_stays(step, expected):
    assert float(linear_temperature(step, 5.0, 1.0, 40)) == pytest.approx(expected)


def test_training_uses_the_temperature_of_its_step():
    model = gan(start_temperature=3.0, end_temperature=1.0, annealing_steps=4)
    seen, relaxed = [], model.relaxed_sequences
    model.relaxed_sequences = lambda latents, temperature: (
        seen.append(float(temperature)),
        relaxed(latents, temperature),
    )[1]
    for _ in range(6):
        model.train_step(batch())
    assert seen == pytest.approx([3.0, 2.5, 2.0, 1.5, 1.0, 1.0])


@pytest.mark.parametrize("straight_through", [False, True])
def test_the_generators_update_leaves_the_discriminator_as_it_was_bit_for_bit(straight_through):
    model = gan(straight_through=straight_through)
    update, changed = model.update, []

    def watched(optimizer, tape, loss, network):
        networks = {"generator": model.generator, "discriminator": model.discriminator}
        before = {name: values(each) for name, each in networks.items()}
        update(optimizer, tape, loss, network)
        for name, each in networks.items():
            pairs = zip(before[name], values(each), strict=True)
            if not all(np.array_equal(a, b) for a, b in pairs):
                changed.append(name)

    model.update = watched
    model.train_step(batch())
    assert changed == ["discriminator", "generator"]


def test_the_losses_of_a_step_are_those_of_the_formula():
    model = gan(input_noise=0.5, generator_loss="minimax")
    seen, discriminator = [], model.discriminator
    # The discriminator is asked thrice: about real, generated, and again generated sequences.
    call = type(discriminator).__call__
    optimizers = {name: keras.optimizers.SGD(0.0) for name in model.optimizers}
    model.compile(**optimizers)

    class Watched:
        trainable_variables = discriminator.trainable_variables

        def __call__(self, images, training):
            logits = call(discriminator, images, training=training)
            seen.append((np.asarray(images), np.asarray(logits)))
            return logits

    object.__setattr__(model, "discriminator", Watched())
    real = batch(200)
    logs = model.train_step(real)
    (real_seen, real_logits), (fake_seen, fake_logits), (again, _) = seen
    np.testing.assert_array_equal(fake_seen, again)
    noise = real_seen - real.numpy()
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 0.5], atol=0.05)
    assert abs(np.corrcoef(noise.ravel(), fake_seen.ravel())[0, 1]) < 0.1
    real_d, fake_d = (1 / (1 + np.exp(-each)) for each in (real_logits, fake_logits))
    expected = -np.log(real_d).mean() - np.log(1 - fake_d).mean()
    assert float(logs["discriminator_loss"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["generator_loss"]) == pytest.approx(np.log(1 - fake_d).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "argument",
    [
        {"generator_loss": "hinges"},
        {"start_temperature": 0.0},
        {"end_temperature": -1.0},
        {"input_noise": -0.1},
        {"annealing_steps": 0},
        {"units": 0},
        {"image_shape": (8, 8, 3)},
    ],
)
def test_bad_arguments_are_refused_by_name(argument):
    (name,) = argument
    with pytest.raises(ValueError, match=f"{name}="):
        GumbelGAN(**argument)
