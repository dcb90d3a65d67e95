import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import downsample, upsample
from keras_gen.models import ProGAN
from keras_gen.models.gans import progan as progan_module
from keras_gen.models.gans.progan import Discriminator, Generator

FILTERS = (5, 4, 3)


def progan(**arguments):
    settings = {"latent_dim": 3, "filters": FILTERS, "phase_images": 10, "group_size": 2}
    return ProGAN((16, 16, 1), **(settings | arguments))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def batches(count, side=16):
    return tf.data.Dataset.from_tensor_slices(np.tanh(noise(count, 5, side, side, 1)))


def fit(model, steps, **arguments):
    data = batches(steps, model.image_shape[0])
    return model.fit(data, verbose=0, **arguments).history


def alone(model, stage, latents):
    """A stage's images without any fading, block by block."""
    x = latents
    for block in model.generator.blocks[: stage + 1]:
        x = block(x)
    return model.generator.to_colours[stage](x)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_generator_fades_from_the_enlarged_stage_before_to_the_new_one_alone(stage):
    model, latents = progan(), noise(4, 3)
    draw = model.generator
    before = draw(latents, stage=stage - 1, share=1.0)
    np.testing.assert_array_equal(draw(latents, stage=stage, share=0.0), upsample(before))
    new = alone(model, stage, latents)
    np.testing.assert_array_equal(draw(latents, stage=stage, share=1.0), new)
    half = 0.5 * upsample(before) + 0.5 * new
    np.testing.assert_allclose(draw(latents, stage=stage, share=0.5), half, atol=1e-6)


@pytest.mark.parametrize("stage", [1, 2])
def test_the_discriminator_fades_from_the_stage_before_on_halved_images_to_the_new_one(stage):
    score, side = progan().discriminator, 4 * 2**stage
    images = noise(4, side, side, 1)
    before = score(downsample(images), stage=stage - 1, share=1.0)
    np.testing.assert_array_equal(score(images, stage=stage, share=0.0), before)
    x = keras.activations.leaky_relu(score.from_colours[stage](images), 0.2)
    for block in reversed(score.blocks[: stage + 1]):
        x = block(x)
    np.testing.assert_array_equal(score(images, stage=stage, share=1.0), x)


def test_stage_and_share_follow_the_images_seen():
    model = progan()
    expected = {
        0: (0, 1.0),
        9: (0, 1.0),
        10: (1, 0.0),
        15: (1, 0.5),
        20: (1, 1.0),
        29: (1, 1.0),
        30: (2, 0.0),
        38: (2, 0.8),
        40: (2, 1.0),
        10_000: (2, 1.0),
    }
    for seen, (stage, share) in expected.items():
        model.images_seen.assign(seen)
        assert model.stage == stage
        assert float(model.share(stage)) == pytest.approx(share)


def test_without_growing_the_last_stage_trains_from_the_start():
    model = progan(phase_images=0)
    assert model.stage == 2 and float(model.share(2)) == 1.0
    images = noise(3, 16, 16, 1)
    np.testing.assert_array_equal(model.real_images(images, 2), images)


def test_real_images_are_means_of_pixels_and_fade_in_their_details():
    model, images = progan(), noise(2, 16, 16, 1)
    model.images_seen.assign(13)  # 0.3 of stage 1
    means = images.reshape(2, 8, 2, 8, 2, 1).mean(axis=(2, 4))
    coarse = np.kron(means.reshape(2, 4, 2, 4, 2, 1).mean(axis=(2, 4)), np.ones((1, 2, 2, 1)))
    found = model.real_images(images, model.stage)
    np.testing.assert_allclose(found, 0.7 * coarse + 0.3 * means, atol=1e-6)


def test_samples_of_an_early_stage_are_small_images_enlarged():
    model = progan()
    images = np.asarray(model.sample(3, seed=0))
    assert images.shape == (3, 16, 16, 1)
    np.testing.assert_array_equal(images, np.kron(images[:, ::4, ::4], np.ones((1, 4, 4, 1))))
    model.images_seen.assign(40)
    images = np.asarray(model.sample(3, seed=0))
    expected = np.clip(alone(model, 2, model.draw_latents(3, tf.constant([0, 0]))), -1.0, 1.0)
    np.testing.assert_allclose(images, expected, atol=1e-6)


@pytest.mark.parametrize("seen, updates", [(6, 2), (10, 1), (18, 3), (34, 2)])
def test_the_moving_average_starts_anew_with_each_stage(seen, updates):
    model = progan()  # phases of 10 images: stages begin at 0, 10 and 30
    model.images_seen.assign(seen)
    for weight in model.generator.weights:
        weight.assign(weight + 1.0)
    before = [np.array(weight) for weight in model.ema_generator.weights]
    model.average_weights(tf.zeros((4, 16, 16, 1)), model.stage)
    step = 1.0 - (1.0 + updates) / (10.0 + updates)
    for weight, old in zip(model.ema_generator.weights, before, strict=True):
        np.testing.assert_allclose(weight, old + step, atol=1e-5)


