import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.layers import SpectralNormalization, update_spectral_norms

FIXTURE = pathlib.Path(__file__).parents[1] / "fixtures" / "addons_spectral_norm.npz"

# A layer, the shape of its inputs, and its kernel as a matrix with a row for each output. (O, ...)
CASES = {
    "dense": (lambda: keras.layers.Dense(5), (3, 7), lambda kernel: kernel.T),
    "conv1d": (
        lambda: keras.layers.Conv1D(4, 3),
        (2, 6, 3),
        lambda kernel: kernel.reshape(-1, 4).T,
    ),
    "conv2d": (
        lambda: keras.layers.Conv2D(6, 3, strides=2, padding="same"),
        (2, 6, 5, 3),
        lambda kernel: np.array([kernel[..., o].ravel() for o in range(6)]),
    ),
    "conv2d_dilated": (
        lambda: keras.layers.Conv2D(4, 2, dilation_rate=2, use_bias=False),
        (2, 6, 6, 2),
        lambda kernel: kernel.reshape(-1, 4).T,
    ),
    "conv3d": (
        lambda: keras.layers.Conv3D(2, 2),
        (1, 3, 3, 3, 2),
        lambda kernel: kernel.reshape(-1, 2).T,
    ),
    "conv1d_transpose": (
        lambda: keras.layers.Conv1DTranspose(4, 3, strides=2),
        (2, 3, 2),
        lambda kernel: np.array([kernel[:, o].ravel() for o in range(4)]),
    ),
    "conv2d_transpose": (
        lambda: keras.layers.Conv2DTranspose(5, 4, strides=2, padding="same"),
        (2, 3, 3, 2),
        lambda kernel: np.array([kernel[:, :, o].ravel() for o in range(5)]),
    ),
}


def _inputs(shape, seed=0, dtype="float32"):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def _built(name, **arguments):
    make_layer, shape, matrix = CASES[name]
    layer = SpectralNormalization(make_layer(), **arguments)
    layer.build(shape)
    return layer, shape, matrix


def _converge(network):
    update = tf.function(lambda: update_spectral_norms(network))
    for _ in range(300):
        update()


def _vectors(layer):
    return layer.u.numpy(), layer.v.numpy()


def _norm(matrix):
    return np.linalg.svd(np.float64(matrix), compute_uv=False)[0]


# ---------------------------------------------------------------------- the normalized kernel


