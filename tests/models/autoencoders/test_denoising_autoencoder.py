import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import DenoisingAutoencoder
from keras_gen.models.autoencoders.autoencoder import bce_per_pixel
from keras_gen.models.autoencoders.denoising_autoencoder import corrupt, psnr_db

SHAPE = (8, 8, 1)


def test_gaussian_noise_has_the_level_as_its_deviation():
    images = np.full((200, *SHAPE), 0.5, "float32")
    noise = np.asarray(corrupt(images, "gaussian", 0.05, (1, 2))) - images
    assert noise.mean() == pytest.approx(0.0, abs=2e-3)
    assert noise.std() == pytest.approx(0.05, rel=0.03)


def test_gaussian_noise_is_clipped_to_the_range_of_pixels():
    corrupted = np.asarray(corrupt(np.zeros((50, *SHAPE), "float32"), "gaussian", 0.5, (1, 2)))
    assert corrupted.min() == 0.0 and corrupted.max() == 1.0
    # Of N(0, 1/2) half lies below 0, and P(N > 2) = 0.0228 above 1.
    assert (corrupted == 0.0).mean() == pytest.approx(0.5, abs=0.03)
    assert (corrupted == 1.0).mean() == pytest.approx(0.0228, abs=0.01)


@pytest.mark.parametrize(("level", "masked"), [(0.25, 16), (0.1, 6), (0.5, 32)])
def test_masking_takes_exactly_its_share_of_every_image_and_leaves_the_rest(level, masked):
    images = np.random.default_rng(0).uniform(0.1, 1.0, size=(100, *SHAPE)).astype("float32")
    corrupted = np.asarray(corrupt(images, "masking", level, (1, 2)))
    gone = corrupted == 0.0
    assert (gone.sum(axis=(1, 2, 3)) == masked).all()
    np.testing.assert_array_equal(corrupted[~gone], images[~gone])
    # Every place is as likely as any other, in every image anew.
    np.testing.assert_allclose(gone.mean(axis=0), masked / 64, atol=0.2)
    assert len(np.unique(gone.reshape(100, -1), axis=0)) == 100


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_noise_is_a_function_of_the_seed_and_differs_between_images(corruption):
    images = np.full((2, *SHAPE), 0.5, "float32")
    first = np.asarray(corrupt(images, corruption, 0.3, (1, 2)))
    np.testing.assert_array_equal(first, corrupt(images, corruption, 0.3, (1, 2)))
    assert not np.array_equal(first, corrupt(images, corruption, 0.3, (1, 3)))
    assert not np.array_equal(first[0], first[1])


def test_decibels_worked_out_by_hand():
    images = np.zeros((2, *SHAPE), "float32")
    others = np.stack([np.full(SHAPE, 0.1), np.full(SHAPE, 1.0)]).astype("float32")
    # Errors 0.01 and 1: 20 dB and 0 dB.
    assert float(psnr_db(images, others)) == pytest.approx(10.0, abs=1e-4)
    assert float(psnr_db(images, images)) == pytest.approx(100.0, abs=1e-3)


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_the_loss_compares_what_comes_of_the_corrupted_image_with_the_clean_one(corruption):
    model = DenoisingAutoencoder(SHAPE, (4,), corruption, 0.4)
    model.compile(keras.optimizers.SGD(0.0))
    images = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype("float32")
    seed = model.next_seeds(1)[0]
    model.train_steps.assign(0)
    corrupted = corrupt(images, corruption, 0.4, seed)
    expected = float(bce_per_pixel(images, model.networks(corrupted)))
    logs = model.train_step(tf.constant(images))
    assert float(logs["bce_per_pixel"]) == pytest.approx(expected, rel=1e-5)
    assert float(logs["psnr_in_db"]) == pytest.approx(float(psnr_db(images, corrupted)), rel=1e-5)


def test_every_step_draws_fresh_noise():
    model = DenoisingAutoencoder(SHAPE, (4,))
    model.compile(keras.optimizers.SGD(0.0))
    images = tf.fill((6, *SHAPE), 0.5)
    seen = {float(model.train_step(images)["psnr_in_db"]) for _ in range(3)}
    assert len(seen) == 3


def test_it_learns_to_take_noise_off():
    """Smooth images: what is left of noise is what smoothing leaves."""
    random = np.random.default_rng(0)
    corners = random.uniform(size=(128, 2, 2, 1))
    images = np.asarray(tf.image.resize(corners, (8, 8)), "float32")
    model = DenoisingAutoencoder(SHAPE, (8, 8), noise_level=0.3)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(tf.data.Dataset.from_tensors(images).repeat(200), shuffle=False, verbose=0)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert logs["psnr_out_db"] > logs["psnr_in_db"] + 5.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"corruption": "salt"},
        {"noise_level": 0.0},
        {"corruption": "masking", "noise_level": 1.0},
        {"noise_level": float("nan")},
    ],
)
def test_noise_that_is_none_is_refused(arguments):
    name = "corruption" if arguments.get("corruption") == "salt" else "noise_level"
    with pytest.raises(ValueError, match=f"{name}="):
        DenoisingAutoencoder(SHAPE, (4,), **arguments)