def test_a_step_computes_no_layer_above_its_stage(monkeypatch):
    model = ProGAN((8, 8, 1), 3, (3, 3), 10, 2)
    model.compile()

    def refuse(*_, **__):
        raise AssertionError("a layer of a later stage")

    for network in (model.generator, model.ema_generator, model.discriminator):
        monkeypatch.setattr(network.blocks[1], "call", refuse)
    fit(model, 2)  # images 0 to 10, as a graph
    with pytest.raises(AssertionError, match="a later stage"):
        fit(model, 1)


def test_a_step_descends_the_written_losses(monkeypatch):
    assert progan_module.DRIFT_WEIGHT == 0.001
    monkeypatch.setattr(progan_module, "DRIFT_WEIGHT", 5.0)  # else too small to be seen
    model, by_hand = (progan(penalty_weight=7.0, ema_decay=None) for _ in range(2))
    by_hand.set_weights(model.get_weights())
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    images = tf.constant(np.tanh(noise(4, 16, 16, 1)))
    latents, mixing = tf.constant(noise(4, 3, seed=1)), tf.constant([0.1, 0.4, 0.6, 0.9])
    for each in (model, by_hand):
        each.images_seen.assign(15)  # 8x8, half faded in
    at = {"stage": 1, "share": 0.5}
    real = by_hand.real_images(images, 1)
    model.latents_for, model.mixing_for = lambda *_: latents, lambda *_: mixing
    logs = model.train_step(images)

    generator, discriminator = by_hand.generator, by_hand.discriminator
    fakes = generator(latents, **at)

    def discriminator_loss():
        weights = mixing[:, None, None, None]
        mixed = weights * real + (1 - weights) * fakes
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = tf.reduce_sum(discriminator(mixed, **at))
        norms = tf.norm(tf.reshape(tape.gradient(scores, mixed), (4, -1)), axis=1)
        real_scores, fake_scores = discriminator(real, **at), discriminator(fakes, **at)
        return (
            tf.reduce_mean(fake_scores)
            - tf.reduce_mean(real_scores)
            + 7.0 * tf.reduce_mean((norms - 1.0) ** 2)
            + 5.0 * tf.reduce_mean(real_scores**2)
        )

    def generator_loss():
        return -tf.reduce_mean(discriminator(generator(latents, **at), **at))

    losses = {}
    for network, loss in ((discriminator, discriminator_loss), (generator, generator_loss)):
        used = [v for layer in network.layers_at(1) for v in layer.trainable_variables]
        with tf.GradientTape() as tape:
            losses[network.name] = float(value := loss())
        gradients = tape.gradient(value, [variable.value for variable in used])
        keras.optimizers.SGD(0.01).apply(gradients, used)
    for name, value in losses.items():
        assert float(logs[f"{name}_loss"]) == pytest.approx(value, rel=1e-4), name
    for mine, expected in zip(model.trainable_variables, by_hand.trainable_variables, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-3, atol=1e-5, err_msg=mine.path)


def test_only_layers_in_use_move_and_have_moments():
    model = progan(phase_images=10)
    model.compile(run_eagerly=True)
    optimizers = {
        "generator": model.generator_optimizer,
        "discriminator": model.discriminator_optimizer,
    }
    for seen, stage, faded_out in ((0, 0, 0), (15, 1, 0), (25, 1, 1)):
        model.images_seen.assign(seen)
        before = [v.numpy() for v in model.trainable_variables]
        fit(model, 1)
        moved = {
            id(v)
            for v, value in zip(model.trainable_variables, before, strict=True)
            if not np.array_equal(v, value)
        }
        for name, optimizer in optimizers.items():
            network = getattr(model, name)
            used = {id(v) for v in network.at(stage).trainable_variables}
            own = {id(v) for v in network.trainable_variables}
            assert moved & own <= used
            # All move, but for the stage before's layer to or from colours once it is faded out.
            assert len(used) - len(moved & own) == 2 * faded_out
            for variable, moment in zip(
                network.trainable_variables, optimizer._velocities, strict=True
            ):
                assert np.any(moment) == (id(variable) in moved)


def test_optimizers_start_anew_in_each_phase_and_only_then():
    model = ProGAN((8, 8, 1), 3, (3, 3), 10, 2)
    model.compile(run_eagerly=True)
    counts = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: counts.append(int(model.generator_optimizer.iterations))
    )
    fit(model, 7, callbacks=[record])
    assert counts == [1, 2, 1, 2, 1, 2, 3]  # the last stage does not end
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(1e-3)


