import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.export import export_model, load_exported
from keras_gen.latent import draw_latents
from keras_gen.models import AAE, LabelInformedAAE, SemiSupervisedAAE

SHAPE = (2, 2, 1)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def linear(cls=AAE, **arguments):
    """A model without hidden layers, all of whose weights can be worked with by hand."""
    model = cls(SHAPE, hidden_units=(), **arguments)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0.0, 0.5, size=variable.shape))
    return model


def images_of(count, seed=1):
    return np.random.default_rng(seed).uniform(size=(count, *SHAPE)).astype("float32")


@pytest.mark.parametrize("cls", [AAE, LabelInformedAAE])
def test_a_step_is_the_papers_two_phases_by_hand(cls):
    """Reconstruction, then the discriminator, then the encoder against it: in NumPy."""
    told = cls is LabelInformedAAE
    model = linear(cls, num_classes=3) if told else linear(latent_dim=2)
    rate = 0.1
    model.compile(*(keras.optimizers.SGD(rate) for _ in range(3)))
    labels = np.array([2, -1, 0])
    by_label = np.random.default_rng(2).normal(size=(4, 2)).astype("float32")
    prior = by_label[labels]
    model.latents_for = lambda images, seed: tf.constant(prior)
    model.latents_of_parts = lambda labels, seed: tf.constant(by_label[labels.numpy()])
    e, eb = (w.astype("float64") for w in model.encoder.get_weights())
    d, db = (w.astype("float64") for w in model.decoder.get_weights())
    c, cb = (w.astype("float64") for w in model.discriminator.get_weights())
    x = images_of(3).reshape(3, 4).astype("float64")
    images = tf.constant(images_of(3))
    model.train_step((images, tf.constant(labels)) if told else images)

    z = x @ e + eb
    p = sigmoid(z @ d + db)
    slope = (p - x) * p * (1.0 - p) / 3.0  # of |x - p|^2 / 2, mean over three images
    e, eb, d, db = (
        e - rate * x.T @ (slope @ d.T),
        eb - rate * (slope @ d.T).sum(0),
        d - rate * z.T @ slope,
        db - rate * slope.sum(0),
    )
    z = x @ e + eb
    class_of = np.eye(4)[labels] if told else np.zeros((3, 0))  # -1 is the last of four
    seen_prior, seen_codes = (np.concatenate([each, class_of], axis=1) for each in (prior, z))
    real, fake = seen_prior @ c + cb, seen_codes @ c + cb
    slope_real, slope_fake = (sigmoid(real) - 1.0) / 3.0, sigmoid(fake) / 3.0
    c, cb = (
        c - rate * (seen_prior.T @ slope_real + seen_codes.T @ slope_fake),
        cb - rate * (slope_real + slope_fake).sum(0),
    )
    slope = (sigmoid(seen_codes @ c + cb) - 1.0) / 3.0 @ c[:2].T
    e, eb = e - rate * x.T @ slope, eb - rate * slope.sum(0)

    for network, expected in (
        (model.encoder, (e, eb)),
        (model.decoder, (d, db)),
        (model.discriminator, (c, cb)),
    ):
        for weight, value in zip(network.get_weights(), expected, strict=True):
            np.testing.assert_allclose(weight, value, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("cls", [AAE, LabelInformedAAE, SemiSupervisedAAE])
def test_held_out_images_are_measured_by_the_losses_of_training(cls):
    sizes = {"latent_dim": 2} if cls is AAE else {"num_classes": 3}
    model = linear(cls, **sizes)
    model.compile(**{name: keras.optimizers.SGD(0.0) for name in _optimizers(model)})
    images, labels = images_of(3), np.array([2, 1, 0])
    latents = np.random.default_rng(2).normal(size=(3, model.latent_dim)).astype("float32")
    model.latents_for = model.latents_of_parts = lambda *_: tf.constant(latents)
    model.one_hot_for = lambda *_: tf.one_hot([1, 1, 0], 3)
    model.noise_for = lambda images, seed: tf.zeros_like(images)
    held_out = tf.constant(images) if cls is AAE else (tf.constant(images), tf.constant(labels))
    batch = held_out
    if cls is SemiSupervisedAAE:
        batch = (tf.repeat(images, 2, axis=0), tf.constant([-1, 2, -1, 1, -1, 0]))
    trained, tested = model.train_step(batch), model.test_step(held_out)
    for name in model.trackers:
        assert float(trained[name]) == pytest.approx(float(tested[name]), rel=1e-5), name


def test_latents_come_from_the_prior_of_the_arguments():
    latents = np.asarray(AAE(SHAPE, 3, (), "normal", 5.0).draw_latents(20_000, [1, 2]))
    assert latents.std(axis=0) == pytest.approx([5.0] * 3, rel=0.03)
    roll = AAE(SHAPE, 2, (), "swiss_roll", 1.0)
    assert np.abs(roll.draw_latents(2_000, [1, 2])).max() < 6.0


def test_training_brings_codes_towards_the_prior():
    """Codes start near 0 and end with deviations of about the prior's 2, around its mean."""
    keras.utils.set_random_seed(0)
    model = AAE(SHAPE, 2, (32,), "normal", 2.0)
    model.compile(jit_compile=True)
    images = images_of(64 * 600)
    before = np.asarray(model.encode(images[:4_000]))
    model.fit(tf.data.Dataset.from_tensor_slices(images).batch(64), epochs=3, verbose=0)
    codes = np.asarray(model.encode(images[:4_000]))
    assert before.std(axis=0).max() < 0.5
    assert np.abs(codes.mean(axis=0)).max() < 1.0
    assert 1.0 < codes.std(axis=0).min() and codes.std(axis=0).max() < 3.0


def test_the_discriminator_is_told_the_class_and_that_it_is_unknown():
    model = linear(LabelInformedAAE, num_classes=3)
    latents = tf.zeros((4, 2))
    logits = model.discriminator([latents, tf.constant([0, 1, 2, -1])]).numpy().ravel()
    kernel, bias = model.discriminator.get_weights()
    np.testing.assert_allclose(logits, kernel[2:, 0] + bias[0], rtol=1e-6)


def test_labels_choose_the_part_of_the_prior_in_training_and_sampling():
    model = linear(LabelInformedAAE, num_classes=4)
    labels = np.arange(400) % 4
    latents = model.latents_of_parts(tf.constant(labels), tf.constant([1, 2]))
    assert np.mean(model.part_of(latents) == labels) > 0.98
    seen = []
    model.sample_in_chunks = seen.append
    model.sample(400, seed=1, labels=labels)
    assert np.mean(model.part_of(seen[0]) == labels) > 0.98


def test_latents_drawn_without_labels_are_those_of_samples():
    model = linear(LabelInformedAAE, num_classes=4)
    images = model.decode(draw_latents(model, 20, seed=3))
    np.testing.assert_allclose(images, model.sample(20, seed=3), atol=1e-6)


def test_a_label_that_has_no_part_is_refused():
    model = linear(LabelInformedAAE, num_classes=4)
    for labels in ([4, 0], [99, -1]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            model.latents_of_parts(tf.constant(labels), tf.constant([1, 2]))


@pytest.mark.parametrize("arguments", [{}, {"truncation": 0.5}])
def test_an_exported_model_draws_the_classes_asked_for(arguments, tmp_path):
    model = linear(LabelInformedAAE, num_classes=4)
    exported = load_exported(export_model(model, tmp_path / "exported"))
    labels = np.arange(300) % 4  # more than one chunk
    images = exported.sample(300, seed=3, labels=labels, **arguments)
    expected = model.sample(300, seed=3, labels=labels, **arguments)
    np.testing.assert_allclose(images, expected, atol=1e-6)
    np.testing.assert_allclose(exported.sample(9, seed=3), model.sample(9, seed=3), atol=1e-6)


def test_replicas_draw_for_their_own_labels(mirrored):
    with mirrored.scope():
        model = LabelInformedAAE(SHAPE, 4, ())

    def draw():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        labels = (tf.range(40) + replica) % 4
        return model.latents_of_parts(labels, tf.constant([1, 2])), labels

    latents, labels = mirrored.run(draw)
    parts = [mirrored.experimental_local_results(each) for each in (latents, labels)]
    for one, expected in zip(*parts, strict=True):
        assert np.mean(model.part_of(one) == expected) > 0.9
    assert not np.allclose(*parts[0])


def test_a_gaussian_has_no_parts():
    with pytest.raises(ValueError, match="prior='normal' has no parts"):
        LabelInformedAAE(SHAPE, 3, (), "normal")


def test_labels_of_the_unlabelled_half_are_never_looked_at():
    batch = tf.constant(images_of(8))
    first, second = (
        tf.constant(labels) for labels in ([-1, 0, -1, 1, -1, 2, -1, 0], [2, 0, 1, 1, 0, 2, 1, 0])
    )
    ends = []
    for labels in (first, second):
        keras.utils.set_random_seed(0)
        model = SemiSupervisedAAE(SHAPE, 3, 2, (4,))
        model.compile()
        model.train_step((batch, labels))
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_classifier_takes_a_step_down_the_cross_entropy_by_hand():
    model = linear(SemiSupervisedAAE, num_classes=3, latent_dim=2, input_noise=0.0)
    still = {name: keras.optimizers.SGD(0.0) for name in list(_optimizers(model))}
    still["classifier_optimizer"] = keras.optimizers.SGD(0.1)
    model.compile(**still)
    kernel, bias = (w.astype("float64") for w in model.classifier.get_weights())
    images, labels = images_of(6), np.array([-1, 2, -1, 0, -1, 1])
    model.train_step((tf.constant(images), tf.constant(labels)))
    x, y = images[1::2].reshape(3, 4).astype("float64"), np.eye(3)[labels[1::2]]
    exponentials = np.exp(x @ kernel + bias)
    slope = (exponentials / exponentials.sum(axis=1, keepdims=True) - y) / 3.0
    expected = (kernel - 0.1 * x.T @ slope, bias - 0.1 * slope.sum(0))
    for weight, value in zip(model.classifier.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-5, atol=1e-6)


def test_a_step_is_the_papers_three_phases_by_finite_differences():
    """Reconstruction; both discriminators, then the encoder against them; classification."""
    model = linear(SemiSupervisedAAE, num_classes=3, latent_dim=2, input_noise=0.5)
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(5)))
    random = np.random.default_rng(2)
    prior, one_hot = random.normal(size=(3, 2)).astype("float32"), np.eye(3)[[1, 1, 0]]
    noises = random.normal(size=(2, 3, *SHAPE)).astype("float32")
    given = iter(noises)
    model.latents_for = lambda *_: tf.constant(prior)
    model.one_hot_for = lambda *_: tf.constant(one_hot, "float32")
    model.noise_for = lambda *_: tf.constant(next(given))
    names = ("encoder", "decoder", "code_discriminator", "class_discriminator")
    encoder, decoder, codes_judge, classes_judge = (
        [w.astype("float64") for w in getattr(model, name).get_weights()] for name in names
    )
    images, labels = images_of(6), np.array([-1, 2, -1, 0, -1, 1])
    model.train_step((tf.constant(images), tf.constant(labels)))

    x = images[0::2].reshape(3, 4).astype("float64")
    noisy, noisy_labelled = (
        (part + 0.5 * noise).reshape(3, 4).astype("float64")
        for part, noise in zip((images[0::2], images[1::2]), noises, strict=True)
    )

    def encode(weights, inputs):
        exponentials = np.exp(inputs @ weights[2] + weights[3])
        return inputs @ weights[0] + weights[1], exponentials / exponentials.sum(1, keepdims=True)

    def reconstruction(weights):
        drawn = np.concatenate(encode(weights[:4], noisy), axis=1) @ weights[4] + weights[5]
        return 0.5 * np.square(x - sigmoid(drawn)).sum() / 3.0

    def surprise(weights, inputs, sign):  # -log of the probability of 1, or of 0 with sign -1
        return np.logaddexp(0.0, -sign * (inputs @ weights[0] + weights[1])).mean()

    def against_both(weights):
        codes, classes = encode(weights, noisy)
        return surprise(codes_judge, codes, 1) + surprise(classes_judge, classes, 1)

    def classification(weights):
        classes = encode([*encoder[:2], *weights], noisy_labelled)[1]
        return -np.log(classes[np.arange(3), labels[1::2]]).mean()

    both = _descend(reconstruction, [*encoder, *decoder])
    encoder, decoder = both[:4], both[4:]
    codes, classes = encode(encoder, noisy)
    codes_judge = _descend(lambda w: surprise(w, prior, 1) + surprise(w, codes, -1), codes_judge)
    classes_judge = _descend(
        lambda w: surprise(w, one_hot, 1) + surprise(w, classes, -1), classes_judge
    )
    encoder = _descend(against_both, encoder)
    encoder[2:] = _descend(classification, encoder[2:])

    for name, expected in zip(names, (encoder, decoder, codes_judge, classes_judge), strict=True):
        for weight, value in zip(getattr(model, name).get_weights(), expected, strict=True):
            np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-5, err_msg=name)


