import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import SelfAttention, SpectralNormalization
from keras_gen.models import SAGAN, BigGAN
from keras_gen.models.gans import sagan
from keras_gen.models.gans.sagan import build_discriminator, build_generator

TINY = {"image_shape": (12, 16, 1), "num_classes": 3, "latent_dim": 2, "filters": 2}


@pytest.fixture(scope="module")
def tiny():
    """One model for the tests that only look at it."""
    keras.utils.set_random_seed(0)
    model = SAGAN(**TINY, attention_size=8, ema_decay=0.9)
    model.compile(run_eagerly=True)
    return model


def layers(network, kind):
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]


def blocks(network):
    """The shapes of the maps that residual blocks end in."""
    return [layer.output.shape[1:] for layer in network.layers if type(layer).__name__ == "Add"]


def test_the_networks_at_128_pixels_are_those_of_the_authors_code():
    sizes = {"num_classes": 10, "filters": 1, "attention_size": 32}
    generator = build_generator((128, 128, 3), latent_dim=128, **sizes)
    sides, widths = (8, 16, 32, 64, 128), (16, 8, 4, 2, 1)
    assert blocks(generator) == [(n, n, w) for n, w in zip(sides, widths, strict=True)]
    discriminator = build_discriminator((128, 128, 3), **sizes)
    sides, widths = (64, 32, 16, 8, 4, 4), (1, 2, 4, 8, 16, 16)
    assert blocks(discriminator) == [(n, n, w) for n, w in zip(sides, widths, strict=True)]
    for network, channels in ((generator, 4), (discriminator, 2)):
        (attention,) = layers(network, SelfAttention)
        assert attention.output.shape[1:] == (32, 32, channels)


def parameters_of_the_authors_code(filters=64, classes=1000):
    """Of generator and discriminator at 128 pixels, added up by hand from its layers' sizes."""

    def conv(size, channels_in, channels_out):
        return (size**2 * channels_in + 1) * channels_out

    def attention(channels):
        return channels * (2 * channels // 8 + 2 * channels // 2) + 1

    def block(channels_in, channels_out, shortcut=True):
        return (
            conv(3, channels_in, channels_out)
            + conv(3, channels_out, channels_out)
            + shortcut * conv(1, channels_in, channels_out)
        )

    widths = [16 * filters, 16 * filters, 8 * filters, 4 * filters, 2 * filters, filters]
    generator = (128 + 1) * 16 * widths[0] + attention(4 * filters)
    for channels_in, channels_out in zip(widths[:-1], widths[1:], strict=True):
        generator += block(channels_in, channels_out)
        generator += 2 * classes * (channels_in + channels_out)  # scales and offsets
    generator += 2 * filters + conv(3, filters, 3)
    widths = [3, *widths[:0:-1]]
    discriminator = attention(2 * filters)
    for channels_in, channels_out in zip(widths[:-1], widths[1:], strict=True):
        discriminator += block(channels_in, channels_out)
    discriminator += block(widths[-1], widths[-1], shortcut=False)
    discriminator += widths[-1] + 1 + classes * widths[-1]
    return generator, discriminator


@pytest.mark.slow
def test_the_default_has_the_parameters_of_the_authors_code():
    model = SAGAN()
    counts = [
        sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        for network in (model.generator, model.discriminator)
    ]
    assert tuple(counts) == parameters_of_the_authors_code()
    # Without attention the generator's widths are BigGAN's at 64 channels: row 5 of its Table 1.
    assert sum(counts) == pytest.approx(81.5e6, rel=0.01)


def test_every_kernel_of_both_networks_is_normalized(tiny):
    for network in (tiny.generator, tiny.discriminator):
        kernels = [v for v in network.trainable_variables if v.name == "kernel"]
        wrapped = layers(network, SpectralNormalization)
        embeddings = [w for w in wrapped if isinstance(w.layer, keras.layers.Embedding)]
        assert len(kernels) == len(wrapped) - len(embeddings)
        assert len(embeddings) == (network is tiny.discriminator)


def test_the_score_is_a_linear_one_and_the_inner_product_with_the_embedding_of_the_class():
    features = keras.Input((4,))
    labels = keras.Input((), dtype="int32")
    scores = sagan.project(features, labels, 3, "glorot_uniform")
    network = keras.Model([features, labels], scores)
    table, dense = (
        layers(network, kind)[0] for kind in (keras.layers.Embedding, keras.layers.Dense)
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 4)).astype("float32"), np.array([0, 2, 1, 2, 0])
    dense.bias.assign([0.5])
    embeddings, kernel = table.embeddings.numpy(), dense.kernel.numpy()
    embeddings = embeddings / np.linalg.norm(embeddings, 2)
    kernel = kernel[:, 0] / np.linalg.norm(kernel)
    expected = x @ kernel + 0.5 + np.einsum("bc,bc->b", embeddings[y], x)
    np.testing.assert_allclose(np.ravel(network([x, y])), expected, rtol=2e-3, atol=2e-3)


