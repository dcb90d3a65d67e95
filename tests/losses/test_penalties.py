import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import replica_share
from keras_gen.losses import (
    clip_weights,
    dragan_noise,
    dragan_penalty,
    drift_penalty,
    gradient_penalty,
    mixing_weights,
    r1_penalty,
)

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)  # of one image


def _normal(*shape, seed=0, dtype="float32"):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def _linear(weights):
    """images -> <weights, image>, whose gradient is `weights` everywhere."""
    return lambda images: tf.reduce_sum(images * weights, axis=range(1, len(images.shape)))


def _quadratic(matrix):
    """images -> x^T A x with x the image's pixels, whose gradient is (A + A^T) x."""

    def network(images):
        x = tf.reshape(images, (tf.shape(images)[0], -1))
        return tf.reduce_sum((x @ matrix) * x, axis=1, keepdims=True)

    return network


def _quadratic_norms(matrix, images):
    matrix, x = np.float64(matrix), np.float64(images).reshape(len(images), -1)
    return np.linalg.norm(x @ (matrix + matrix.T), axis=1)


# ---------------------------------------------------------------------- WGAN-GP


def test_a_linear_critic_of_unit_norm_costs_exactly_nothing():
    weights = tf.fill((4, 8, 2), 1 / 8)  # 64 times (1/8)^2 is 1 without rounding
    real, fake = _normal(7, 4, 8, 2), _normal(7, 4, 8, 2, seed=1)
    assert float(gradient_penalty(_linear(weights), real, fake, tf.linspace(0.0, 1.0, 7))) == 0.0
    assert float(dragan_penalty(_linear(weights), real, fake)) == 0.0


@settings(max_examples=30, deadline=None)
@given(
    shape=SHAPES,
    batch_size=st.sampled_from([1, 2, 7]),
    norm=st.floats(0.01, 100),
    target=st.floats(0, 10),
)
def test_a_linear_critic_of_norm_c_costs_the_square_of_its_distance_from_the_target(
    shape, batch_size, norm, target
):
    weights = np.random.default_rng(0).normal(size=shape)
    weights = tf.constant(norm * weights / np.linalg.norm(weights), "float32")
    real, fake = _normal(batch_size, *shape), _normal(batch_size, *shape, seed=1)
    mixing = mixing_weights(batch_size, [1, 2])
    arguments = (_linear(weights), real, fake, mixing)
    absolute = 1e-5 * max(norm, target) ** 2
    two_sided = float(gradient_penalty(*arguments, target=target))
    assert two_sided == pytest.approx((norm - target) ** 2, abs=absolute)
    one_sided = float(gradient_penalty(*arguments, target=target, one_sided=True))
    assert one_sided == pytest.approx(max(0.0, norm - target) ** 2, abs=absolute)
    assert float(r1_penalty(_linear(weights), real)) == pytest.approx(norm**2, rel=1e-5)
    dragan = float(dragan_penalty(_linear(weights), real, fake, target=target))
    assert dragan == pytest.approx((norm - target) ** 2, abs=absolute)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (2, 3, 1), (1, 3, 1, 2)])
def test_the_penalty_is_taken_per_image_at_points_between_its_own_pair(batch_size, shape):
    matrix = _normal(6, 6)
    real, fake = _normal(batch_size, *shape), 3.0 * _normal(batch_size, *shape, seed=1)
    mixing = np.random.default_rng(2).uniform(size=batch_size)
    weights = mixing.reshape(-1, *[1] * len(shape))
    norms = _quadratic_norms(matrix, weights * np.array(real) + (1 - weights) * np.array(fake))
    expected = np.mean((norms - 1) ** 2)
    for given_weights in (mixing, weights):
        penalty = gradient_penalty(
            _quadratic(matrix), real, fake, tf.constant(given_weights, "float32")
        )
        assert penalty.shape == () and penalty.dtype == tf.float32
        assert float(penalty) == pytest.approx(expected, rel=1e-4)


