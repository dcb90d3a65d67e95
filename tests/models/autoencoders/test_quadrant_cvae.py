import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.export import export_model, load_exported
from keras_gen.metrics.likelihood import elbo, importance_log_likelihood
from keras_gen.models import QuadrantCVAE
from keras_gen.models.autoencoders.quadrant_cvae import seen_pixels

SHAPE = (4, 6, 1)


def make(seen_quadrants=1, **arguments):
    arguments = {"code_dim": 3, "hidden_units": (5,), "num_exemplars": 4} | arguments
    model = QuadrantCVAE(SHAPE, seen_quadrants, **arguments)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:  # fresh weights hardly react to an image
        variable.assign(random.normal(scale=0.5, size=variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return make()


def images_of(count, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, *SHAPE)).astype("float32")


# Drawn by hand, for an image of 4 x 6: what is seen (o) of it.
DRAWINGS = {
    1: ["......", "......", "ooo...", "ooo..."],
    2: ["ooo...", "ooo...", "ooo...", "ooo..."],
    3: ["oooooo", "oooooo", "ooo...", "ooo..."],
}


@pytest.mark.parametrize("quadrants", DRAWINGS)
def test_the_seen_quadrants_are_those_of_the_drawing(quadrants):
    drawn = np.array([[pixel == "o" for pixel in row] for row in DRAWINGS[quadrants]])
    np.testing.assert_array_equal(seen_pixels(SHAPE, quadrants)[..., 0], drawn)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(2, 30), width=st.integers(2, 30), channels=st.sampled_from([1, 3]))
def test_more_quadrants_show_more_and_always_leave_the_lower_right_one(height, width, channels):
    shape = (height, width, channels)
    masks = [seen_pixels(shape, quadrants) for quadrants in (1, 2, 3)]
    for fewer, more in zip(masks, masks[1:], strict=False):
        assert (more >= fewer).all() and more.sum() > fewer.sum()
    missing = (height - height // 2) * (width - width // 2) * channels
    assert (~masks[2]).sum() == missing


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), quadrants=st.sampled_from([1, 2, 3]))
def test_missing_pixels_reach_neither_the_baseline_nor_the_prior_nor_a_completion(seed, quadrants):
    model = _MODELS[quadrants]
    images, others = images_of(3, seed), images_of(3, seed + 1)
    changed = np.where(model.seen, images, others)
    np.testing.assert_array_equal(model.hide(images), model.hide(changed))
    np.testing.assert_array_equal(model.guess(images), model.guess(changed))
    np.testing.assert_array_equal(
        model.prior(model.guess(images)), model.prior(model.guess(changed))
    )
    np.testing.assert_array_equal(model.complete(images, seed), model.complete(changed, seed))
    # What is seen does reach them, and all of an image reaches the recognition network.
    changed = np.where(model.seen, others, images)
    assert not np.allclose(model.prior(model.guess(images)), model.prior(model.guess(changed)))
    changed = np.where(model.seen, images, others)
    assert not np.allclose(model.recognition(images), model.recognition(changed))


_MODELS = {quadrants: make(quadrants) for quadrants in (1, 2, 3)}


def test_unseen_pixels_enter_the_baseline_as_minus_one(model):
    hidden = np.asarray(model.hide(images_of(2)))
    assert (hidden[:, ~model.seen] == -1.0).all()
    np.testing.assert_array_equal(hidden[:, model.seen], images_of(2)[:, model.seen])


def test_the_likelihood_is_the_bernoulli_one_of_the_missing_pixels_alone(model):
    random = np.random.default_rng(1)
    images, logits = images_of(5), random.normal(size=(5, *SHAPE)).astype("float32")
    p = 1 / (1 + np.exp(-logits[:, ~model.seen]))
    x = images[:, ~model.seen]
    expected = np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)
    np.testing.assert_allclose(model.log_likelihood(images, logits), expected, rtol=1e-5)


