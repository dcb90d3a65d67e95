import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.export import export_model, load_exported
from keras_gen.layers import instance_normalization
from keras_gen.models import CycleGAN
from keras_gen.models.gans import cyclegan
from keras_gen.models.gans.cyclegan import (
    PATCH_SIZES,
    LinearDecay,
    build_discriminator,
    build_generator,
    reflect,
)

SHAPE = (16, 12, 3)


def tiny(**arguments):
    settings = {"filters": 2, "num_blocks": 1, "patch_size": 16, "pool_size": 3}
    return CycleGAN(SHAPE, **(settings | arguments))


def images(count, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, size=(count, *shape)).astype("float32")


def parameters(network):
    return sum(variable.shape.num_elements() for variable in network.trainable_variables)


# ---------------------------------------------------------------------- networks


def cancelled_biases(network):
    """How many biases the authors' code has before normalizations, where they cancel."""
    return sum(
        layer.filters
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose)
        and not layer.use_bias
    )


def test_the_paper_preset_has_the_published_number_of_parameters():
    # 11.378M and 2.765M, as https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix prints them.
    generator = build_generator((256, 256, 3), 64, 9)
    assert parameters(generator) + cancelled_biases(generator) == 11_378_179
    # With scales and shifts in the normalizations the code printed 11,388,675 (its issue 45).
    assert parameters(generator) + 3 * cancelled_biases(generator) == 11_388_675
    assert cancelled_biases(generator) == 5_248
    discriminator = build_discriminator((256, 256, 3), 64, 70)
    assert parameters(discriminator) + cancelled_biases(discriminator) == 2_764_737
    assert cancelled_biases(discriminator) == 896
    assert discriminator.output.shape == (None, 30, 30, 1)


@pytest.mark.slow
def test_the_defaults_are_the_paper_preset():
    paper, default = CycleGAN.from_preset("paper", (256, 256, 3)), CycleGAN()
    names = ("image_shape", "filters", "num_blocks", "patch_size")
    assert [paper.get_config()[name] for name in names] == [(256, 256, 3), 64, 9, 70]
    assert paper.get_config() | {"name": ""} == default.get_config() | {"name": ""}
    assert parameters(paper.generators) == 2 * (11_378_179 - 5_248)
    assert parameters(paper.discriminators) == 2 * (2_764_737 - 896)


def test_presets_follow_the_size_of_the_images():
    def of(preset, side, **more):
        config = CycleGAN.from_preset(preset, (side, side, 1), num_exemplars=1, **more).get_config()
        return config["filters"], config["num_blocks"], config["patch_size"]

    assert of("small", 32) == (32, 3, 34)
    assert of("small", 64) == (16, 3, 70)
    assert of("small", 32, filters=4, patch_size=16) == (4, 3, 16)
    assert of("paper", 32, filters=4) == (4, 6, 70)
    with pytest.raises(ValueError, match="preset='big': give one of paper, small"):
        of("big", 32)


def test_the_generators_layers_are_those_of_the_appendix():
    network = build_generator((32, 32, 3), 64, 6)
    described = [
        (
            type(layer).__name__,
            layer.filters,
            layer.kernel_size[0],
            layer.strides[0],
        )
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose)
    ]
    conv, transposed = "Conv2D", "Conv2DTranspose"
    assert described == [
        (conv, 64, 7, 1),  # c7s1-64
        (conv, 128, 3, 2),  # d128
        (conv, 256, 3, 2),  # d256
        *[(conv, 256, 3, 1)] * 12,  # R256, six times
        (transposed, 128, 3, 2),  # u128
        (transposed, 64, 3, 2),  # u64
        (conv, 3, 7, 1),  # c7s1-3
    ]


def test_the_discriminators_layers_are_those_of_the_appendix():
    network = build_discriminator((64, 64, 3), 64, 70)
    kinds = [type(layer).__name__ for layer in network.layers]
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(layer.filters, layer.strides[0]) for layer in convolutions] == [
        (64, 2),
        (128, 2),
        (256, 2),
        (512, 1),
        (1, 1),
    ]
    assert all(layer.kernel_size == (4, 4) for layer in convolutions)
    slopes = [each for each in network.layers if isinstance(each, keras.layers.LeakyReLU)]
    assert len(slopes) == 4 and all(each.negative_slope == 0.2 for each in slopes)
    first, second = [i for i, kind in enumerate(kinds) if kind == "Conv2D"][:2]
    assert "GroupNormalization" not in kinds[first:second], "the first layer is not normalized"
    assert kinds.count("GroupNormalization") == 3


