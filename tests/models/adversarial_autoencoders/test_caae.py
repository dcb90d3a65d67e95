import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import CAAE
from keras_gen.models.adversarial_autoencoders.caae import (
    build_code_discriminator,
    build_encoder,
    build_generator,
    build_image_discriminator,
    label_planes,
    signed_labels,
)

SHAPE = (2, 2, 1)
NETWORKS = ("encoder", "generator", "code_discriminator", "image_discriminator")


def a_batch(count=6, num_classes=3):
    images = np.random.default_rng(0).uniform(-1, 1, size=(count, *SHAPE)).astype("float32")
    return tf.constant(images), tf.constant(np.arange(count) % num_classes, "int32")


def linear_model(asked="random", **weights):
    """A CAAE whose networks are one dense layer each, so that steps can be worked out."""
    weights = {"image_weight": 0.5, "code_weight": 0.25, "variation_weight": 0.75} | weights
    model = CAAE((4, 4, 1), num_classes=3, latent_dim=2, filters=4, asked=asked, **weights)
    init = keras.initializers.RandomNormal(stddev=0.5, seed=3)

    def dense(units):
        return keras.layers.Dense(units, use_bias=False, kernel_initializer=init)

    images, labels = keras.Input(SHAPE), keras.Input((), dtype="int32")
    latents = keras.Input((2,))

    def told(x):
        return keras.layers.Concatenate()([x, signed_labels(labels, 3)])

    flat = keras.layers.Flatten()(images)
    model.encoder = keras.Model(images, dense(2)(flat))
    pixels = keras.layers.Reshape(SHAPE)(dense(4)(told(latents)))
    model.generator = keras.Model([latents, labels], pixels)
    model.code_discriminator = keras.Model(latents, dense(1)(latents))
    model.image_discriminator = keras.Model([images, labels], dense(1)(told(flat)))
    model.networks = keras.Model(
        [images, latents, labels], [model.encoder(images), model.generator([latents, labels])]
    )
    return model


def softplus(x):
    return np.logaddexp(0.0, x)


def losses_in_numpy(weights, images, labels, latents, asked):
    """What `train_step` logs before anything has moved, from the formulas of the docstring."""
    encoder, generator, code, image = weights
    x, signs = images.reshape(len(images), -1), 2.0 * np.eye(3) - 1.0
    codes = x @ encoder
    drawn = np.concatenate([codes, signs[labels]], 1) @ generator
    fakes = np.concatenate([codes, signs[asked]], 1) @ generator
    square = drawn.reshape(-1, 2, 2)
    variation = np.abs(np.diff(square, axis=1)).sum() + np.abs(np.diff(square, axis=2)).sum()
    fake = np.concatenate([fakes, signs[asked]], 1) @ image
    real = np.concatenate([x, signs[labels]], 1) @ image
    return {
        "reconstruction_loss": np.abs(x - drawn).mean(),
        "variation_loss": variation / drawn.size,
        "code_discriminator_loss": softplus(-latents @ code).mean() + softplus(codes @ code).mean(),
        "image_discriminator_loss": softplus(-real).mean() + softplus(fake).mean(),
        "code_loss": softplus(-codes @ code).mean(),
        "image_loss": softplus(-fake).mean(),
    }


def given(model, asked):
    """Fixes the noise of a model's steps; gives the latents."""
    latents = np.random.default_rng(5).uniform(-1, 1, size=(6, 2)).astype("float32")
    model.latents_for = lambda *_: tf.constant(latents)
    if model.asked == "random":
        model.asked_for = lambda *_: tf.constant(asked)
    return latents


def kernels(model):
    return [getattr(model, name).get_weights()[0].astype("float64") for name in NETWORKS]


@pytest.mark.parametrize("mode", ["own", "random"])
def test_the_losses_are_those_worked_out_in_numpy(mode):
    model = linear_model(mode)
    model.compile(*(keras.optimizers.SGD(0.0) for _ in range(3)))
    images, labels = a_batch()
    asked = labels.numpy() if mode == "own" else np.array([2, 2, 0, 1, 0, 1])
    latents = given(model, asked)
    before = kernels(model)
    expected = losses_in_numpy(before, images.numpy(), labels.numpy(), latents, asked)
    for step in (model.train_step, model.test_step):
        model.reset_metrics()
        logs = step((images, labels))
        for name, value in expected.items():
            assert float(logs[name]) == pytest.approx(value, rel=1e-5), name
    assert all(np.array_equal(a, b) for a, b in zip(before, kernels(model), strict=True))