@pytest.mark.parametrize("name", CASES)
def test_the_converged_kernel_has_a_largest_singular_value_of_one(name):
    layer, _, matrix = _built(name)
    _converge(layer)
    assert _norm(matrix(layer.kernel.numpy())) != pytest.approx(1.0, abs=1e-3)
    assert _norm(matrix(layer.normalized_kernel().numpy())) == pytest.approx(1.0, abs=1e-4)
    assert float(layer.spectral_norm()) == pytest.approx(
        _norm(matrix(layer.kernel.numpy())), rel=1e-4
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_outputs_are_those_of_the_layer_with_the_kernel_divided_by_sigma(name, training):
    make_layer, shape, _ = CASES[name]
    network = keras.Sequential([keras.Input(shape[1:]), SpectralNormalization(make_layer())])
    layer = network.layers[0]
    plain = make_layer()
    plain.build(shape)
    weights = [np.float32(w) for w in layer.layer.get_weights()]
    if layer.layer.use_bias:
        weights[1] = np.random.default_rng(1).normal(size=weights[1].shape)
        layer.layer.bias.assign(weights[1])
    plain.set_weights([weights[0] / float(layer.spectral_norm()), *weights[1:]])
    x = _inputs(shape)
    np.testing.assert_allclose(network(x, training=training), plain(x), rtol=1e-4, atol=1e-5)


def test_bias_and_activation_act_as_without_the_wrapper():
    layer = SpectralNormalization(keras.layers.Dense(2, activation="relu"))
    layer.build((None, 2))
    # The singular values of diag(3, 1) are 3 and 1.
    layer.layer.set_weights([np.diag([3.0, 1.0]), np.array([0.5, -2.0])])
    _converge(layer)
    np.testing.assert_allclose(layer(np.array([[1.0, 1.0]])), [[1.5, 0.0]], rtol=1e-6)


def test_an_embedding_is_normalized_as_its_table():
    layer = SpectralNormalization(keras.layers.Embedding(6, 4))
    labels = np.array([[1, 5], [0, 1]])
    outputs = layer(labels)
    _converge(layer)
    table = layer.layer.embeddings.numpy()
    expected = table[labels] / _norm(table)
    assert outputs.shape == (2, 2, 4)
    np.testing.assert_allclose(layer(labels), expected, rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(inputs=st.integers(1, 12), outputs=st.integers(1, 12), seed=st.integers(0, 2**31 - 1))
def test_sigma_never_exceeds_the_norm_and_is_near_it_from_the_start(inputs, outputs, seed):
    keras.utils.set_random_seed(seed)
    layer = SpectralNormalization(keras.layers.Dense(outputs))
    layer.build((None, inputs))
    for vector in _vectors(layer):
        assert np.linalg.norm(vector) == pytest.approx(1.0, rel=1e-5)
    sigma, norm = float(layer.spectral_norm()), _norm(layer.kernel.numpy())
    assert 0.5 * norm < sigma < norm * (1 + 1e-5)


# ---------------------------------------------------------------------- the gradient


def test_the_gradient_equals_finite_differences_with_u_and_v_fixed():
    keras.config.set_dtype_policy("float64")
    for name in ("dense", "conv2d", "conv2d_transpose"):
        layer, shape, _ = _built(name)
        x = _inputs(shape, dtype="float64")

        def loss(layer=layer, x=x):
            return tf.reduce_sum(tf.sin(layer(x)))

        with tf.GradientTape() as tape:
            value = loss()
        gradient = tape.gradient(value, layer.kernel.value).numpy()
        start = layer.kernel.numpy()
        for index in (0, 3, 11):
            values = []
            for step in (1e-6, -1e-6):
                moved = start.copy()
                moved.flat[index] += step
                layer.kernel.assign(moved)
                values.append(float(loss()))
            layer.kernel.assign(start)
            expected = (values[0] - values[1]) / 2e-6
            assert gradient.flat[index] == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_the_gradient_is_equation_12_of_the_paper():
    # W' = W / sigma, h the inputs, delta the gradient in W' h:
    # dV/dW = (E[delta h^T] - lambda u v^T) / sigma,  lambda = E[delta^T (W' h)].
    keras.config.set_dtype_policy("float64")
    layer = SpectralNormalization(keras.layers.Dense(4, use_bias=False))
    layer.build((None, 6))
    h = _inputs((5, 6), dtype="float64")
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(tf.reduce_sum(layer(h) ** 3, axis=1))
    gradient = tape.gradient(value, layer.kernel.value).numpy().T

    w, h = layer.kernel.numpy().T, h.numpy()
    u, v = _vectors(layer)
    sigma = u @ w @ v
    outputs = h @ w.T / sigma
    delta = 3 * outputs**2
    scale = np.mean(np.sum(delta * outputs, axis=1))
    expected = (np.mean(delta[:, :, None] * h[:, None, :], axis=0) - scale * np.outer(u, v)) / sigma
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)
    # Along W itself nothing changes W / sigma, and the gradient has no part there.
    assert np.sum(gradient * w) == pytest.approx(0.0, abs=1e-10)


# ---------------------------------------------------------------------- what moves


@pytest.mark.parametrize("name", ["dense", "conv2d", "conv2d_transpose"])
def test_a_call_moves_nothing_and_an_update_moves_u_and_v_alone(name):
    layer, shape, matrix = _built(name)
    kernel = _inputs(layer.kernel.shape, seed=3)
    layer.kernel.assign(kernel)
    before = [weight.numpy() for weight in layer.weights]
    layer(_inputs(shape), training=True)
    layer(_inputs(shape), training=False)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)

    u, v = _vectors(layer)
    update_spectral_norms(layer)
    w = matrix(layer.kernel.numpy())  # (outputs, inputs); below, Algorithm 1 of the paper
    v = w.T @ u / np.linalg.norm(w.T @ u)
    u = w @ v / np.linalg.norm(w @ v)
    # Among the inputs of a weight the order is the layer's: compare the projections.
    np.testing.assert_allclose(layer.u.numpy(), u, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.sort(layer.v.numpy()), np.sort(v), rtol=1e-4, atol=1e-6)
    assert float(layer.spectral_norm()) == pytest.approx(u @ w @ v, rel=1e-5)
    np.testing.assert_array_equal(layer.kernel, kernel)


def test_power_iterations_are_made_as_often_as_asked():
    one, three = (_built("dense", power_iterations=count)[0] for count in (1, 3))
    kernel, u, v = (_inputs(w.shape) for w in (one.kernel, one.u, one.v))
    for layer in (one, three):
        layer.kernel.assign(kernel)
        layer.u.assign(u)
        layer.v.assign(v)
    update_spectral_norms(three)
    for _ in range(2):
        update_spectral_norms(one)
    assert not np.allclose(one.u, three.u, rtol=1e-4)
    update_spectral_norms(one)
    np.testing.assert_allclose(one.u, three.u, rtol=1e-6)