def test_new_layers_take_no_longer_steps_than_old_ones():
    """Without the reset Adam's second moment would be a hundredth of the squared gradient."""
    model = ProGAN((8, 8, 1), 3, (3, 3), 10, 2)
    model.compile(run_eagerly=True)
    model.generator_optimizer.iterations.assign(1000)
    fit(model, 3)  # the last one at share 0, where new layers have no gradient yet
    block = model.generator.blocks[1]
    before = block.get_weights()
    fit(model, 1)
    steps = [np.abs(a - b).max() for a, b in zip(block.get_weights(), before, strict=True)]
    # In the second step: |g| / sqrt(0.01 g^2 / (1 - 0.99^2)) rates.
    np.testing.assert_allclose(steps, 1e-3 * np.sqrt(1.99), rtol=0.01)


@pytest.mark.slow
def test_an_evaluation_is_that_of_the_present_stage():
    model = progan()
    model.compile()
    for seen, side in ((0, 4), (25, 8)):
        model.images_seen.assign(seen)
        assert model.evaluate(batches(1), verbose=0, return_dict=True)["resolution"] == side


@pytest.mark.parametrize(
    ("image_shape", "arguments", "message"),
    [
        ((28, 28, 1), {}, r"image_shape=\(28, 28, 1\).*power of two"),
        ((16, 8, 1), {}, "power of two"),
        ((2, 2, 1), {}, "at least 4"),
        ((16, 16), {}, "three positive integers"),
        ((16, 16, 1), {"filters": (4, 4)}, r"filters=\(4, 4\): .* 3 numbers, .*4, 8, 16"),
        ((16, 16, 1), {"filters": 8}, "filters=8"),
        ((16, 16, 1), {"filters": (4, 0, 4)}, "filters=0"),
        ((16, 16, 1), {"phase_images": -1}, "phase_images=-1"),
        ((16, 16, 1), {"phase_images": 0.5}, "phase_images=0.5"),
        ((16, 16, 1), {"group_size": 0}, "group_size=0"),
        ((16, 16, 1), {"penalty_weight": -1.0}, "penalty_weight=-1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(image_shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        ProGAN(image_shape, **({"latent_dim": 3, "filters": FILTERS} | arguments))


def test_several_steps_in_a_call_are_refused():
    with pytest.raises(ValueError, match="steps_per_execution=2"):
        ProGAN((8, 8, 1), 3, (4, 4)).compile(steps_per_execution=2)


def test_presets_have_the_channels_of_each_side():
    small = ProGAN.from_preset("small", (64, 64, 3), ema_decay=None, group_size=2)
    assert small.filters == (64, 64, 64, 32, 16) and small.latent_dim == 64
    assert small.phase_images == 16_000 and small.group_size == 2 and small.ema is None
    paper = ProGAN.from_preset("paper", (8, 8, 3), latent_dim=3, filters=(4, 4))
    assert paper.filters == (4, 4) and paper.phase_images == 800_000
    widths = [min(16_384 // 2**power, 512) for power in range(2, 11)]
    assert widths == list(inspect.signature(ProGAN.__init__).parameters["filters"].default)
    with pytest.raises(ValueError, match="preset='tiny'"):
        ProGAN.from_preset("tiny", (64, 64, 3))


@pytest.mark.slow
def test_the_papers_networks_have_the_papers_number_of_parameters():
    """Table 2 of arXiv:1710.10196: 23.1M each; added up, the layers of the authors' code."""

    def layer(size, channels_in, channels_out):
        return size * channels_in * channels_out + channels_out

    filters = (512, 512, 512, 512, 256, 128, 64, 32, 16)
    pairs = list(zip(filters[:-1], filters[1:], strict=True))
    generator = 512 * 16 * 512 + 512 + layer(9, 512, 512) + sum(layer(1, n, 3) for n in filters)
    generator += sum(layer(9, before, after) + layer(9, after, after) for before, after in pairs)
    discriminator = layer(9, 513, 512) + layer(16, 512, 512) + layer(1, 512, 1)
    discriminator += sum(layer(1, 3, n) for n in filters)
    discriminator += sum(
        layer(9, after, after) + layer(9, after, before) for before, after in pairs
    )
    counts = [
        net.count_params() for net in (Generator(filters, 3, 512), Discriminator(filters, 3, 4))
    ]
    assert counts == [generator, discriminator]
    assert [round(count / 1e6, 1) for count in counts] == [23.1, 23.1]
    assert generator == 23_079_115


def test_the_first_maps_have_a_bias_for_each_channel():
    (bias,) = [v for v in progan().generator.blocks[0].trainable_variables if v.name == "constant"]
    assert bias.shape == (1, 1, FILTERS[0]) and not np.any(bias)
