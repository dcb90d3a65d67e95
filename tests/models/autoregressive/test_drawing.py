"""Drawing with cached activations against the whole network for each pixel."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_autoregressive import MODELS, labels_for, make

from keras_gen.models import GatedPixelCNN, PixelCNN, PixelRNN

CACHED = [name for name in MODELS if "CNN" in name]


def draw_plainly(model, latents, temperature=1.0, given=None, known=None):
    """The test's oracle: the whole network once for every pixel and colour."""
    count, labels = len(latents), labels_for(model, len(latents))
    given = np.zeros((count, *model.image_shape), "float32") if given is None else given
    known = np.zeros_like(given[..., :1]) if known is None else known

    @tf.function
    def draw():
        uniforms = tf.reshape(latents, (*given.shape[:3], -1))
        arguments = (uniforms, temperature, tf.constant(given), tf.constant(known))
        return model.draw_with_network(*arguments, model.conditions(labels))

    return draw().numpy()


@pytest.mark.parametrize("name", CACHED)
def test_the_same_noise_gives_the_same_images(name):
    model = make(name)
    latents = model.draw_latents(4, [1, 2])
    images = draw_plainly(model, latents)
    labels = labels_for(model, 4)
    np.testing.assert_allclose(model.decode(latents, labels), images, atol=1e-6)
    assert images.std() > 0.1


def test_compiled_and_at_another_temperature_too():
    model = make("GatedPixelCNN")
    latents = model.draw_latents(3, [5, 6])
    hot, cold = (draw_plainly(model, latents, temperature) for temperature in (3.0, 0.3))
    np.testing.assert_allclose(model.decode(latents, None, tf.constant(3.0)), hot, atol=1e-6)
    compiled = model.decode_compiled(latents, None, tf.constant(0.3))
    np.testing.assert_allclose(compiled, cold, atol=1e-6)
    assert not np.array_equal(hot, cold)
    seeded = model.sample(3, seed=4, jit_compile=True)
    np.testing.assert_allclose(model.sample(3, seed=4), seeded, atol=1e-6)


def test_every_other_likelihood_reads_its_own_levels():
    model = make("PixelCNN-colours")
    images = model.sample(3, seed=0).numpy()
    np.testing.assert_allclose(images * 255, np.round(images * 255), atol=1e-4)


@pytest.mark.parametrize("name", ["FVSBN", "PixelCNN-colours", "GatedPixelCNN", "PixelCNN-mixture"])
def test_inpainting_keeps_what_is_known_and_draws_the_rest_given_it(name):
    model = make(name)
    rng = np.random.default_rng(3)
    images = np.round(rng.uniform(size=(3, *model.image_shape))).astype("float32")
    known = np.zeros(model.image_shape[:2], bool)
    known[:2] = known[-1] = True
    filled = model.inpaint(images, known, seed=7).numpy()
    np.testing.assert_array_equal(filled[:, known], images[:, known])
    assert not np.array_equal(filled, images)
    mask = np.broadcast_to(known[..., None], (*images.shape[:-1], 1)).astype("float32")
    latents = model.draw_latents(3, tf.constant([7, 0], "int64"))
    np.testing.assert_allclose(filled, draw_plainly(model, latents, 1.0, images, mask), atol=1e-6)


def test_samples_have_the_probabilities_that_log_prob_gives():
    """All 16 images of 2 by 2 pixels, by a chi-square test."""
    from scipy import stats

    model = make("GatedPixelCNN", (2, 2, 1))
    images = model.sample(4_000, seed=1).numpy().reshape(-1, 4)
    counts = np.bincount((images @ [8, 4, 2, 1]).astype(int), minlength=16)
    every = ((np.arange(16)[:, None] >> np.array([3, 2, 1, 0])) & 1).reshape(-1, 2, 2, 1)
    expected = 4_000 * np.exp(model.log_prob(every.astype("float32")).numpy().astype("float64"))
    enough = expected > 5
    observed = [*counts[enough], counts[~enough].sum()]
    expected = [*expected[enough], expected[~enough].sum()]
    if expected[-1] == 0:
        observed, expected = observed[:-1], expected[:-1]
    expected = np.array(expected) * (np.sum(observed) / np.sum(expected))
    assert stats.chisquare(observed, expected).pvalue > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"truncation": 0.5}, "truncation=0.5"),
        ({"labels": [1, 2]}, "labels="),
    ],
)
def test_sample_names_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make("FVSBN").sample(2, **arguments)


