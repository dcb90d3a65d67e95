import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import DCGAN, PacGAN
from keras_gen.models.gans.pac_gan import pack


def test_a_pack_holds_neighbouring_images_side_by_side_in_its_channels():
    images = np.arange(4 * 2 * 3 * 2, dtype="float32").reshape(4, 2, 3, 2)
    packs = np.asarray(pack(tf.constant(images), 2))
    expected = np.stack([np.concatenate([images[i], images[i + 1]], axis=-1) for i in (0, 2)])
    np.testing.assert_array_equal(packs, expected)


def test_a_batch_that_fills_no_packs_is_refused():
    with pytest.raises(ValueError, match="5 images cannot be cut into packs of 2"):
        pack(tf.zeros((5, 4, 4, 1)), 2)


def test_packs_of_one_image_train_as_dcgan():
    models = [
        DCGAN((8, 8, 1), 3, 4, latent_distribution="normal"),
        PacGAN((8, 8, 1), 3, 4, packing=1, latent_distribution="normal"),
    ]
    data = np.random.default_rng(0).uniform(-1, 1, (12, 8, 8, 1)).astype("float32")
    for model in models:
        model.compile()
    for variable, other in zip(models[1].variables, models[0].variables, strict=True):
        variable.assign(other)
    for model in models:
        model.fit(data, batch_size=4, shuffle=False, verbose=0)
    for variable, other in zip(models[1].variables, models[0].variables, strict=True):
        np.testing.assert_array_equal(variable, other)


def test_the_discriminator_sees_whole_packs_and_the_generator_single_images():
    model = PacGAN((8, 8, 3), 2, 4, packing=3)
    assert model.discriminator.input.shape == (None, 8, 8, 9)
    assert model.sample(4, seed=0).shape == (4, 8, 8, 3)


def test_a_collapsed_generator_is_told_from_varied_data_by_packs_alone():
    """Real images are one of two, generated ones always the first: singly half of them match."""
    model = PacGAN((8, 8, 1), 2, 4, packing=4)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], size=(64 * 100, 1, 1, 1))
    data = (0.9 * signs * np.ones((1, 8, 8, 1))).astype("float32")
    model.generator = lambda latents, training: tf.fill((tf.shape(latents)[0], 8, 8, 1), 0.9)
    update = model.update
    model.update = lambda optimizer, tape, loss, network: (
        update(optimizer, tape, loss, network) if network is model.discriminator else None
    )
    history = model.fit(data, batch_size=64, epochs=4, verbose=0).history
    # Of four real images all are the first kind in one pack of 16.
    assert history["real_probability"][-1] > 0.85 and history["fake_probability"][-1] < 0.2