def _descend(objective, weights, rate=0.1):
    """One step down the central differences of an objective of a list of arrays."""
    gradients = [np.zeros_like(each) for each in weights]
    for gradient, index in zip(gradients, range(len(weights)), strict=True):
        for place in np.ndindex(gradient.shape):
            sides = []
            for move in (1e-5, -1e-5):
                moved = [each.copy() for each in weights]
                moved[index][place] += move
                sides.append(objective(moved))
            gradient[place] = (sides[0] - sides[1]) / 2e-5
    return [each - rate * gradient for each, gradient in zip(weights, gradients, strict=True)]


def test_drawn_classes_are_uniform_one_hot_and_the_noise_is_standard_normal():
    model = linear(SemiSupervisedAAE, num_classes=3, latent_dim=2)
    images, seed = tf.zeros((3_000, *SHAPE)), tf.constant([1, 2])
    one_hot = np.asarray(model.one_hot_for(images, seed))
    assert (one_hot.max(axis=1) == 1.0).all() and (one_hot.sum(axis=1) == 1.0).all()
    np.testing.assert_allclose(one_hot.mean(axis=0), 1.0 / 3.0, atol=0.04)
    noise = np.asarray(model.noise_for(images, seed))
    assert noise.shape == images.shape
    assert noise.mean() == pytest.approx(0.0, abs=0.03)
    assert noise.std() == pytest.approx(1.0, abs=0.03)


def _optimizers(model):
    model.compile()
    return model.optimizers


def test_a_class_and_a_style_make_an_image():
    model = linear(SemiSupervisedAAE, num_classes=3, latent_dim=2)
    kernel, bias = model.decoder.get_weights()
    latents = np.array([[0.5, -1.0]], "float32")
    expected = sigmoid(latents @ kernel[:2] + kernel[2 + 1] + bias)
    np.testing.assert_allclose(np.ravel(model.decode(latents, [1])), np.ravel(expected), rtol=1e-5)
