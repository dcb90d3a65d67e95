import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.metrics.likelihood import elbo, importance_log_likelihood
from keras_gen.models import ConditionalVAE

SHAPE = (2, 2, 1)


def one_layer(num_classes=3, **optimizer):
    model = ConditionalVAE(SHAPE, num_classes, latent_dim=2, hidden_units=())
    model.compile(**optimizer)
    return model


def a_batch(count=5, num_classes=3):
    images = np.random.default_rng(0).uniform(size=(count, *SHAPE)).astype("float32")
    return tf.constant(images), tf.constant(np.arange(count) % num_classes)


def bernoulli(x, logits):
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=-1)


def test_the_objective_is_the_bound_worked_out_in_numpy():
    model = one_layer()
    images, labels = a_batch()
    noise = np.random.default_rng(1).normal(size=(5, 2)).astype("float32")
    terms = model.bound_terms(images, labels, noise, training=False)
    reconstruction, kl = map(tf.reduce_mean, terms)

    x, y = np.reshape(images, (5, 4)), np.eye(3)[labels]
    encoder, _ = model.encoder.get_weights()
    decoder, _ = model.decoder.get_weights()
    means, log_variances = np.split(np.concatenate([x, y], 1) @ encoder, 2, axis=1)
    latents = means + np.exp(log_variances / 2) * noise
    logits = np.concatenate([latents, y], 1) @ decoder
    expected = 0.5 * np.sum(means**2 + np.exp(log_variances) - log_variances - 1, axis=1)
    assert float(reconstruction) == pytest.approx(-bernoulli(x, logits).mean(), rel=1e-5)
    assert float(kl) == pytest.approx(expected.mean(), rel=1e-5)


def test_a_training_step_goes_down_the_finite_differences_of_the_bound():
    model = one_layer(networks_optimizer=keras.optimizers.SGD(0.1))
    images, labels = a_batch()
    noise = model.noise_for(images, model.next_seeds(1)[0])
    model.train_steps.assign(0)
    kernel = next(v for v in model.encoder.trainable_variables if "kernel" in v.path)
    before = kernel.numpy()

    def loss(value):
        kernel.assign(value)
        return float(tf.reduce_mean(sum(model.bound_terms(images, labels, noise, training=True))))

    expected = np.zeros_like(before)
    for place in [(0, 0), (3, 2), (4, 1), (6, 3)]:  # two pixels, two classes
        move = np.zeros_like(before)
        move[place] = 1e-2
        expected[place] = (loss(before + move) - loss(before - move)) / 2e-2
    kernel.assign(before)
    model.train_step((images, labels))
    gradient = (before - kernel.numpy()) / 0.1
    for place in zip(*np.nonzero(expected), strict=True):
        assert gradient[place] == pytest.approx(expected[place], rel=2e-2, abs=2e-3)


def test_classes_are_one_hot_to_both_networks():
    """With one layer, changing the class adds one row of the weights and takes another off."""
    model = one_layer()
    decoder, bias = model.decoder.get_weights()
    logits = model.decoder([tf.zeros((3, 2)), tf.range(3)])
    np.testing.assert_allclose(np.reshape(logits, (3, 4)), decoder[2:] + bias, atol=1e-6)
    encoder, _ = model.encoder.get_weights()
    encoded = model.encode(np.zeros((3, *SHAPE)), np.arange(3))
    np.testing.assert_allclose(encoded, encoder[4:, :2], atol=1e-6)


def test_importance_weights_of_a_latent_that_the_decoder_ignores_give_the_exact_likelihood():
    """p(x | y) is then one Bernoulli of the class, whatever q is."""
    model = one_layer()
    decoder, bias = model.decoder.get_weights()
    decoder[:2] = 0.0
    model.decoder.set_weights([decoder, bias])
    images, labels = a_batch(count=4)
    exact = bernoulli(np.reshape(images, (4, 4)), (decoder[2:] + bias)[labels])
    together = {"weights_per_call": 20_000, "labels": labels}  # all images in one call
    estimate = importance_log_likelihood(model, images, 4000, **together)
    np.testing.assert_allclose(estimate.log_likelihood_nats, exact, atol=0.1)
    # One draw on average gives the bound: lower by KL(q || p).
    parameters = model.encoder([images, labels])
    gap = np.sum(model.latent.kl(parameters), axis=-1)
    bound = elbo(model, images, 4000, **together)
    np.testing.assert_allclose(bound, exact - gap, atol=0.1)