@pytest.mark.parametrize("patch_size", PATCH_SIZES)
def test_a_score_sees_a_patch_of_the_stated_size(patch_size, monkeypatch):
    # A normalization sees the whole image. What the convolutions see is asked here.
    monkeypatch.setattr(cyclegan, "instance_normalization", keras.layers.Identity)
    side = 2 * patch_size
    network = build_discriminator((side, side, 1), 1, patch_size)
    for variable in network.trainable_variables:
        variable.assign(tf.abs(variable) + 0.1)  # so that nothing cancels
    image = tf.constant(images(1, shape=(side, side, 1)))
    with tf.GradientTape() as tape:
        tape.watch(image)
        scores = network(image)
        middle = scores.shape[1] // 2
        score = scores[0, middle, middle, 0]
    seen = np.asarray(tape.gradient(score, image))[0, :, :, 0] != 0
    for rows in (seen.any(axis=0), seen.any(axis=1)):
        where = np.flatnonzero(rows)
        assert len(where) == patch_size and where[-1] - where[0] == patch_size - 1
        assert where[0] > 0 and where[-1] < side - 1, "not cut off by the border"


def test_instance_normalization_is_that_of_numpy():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(3, 5, 4, 2)).astype("float32")
    mean, variance = x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)
    layer = instance_normalization(epsilon=1e-5)
    for training in (True, False):
        np.testing.assert_allclose(
            layer(x, training=training) if training else layer(x),
            (x - mean) / np.sqrt(variance + 1e-5),
            atol=1e-5,
        )
    assert not layer.weights


@pytest.mark.parametrize("size", [1, 3])
def test_reflection_is_that_of_numpy(size):
    x = images(2, shape=(5, 4, 3))
    pads = ((0, 0), (size, size), (size, size), (0, 0))
    np.testing.assert_array_equal(reflect(x, size), np.pad(x, pads, mode="reflect"))


def test_kernels_start_from_a_normal_of_deviation_002():
    model = CycleGAN((32, 32, 3), 16, 1, 34, num_exemplars=1)
    for variable in (
        *model.generators.trainable_variables,
        *model.discriminators.trainable_variables,
    ):
        values = np.asarray(variable)
        if variable.name == "bias":
            assert not values.any()
        elif values.size > 5000:
            assert values.std() == pytest.approx(0.02, rel=0.05)
            assert values.mean() == pytest.approx(0.0, abs=0.001)


# ---------------------------------------------------------------------- objective


def with_networks(model, generator_a, generator_b, score_a, score_b):
    """The model with functions of images in the place of its networks."""
    for name, function in (
        ("generator_a", generator_a),
        ("generator_b", generator_b),
        ("discriminator_a", score_a),
        ("discriminator_b", score_b),
    ):
        setattr(model, name, lambda images, training=None, function=function: function(images))
    return model


def test_identity_generators_have_no_cycle_and_no_identity_loss():
    model = with_networks(tiny(identity_weight=0.5), *[tf.identity] * 2, *[tf.ones_like] * 2)
    losses, fake_a, fake_b = model.generator_losses(images(2), images(2, seed=1), training=True)
    for name in ("cycle_a_loss", "cycle_b_loss", "identity_loss"):
        assert float(losses[name]) == 0.0
    np.testing.assert_array_equal(fake_b, images(2))
    np.testing.assert_array_equal(fake_a, images(2, seed=1))


