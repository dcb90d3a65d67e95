import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import Autoencoder, SparseAutoencoder

SHAPE = (2, 2, 1)


def make(sparsity, rate=0.5, **arguments):
    model = SparseAutoencoder(SHAPE, latent_dim=3, hidden_units=(), sparsity=sparsity, **arguments)
    model.compile(keras.optimizers.SGD(rate))
    return model


def uniform_images(count=5):
    return np.random.default_rng(0).uniform(size=(count, *SHAPE)).astype("float32")


def test_the_penalty_adds_its_gradient_worked_out_in_numpy():
    images = uniform_images()
    steps = {}
    for sparsity in (0.0, 0.3):
        keras.utils.set_random_seed(1)
        model = make(sparsity)
        encoder, _ = model.encoder.get_weights()
        model.train_step(tf.constant(images))
        steps[sparsity] = model.encoder.get_weights()[0] - encoder
    x = images.reshape(5, 4)
    on = (x @ encoder > 0).astype("float32")
    assert 0 < on.sum() < on.size
    np.testing.assert_allclose(steps[0.3] - steps[0.0], -0.5 * 0.3 * x.T @ on / 5, atol=1e-6)


def test_without_penalty_a_step_is_that_of_the_autoencoder():
    sparse = make(0.0)
    plain = Autoencoder(SHAPE, latent_dim=3, hidden_units=(), code_activation="relu")
    plain.compile(keras.optimizers.SGD(0.5))
    plain.set_weights(sparse.get_weights())
    for model in (sparse, plain):
        model.train_step(tf.constant(uniform_images()))
    for a, b in zip(sparse.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_logs_are_the_terms_of_the_objective():
    model = make(0.3, rate=0.0)
    images = uniform_images()
    codes = np.maximum(images.reshape(5, 4) @ model.encoder.get_weights()[0], 0)
    for step in (model.train_step, model.test_step):
        logs = step(tf.constant(images))
        assert float(logs["sparsity_loss"]) == pytest.approx(0.3 * codes.sum(1).mean(), rel=1e-5)
        assert float(logs["active_share"]) == pytest.approx((codes > 0).mean())


def test_a_stronger_penalty_gives_sparser_codes():
    images = np.random.default_rng(0).uniform(size=(256, 4, 4, 1)).astype("float32")
    active = []
    for sparsity in (0.0, 0.02):
        keras.utils.set_random_seed(0)
        model = SparseAutoencoder((4, 4, 1), 16, (), sparsity)
        model.compile(keras.optimizers.Adam(0.01))
        model.fit(tf.data.Dataset.from_tensors(images).repeat(150), shuffle=False, verbose=0)
        active.append(np.mean(np.asarray(model.encode(images)) > 0))
    assert active[1] < 0.5 * active[0]


@pytest.mark.parametrize("sparsity", [-0.1, float("nan")])
def test_a_penalty_that_is_not_one_is_refused(sparsity):
    with pytest.raises(ValueError, match="sparsity="):
        SparseAutoencoder(SHAPE, sparsity=sparsity)