def test_the_penalty_accepts_batches_of_unknown_size():
    matrix = _normal(4, 4)

    @tf.function(input_signature=[tf.TensorSpec((None, 2, 2, 1))] * 2)
    def penalty(real, fake):
        mixing = mixing_weights(tf.shape(real)[0], [3, 4])
        return gradient_penalty(_quadratic(matrix), real, fake, mixing)

    for batch_size in (1, 7):
        real, fake = _normal(batch_size, 2, 2, 1), _normal(batch_size, 2, 2, 1, seed=1)
        mixing = np.array(mixing_weights(batch_size, [3, 4])).reshape(-1, 1, 1, 1)
        norms = _quadratic_norms(matrix, mixing * real + (1 - mixing) * fake)
        assert float(penalty(real, fake)) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-4)


@pytest.mark.parametrize("penalty", ["gradient", "one_sided", "r1", "dragan"])
def test_a_zero_critic_has_finite_gradients(penalty):
    weights = tf.Variable(tf.zeros((3, 3, 1)))
    critic = _linear(weights)
    real, fake = _normal(5, 3, 3, 1), _normal(5, 3, 3, 1, seed=1)
    mixing = mixing_weights(5, [0, 0])
    with tf.GradientTape() as tape:
        value = {
            "gradient": lambda: gradient_penalty(critic, real, fake, mixing),
            "one_sided": lambda: gradient_penalty(critic, real, fake, mixing, one_sided=True),
            "r1": lambda: r1_penalty(critic, real),
            "dragan": lambda: dragan_penalty(critic, real, fake),
        }[penalty]()
    expected = 1.0 if penalty in ("gradient", "dragan") else 0.0
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert np.all(np.isfinite(tape.gradient(value, weights)))


def test_the_gradient_in_the_critics_weights_equals_its_closed_form():
    # f(x) = x^T A x with symmetric S = A + A^T: d/dA (||S x|| - 1)^2 = 2 (1 - 1 / ||S x||) times
    # (g x^T + x g^T), with g = S x.
    matrix = tf.Variable(_normal(4, 4, dtype="float64"))
    real, fake = _normal(5, 2, 2, 1, dtype="float64"), _normal(5, 2, 2, 1, seed=1, dtype="float64")
    mixing = tf.cast(mixing_weights(5, [5, 6]), "float64")
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(_quadratic(matrix), real, fake, mixing)
    gradient = tape.gradient(penalty, matrix).numpy()

    weights = mixing.numpy().reshape(-1, 1, 1, 1)
    x = (weights * real + (1 - weights) * fake).numpy().reshape(5, 4)
    g = x @ (matrix.numpy() + matrix.numpy().T)
    outer = np.einsum("bi,bj->bij", g, x)
    factor = 2 * (1 - 1 / np.linalg.norm(g, axis=1))
    expected = np.mean(factor[:, None, None] * (outer + outer.transpose(0, 2, 1)), axis=0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)


