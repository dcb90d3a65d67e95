import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import SpectralNormalization
from keras_gen.models import SNGAN
from keras_gen.models.gans import sn_gan
from keras_gen.models.gans.sn_gan import build_discriminator, build_generator


def normalized(network):
    return [layer for layer in network.layers if isinstance(layer, SpectralNormalization)]


def test_the_networks_at_32_pixels_are_those_of_table_3():
    generator = build_generator((32, 32, 3), 128, filters=64)
    shapes = [
        layer.output.shape[1:]
        for layer in generator.layers
        if isinstance(
            layer, keras.layers.Reshape | keras.layers.Conv2DTranspose | keras.layers.Conv2D
        )
    ]
    expected = [(4, 4, 512), (8, 8, 256), (16, 16, 128), (32, 32, 64), (32, 32, 3)]
    assert shapes == expected
    discriminator = build_discriminator((32, 32, 3), filters=64)
    shapes = [layer.output.shape[1:] for layer in normalized(discriminator)]
    assert shapes == [
        (32, 32, 64),
        (16, 16, 64),
        (16, 16, 128),
        (8, 8, 128),
        (8, 8, 256),
        (4, 4, 256),
        (4, 4, 512),
        (1,),
    ]


def test_every_kernel_of_the_discriminator_is_normalized_and_none_of_the_generator():
    model = SNGAN((8, 8, 1), filters=4)
    kernels = [v for v in model.discriminator.trainable_variables if v.name == "kernel"]
    assert len(kernels) == len(normalized(model.discriminator))
    assert not normalized(model.generator)


def test_one_power_iteration_is_done_for_each_discriminator_update(monkeypatch):
    calls = []
    monkeypatch.setattr(sn_gan, "update_spectral_norms", calls.append)
    model = SNGAN((8, 8, 1), filters=4, discriminator_steps=3)
    model.compile()
    model.train_step(tf.zeros((6, 8, 8, 1)))
    assert calls == [model.discriminator] * 3


@pytest.mark.parametrize("loss", ["hinge", "non_saturating"])
def test_the_trained_discriminator_cannot_change_faster_than_its_layers_allow(loss):
    """With kernels of norm 1, a pixel reaches a pixel by at most kernel size / stride paths."""
    model = SNGAN((8, 8, 1), 2, 4, loss)
    model.compile(keras.optimizers.Adam(1e-2, beta_1=0.5), keras.optimizers.Adam(1e-2, beta_1=0.5))
    data = np.random.default_rng(0).uniform(-1, 1, (16 * 40, 8, 8, 1)).astype("float32")
    model.fit(data, batch_size=16, verbose=0)
    images = tf.constant(data[:32])
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = model.discriminator(images, training=False)
    norms = np.linalg.norm(np.asarray(tape.gradient(scores, images)).reshape(32, -1), axis=1)
    # A convolution is a matrix of norm at most sqrt(patches that an input is in) x the kernel's.
    bound = (3.0 * 2.0) * 3.0
    assert 0 < norms.max() <= bound * 1.1


def test_default_optimizers_are_setting_c():
    model = SNGAN((8, 8, 1), filters=4)
    model.compile()
    for optimizer in model.optimizers.values():
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss='minimax': give one of hinge"):
        SNGAN((8, 8, 1), loss="minimax")