def test_a_shortcut_commutes_with_the_change_of_resolution():
    """Why the cheaper order is the same block."""
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32"))
    convolution = keras.layers.Conv2D(5, 1, bias_initializer="ones")
    for change in (keras.layers.UpSampling2D(), keras.layers.AveragePooling2D(2)):
        np.testing.assert_allclose(change(convolution(x)), convolution(change(x)), atol=1e-5)


def test_images_are_framed_in_black_and_cut_out_of_the_middle():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 27, 30, 1)).astype("float32")
    framed = np.asarray(sagan.framed(tf.constant(images), 32))
    assert framed.shape == (2, 32, 32, 1)
    np.testing.assert_array_equal(framed[:, 2:29, 1:31], images)
    assert framed.sum() == pytest.approx(images.sum() - 2 * (32 * 32 - 27 * 30), rel=1e-5)
    np.testing.assert_array_equal(sagan.cut_out(framed, (27, 30, 1)), images)
    whole = tf.zeros((1, 32, 32, 3))
    assert sagan.framed(whole, 32) is whole


def test_each_step_draws_new_images_of_classes_of_their_own(tiny, monkeypatch):
    seen = {"generator": [], "discriminator": []}
    for name, calls in seen.items():
        network = getattr(tiny, name)

        def record(inputs, training, network=network, calls=calls):
            calls.append([np.asarray(each) for each in inputs])
            return network(inputs, training=training)

        record._flatten_layers, record.trainable_variables = lambda: [], []
        monkeypatch.setitem(vars(tiny), name, record)
    monkeypatch.setattr(tiny, "update", lambda *_: None)
    monkeypatch.setattr(tiny, "batches_per_step", 2)
    monkeypatch.setattr(tiny, "ema", None)
    images = np.random.default_rng(0).uniform(-1, 1, (80, 12, 16, 1)).astype("float32")
    tiny.train_step((tf.constant(images), tf.constant(np.arange(80) % 3)))
    latents, labels = zip(*seen["generator"], strict=True)
    assert len(latents) == 3 and not any(
        np.array_equal(latents[a], latents[b]) for a, b in ((0, 1), (0, 2), (1, 2))
    )
    judged = [inputs[1] for inputs in seen["discriminator"]]
    real = [np.arange(80)[first::2] % 3 for first in (0, 1)]
    expected = [real[0], labels[0], real[1], labels[1], labels[2]]
    for got, wanted in zip(judged, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert set(np.concatenate(labels)) == {0, 1, 2}
    assert not np.array_equal(labels[0], labels[1])


def descend(network, loss):
    """One step of gradient descent at a rate of 0.01 on a function without arguments."""
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [variable.value for variable in variables])
    keras.optimizers.SGD(0.01).apply(gradients, variables)
    return value