def test_seen_pixels_get_no_gradient_through_the_decoder(model):
    logits = tf.zeros((5, *SHAPE))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.reduce_sum(model.log_likelihood(images_of(5), logits))
    gradient = np.asarray(tape.gradient(loss, logits))
    assert (gradient[:, model.seen] == 0.0).all() and (gradient[:, ~model.seen] != 0.0).all()


def test_the_divergence_is_that_of_the_two_gaussians_worked_out_in_numpy(model):
    images = tf.constant(images_of(5))
    guesses = model.guess(images)
    mean_q, log_q = np.split(np.asarray(model.recognition(images), "float64"), 2, axis=1)
    mean_p, log_p = np.split(np.asarray(model.prior(guesses), "float64"), 2, axis=1)
    terms = np.exp(log_q - log_p) + (mean_q - mean_p) ** 2 / np.exp(log_p) - 1 + log_p - log_q
    _, kl = map(
        tf.reduce_mean, model.bound_terms(images, guesses, tf.zeros((5, 3)), training=False)
    )
    assert float(kl) == pytest.approx(0.5 * terms.sum(axis=1).mean(), rel=1e-4)


def test_the_importance_estimate_of_one_code_is_the_integral_over_it():
    """With a code of one number, p(y | x) is an integral that can be summed up."""
    model = make(code_dim=1)
    *hidden, kernel, bias = model.recognition.get_weights()
    # A posterior wider than the truth, whatever the image: few draws then carry the integral.
    model.recognition.set_weights([*hidden, 0.0 * kernel, np.array([0.0, 3.0])])
    images = images_of(3)
    mean, log_variance = np.split(np.asarray(model.prior(model.guess(images)), "float64"), 2, 1)
    deviation = np.exp(log_variance / 2)
    grid = np.linspace(-8, 8, 4001)
    exact = []
    for index in range(3):
        codes = (mean[index] + deviation[index] * grid)[:, None].astype("float32")
        logits = model.decoder(tf.constant(codes))
        log_p = np.asarray(model.log_likelihood(images[index], logits), "float64")
        weights = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
        exact.append(np.log(np.sum(np.exp(log_p) * weights)))
    estimate = importance_log_likelihood(model, images, 20_000)
    np.testing.assert_allclose(estimate.log_likelihood_nats, exact, atol=0.05)
    assert (elbo(model, images, 2000) < estimate.log_likelihood_nats).all()


def test_the_baseline_learns_from_its_own_loss_alone():
    """Where the codes' networks stand still, so does what they would teach it."""
    moved = []
    for rate in (0.0, 0.5):
        model = make()
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(rate))
        before = model.baseline.get_weights()
        model.train_step(tf.constant(images_of(4)))
        moved.append([b - a for a, b in zip(before, model.baseline.get_weights(), strict=True)])
    for first, second in zip(*moved, strict=True):
        np.testing.assert_array_equal(first, second)


def test_completions_keep_what_is_seen_and_differ_in_what_is_missing(model):
    images = images_of(4)
    completions = [np.asarray(model.complete(images, seed)) for seed in (1, 1, 2)]
    for each in completions:
        np.testing.assert_array_equal(each[:, model.seen], images[:, model.seen])
    np.testing.assert_array_equal(completions[0], completions[1])
    assert np.abs(completions[0] - completions[2])[:, ~model.seen].max() > 1e-3
    assert not np.array_equal(model.complete(images), model.complete(images))


def test_a_latent_is_the_seen_pixels_and_a_code(model):
    images = images_of(4)
    latents = np.asarray(model.encode(images))
    assert latents.shape == (4, 6 + 3) and model.latent_dim == 9
    np.testing.assert_array_equal(latents[:, :6], images[:, model.seen])
    np.testing.assert_allclose(
        latents[:, 6:], np.asarray(model.recognition(images))[:, :3], atol=1e-6
    )
    decoded = np.asarray(model.decode(latents))
    np.testing.assert_array_equal(decoded[:, model.seen], images[:, model.seen])
    expected = 1 / (1 + np.exp(-np.asarray(model.decoder(latents[:, 6:]))))
    np.testing.assert_allclose(decoded[:, ~model.seen], expected[:, ~model.seen], atol=1e-6)