@pytest.mark.parametrize("penalty", ["gradient", "r1", "dragan"])
def test_second_order_gradients_equal_finite_differences_through_a_convolutional_critic(penalty):
    keras.config.set_dtype_policy("float64")
    critic = keras.Sequential(
        [
            keras.Input((4, 4, 1), dtype="float64"),
            keras.layers.Conv2D(3, 3, strides=2, activation="softplus"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    real, fake = _normal(3, 4, 4, 1, dtype="float64"), _normal(3, 4, 4, 1, seed=1, dtype="float64")
    mixing = mixing_weights(3, [7, 8])

    def value():
        return {
            "gradient": lambda: gradient_penalty(critic, real, fake, mixing),
            "r1": lambda: r1_penalty(critic, real),
            "dragan": lambda: dragan_penalty(critic, real, fake),
        }[penalty]()

    kernel = critic.layers[0].kernel
    with tf.GradientTape() as tape:
        loss = value()
    gradient = tape.gradient(loss, kernel.value).numpy()
    assert loss.dtype == tf.float64
    start = kernel.numpy()
    for index in [(0, 0, 0, 0), (1, 2, 0, 1), (2, 1, 0, 2)]:
        values = []
        for step in (1e-6, -1e-6):
            moved = start.copy()
            moved[index] += step
            kernel.assign(moved)
            values.append(float(value()))
        kernel.assign(start)
        assert gradient[index] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_penalties_are_finite_and_float32_under_mixed_precision(policy):
    # The gradient's norm is 240: its square would overflow in float16, and round in bfloat16.
    keras.config.set_dtype_policy(policy)
    images = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(images)
    ones = keras.initializers.Constant(60.0)
    logits = keras.layers.Dense(1, use_bias=False, kernel_initializer=ones)(x)
    critic = keras.Model(images, logits)
    dtype = policy.removeprefix("mixed_")
    real, fake = _normal(7, 4, 4, 1, dtype=dtype), _normal(7, 4, 4, 1, seed=1, dtype=dtype)
    for value, expected in (
        (gradient_penalty(critic, real, fake, mixing_weights(7, [0, 1])), 239.0**2),
        (r1_penalty(critic, real), 240.0**2),
        (dragan_penalty(critic, real, dragan_noise(real, [0, 1])), 239.0**2),
    ):
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(expected, rel=1e-6)


def test_mixing_weights_are_one_uniform_number_for_each_pair_and_repeat():
    weights = np.asarray(mixing_weights(20_000, [1, 2]))
    assert weights.shape == (20_000,) and weights.dtype == np.float32
    assert weights.min() >= 0.0 and weights.max() <= 1.0
    assert scipy.stats.kstest(weights, scipy.stats.uniform.cdf).pvalue > 0.001
    np.testing.assert_array_equal(weights, mixing_weights(20_000, [1, 2]))
    assert abs(np.corrcoef(weights, mixing_weights(20_000, [1, 3]))[0, 1]) < 0.05


@pytest.mark.parametrize("shape", [(7, 4, 4, 1), (4, 4, 1), (6,), (1,), (7, 4), ()])
def test_mixing_that_is_not_one_number_for_each_pair_is_refused(shape):
    images = _normal(7, 4, 4, 1)
    with pytest.raises(ValueError, match="one number for each pair"):
        gradient_penalty(_linear(tf.ones((4, 4, 1))), images, images, tf.ones(shape))


def test_images_of_two_shapes_are_refused():
    critic = _linear(tf.ones((4, 4, 1)))
    with pytest.raises(ValueError, match="fake_images of shape"):
        gradient_penalty(critic, _normal(7, 4, 4, 1), _normal(6, 4, 4, 1), tf.ones(7))
    with pytest.raises(ValueError, match="noise of shape"):
        dragan_penalty(critic, _normal(7, 4, 4, 1), _normal(7, 1, 1, 1))


# ---------------------------------------------------------------------- R1 and DRAGAN


@pytest.mark.parametrize("batch_size", [1, 7])
def test_r1_equals_its_closed_form_for_a_quadratic_discriminator(batch_size):
    matrix, images = _normal(6, 6), _normal(batch_size, 3, 2, 1, seed=1)
    expected = np.mean(_quadratic_norms(matrix, images) ** 2)
    assert float(r1_penalty(_quadratic(matrix), images)) == pytest.approx(expected, rel=1e-5)


def test_r1_has_the_gradient_of_its_closed_form():
    # d/dA E ||(A + A^T) x||^2 = 2 E[g x^T + x g^T], g = (A + A^T) x.
    matrix = tf.Variable(_normal(4, 4, dtype="float64"))
    images = _normal(5, 2, 2, 1, seed=1, dtype="float64")
    with tf.GradientTape() as tape:
        penalty = r1_penalty(_quadratic(matrix), images)
    x = images.numpy().reshape(5, 4)
    outer = np.einsum("bi,bj->bij", x @ (matrix.numpy() + matrix.numpy().T), x)
    expected = 2 * np.mean(outer + outer.transpose(0, 2, 1), axis=0)
    np.testing.assert_allclose(tape.gradient(penalty, matrix), expected, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_dragan_equals_its_closed_form_for_a_quadratic_discriminator(batch_size):
    matrix, images = _normal(6, 6), _normal(batch_size, 3, 2, 1, seed=1)
    noise = dragan_noise(images, [1, 2])
    norms = _quadratic_norms(matrix, np.array(images) + np.array(noise))
    value = float(dragan_penalty(_quadratic(matrix), images, noise, target=2.0))
    assert value == pytest.approx(np.mean((norms - 2.0) ** 2), rel=1e-4)


def test_dragan_noise_is_uniform_up_to_half_the_deviation_on_the_way_from_each_image():
    images = 3.0 + 2.0 * _normal(2000, 4, 4, 1)
    noise = np.asarray(dragan_noise(images, [1, 2])).reshape(2000, 16)
    reach = 0.5 * np.std(images)
    assert noise.min() >= 0.0 and reach * 0.98 < noise.max() <= reach
    # The largest of 16 uniform pixels times a uniform number for the image.
    rng = np.random.default_rng(0)
    expected = reach * rng.uniform(size=(20_000, 16)) * rng.uniform(size=(20_000, 1))
    assert scipy.stats.ks_2samp(noise.max(axis=1), expected.max(axis=1)).pvalue > 0.001
    assert scipy.stats.ks_2samp(noise[:, 0], expected[:, 0]).pvalue > 0.001
    # Within an image, relative to its largest pixel, the others are uniform.
    others = np.sort(noise / noise.max(axis=1, keepdims=True), axis=1)[:, :-1].ravel()
    assert scipy.stats.kstest(others, scipy.stats.uniform.cdf).pvalue > 0.001


def test_dragan_noise_repeats_and_may_be_drawn_for_the_global_batch():
    images = _normal(3, 2, 2, 1)
    noise = dragan_noise(images, [1, 2], count=6)
    assert noise.shape == (6, 2, 2, 1)
    np.testing.assert_array_equal(noise, dragan_noise(images, [1, 2], count=tf.constant(6)))
    assert not np.array_equal(noise[:3], noise[3:])


# ---------------------------------------------------------------------- replicas and clipping


def test_two_replicas_average_to_the_penalty_of_the_global_batch(mirrored):
    matrix = _normal(4, 4)
    real, fake = _normal(8, 2, 2, 1), _normal(8, 2, 2, 1, seed=1)

    def penalty(real, fake):
        mixing = replica_share(lambda count: mixing_weights(count, [3, 4]), tf.shape(real)[0])
        return gradient_penalty(_quadratic(matrix), real, fake, mixing)

    data = tf.data.Dataset.from_tensors((real, fake)).rebatch(8)
    batch = next(iter(mirrored.experimental_distribute_dataset(data)))
    parts = mirrored.run(tf.function(penalty), batch)
    average = mirrored.reduce("MEAN", parts, axis=None)
    assert float(average) == pytest.approx(float(penalty(real, fake)), rel=1e-5)


def _network():
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, bias_initializer="ones"),
            keras.layers.BatchNormalization(),
        ]
    )


def test_clipping_bounds_every_trainable_variable_and_no_other():
    network = _network()
    network.layers[1].moving_variance.assign(tf.fill((5,), 9.0))
    before = [each.numpy() for each in network.trainable_variables]
    clip_weights(network, 0.01)
    for variable, start in zip(network.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, np.clip(start, np.float32(-0.01), np.float32(0.01)))
    np.testing.assert_array_equal(network.layers[1].moving_variance, np.full(5, 9.0))


@pytest.mark.parametrize("within_replicas", [True, False])
def test_clipping_keeps_replicas_equal(mirrored, within_replicas):
    with mirrored.scope():
        network = _network()
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build(network.trainable_variables)
    x = _normal(4, 6)

    def step():
        # Each replica has a gradient of its own; the optimizer adds them.
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, "float32")
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(x * (1.0 + replica)) ** 2)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if within_replicas:
            clip_weights(network, 0.01)

    for _ in range(2):
        mirrored.run(tf.function(step))
        if not within_replicas:
            with mirrored.scope():
                clip_weights(network, 0.01)
    for variable in network.trainable_variables:
        first, second = (copy.numpy() for copy in variable.value.values)
        np.testing.assert_array_equal(first, second)
        assert 0.0 < np.abs(first).max() <= np.float32(0.01)


@pytest.mark.parametrize("bound", [0, -0.01, float("nan")])
def test_clipping_refuses_bounds_that_are_not_above_zero(bound):
    with pytest.raises(ValueError, match="bound="):
        clip_weights(_network(), bound)


def test_drift_is_the_mean_square_of_the_scores():
    assert float(drift_penalty(tf.constant([[1.0], [-3.0]], "bfloat16"))) == 5.0
