import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from keras_gen.layers import SelfAttention, SpectralNormalization
from keras_gen.models import BigGAN
from keras_gen.models.gans import biggan
from keras_gen.models.gans.biggan import build_generator
from keras_gen.models.gans.sagan import build_discriminator
from keras_gen.models.gans.sagan import build_generator as build_sagan_generator

TINY = {"image_shape": (12, 16, 1), "num_classes": 3, "latent_dim": 6, "filters": 2}


@pytest.fixture(scope="module")
def tiny():
    """One model for the tests that only look at it."""
    keras.utils.set_random_seed(0)
    model = BigGAN(**TINY, attention_size=8)
    model.compile(run_eagerly=True)
    return model


def layers(network, kind):
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]


def blocks(network):
    """The shapes of the maps that residual blocks end in."""
    return [layer.output.shape[1:] for layer in network.layers if type(layer).__name__ == "Add"]


@pytest.mark.parametrize(
    ("side", "generated", "judged"),
    [
        (32, [(8, 4), (16, 4), (32, 4)], [(16, 4), (8, 4), (8, 4), (8, 4)]),
        (64, [(8, 16), (16, 8), (32, 4), (64, 2)], [(32, 1), (16, 2), (8, 4), (4, 8), (4, 16)]),
        (
            128,
            [(8, 16), (16, 8), (32, 4), (64, 2), (128, 1)],
            [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (4, 16)],
        ),
    ],
)
def test_the_networks_are_those_of_the_tables(side, generated, judged):
    chunks, attention_size = len(generated) + 1, side // 2
    generator = build_generator((side, side, 3), 10, chunks, 1, attention_size)
    sizes = 1, attention_size, biggan.WIDTHS, "orthogonal"
    discriminator = build_discriminator((side, side, 3), 10, *sizes)
    for network, table in ((generator, generated), (discriminator, judged)):
        assert blocks(network) == [(n, n, width) for n, width in table]
        (attention,) = layers(network, SelfAttention)
        assert attention.output.shape[1] == attention_size


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.slow
def test_parameters_are_those_of_table_1(monkeypatch):
    """And of google/compare_gan, whose tests assert 70,433,988 and 87,982,370 for 96 channels.

    The two counts with shared embedding are met without the embedding's own 128,000.
    """
    monkeypatch.setattr(biggan, "INITIALIZER", "zeros")  # to decompose 100 MB kernels takes long
    shape, classes = (128, 128, 3), 1000
    discriminators = {
        filters: parameters(build_discriminator(shape, classes, filters, 64, biggan.WIDTHS))
        for filters in (64, 96)
    }
    per_class = {
        filters: parameters(build_sagan_generator(shape, classes, 128, filters, 64))
        for filters in (64, 96)
    }
    shared = parameters(build_generator(shape, classes, 128, 96, 64, hierarchical=False))
    hierarchical = parameters(build_generator(shape, classes, 120, 96, 64))
    assert (hierarchical, discriminators[96]) == (70_433_988, 87_982_370)
    table = classes * biggan.SHARED_DIM
    for generator, filters, published in (
        (per_class[64], 64, 81.5),
        (per_class[96], 96, 173.5),
        (shared - table, 96, 160.6),
        (hierarchical - table, 96, 158.3),
    ):
        assert (generator + discriminators[filters]) / 1e6 == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize(
    ("filters", "published"),
    [
        (16, 395_396),
        *(pytest.param(*row, marks=pytest.mark.slow) for row in [(32, 1_266_692), (48, 2_615_172)]),
    ],
)
def test_parameters_at_32_pixels_are_those_of_the_first_authors_code(
    filters, published, monkeypatch
):
    """As noted in a public copy of ajbrock/BigGAN-PyTorch, for 10 classes and one attention."""
    monkeypatch.setattr(biggan, "INITIALIZER", "zeros")
    assert parameters(build_generator((32, 32, 3), 10, 120, filters, 16)) == published


@pytest.mark.parametrize("chunk", range(3))
def test_a_chunk_of_the_latent_enters_in_its_own_block(tiny, chunk):
    generator = tiny.generator
    stages = [layer for layer in generator.layers if isinstance(layer, keras.layers.Reshape)]
    stages += [layer for layer in generator.layers if type(layer).__name__ == "Add"]
    network = keras.Model(generator.inputs, [layer.output for layer in stages])
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    moved = latents.copy()
    moved[:, 2 * chunk : 2 * chunk + 2] += 1.0
    before, after = (network([tf.constant(each), tf.constant([0, 1])]) for each in (latents, moved))
    changes = [bool(np.abs(a - b).max() > 1e-6) for a, b in zip(before, after, strict=True)]
    assert changes == [stage >= chunk for stage in range(3)]


