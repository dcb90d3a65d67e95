import keras
import numpy as np
import pytest
import tensorflow as tf
from gan_steps import SHAPE, LinearNetworks, batches, trained
from scipy import stats

from keras_gen.models import WGANGP


class LinearWGANGP(LinearNetworks, WGANGP):
    pass


@pytest.mark.parametrize("one_sided", [False, True])
def test_a_training_step_is_algorithm_1_worked_out_in_numpy(one_sided):
    model = LinearWGANGP(SHAPE, latent_dim=1, critic_steps=3, one_sided=one_sided)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    real, latents = batches(3, 4)
    g, w, norms = np.ones(4), np.ones(4), []
    for x, z in zip((real[0::3], real[1::3], real[2::3]), latents[:3], strict=True):
        gradient = (z * g).mean(0) - x.reshape(-1, 4).mean(0)
        # A linear critic has the gradient w everywhere: the penalty is (|w| - 1)^2.
        norms.append(norm := np.linalg.norm(w))
        excess = max(norm - 1, 0) if one_sided else norm - 1
        w = w - 0.1 * (gradient + 10 * 2 * excess * w / norm)
    assert min(norms) < 1 < max(norms)  # on both sides
    g = g + 0.1 * latents[3].mean() * w
    for found, expected in zip(trained(model, real, latents), (g, w), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_each_image_has_a_mixing_weight_of_its_own_uniform_and_new_in_every_step():
    model = LinearWGANGP(SHAPE, latent_dim=1, critic_steps=2)
    model.compile()
    drawn = []

    def penalty(real_images, fake_images, mixing):
        drawn.append(np.asarray(mixing))
        return tf.constant(0.0)

    model.penalty = penalty
    for _ in range(20):
        model.train_step(tf.zeros((2 * 50, *SHAPE)))
    values = np.concatenate(drawn)
    assert values.shape == (20 * 2 * 50,) and len(np.unique(values)) > 1900
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_the_critic_has_no_batch_normalization():
    model = WGANGP((16, 16, 1), filters=4)
    assert not any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in model.critic.layers
    )


def test_the_critic_scores_each_image_by_itself():
    model = WGANGP((8, 8, 1), filters=4)
    images = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")
    together = model.critic(images, training=True)
    apart = [model.critic(image[None], training=True)[0] for image in images]
    np.testing.assert_allclose(together, apart, atol=1e-6)


def test_default_optimizers_are_the_papers():
    model = WGANGP((8, 8, 1), filters=4)
    model.compile()
    for optimizer in model.optimizers.values():
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(1e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
    assert model.penalty_weight == 10.0 and model.batches_per_step == 5


def test_a_trained_critic_has_gradients_of_norm_one_between_the_points():
    model = WGANGP((8, 8, 1), 2, 4, critic_steps=1)
    model.compile(keras.optimizers.Adam(3e-3, beta_1=0.0, beta_2=0.9), keras.optimizers.SGD(0.0))
    data = np.random.default_rng(0).uniform(-1, 1, (32 * 100, 8, 8, 1)).astype("float32")
    logs = model.fit(data, batch_size=32, epochs=2, verbose=0).history
    assert logs["gradient_penalty"][-1] < 0.1 and logs["earth_mover"][-1] > 0


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="penalty_weight=-1.0"):
        WGANGP((8, 8, 1), penalty_weight=-1.0)


def test_a_last_batch_that_does_not_divide_is_cut_as_far_as_it_goes():
    model = WGANGP((8, 8, 1), latent_dim=4, filters=8, critic_steps=5)
    model.compile()
    model.fit(np.zeros((17, 8, 8, 1), "float32"), batch_size=10, verbose=0)
    images = np.arange(7.0).reshape(7, 1, 1, 1)
    cut = tf.function(model.split_batches, input_signature=[tf.TensorSpec((None, 1, 1, 1))])
    assert [batch[:, 0, 0, 0].numpy().tolist() for batch in cut(images)] == [
        [0, 5],
        [1, 6],
        [2],
        [3],
        [4],
    ]