@pytest.mark.parametrize("mode", ["own", "random"])
def test_a_step_goes_down_the_finite_differences_of_each_objective(mode):
    """The discriminators move first: the networks' objective sees them moved."""
    rate = 0.1
    model = linear_model(mode)
    model.compile(*(keras.optimizers.SGD(rate) for _ in range(3)))
    images, labels = a_batch()
    asked = labels.numpy() if mode == "own" else np.array([2, 2, 0, 1, 0, 1])
    latents = given(model, asked)
    before = kernels(model)
    model.train_step((images, labels))
    after = kernels(model)

    def losses(weights):
        return losses_in_numpy(weights, images.numpy(), labels.numpy(), latents, asked)

    def networks_loss(weights):
        each = losses([*weights[:2], *after[2:]])
        return (
            each["reconstruction_loss"]
            + 0.75 * each["variation_loss"]
            + 0.25 * each["code_loss"]
            + 0.5 * each["image_loss"]
        )

    objectives = [
        networks_loss,
        networks_loss,
        lambda weights: losses(weights)["code_discriminator_loss"],
        lambda weights: losses(weights)["image_discriminator_loss"],
    ]
    for index, objective in enumerate(objectives):
        gradient = np.zeros_like(before[index])
        for place in np.ndindex(gradient.shape):
            sides = []
            for move in (1e-5, -1e-5):
                moved = [each.copy() for each in before]
                moved[index][place] += move
                sides.append(objective(moved))
            gradient[place] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(
            (before[index] - after[index]) / rate, gradient, atol=2e-4, err_msg=NETWORKS[index]
        )


def test_labels_are_one_and_minus_one():
    expected = [[-1, -1, 1], [1, -1, -1]]
    np.testing.assert_array_equal(signed_labels(np.array([2, 0]), 3), expected)


def test_planes_are_the_label_at_every_place():
    planes = np.asarray(label_planes(np.array([2, 0, 1]), 3, 4, 5))
    assert planes.shape == (3, 4, 5, 3)
    for image, label in zip(planes, (2, 0, 1), strict=True):
        for plane in range(3):
            assert (image[..., plane] == (1.0 if plane == label else -1.0)).all()


def test_at_128_the_networks_are_those_of_the_authors_code():
    """Channels and maps as in FaceAging.py, which makes them from the size of the image."""
    encoder = build_encoder((128, 128, 3), 50, 64)
    generator = build_generator((128, 128, 3), 10, 50, 64)
    judge = build_image_discriminator((128, 128, 3), 10, 64)

    def shapes(network, kind):
        return [each.output.shape[1:] for each in network.layers if isinstance(each, kind)]

    assert shapes(encoder, keras.layers.Conv2D) == [
        (64, 64, 64),
        (32, 32, 128),
        (16, 16, 256),
        (8, 8, 512),
        (4, 4, 1024),
    ]
    assert encoder.output.shape == (None, 50)
    (dense,) = [each for each in generator.layers if type(each) is keras.layers.Dense]
    assert dense.kernel.shape == (50 + 5 * 10, 4 * 4 * 1024)  # the label five times
    assert shapes(generator, keras.layers.Conv2DTranspose) == [
        (8, 8, 512),
        (16, 16, 256),
        (32, 32, 128),
        (64, 64, 64),
        (128, 128, 32),
        (128, 128, 16),
        (128, 128, 3),
    ]
    assert shapes(judge, keras.layers.Conv2D) == [
        (64, 64, 16),
        (32, 32, 32),
        (16, 16, 64),
        (8, 8, 128),
    ]
    second = [each for each in judge.layers if isinstance(each, keras.layers.Conv2D)][1]
    assert second.kernel.shape == (5, 5, 16 + 10, 32)
    assert shapes(judge, keras.layers.Dense) == [(1024,), (1,)]
    codes = [each.output.shape[1] for each in build_code_discriminator(50).layers]
    assert [units for units in dict.fromkeys(codes)] == [50, 64, 32, 16, 1]


@pytest.mark.parametrize("shape", [(32, 16, 3), (64, 64, 3), (28, 28, 1), (8, 4, 1)])
def test_images_of_other_sizes_come_back_in_their_size(shape):
    model = CAAE(shape, num_classes=3, latent_dim=4, filters=4)
    images = np.zeros((2, *shape), "float32")
    codes = np.asarray(model.encode(images))
    assert codes.shape == (2, 4) and np.abs(codes).max() < 1.0
    assert model.reconstruct(images, [0, 2]).shape == (2, *shape)


def test_images_are_judged_with_their_labels_and_fakes_with_those_asked_for():
    for mode in ("own", "random"):
        model = linear_model(mode)
        model.compile()
        images, labels = a_batch()
        asked = labels.numpy() if mode == "own" else np.array([2, 2, 0, 1, 0, 1])
        given(model, asked)
        seen = []
        judge = model.image_discriminator

        def record(inputs, training, seen=seen, judge=judge):
            seen.append([np.asarray(each) for each in inputs])
            return judge(inputs, training=training)

        record.trainable_variables = judge.trainable_variables
        model.image_discriminator, model.update = record, lambda *_: None
        model.train_step((images, labels))
        (real, real_labels), (fake, fake_labels), (again, again_labels) = seen
        np.testing.assert_array_equal(real, images)
        np.testing.assert_array_equal(real_labels, labels)
        np.testing.assert_array_equal(fake, again)
        np.testing.assert_array_equal(
            fake, model.generator([model.encoder(images), tf.constant(asked)])
        )
        for each in (fake_labels, again_labels):
            np.testing.assert_array_equal(each, asked)