def test_updates_reach_layers_nested_to_any_depth_and_shared_ones_once():
    shared = SpectralNormalization(keras.layers.Dense(4))
    inner = keras.Sequential([keras.Input((4,)), shared, keras.layers.ReLU()])
    images = keras.Input((4,))
    outer = keras.Sequential([keras.Input((4,)), inner, keras.layers.TimeDistributed(shared)][:2])
    outputs = SpectralNormalization(keras.layers.Dense(1))(shared(outer(images)))
    network = keras.Model(images, outputs)
    layers = [shared, network.layers[-1]]
    for layer in layers:
        layer.kernel.assign(_inputs(layer.kernel.shape))
    before = [layer.u.numpy() for layer in layers]
    expected = []
    for layer, u in zip(layers, before, strict=True):
        w = layer.kernel.numpy().T
        u = w @ w.T @ u
        expected.append(u / np.linalg.norm(u))
    update_spectral_norms(network)
    for layer, u in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer.u, u, rtol=1e-4, atol=1e-6)


def test_a_network_without_the_wrapper_stays_as_it_is():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    before = network.get_weights()
    update_spectral_norms(network)
    for weight, value in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_kernel_of_zeros_is_used_as_it_is_and_can_be_left():
    layer = SpectralNormalization(keras.layers.Dense(3, kernel_initializer="zeros"))
    x = _inputs((4, 2))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x))
    np.testing.assert_array_equal(layer(x), np.zeros((4, 3)))
    expected = np.repeat(x.numpy().sum(axis=0)[:, None], 3, axis=1)
    np.testing.assert_allclose(tape.gradient(loss, layer.kernel.value), expected, rtol=1e-5)
    layer.kernel.assign(_inputs((2, 3)))
    _converge(layer)
    assert _norm(layer.normalized_kernel()) == pytest.approx(1.0, abs=1e-4)


def test_a_moving_average_of_the_vectors_still_gives_sigma():
    # Half way between two unit vectors is a shorter one.
    layer, _, _ = _built("dense")
    u, v = _vectors(layer)
    sigma = float(layer.spectral_norm())
    layer.u.assign(0.5 * u)
    layer.v.assign(0.8 * v)
    assert float(layer.spectral_norm()) == pytest.approx(sigma, rel=1e-5)


# ---------------------------------------------------------------------- against tensorflow-addons