def test_samples_complete_the_quadrants_of_the_exemplars():
    model = make()
    images = images_of(4)
    model.keep_exemplars(images)
    drawn = np.asarray(model.sample(50, seed=0))[:, model.seen]
    kept = images[:, model.seen]
    distances = np.abs(drawn[:, None] - kept[None]).max(axis=2)
    assert (distances.min(axis=1) == 0.0).all()
    assert set(distances.argmin(axis=1)) == {0, 1, 2, 3}
    # What an exemplar is like where nothing is seen is not kept.
    assert (np.asarray(model.exemplars)[:, ~model.seen] == 0.0).all()


def test_an_export_completes_as_the_model_does(model, tmp_path):
    exported = load_exported(export_model(model, tmp_path))
    images = images_of(5)
    expected = model.complete(images, seed=3)
    np.testing.assert_allclose(exported.complete(images, seed=3), expected, atol=1e-6)
    np.testing.assert_allclose(exported.sample(5, seed=3), model.sample(5, seed=3), atol=1e-6)
    with pytest.raises(ValueError, match="seed='x'"):
        exported.complete(images, seed="x")


def test_it_learns_both_answers_where_there_are_two():
    """Seen: a corner that says nothing. Missing: all black or all white, as a coin decides."""
    images = np.zeros((64, *SHAPE), "float32")
    images[::2] = 1.0
    images[:, 2:, :3] = 0.5
    model = QuadrantCVAE(SHAPE, 1, code_dim=2, hidden_units=(8,))
    model.compile(*(keras.optimizers.Adam(1e-2) for _ in range(2)))
    model.fit(tf.data.Dataset.from_tensors(images).repeat(200), shuffle=False, verbose=0)
    missing = np.asarray(model.complete(np.repeat(images[:1], 100, axis=0), seed=0))
    brightness = missing[:, ~model.seen].mean(axis=1)
    assert 0.25 < (brightness > 0.9).mean() < 0.75
    assert np.mean((brightness > 0.9) | (brightness < 0.1)) > 0.75
    # The network that must give one answer gives grey, at log 2 a pixel.
    logs = model.test_step(tf.constant(images))
    assert float(logs["baseline_loss"]) == pytest.approx(18 * np.log(2), rel=0.02)
    assert float(logs["negative_elbo_nats"]) < 3.0


@pytest.mark.parametrize("quadrants", [0, 4, 2.5, "2"])
def test_a_number_of_quadrants_that_is_none_is_refused(quadrants):
    with pytest.raises(ValueError, match="seen_quadrants="):
        QuadrantCVAE(SHAPE, quadrants)


def test_other_exemplars_and_labels_are_refused(model):
    with pytest.raises(ValueError, match="give at least one"):
        model.keep_exemplars(images_of(3)[:0])
    with pytest.raises(ValueError, match=r"scale them to \(0, 1\)"):
        model.keep_exemplars(255.0 * images_of(8))
    with pytest.raises(ValueError, match="QuadrantCVAE is unconditional"):
        model.sample(1, labels=[0])
    with pytest.raises(ValueError, match="sides must be at least 2"):
        QuadrantCVAE((1, 4, 1))


def test_the_bound_of_each_image_is_that_of_training(model):
    images = images_of(7)
    bounds = model.elbo(images, seed=5)
    many = np.mean([model.elbo(images, seed=seed) for seed in range(20)], axis=0)
    logs = [float(model.test_step(tf.constant(images))["negative_elbo_nats"]) for _ in range(20)]
    assert bounds.shape == (7,) and many.mean() == pytest.approx(-np.mean(logs), rel=0.05)