def test_every_loss_is_that_of_numpy():
    model = with_networks(
        tiny(identity_weight=0.5, cycle_weight=3.0, pool_size=0),
        lambda x: 0.5 * x + 0.1,
        lambda x: 0.8 * x - 0.2,
        lambda x: tf.reduce_mean(x, axis=-1, keepdims=True),
        lambda x: 2.0 * tf.reduce_mean(x, axis=-1, keepdims=True) + 0.3,
    )
    model.compile(run_eagerly=True)
    a, b = images(3), images(3, seed=1)

    def to_a(x):
        return 0.5 * x + 0.1

    def to_b(x):
        return 0.8 * x - 0.2

    def score_a(x):
        return x.mean(axis=-1)

    def score_b(x):
        return 2.0 * x.mean(axis=-1) + 0.3

    expected = {
        "generator_a_loss": ((score_a(to_a(b)) - 1) ** 2).mean(),
        "generator_b_loss": ((score_b(to_b(a)) - 1) ** 2).mean(),
        "cycle_a_loss": np.abs(to_a(to_b(a)) - a).mean(),
        "cycle_b_loss": np.abs(to_b(to_a(b)) - b).mean(),
        "identity_loss": np.abs(to_a(a) - a).mean() + np.abs(to_b(b) - b).mean(),
        "discriminator_a_loss": ((score_a(a) - 1) ** 2).mean() / 2
        + (score_a(to_a(b)) ** 2).mean() / 2,
        "discriminator_b_loss": ((score_b(b) - 1) ** 2).mean() / 2
        + (score_b(to_b(a)) ** 2).mean() / 2,
    }
    batch = np.stack([a, b], axis=1).reshape(-1, *SHAPE)
    logs = model.test_step(tf.constant(batch))
    assert set(logs) == set(expected) == set(model.trackers)
    for name, value in expected.items():
        assert float(logs[name]) == pytest.approx(value, rel=1e-5), name
    total = float(model.weighted({name: tf.constant(each) for name, each in expected.items()}))
    assert total == pytest.approx(
        expected["generator_a_loss"]
        + expected["generator_b_loss"]
        + 3.0 * (expected["cycle_a_loss"] + expected["cycle_b_loss"])
        + 3.0 * 0.5 * expected["identity_loss"],
        rel=1e-5,
    )


def test_the_identity_loss_is_left_out_by_default():
    assert "identity_loss" not in tiny().trackers
    assert "identity_loss" not in tiny().generator_losses(images(1), images(1), training=True)[0]


def test_discriminators_see_translations_of_before_the_step_from_the_pool():
    model = tiny(pool_size=3)
    still = keras.optimizers.SGD(0.0)
    model.compile(keras.optimizers.SGD(0.5), still, run_eagerly=True)
    a, b = images(2), images(2, seed=1)
    expected = [model.translate(a, to="b"), model.translate(b, to="a")]
    batch = tf.constant(np.stack([a, b], axis=1).reshape(-1, *SHAPE))
    model.train_step(batch)
    # The pool is not full: it holds the translations themselves, though generators have moved.
    for pool, fakes in ((model.pool_b, expected[0]), (model.pool_a, expected[1])):
        np.testing.assert_allclose(pool.images[:2], fakes, atol=1e-6)
        assert int(pool.count) == 2
    assert np.abs(model.translate(a, to="b") - expected[0]).max() > 1e-4


def test_a_step_moves_each_network_down_its_own_loss():
    model = tiny(pool_size=0, cycle_weight=10.0)
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)), run_eagerly=True)
    a, b = images(2), images(2, seed=1)
    to_a, to_b, score_a, score_b = networks = (
        model.generator_a,
        model.generator_b,
        model.discriminator_a,
        model.discriminator_b,
    )

    def square(x):
        return tf.reduce_mean(x**2)

    def absolute(x):
        return tf.reduce_mean(tf.abs(x))

    with tf.GradientTape(persistent=True) as tape:
        fake_a, fake_b = to_a(b), to_b(a)
        cycle = 10.0 * (absolute(to_a(fake_b) - a) + absolute(to_b(fake_a) - b))
        losses = (
            square(score_a(fake_a) - 1.0) + cycle,
            square(score_b(fake_b) - 1.0) + cycle,
            0.5 * square(score_a(a) - 1.0) + 0.5 * square(score_a(fake_a)),
            0.5 * square(score_b(b) - 1.0) + 0.5 * square(score_b(fake_b)),
        )
    expected = []
    for network, loss in zip(networks, losses, strict=True):
        variables = [variable.value for variable in network.trainable_variables]
        gradients = tape.gradient(loss, variables)
        expected += [v - 0.1 * g for v, g in zip(variables, gradients, strict=True)]
    model.train_step(tf.constant(np.stack([a, b], axis=1).reshape(-1, *SHAPE)))
    moved = [variable for network in networks for variable in network.trainable_variables]
    for variable, value in zip(moved, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6, err_msg=variable.path)


# ---------------------------------------------------------------------- the learning rate


def test_the_rate_is_constant_for_half_of_the_steps_and_falls_linearly_to_zero():
    rate = LinearDecay(2e-4, 100)
    values = [float(rate(step)) for step in (0, 25, 50, 60, 75, 99, 100, 150)]
    expected = [2e-4, 2e-4, 2e-4, 1.6e-4, 1e-4, 4e-6, 0.0, 0.0]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-10)
    with pytest.raises(ValueError, match="steps=1"):
        LinearDecay(2e-4, 1)