def test_labels_asked_for_are_uniform_and_the_replicas_differ(mirrored):
    model = CAAE((4, 4, 1), num_classes=4, latent_dim=2, filters=4, asked="random")
    asked = np.asarray(model.asked_for(tf.zeros(4000, "int32"), tf.constant([1, 2])))
    np.testing.assert_allclose(np.bincount(asked) / 4000, 0.25, atol=0.03)
    labels = tf.zeros(200, "int32")
    parts = mirrored.run(lambda: model.asked_for(labels, tf.constant([1, 2])))
    first, second = map(np.asarray, mirrored.experimental_local_results(parts))
    together = model.asked_for(tf.zeros(400, "int32"), tf.constant([1, 2]))
    np.testing.assert_array_equal(np.concatenate([first, second]), together)
    assert np.mean(first == second) < 0.5


def test_progress_shows_each_image_at_each_value():
    model = CAAE((4, 4, 1), num_classes=3, latent_dim=2, filters=4)
    images = np.random.default_rng(0).uniform(-1, 1, (5, 4, 4, 1)).astype("float32")
    progressed = np.asarray(model.progress(images))
    assert progressed.shape == (5, 3, 4, 4, 1)
    for label in range(3):
        np.testing.assert_allclose(
            progressed[:, label], model.reconstruct(images, np.full(5, label)), atol=1e-6
        )
    some = model.progress(images, labels=[2, 0])
    np.testing.assert_allclose(some, progressed[:, [2, 0]], atol=1e-6)
    with pytest.raises(ValueError, match="labels from 1 to 3: give integers from 0 to 2"):
        model.progress(images, labels=[3, 1])
    for labels in ([], 2):
        with pytest.raises(ValueError, match=rf"labels={re.escape(repr(labels))}: give integers"):
            model.progress(images, labels=labels)


def test_latents_are_uniform_in_the_cube():
    model = CAAE((4, 4, 1), num_classes=3, latent_dim=2, filters=4)
    latents = np.asarray(model.draw_latents(4000, [1, 2]))
    assert np.abs(latents).max() <= 1.0
    np.testing.assert_allclose(latents.mean(0), 0.0, atol=0.05)
    np.testing.assert_allclose(latents.var(0), 1 / 3, atol=0.02)
    assert np.abs(model.draw_latents(100, [1, 2], truncation=0.5)).max() <= 0.5


@pytest.mark.parametrize(("mode", "image_weight"), [("own", 0.0), ("random", 0.01)])
def test_it_learns_to_repaint_what_the_label_says_and_to_keep_the_rest(mode, image_weight):
    """The label is the left half, dark or bright; what is kept is any grey of the right half.

    A code of one number has no room for both. With two values of each, codes that mean another grey
    under another label would do as well: nothing in the objective forbids them.
    """
    rng = np.random.default_rng(0)
    labels, greys = rng.integers(2, size=32 * 200), rng.uniform(-1, 1, size=32 * 200)
    images = np.zeros((len(labels), 4, 4, 1), "float32")
    images[:, :, :2] = (1.6 * labels - 0.8)[:, None, None, None]
    images[:, :, 2:] = greys[:, None, None, None]
    weights = {"image_weight": image_weight, "code_weight": 0.003}
    model = CAAE((4, 4, 1), 2, latent_dim=1, filters=8, asked=mode, **weights)
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in (4e-3, 1e-3, 1e-3)))
    model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(32), verbose=0)
    progressed = np.asarray(model.progress(images[:100]))  # (100, 2, 4, 4, 1)
    shown = progressed[:, :, :, :2].mean((2, 3, 4)) > 0
    assert np.mean(shown == np.array([False, True])) > 0.95
    errors = np.abs(progressed[:, :, :, 2:].mean((2, 3, 4)) - greys[:100, None])
    assert errors.mean(axis=0).max() < 0.3  # a guess is 0.5 off


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("num_classes", 0, "num_classes=0"),
        ("latent_dim", 0, "latent_dim=0"),
        ("filters", 0, "filters=0"),
        ("filters", 6, "filters=6: give a multiple of 4"),
        ("image_weight", -1.0, "image_weight=-1.0: give a number of at least 0"),
        ("code_weight", float("nan"), "code_weight=nan"),
        ("variation_weight", -0.5, "variation_weight=-0.5"),
        ("asked", "all", "asked='all': give one of own, random"),
        ("image_shape", (30, 32, 3), "multiples of 4"),
        ("image_shape", (32, 32), "give .H, W, C."),
    ],
)
def test_arguments_that_are_none_are_refused(argument, value, message):
    with pytest.raises(ValueError, match=message):
        CAAE(**({"image_shape": (8, 8, 1), "filters": 4} | {argument: value}))
