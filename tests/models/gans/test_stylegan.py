import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import downsample, upsample
from keras_gen.models import StyleGAN
from keras_gen.models.gans.stylegan import Generator, mix_styles


def stylegan(side=16, **arguments):
    settings = {
        "latent_dim": 3,
        "filters": (5, 4, 3) if side == 16 else (4, 3),
        "mapping_layers": 2,
        "phase_images": 10,
        "group_size": 2,
    }
    model = StyleGAN((side, side, 1), **(settings | arguments))
    # Else noise has no strength yet, and the constant no structure.
    for network in (model.generator, model.ema_generator):
        rng = np.random.default_rng(0)
        for variable in network.variables:
            if variable.name in ("strength", "constant"):
                variable.assign(rng.normal(size=variable.shape))
    return model


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class RecordedError(Exception):
    pass


def seeds(count):
    return [tf.constant([number, 1]) for number in range(count)]


def test_the_generator_fades_from_the_enlarged_stage_before_to_the_new_one_alone():
    model = stylegan()
    styles, noises = noise(4, 6, 3), model.draw_noises(4, tf.constant([1, 2]), 2)

    def draw(stage, share):
        return np.asarray(model.generator(styles, noises=noises, stage=stage, share=share))

    np.testing.assert_array_equal(draw(2, 0.0), upsample(draw(1, 1.0)))
    assert not np.allclose(draw(2, 1.0), draw(2, 0.0))
    new = draw(2, 1.0)
    for variable in model.generator.to_colours[0].variables:  # of 8x8: no part of it any more
        variable.assign(variable + 1.0)
    np.testing.assert_array_equal(draw(2, 1.0), new)


def test_the_discriminator_fades_from_the_stage_before_on_halved_images_to_the_new_one():
    score, images = stylegan().discriminator, noise(4, 16, 16, 1)
    before = score(downsample(images), stage=1, share=1.0)
    np.testing.assert_array_equal(score(images, stage=2, share=0.0), before)
    new = score(images, stage=2, share=1.0)
    for variable in score.from_colours[0].variables:
        variable.assign(variable + 1.0)
    np.testing.assert_array_equal(score(images, stage=2, share=1.0), new)


def test_growing_starts_at_8x8():
    model = stylegan()
    assert model.stage == 1 and model.num_layers == 4
    model.images_seen.assign(15)
    assert model.stage == 2 and float(model.share(2)) == 0.5 and model.num_layers == 6
    assert StyleGAN((4, 4, 1), 3, (4,), 1).stage == 0


def test_styles_mixed_with_themselves_are_no_mixture():
    model, w = stylegan(), noise(5, 3)
    mixed = mix_styles(w, w, tf.constant([0, 1, 2, 3, 4]), model.num_layers)
    np.testing.assert_array_equal(mixed, np.repeat(w[:, None], 4, axis=1))
    np.testing.assert_allclose(model.synthesize(mixed), model.decode(w), atol=1e-4)


def test_a_mixture_has_the_first_styles_up_to_the_crossover():
    first, second = noise(3, 2), noise(3, 2, seed=1)
    mixed = np.asarray(mix_styles(first, second, tf.constant([1, 3, 4]), 4))
    for row, crossover in enumerate((1, 3, 4)):
        takes_first = np.arange(4)[:, None] < crossover
        np.testing.assert_array_equal(mixed[row], np.where(takes_first, first[row], second[row]))


@pytest.mark.parametrize("probability", [0.0, 0.9, 1.0])
def test_the_share_of_mixed_images_is_the_probability_and_crossovers_are_uniform(
    probability, monkeypatch
):
    model = stylegan(mixing_probability=probability)

    def record(first, second, crossovers, layers):
        assert not np.allclose(first, second)
        raise RecordedError(np.asarray(crossovers))

    monkeypatch.setattr("keras_gen.models.gans.stylegan.mix_styles", record)
    with pytest.raises(RecordedError) as recorded:
        model.generate(np.zeros((3000, 16, 16, 1), "float32"), seeds(5), 2, 1.0)
    (crossovers,) = recorded.value.args
    shares = np.bincount(crossovers, minlength=7)[1:] / 3000
    expected = np.array([probability / 5] * 5 + [1 - probability])
    assert np.abs(shares - expected).max() < 4 * np.sqrt(0.25 / 3000)