@pytest.mark.parametrize(
    ("name", "make_layer"),
    [
        ("dense", lambda: keras.layers.Dense(5, activation="tanh")),
        (
            "conv2d",
            lambda: keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        ),
    ],
)
def test_the_first_training_call_equals_that_of_tensorflow_addons(name, make_layer):
    """The golden values are by scripts/make_addons_fixtures.py, from tensorflow-addons 0.23."""
    golden = np.load(FIXTURE)
    layer = SpectralNormalization(make_layer())
    inputs = golden[f"{name}/inputs"]
    layer.build(inputs.shape)
    layer.layer.set_weights([golden[f"{name}/kernel"], golden[f"{name}/bias"]])
    layer.u.assign(golden[f"{name}/u"])
    update_spectral_norms(layer)
    np.testing.assert_allclose(layer(inputs), golden[f"{name}/outputs"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.u, golden[f"{name}/u_after"], rtol=1e-5, atol=1e-6)
    # The addon has replaced the kernel by then; ours is still the one that is trained.
    np.testing.assert_array_equal(layer.kernel, golden[f"{name}/kernel"])


# ---------------------------------------------------------------------- in Keras


def _network():
    images = keras.Input((6, 6, 2))
    x = SpectralNormalization(keras.layers.Conv2D(4, 3, activation="relu"))(images)
    x = keras.layers.Flatten()(x)
    logits = keras.layers.Dense(1, dtype="float32")
    return keras.Model(images, SpectralNormalization(logits, power_iterations=2, name="logits")(x))


def test_a_saved_network_comes_back_with_its_vectors(tmp_path):
    network, x = _network(), _inputs((3, 6, 6, 2))
    update_spectral_norms(network)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(x), network(x))
    for weight, other in zip(loaded.weights, network.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    assert loaded.get_layer("logits").power_iterations == 2


def test_a_clone_with_the_same_weights_computes_the_same():
    network, x = _network(), _inputs((3, 6, 6, 2))
    clone = keras.models.clone_model(network)
    assert not np.allclose(clone(x), network(x))
    clone.set_weights(network.get_weights())
    np.testing.assert_array_equal(clone(x), network(x))
    assert clone.layers[1] is not network.layers[1]


def test_an_exported_network_is_normalized_too(tmp_path):
    network, x = _network(), _inputs((3, 6, 6, 2))
    network.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(served.serve(x), network(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_under_mixed_precision_sigma_is_float32_and_the_kernel_keeps_its_bits(policy):
    keras.config.set_dtype_policy(policy)
    network, x = _network(), _inputs((3, 6, 6, 2))
    layer = network.layers[1]
    half = policy.removeprefix("mixed_")
    assert layer(x).dtype == half and network(x).dtype == tf.float32
    assert layer.output.dtype == half and network.output.dtype == "float32"
    assert layer.kernel.dtype == "float32" and layer.layer.compute_dtype == half
    before = layer.kernel.numpy()
    _converge(network)
    network(x, training=True)
    np.testing.assert_array_equal(layer.kernel, before)
    for tensor in (layer.u.value, layer.v.value, layer.spectral_norm(), layer.normalized_kernel()):
        assert tensor.dtype == tf.float32
    # float32's accuracy; bfloat16 has 2^-8.
    assert float(layer.spectral_norm()) == pytest.approx(_norm(before.reshape(-1, 4)), rel=1e-5)

    reference = keras.layers.Conv2D(4, 3, activation="relu", dtype=half)
    reference.build(x.shape)
    reference.set_weights([tf.cast(layer.normalized_kernel(), half), layer.layer.bias])
    np.testing.assert_array_equal(
        tf.cast(layer(x), "float32"), tf.cast(reference(tf.cast(x, half)), "float32")
    )


def test_gradients_under_mixed_precision_reach_the_float32_kernel():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = _network()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(_inputs((3, 6, 6, 2))) ** 2)
    for gradient in tape.gradient(loss, [w.value for w in network.trainable_variables]):
        assert gradient.dtype == tf.float32 and np.all(np.isfinite(gradient))


def test_two_replicas_keep_one_kernel_and_one_pair_of_vectors(mirrored):
    x = _inputs((4, 6, 6, 2))
    network = _network()
    start = network.get_weights()
    with mirrored.scope():
        copy = _network()
        copy.set_weights(start)
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(copy.trainable_variables)

    def step(network, optimizer, x, replicas):
        update_spectral_norms(network)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(x, training=True) ** 2) / replicas
        variables = network.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    data = tf.data.Dataset.from_tensors(x).rebatch(4)
    halves = next(iter(mirrored.experimental_distribute_dataset(data)))
    on_replicas = tf.function(lambda part: step(copy, optimizer, part, 2.0))
    single = keras.optimizers.SGD(0.1)
    for _ in range(3):
        mirrored.run(on_replicas, (halves,))
        step(network, single, x, 1.0)
    for variable, expected, first in zip(copy.weights, network.weights, start, strict=True):
        copies = [each.numpy() for each in variable.value.values]
        np.testing.assert_array_equal(*copies)
        np.testing.assert_allclose(copies[0], expected, rtol=1e-4, atol=1e-6)
        # The u of a single output has nowhere to go.
        assert variable.shape == (1,) or not np.array_equal(copies[0], first)


def test_no_tensor_leaves_a_graph_and_none_is_frozen_into_it():
    layer = SpectralNormalization(keras.layers.Dense(3))
    x = _inputs((2, 4))
    graph = tf.function(layer)
    first = graph(x)  # builds the layer, too
    np.testing.assert_allclose(first, layer(x), rtol=1e-6)
    layer.kernel.assign(_inputs((4, 3), seed=5))
    update_spectral_norms(layer)
    np.testing.assert_allclose(graph(x), layer(x), rtol=1e-6)
    assert not np.allclose(graph(x), first)


def test_the_constructor_refuses_what_it_cannot_normalize():
    for layer in (
        keras.layers.ReLU(),
        keras.layers.DepthwiseConv2D(3),
        keras.layers.SeparableConv2D(3, 3),
        keras.layers.BatchNormalization(),
        "dense",
    ):
        with pytest.raises(TypeError, match="give one of Dense"):
            SpectralNormalization(layer)
    with pytest.raises(ValueError, match="activity_regularizer"):
        SpectralNormalization(keras.layers.Dense(2, activity_regularizer="l2"))
    for count in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"power_iterations={count}"):
            SpectralNormalization(keras.layers.Dense(2), power_iterations=count)