@pytest.mark.parametrize(("cls", "orthogonal_weight"), [(SAGAN, 0.0), (BigGAN, 0.0), (BigGAN, 3.0)])
def test_a_step_descends_the_hinge_losses_and_the_penalty(cls, orthogonal_weight, monkeypatch):
    monkeypatch.setattr(sagan, "update_spectral_norms", lambda network: None)
    settings = {"num_classes": 3, "latent_dim": 4, "filters": 2, "attention_size": 0}
    if cls is BigGAN:
        settings["orthogonal_weight"] = orthogonal_weight
    model, by_hand = (
        cls((8, 8, 1), **settings, discriminator_steps=1, ema_decay=None) for _ in range(2)
    )
    by_hand.set_weights(model.get_weights())
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(-1, 1, (5, 8, 8, 1)).astype("float32"))
    labels, fake_labels = tf.constant([0, 1, 2, 0, 1]), tf.constant([2, 2, 0, 1, 0])
    inputs = [tf.constant(rng.normal(size=(5, 4)).astype("float32")), fake_labels]
    model.generator_inputs = lambda *_: inputs
    logs = model.train_step((images, labels))

    generator, discriminator = by_hand.generator, by_hand.discriminator
    fakes = generator(inputs, training=True)

    def discriminator_loss():
        real_margins = 1.0 - discriminator([images, labels], training=True)
        fake_margins = 1.0 + discriminator([fakes, fake_labels], training=True)
        return tf.reduce_mean(tf.nn.relu(real_margins)) + tf.reduce_mean(tf.nn.relu(fake_margins))

    def generator_loss():
        fakes = generator(inputs, training=True)
        loss = -tf.reduce_mean(discriminator([fakes, fake_labels], training=True))
        for kernel in (v for v in generator.trainable_variables if v.name == "kernel"):
            matrix = tf.reshape(kernel.value, (-1, kernel.shape[-1]))
            products = tf.matmul(matrix, matrix, transpose_a=True)
            products -= tf.linalg.diag(tf.linalg.diag_part(products))
            loss += orthogonal_weight * tf.reduce_sum(tf.square(products))
        return loss

    assert float(descend(discriminator, discriminator_loss)) == pytest.approx(
        float(logs["discriminator_loss"]), rel=1e-5
    )
    descend(generator, generator_loss)
    for mine, expected in zip(model.trainable_variables, by_hand.trainable_variables, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-3, atol=1e-5, err_msg=mine.path)


def test_both_networks_make_one_power_iteration_for_each_of_their_updates(monkeypatch):
    calls = []
    monkeypatch.setattr(sagan, "update_spectral_norms", calls.append)
    model = SAGAN(**TINY, attention_size=0, discriminator_steps=2)
    model.compile()
    model.update = lambda *_: None
    model.train_step((tf.zeros((4, 12, 16, 1)), tf.zeros((4,), "int32")))
    assert calls == [model.discriminator, model.discriminator, model.generator]


def test_a_class_that_is_drawn_often_moves_by_the_learning_rate_too(tiny):
    table = keras.layers.Embedding(3, 2)
    table.build()
    before, optimizer = table.get_weights()[0], keras.optimizers.Adam(0.01, beta_1=0.0)
    optimizer.build(table.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(table(tf.constant([0, 0, 0, 0, 1])))
    tiny.update(optimizer, tape, loss, table)
    steps = before - table.get_weights()[0]
    np.testing.assert_allclose(steps, [[0.01] * 2, [0.01] * 2, [0.0] * 2], rtol=1e-3)


def test_default_optimizers_have_two_time_scales(tiny):
    rates = [float(optimizer.learning_rate) for optimizer in tiny.optimizers.values()]
    assert rates == pytest.approx([4e-4, 1e-4])
    for optimizer in tiny.optimizers.values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)


def test_standing_statistics_make_samples_those_of_a_batch_of_the_same_latents(tiny):
    """In one pass they are the moments of its batch, which training mode takes too."""
    seeds = tf.random.experimental.stateless_split(tf.constant([3, 0], "int64"), 2)
    latents, labels = tiny.draw_latents(8, seeds[0], 0.5), tiny.draw_labels(8, seeds[1])
    tiny.collect_statistics(passes=1, batch_size=8, seed=3, truncation=0.5)
    generator = tiny.ema_generator
    assert not generator.trainable_variables
    generator.trainable = True
    expected = generator([latents, labels], training=True)
    generator.trainable = False
    tiny.collect_statistics(passes=1, batch_size=8, seed=3, truncation=0.5)
    np.testing.assert_allclose(tiny.decode(latents, labels), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (8, 129, 1)}, "128 at most"),
        ({"attention_size": 32}, "attention_size=32: give one of 0, 8 for images of 12x16"),
        ({"filters": 0}, "filters=0"),
        ({"num_classes": 0}, "num_classes=0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SAGAN(**TINY | {"attention_size": 8} | arguments)


@pytest.mark.parametrize(("side", "attention_size"), [(8, 0), (28, 16), (64, 32), (128, 32)])
def test_the_papers_preset_fits_smaller_images(side, attention_size):
    assert SAGAN.preset_arguments("paper", (side, side, 1)) == {"attention_size": attention_size}


def test_the_small_preset_is_the_recipes_and_takes_changes():
    model = SAGAN.from_preset("small", (8, 8, 1), 3, filters=2)
    assert model.filters == 2 and model.attention_size == 0 and model.latent_dim == 64


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="preset='tiny': give one of paper, small"):
        SAGAN.from_preset("tiny", (8, 8, 1), 3)