def test_truncation_0_in_w_gives_one_image_and_1_leaves_w():
    model = stylegan()
    model.w_mean.assign([0.3, -1.0, 0.5])
    w = model.draw_latents(4, tf.constant([1, 0]))
    images = np.asarray(model.decode(model.truncate(w, 0.0)))
    np.testing.assert_allclose(images, images[:1].repeat(4, axis=0), atol=1e-4)
    np.testing.assert_allclose(model.truncate(w, 1.0), w, atol=1e-6)
    assert np.std(np.asarray(model.decode(w)), axis=0).max() > 0.01


def test_samples_are_truncated_towards_the_mean():
    model = stylegan()
    model.w_mean.assign([0.3, -1.0, 0.5])
    mean = np.asarray(model.w_mean)
    w = np.asarray(model.draw_latents(4, tf.constant([7, 0], "int64")))
    expected = model.decode(mean + 0.6 * (w - mean))
    np.testing.assert_allclose(model.sample(4, seed=7, truncation=0.6), expected, atol=1e-4)


def test_latents_are_draws_of_the_sphere_mapped():
    model = stylegan()
    z = tf.random.stateless_normal((4, 3), [3, 0])
    w = model.map_latents(z)
    np.testing.assert_array_equal(w, model.draw_latents(4, tf.constant([3, 0])))
    np.testing.assert_allclose(model.map_latents(10.0 * z), w, atol=1e-5)


def test_the_mean_of_w_runs_over_the_training():
    model = stylegan(side=8)
    still = [keras.optimizers.SGD(0.0) for _ in range(2)]
    model.compile(*still, run_eagerly=True)
    drawn, generate = [], model.generate

    def record(*arguments):
        images, w = generate(*arguments)
        drawn.append(np.asarray(w).mean(axis=0))
        return images, w

    model.generate = record
    model.fit(noise(4, 8, 8, 1), batch_size=2, verbose=0)
    assert len(drawn) == 4
    mean = np.zeros(3)
    for each in drawn[1::2]:  # of the generator's passes
        mean = 0.995 * mean + 0.005 * each
    np.testing.assert_allclose(model.w_mean, mean, rtol=1e-4, atol=1e-7)


def test_images_depend_on_the_noise_but_decoding_has_one_noise_for_all():
    model, w = stylegan(), noise(1, 3).repeat(2, axis=0)
    first, second = np.asarray(model.decode(w))
    np.testing.assert_allclose(first, second, atol=1e-4)
    styles = np.repeat(w[:, None], 4, axis=1)
    images = np.asarray(model.synthesize(styles, model.draw_noises(2, tf.constant([1, 2]), 1)))
    assert np.abs(images[0] - images[1]).max() > 0.01
    assert np.abs(images[0] - first).max() > 0.01


def test_training_draws_other_noise_for_each_image():
    model = stylegan()
    drawn = model.draw_noises(3, tf.constant([1, 2]), 1)
    assert [each.shape for each in drawn] == [(3, s, s, 1) for s in (4, 4, 8, 8)]
    for each in drawn:
        values = np.asarray(each).reshape(3, -1)
        assert np.abs(np.corrcoef(values) - np.eye(3)).max() < 0.7
    assert not np.array_equal(drawn[0], drawn[1])


def test_the_penalty_is_r1_on_real_images_at_half_its_weight(monkeypatch):
    seen = []

    def penalty(discriminator, images):
        seen.append(np.asarray(images))
        return tf.constant(3.0)

    monkeypatch.setattr("keras_gen.models.gans.stylegan.r1_penalty", penalty)
    losses = []
    for weight in (0.0, 8.0):
        keras.utils.set_random_seed(0)
        model = stylegan(side=8, r1_weight=weight)
        model.compile()
        images = noise(2, 8, 8, 1)
        losses.append(float(model.train_step(tf.constant(images))["discriminator_loss"]))
        np.testing.assert_array_equal(seen[-1], images)
    assert losses[1] - losses[0] == pytest.approx(0.5 * 8.0 * 3.0, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mixing_probability": 1.5}, "mixing_probability=1.5"),
        ({"r1_weight": -1.0}, "r1_weight=-1.0"),
        ({"mapping_layers": 0}, "mapping_layers=0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        stylegan(**arguments)


@pytest.mark.slow
def test_the_papers_generator_has_the_published_number_of_parameters():
    """26,219,627 in the README of NVlabs/stylegan, 26.2M in the paper.

    They count a layer from 512 channels to colours at 4x4, which no training from 8x8 on uses.
    """
    filters = (512, 512, 512, 512, 256, 128, 64, 32, 16)
    generator = Generator(filters, 3, 512, 8, first_stage=1)
    assert generator.count_params() + 3 * 512 + 3 == 26_219_627