def test_labels_reach_their_own_images_through_importance_sampling():
    model = one_layer()
    images, labels = a_batch(count=5)
    whole = importance_log_likelihood(model, images, 2000, labels=labels)
    for index in range(5):
        alone = importance_log_likelihood(
            model, images[index : index + 1], 2000, labels=labels[index : index + 1]
        )
        difference = alone.log_likelihood_nats[0] - whole.log_likelihood_nats[index]
        assert abs(difference) < 0.1


def test_it_learns_to_draw_the_class_that_is_asked_for_in_every_style():
    """The class is the bright side, left or right; the style its bright half, above or below."""
    labels, styles = np.arange(64) % 2, np.arange(64) // 2 % 2
    images = np.zeros((64, 4, 4, 1), "float32")
    for image, label, style in zip(images, labels, styles, strict=True):
        image[2 * style : 2 * style + 2, 2 * label : 2 * label + 2] = 1.0
    model = ConditionalVAE((4, 4, 1), num_classes=2, latent_dim=2, hidden_units=(16,))
    model.compile(keras.optimizers.Adam(1e-2))
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat(150)
    model.fit(batches, shuffle=False, verbose=0)
    asked = np.arange(100) % 2
    drawn = np.asarray(model.sample(100, seed=0, labels=asked))[..., 0]
    sides = np.stack([drawn[:, :, :2].mean((1, 2)), drawn[:, :, 2:].mean((1, 2))], axis=1)
    assert np.mean(sides.argmax(1) == asked) >= 0.95
    above = drawn[:, :2].mean((1, 2)) > drawn[:, 2:].mean((1, 2))
    for label in (0, 1):
        assert 0.2 < above[asked == label].mean() < 0.8


def test_labels_are_drawn_uniformly_where_none_are_asked_for():
    model = ConditionalVAE(SHAPE, num_classes=4, latent_dim=2, hidden_units=())
    seen = []
    model.sample_in_chunks = lambda latents, labels: seen.append(np.asarray(labels))
    model.sample(4000, seed=1)
    model.sample(4000, seed=1)
    model.sample(4000, seed=2)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    np.testing.assert_allclose(np.bincount(seen[0], minlength=4) / 4000, 0.25, atol=0.03)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "labels from 0 to 3: give integers from 0 to 2"),
        ([-1, 0], "labels from -1 to 0"),
        ([1], r"labels of shape \(1,\)"),
        (1, r"labels of shape \(\)"),
        ([0.5, 1.0], "type float64"),
    ],
)
def test_labels_that_are_none_are_refused_by_name(labels, message):
    with pytest.raises(ValueError, match=message):
        one_layer().sample(2, labels=labels)


@pytest.mark.parametrize("name", ["num_classes", "latent_dim"])
def test_sizes_that_are_none_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        ConditionalVAE(SHAPE, **{name: 0})


def test_the_bound_of_each_image_is_that_of_training():
    model = ConditionalVAE((2, 3, 1), 3, 2, ())
    images = np.random.default_rng(0).integers(0, 2, (300, 2, 3, 1))  # more than one chunk
    labels = np.arange(300) % 3
    bounds = model.elbo(images, labels, seed=5)
    assert bounds.shape == (300,)
    logs = model.test_step((tf.constant(images, "float32"), tf.constant(labels)))
    assert float(tf.reduce_mean(bounds)) == pytest.approx(
        -float(logs["negative_elbo_nats"]), abs=0.2
    )
    np.testing.assert_array_equal(bounds, model.elbo(images, labels, seed=5))
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.elbo(images[:1], [3])
