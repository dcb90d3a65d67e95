import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import ConditionalGAN
from keras_gen.models.gans.conditional_gan import build_discriminator, build_generator

SHAPE = (4, 4, 1)


def test_the_networks_have_the_sizes_of_section_4_1():
    generator, discriminator = (
        build_generator((28, 28, 1), 10, 100),
        build_discriminator((28, 28, 1), 10),
    )
    units = [layer.units for layer in generator.layers if isinstance(layer, keras.layers.Dense)]
    assert sorted(units) == [200, 784, 1000, 1200]
    maxout = [layer for layer in discriminator.layers if type(layer).__name__ == "Maxout"]
    assert sorted((layer.units, layer.pieces) for layer in maxout) == [(50, 5), (240, 4), (240, 5)]


def test_both_networks_depend_on_the_class():
    model = ConditionalGAN(SHAPE, num_classes=3, latent_dim=2)
    latents, images = tf.ones((1, 2)), tf.ones((1, *SHAPE))
    drawn = [np.asarray(model.decode(latents, [label])) for label in range(3)]
    judged = [np.asarray(model.discriminator([images, tf.constant([label])])) for label in range(3)]
    for values in (drawn, judged):
        assert not np.allclose(values[0], values[1]) and not np.allclose(values[1], values[2])


def test_fake_images_are_judged_as_the_class_they_were_drawn_for():
    model = ConditionalGAN(SHAPE, num_classes=3, latent_dim=2, discriminator_steps=2)
    model.compile()
    seen = {"generator": [], "discriminator": []}
    for name, calls in seen.items():
        network = getattr(model, name)

        def record(inputs, training, network=network, calls=calls):
            calls.append(np.asarray(inputs[1]))
            return network(inputs, training=training)

        record.trainable_variables = network.trainable_variables
        setattr(model, name, record)
    model.update = lambda *_, **__: []
    labels = np.array([0, 1, 2, 2, 1, 0])
    model.train_step((tf.zeros((6, *SHAPE)), tf.constant(labels)))
    first, second = labels[0::2], labels[1::2]
    for calls, expected in (
        (seen["generator"], [first, second]),
        (seen["discriminator"], [first, first, second, second, second]),
    ):
        np.testing.assert_array_equal(np.stack(calls), np.stack(expected))


def test_each_class_is_learned_apart():
    """Where all images of a class are alike, the generator must draw the one asked for."""
    images = np.stack([np.full(SHAPE, 0.2), np.full(SHAPE, 0.8)]).astype("float32")
    model = ConditionalGAN(SHAPE, num_classes=2, latent_dim=2)
    model.compile()
    labels = np.random.default_rng(0).integers(2, size=32 * 200)
    data = tf.data.Dataset.from_tensor_slices((images[labels], labels)).batch(32)
    model.fit(data, verbose=0)
    drawn = np.asarray(model.sample(64, seed=0, labels=np.arange(64) % 2))
    assert np.abs(drawn - images[np.arange(64) % 2]).mean() < 0.15


def test_the_first_class_is_no_missing_label():
    model = ConditionalGAN(SHAPE, num_classes=3, latent_dim=2)
    with pytest.raises(ValueError, match="from 0 to 2"):
        model.sample(2, labels=[0, 3])
    given = model.sample(4, seed=1, labels=[0, 0, 0, 0])
    assert not np.array_equal(given, model.sample(4, seed=1, labels=[1, 1, 1, 1]))
