"""Whole flows against oracles: Jacobians, integrals, known densities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.data import load
from keras_gen.lab.densities import lattice, log_density_of
from keras_gen.metrics import flow_metrics
from keras_gen.models import NICE, Glow, PointRealNVP, RealNVP
from keras_gen.models.flows.glow import LastPrior
from tests.tiny_flows import automatic_log_det, check_bijector, randomize

# name -> (class, arguments)
FLOWS = {
    "NICE": (NICE, {"image_shape": (2, 3, 1), "hidden_units": (6,)}),
    "RealNVP": (RealNVP, {"image_shape": (4, 4, 1), "scales": 2, "filters": 4, "num_blocks": 1}),
    "Glow": (Glow, {"image_shape": (4, 4, 1), "levels": 2, "steps": 2, "filters": 4}),
    "Glow-additive": (
        Glow,
        {"image_shape": (2, 4, 1), "levels": 1, "steps": 2, "coupling": "additive", "lu": True},
    ),
    "points-affine": (PointRealNVP, {"num_couplings": 4, "hidden_units": (6,)}),
    "points-spline": (
        PointRealNVP,
        {"num_couplings": 2, "hidden_units": (6,), "coupling": "spline"},
    ),
}


def make(name, dtype="float32", **changes):
    keras.config.set_dtype_policy(dtype)
    cls, arguments = FLOWS[name]
    return cls(**{**arguments, **changes})


def some_images(model, count=3, seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.95, size=(count, *model.image_shape))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FLOWS)
def test_a_whole_flow_inverts_itself_and_knows_its_determinant(name, dtype):
    model = make(name, dtype)
    randomize(model.flow, 0.2)
    error, log_det_error = check_bijector(model.flow, tf.constant(some_images(model), dtype))
    print(f"{name}, {dtype}: {error:.1e}, {log_det_error:.1e}")


@pytest.mark.parametrize("name", FLOWS)
def test_decoding_undoes_encoding_and_log_prob_is_the_change_of_variables(name):
    model = make(name)
    randomize(model.flow, 0.1)
    images = some_images(model).astype("float32")
    latents = model.encode(images)
    np.testing.assert_allclose(model.decode(latents), images, atol=2e-5)
    density = {
        "normal": lambda z: -0.5 * (z**2 + np.log(2 * np.pi)),
        "logistic": lambda z: -z - 2 * np.log1p(np.exp(-z)),
    }[model.latent_distribution]
    _, log_det = model.flow.forward(tf.constant(images))
    expected = density(latents.numpy().astype("float64")).sum(axis=-1) + log_det
    np.testing.assert_allclose(model.log_prob(images), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["points-affine", "points-spline"])
def test_the_density_of_points_integrates_to_one(name):
    model = make(name)
    randomize(model.flow, 0.2)
    points, area = lattice(-12.0, 12.0, 601)
    mass = np.exp(log_density_of(model, points)).sum() * area
    assert mass == pytest.approx(1.0, abs=2e-3)


def test_the_density_of_one_pixel_pair_integrates_to_one_over_its_range():
    # NICE's logistic tails leave [0, 1]: integrate over what it covers.
    model = NICE((1, 2, 1), hidden_units=(6,))
    randomize(model.flow, 0.3)
    points, area = lattice(-30.0, 30.0, 801)
    mass = np.exp(log_density_of(_AsPoints(model), points)).sum() * area
    assert mass == pytest.approx(1.0, abs=2e-3)


class _AsPoints:
    """A model of two pixels as one of points."""

    def __init__(self, model):
        self.model = model

    def log_prob(self, points):
        return self.model.log_prob(np.reshape(points, (-1, 1, 2, 1)))


def test_a_fresh_nice_only_reorders_its_pixels():
    model = make("NICE")
    images = some_images(model).astype("float32")
    flat = images.reshape(3, -1)
    np.testing.assert_array_equal(model.encode(images), flat[:, [0, 2, 4, 1, 3, 5]])


def test_a_fresh_glow_only_rotates_channels():
    model = make("Glow")
    images = some_images(model).astype("float32")
    latents = model.encode(images).numpy()
    np.testing.assert_allclose(
        np.sum(latents**2, axis=-1), np.sum(images**2, axis=(1, 2, 3)), rtol=1e-5
    )
    np.testing.assert_allclose(model.flow.forward(tf.constant(images))[1], 0.0, atol=1e-5)


def test_the_first_batch_of_fit_initializes_once(mirrored):
    images = np.round(some_images(make("Glow"), 32) * 255).astype("float32") / 255
    data = tf.data.Dataset.from_tensor_slices(images).batch(8)
    single = make("Glow")
    single.compile(keras.optimizers.SGD(0.0))
    with mirrored.scope():
        double = make("Glow")
        double.compile(keras.optimizers.SGD(0.0))
    for mine, other in zip(single.variables, double.variables, strict=True):
        other.assign(mine.numpy())
    single.fit(data, verbose=0)
    # As a run with several workers gives its batches.
    double.fit(mirrored.experimental_distribute_dataset(data), steps_per_epoch=2, verbose=0)
    norms = [v for v in single.variables if "act_norm" in v.path]
    others = [v for v in double.variables if "act_norm" in v.path]
    assert len(norms) == 8
    for mine, other in zip(norms, others, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
    first = single.dequantize(images[:8], single._seeds(0, 1, stream=2)[0])
    squeezed = single.flow.levels.bijectors[0].forward(tf.cast(first, "float32"))[0]
    y = single.flow.levels.bijectors[1].forward(squeezed)[0].numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1.0, atol=1e-3)
    single.fit(data.skip(1), verbose=0)  # trained on: nothing is set again
    for mine, other in zip(norms, others, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_noise_stays_within_a_level_and_another_seed_gives_other_noise():
    model = make("RealNVP")
    levels = np.random.default_rng(0).integers(256, size=(50, *model.image_shape))
    spread = [model.dequantize(levels / 255.0, tf.constant([seed, 0])) for seed in (1, 2)]
    for each in spread:
        np.testing.assert_array_equal(np.floor(np.asarray(each, "float64") * 256), levels)
    assert not np.array_equal(*spread)
    noise = np.asarray(spread[0]) * 256 - levels
    assert abs(noise.mean() - 0.5) < 0.02 and abs(noise.std() - 12**-0.5) < 0.02


def test_bits_per_dimension_are_those_of_the_dequantized_levels():
    """A flow that is fair to every level of [0, 1] has 8 bits: a logit of a logistic variable."""
    model = NICE((2, 2, 1), hidden_units=(4,))
    data = np.random.default_rng(0).integers(256, size=(4000, 2, 2, 1)) / 255.0
    nats = -np.mean(model.log_prob_of_levels(data, tf.constant([0, 0])))
    # A standard logistic density over [0, 1] and not a uniform one: its cross-entropy is known.
    x = np.linspace(0.0, 1.0, 10_001)
    expected = np.mean(x + 2 * np.log1p(np.exp(-x)))
    assert nats / 4 == pytest.approx(expected + np.log(256), abs=2e-3)


def test_a_conditional_flow_has_a_density_for_each_class():
    model = Glow((4, 4, 1), 2, 1, 4, num_classes=3)
    randomize(model.flow, 0.2)
    images = some_images(model, 3).astype("float32")
    by_class = [model.log_prob(images, np.full(3, label)).numpy() for label in range(3)]
    assert not np.allclose(by_class[0], by_class[1])
    labels = np.array([2, 0, 1])
    mixed = model.log_prob(images, labels).numpy()
    expected = [by_class[label][i] for i, label in enumerate(labels)]
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    again = model.decode(model.encode(images, labels), labels)
    np.testing.assert_allclose(again, images, atol=1e-5)
    with pytest.raises(ValueError, match="Glow needs one for each image"):
        model.log_prob(images)


def test_the_last_prior_standardizes_the_last_levels_channels_of_the_class():
    model = make("Glow", "float64", num_classes=2)
    randomize(model.flow, 0.2)
    prior = model.flow.prior  # 8 channels at one place, the first 8 values of a latent
    assert prior.means.shape == (2, 8)
    images = tf.constant(some_images(model, 4))
    labels = tf.constant([0, 1, 0, 1])
    before = model.flow.forward(images, labels)[0].numpy()
    moved = np.zeros((2, 8))
    moved[1, 3] = 2.0
    prior.means.assign(prior.means + moved)
    change = model.flow.forward(images, labels)[0].numpy() - before
    expected = np.zeros_like(change)
    expected[1::2, 3] = -2.0 * np.exp(-prior.log_scales.numpy()[1, 3])
    np.testing.assert_allclose(change, expected, atol=1e-10)

    def of_class(x):
        return model.flow.forward(x, tf.ones(len(x), "int32"))[0]

    _, log_det = model.flow.forward(images, tf.ones(4, "int32"))
    np.testing.assert_allclose(log_det, automatic_log_det(of_class, images), atol=1e-8)


def test_channels_of_the_last_prior_are_those_of_every_place():
    prior = LastPrior(2)
    prior.build((None, 6))
    prior.means.assign([[1.0, 10.0]])
    z, _ = prior.forward(tf.zeros((1, 6)))
    np.testing.assert_array_equal(z, [[-1, -10, -1, -10, -1, -10]])


def test_the_inversion_error_sees_what_clipping_hides_and_nan():
    model = make("Glow")
    data = load("digits", split="test", image_size=4, value_range=(0.0, 1.0))
    assert flow_metrics(model, data)["inversion_error"][0] < 1e-5
    forward = model.flow.forward
    model.flow.forward = lambda x: (forward(x - 0.5)[0], forward(x)[1])
    tf.config.run_functions_eagerly(True)
    try:
        assert flow_metrics(model, data)["inversion_error"][0] == pytest.approx(0.5, abs=1e-5)
    finally:
        tf.config.run_functions_eagerly(False)
    broken = make("Glow")
    broken.flow.levels.bijectors[1].shift.assign(np.full(4, np.nan))
    assert np.isnan(flow_metrics(broken, data)["inversion_error"][0])


class _Batches(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.images[4 * index : 4 * index + 4]


def test_fit_takes_what_keras_takes_but_needs_help_with_a_generator():
    images = some_images(make("NICE"), 8).astype("float32")
    for x in (images, _Batches(images), tf.data.Dataset.from_tensor_slices(images).batch(4)):
        model = make("NICE")
        model.compile(run_eagerly=True)
        model.fit(x, verbose=0)
        assert int(model.initialized) == 1
    model = make("NICE")
    model.compile(run_eagerly=True)
    batches = ((images[:4],) for _ in range(2))
    with pytest.raises(ValueError, match=r"x is a generator: call initialize\(images\)"):
        model.fit(batches, verbose=0)
    model.initialize(images)
    model.fit(batches, verbose=0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((3, 4, 4, 1), 255.0), "images from 255.0 to 255.0"),
        (np.zeros((3, 4, 4)), r"images of shape \(3, 4, 4\)"),
    ],
)
def test_a_first_batch_of_other_images_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        make("Glow").initialize(images)


def test_labels_are_checked_in_training_too():
    model = make("Glow", num_classes=3)
    model.compile(run_eagerly=True)
    images = some_images(model, 4).astype("float32")
    model.initialize(images)
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.train_step((images, np.array([0, 1, 2, 3])))
    with pytest.raises(ValueError, match=r"labels of shape \(4, 1\)"):
        model.train_step((images, np.zeros((4, 1), "int32")))
    with pytest.raises(ValueError, match=r"Glow trains on batches of \(images, labels\)"):
        model.train_step(images)


def test_temperature_shrinks_latents_and_zero_is_the_mode_of_the_prior():
    model = make("Glow")
    randomize(model.flow, 0.1)
    cold = model.sample(2, seed=0, temperature=0.0)
    np.testing.assert_allclose(cold[0], cold[1], atol=1e-6)
    latents = model.draw_latents(2, tf.constant([5, 0], "int64"))
    np.testing.assert_allclose(
        model.sample(2, seed=5, temperature=0.7), model.decode(0.7 * latents), atol=1e-6
    )
    with pytest.raises(ValueError, match="temperature=-1"):
        model.sample(2, temperature=-1)


def test_logistic_latents_have_the_logistic_distribution_and_can_be_truncated():
    model = make("NICE")
    draws = model.draw_latents(4000, tf.constant([0, 1])).numpy().ravel()
    assert draws.std() == pytest.approx(np.pi / 3**0.5, rel=0.03)
    assert np.quantile(draws, 0.9) == pytest.approx(np.log(9), abs=0.1)
    cut = model.draw_latents(400, tf.constant([0, 1]), truncation=0.5).numpy()
    assert np.abs(cut).max() <= 0.5 and cut.std() > 0.25


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RealNVP((6, 8, 1), scales=3), r"image_shape=\(6, 8, 1\): with scales=3"),
        (lambda: Glow((28, 28, 1), levels=3), "levels=3 both sides must be multiples of 8"),
        (lambda: Glow(steps=0), "steps=0"),
        (lambda: Glow(coupling="cubic"), "coupling='cubic'"),
        (lambda: PointRealNVP(coupling="cubic"), "coupling='cubic'"),
        (lambda: NICE(latent_distribution="cauchy"), "latent_distribution='cauchy'"),
        (lambda: NICE((784,)), "image_shape="),
        (lambda: NICE((3, 3, 1)), "an even number of values"),
        (lambda: RealNVP(margin=0.7), "margin=0.7"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_it_learns_the_density_of_the_moons():
    train, test = (load("moons", split=split).as_images() for split in ("train", "test"))
    model = PointRealNVP(4, (32, 32))
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(train.batches(250, seed=0), steps_per_epoch=500, shuffle=False, verbose=0)
    nll = -np.mean(model.log_prob(test.examples))
    assert nll < 1.5  # a Gaussian has 2.6, the true density 1.16