def test_inpainting_takes_a_mask_for_each_image_and_nan_for_holes():
    model = make("ConditionalPixelCNN")
    rng = np.random.default_rng(4)
    images = rng.integers(2, size=(3, *model.image_shape)).astype("float32")
    known = rng.integers(2, size=images.shape[:3]).astype(bool)
    labels = np.array([2, 0, 1])
    filled = model.inpaint(images, known, seed=1, labels=labels).numpy()
    np.testing.assert_array_equal(filled[known], images[known])
    holes = np.where(known[..., None], images, np.nan)
    np.testing.assert_array_equal(model.inpaint(holes, known, seed=1, labels=labels), filled)


@pytest.mark.parametrize(
    ("images", "known", "message"),
    [
        (np.zeros((2, 6, 5, 1)), np.ones((3, 3)), "known of shape"),
        (np.zeros((2, 6, 5, 1)), np.ones((3, 6, 5)), "known of shape"),
        (np.zeros((2, 6, 5, 1)), np.full((6, 5), 0.5), "known of shape"),
        (np.zeros((2, 2, 5, 1)), np.ones((6, 5)), "images of shape"),
        (np.zeros((0, 6, 5, 1)), np.ones((6, 5)), "images of shape"),
        (np.full((2, 6, 5, 1), 255.0), np.ones((6, 5)), r"in \[0, 1\]"),
    ],
)
def test_inpaint_names_bad_arguments(images, known, message):
    model = make("FVSBN")
    with pytest.raises(ValueError, match=message):
        model.inpaint(images, known)


def test_labels_are_needed_where_there_are_classes_and_refused_elsewhere():
    images = np.zeros((2, 6, 5, 1), "float32")
    model, unconditional = make("ConditionalPixelCNN"), make("FVSBN")
    with pytest.raises(ValueError, match="labels=None"):
        model.log_prob(images)
    with pytest.raises(ValueError, match="takes none"):
        unconditional.log_prob(images, tf.constant([0, 1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels_must_be_in_range"):
        model.log_prob(images, tf.constant([0, 3]))
    model.compile(run_eagerly=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels_must_be_in_range"):
        model.train_step((tf.constant(images), tf.constant([0, -1])))


@pytest.mark.parametrize("name", ["PixelCNN", "GatedPixelCNN", "PixelRNN-row", "PixelRNN-diagonal"])
def test_no_image_has_no_likelihood(name):
    """A replica that gets none of a last batch is given such a batch."""
    model = make(name)
    assert model.log_prob(np.zeros((0, *model.image_shape), "float32")).shape == (0,)


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (PixelCNN, {"image_shape": (28, 28)}, "image_shape="),
        (PixelCNN, {"image_shape": (6.0, 5, 1)}, "image_shape="),
        (PixelCNN, {"filters": 7}, "filters=7: give a multiple of 2"),
        (PixelCNN, {"likelihood": "poisson"}, "likelihood='poisson'"),
        (
            GatedPixelCNN,
            {"image_shape": (8, 8, 3), "likelihood": "categorical", "head_filters": 64},
            "head_filters=64: give a multiple of 3",
        ),
        (PixelRNN, {"image_shape": (28, 28)}, "image_shape="),
        (PixelRNN, {"image_shape": (8, 8, 3)}, "logistic_mixture"),
        (PixelRNN, {"variant": "spiral"}, "variant='spiral'"),
        (PixelRNN, {"units": 0}, "units=0"),
    ],
)
def test_constructors_name_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


@pytest.mark.parametrize("cls", [PixelCNN, GatedPixelCNN])
def test_the_defaults_take_three_ordered_colours(cls):
    assert cls((8, 8, 3), likelihood="categorical").pixel.colors == 3