def test_the_class_enters_in_every_block_and_not_in_the_first_maps(tiny):
    generator = tiny.generator
    first = next(each for each in generator.layers if isinstance(each, keras.layers.Reshape))
    add = next(each for each in generator.layers if type(each).__name__ == "Add")
    network = keras.Model(generator.inputs, [first.output, add.output])
    latents = tf.ones((2, 6))
    maps, block = (np.asarray(each) for each in network([latents, tf.constant([0, 1])]))
    np.testing.assert_array_equal(maps[0], maps[1])
    assert not np.allclose(block[0], block[1])
    (table,) = layers(generator, keras.layers.Embedding)
    linear = [w for w in layers(generator, SpectralNormalization) if is_linear_of_class(w)]
    assert table.output_dim == 128
    assert len(linear) == 2 * 2 * 2  # blocks, normalizations, scales and offsets
    assert {wrapper.layer.kernel.shape[0] for wrapper in linear} == {128 + 2}


def is_linear_of_class(wrapper):
    return isinstance(wrapper.layer, keras.layers.Dense) and not wrapper.layer.use_bias


def test_the_penalty_is_over_the_generators_kernels_and_nothing_else(tiny):
    expected = 0.0
    for variable in tiny.generator.trainable_variables:
        if variable.name == "kernel":
            matrix = variable.numpy().reshape(-1, variable.shape[-1]).astype("float64")
            gram = matrix.T @ matrix
            expected += np.sum(np.square(gram - np.diag(np.diag(gram))))
    assert float(tiny.generator_penalty()) == pytest.approx(1e-4 * expected, rel=1e-3)
    with tf.GradientTape() as tape:
        penalty = tiny.generator_penalty()
    gradients = tape.gradient(penalty, [v.value for v in tiny.generator.trainable_variables])
    for variable, gradient in zip(tiny.generator.trainable_variables, gradients, strict=True):
        assert (gradient is not None) == (variable.name == "kernel"), variable.path


def test_kernels_start_orthogonal(tiny):
    for network in (tiny.generator, tiny.discriminator):
        for variable in network.trainable_variables:
            if variable.name in ("kernel", "embeddings"):
                values = np.linalg.svd(variable.numpy().reshape(-1, variable.shape[-1]))[1]
                np.testing.assert_allclose(values, 1.0, atol=1e-4, err_msg=variable.path)


def test_truncated_latents_are_drawn_again_until_within(tiny):
    seed = tf.constant([1, 0], "int64")
    latents = np.asarray(tiny.draw_latents(4000, seed, truncation=0.5))
    assert np.abs(latents).max() <= 0.5
    law = scipy.stats.truncnorm(-0.5, 0.5)
    assert latents.std() == pytest.approx(law.std(), rel=0.02)  # clipping would give 0.43
    assert not np.array_equal(tiny.sample(2, 1), tiny.sample(2, 1, truncation=0.5))


def test_the_defaults_are_the_papers(tiny):
    rates = [float(optimizer.learning_rate) for optimizer in tiny.optimizers.values()]
    assert rates == pytest.approx([2e-4, 5e-5])
    for optimizer in tiny.optimizers.values():
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.999)
    assert tiny.batches_per_step == 2 and tiny.ema.decay == 0.9999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 10}, "latent_dim=10: give a multiple of 3"),
        ({"orthogonal_weight": -1.0}, "orthogonal_weight=-1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        BigGAN(**TINY | {"attention_size": 8} | arguments)


@pytest.mark.parametrize(
    ("side", "attention_size", "latent_dim"),
    [(8, 0, 40), (28, 16, 80), (64, 32, 100), (128, 64, 120)],
)
def test_the_papers_preset_fits_smaller_images(side, attention_size, latent_dim):
    expected = {"attention_size": attention_size, "latent_dim": latent_dim}
    assert BigGAN.preset_arguments("paper", (side, side, 1)) == expected


def test_the_small_preset_is_the_recipes_and_takes_changes():
    model = BigGAN.from_preset("small", (8, 8, 1), 3, filters=2)
    assert model.filters == 2 and model.attention_size == 0 and model.latent_dim == 32


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="preset='tiny': give one of paper, small"):
        BigGAN.from_preset("tiny", (8, 8, 1), 3)
