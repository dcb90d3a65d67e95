import numpy as np
import pytest
import tensorflow as tf

from keras_gen.losses import orthogonal_penalty


def orthonormal(inputs, outputs, seed=0):
    noise = np.random.default_rng(seed).normal(size=(inputs, outputs))
    return np.linalg.qr(noise)[0]


@pytest.mark.parametrize("shape", [(7, 3), (3, 3), (3, 7), (3, 3, 2, 5), (1, 1, 2, 5)])
@pytest.mark.parametrize("diagonal", [False, True])
def test_it_is_the_squared_distance_of_the_gram_matrix(shape, diagonal):
    kernel = np.random.default_rng(0).normal(size=shape)
    matrix = kernel.reshape(-1, shape[-1])
    gram = matrix.T @ matrix
    distance = gram - np.eye(shape[-1]) if diagonal else gram * (1.0 - np.eye(shape[-1]))
    expected = np.linalg.norm(distance, "fro") ** 2
    got = orthogonal_penalty(tf.constant(kernel, "float32"), diagonal=diagonal)
    assert float(got) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("diagonal", [False, True])
def test_an_orthogonal_kernel_costs_nothing(diagonal):
    kernel = orthonormal(18, 5).reshape(3, 3, 2, 5)
    assert float(orthogonal_penalty(tf.constant(kernel, "float32"), diagonal)) < 1e-10


def test_only_the_diagonal_holds_the_lengths():
    kernel = tf.constant(3.0 * orthonormal(6, 4), "float32")
    assert float(orthogonal_penalty(kernel)) < 1e-8
    assert float(orthogonal_penalty(kernel, diagonal=True)) == pytest.approx(4 * 8.0**2, rel=1e-5)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
def test_the_gradient_is_four_times_w_times_the_products_off_the_diagonal(shape):
    kernel = tf.constant(np.random.default_rng(0).normal(size=shape))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        penalty = orthogonal_penalty(kernel)
    gram = kernel.numpy().T @ kernel.numpy()
    expected = 4.0 * kernel.numpy() @ (gram - np.diag(np.diag(gram)))
    np.testing.assert_allclose(tape.gradient(penalty, kernel), expected, rtol=1e-6)