def test_a_saved_model_keeps_its_rate(tmp_path):
    model = tiny()
    model.compile(*(keras.optimizers.Adam(LinearDecay(1e-3, 10), beta_1=0.5) for _ in range(2)))
    for optimizer in model.optimizers.values():
        optimizer.iterations.assign(9)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for optimizer in loaded.optimizers.values():
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_default_optimizers_are_the_papers():
    model = tiny()
    model.compile()
    assert list(model.optimizers) == ["generators_optimizer", "discriminators_optimizer"]
    for optimizer in model.optimizers.values():
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5


# ---------------------------------------------------------------------- translation


def test_translations_are_those_of_the_generators_however_many_at_once(monkeypatch):
    monkeypatch.setattr(cyclegan, "_PIXELS_AT_ONCE", 2 * SHAPE[0] * SHAPE[1])
    model = tiny()
    batch = images(3)
    for to, network in (("a", model.generator_a), ("b", model.generator_b)):
        translations = model.translate(batch, to=to)
        np.testing.assert_allclose(translations, network(batch), atol=1e-6)
        np.testing.assert_allclose(
            model.translate(batch[1:2], to=to)[0], translations[1], atol=1e-5
        )
    back = model.generator_a(model.generator_b(batch))
    np.testing.assert_allclose(model.there_and_back(batch), back, atol=1e-6)
    back = model.generator_b(model.generator_a(batch))
    np.testing.assert_allclose(model.there_and_back(batch, via="a"), back, atol=1e-6)


def test_bad_requests_for_translations_are_refused():
    with pytest.raises(ValueError, match="to='c': give 'a' or 'b'"):
        tiny().translate(images(1), to="c")
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 3\): give \(N, 16, 12, 3\)"):
        tiny().translate(images(2, shape=(8, 8, 3)))


def test_samples_are_translated_exemplars_none_twice_before_all_were_drawn():
    model = tiny(num_exemplars=4)
    exemplars = images(6)
    model.keep_exemplars(exemplars)
    expected = np.asarray(model.translate(exemplars[:4]))
    samples = np.asarray(model.sample(6, seed=3))
    found = [
        int(np.argmin([np.abs(sample - each).max() for each in expected])) for sample in samples
    ]
    assert sorted(found[:4]) == [0, 1, 2, 3] and found[4:] == found[:2]
    np.testing.assert_allclose(samples, expected[found], atol=1e-5)
    model.keep_exemplars(exemplars[:3])  # fewer are repeated
    np.testing.assert_array_equal(model.exemplars, exemplars[[0, 1, 2, 0]])
    with pytest.raises(ValueError, match="give at least one"):
        model.keep_exemplars(exemplars[:, :8])


def test_labels_are_refused():
    with pytest.raises(ValueError, match="CycleGAN is unconditional"):
        tiny().sample(2, labels=[0, 1])


def test_an_exported_model_translates_both_ways(tmp_path):
    model = tiny()
    exported = load_exported(export_model(model, tmp_path))
    assert set(exported.description["signatures"]) == {"translate_to_a", "translate_to_b", "sample"}
    for to in ("a", "b"):
        np.testing.assert_allclose(
            exported.translate(images(3), to=to), model.translate(images(3), to=to), atol=1e-5
        )
    np.testing.assert_allclose(exported.sample(3, seed=1), model.sample(3, seed=1), atol=1e-5)
    with pytest.raises(ValueError, match="to='c'"):
        exported.translate(images(1), to="c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (30, 32, 3)}, "multiples of 4"),
        ({"image_shape": (4, 32, 3)}, "at least 8"),
        ({"image_shape": (32, 32)}, "image_shape"),
        ({"patch_size": 50}, "patch_size=50: give one of 16, 34, 70"),
        ({"image_shape": (16, 64, 3), "patch_size": 70}, "sides of 24 or more"),
        ({"filters": 0}, "filters=0"),
        ({"num_blocks": 0}, "num_blocks=0"),
        ({"cycle_weight": -1.0}, "cycle_weight=-1.0"),
        ({"identity_weight": -0.5}, "identity_weight=-0.5"),
        ({"pool_size": -1}, "pool_size=-1"),
        ({"num_exemplars": 0}, "num_exemplars=0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        CycleGAN(**arguments)
