"""Against NumPy by hand, the singular value decomposition, and features whose answer is known."""

import math

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from keras_gen.metrics import embedding, probes, representations
from keras_gen.metrics.embedding import embedding_figure
from keras_gen.metrics.probes import (
    labelled_subset,
    linear_probe,
    probe_markdown,
    probe_table,
)
from keras_gen.metrics.representations import (
    convolutional_features,
    kmeans_features,
    pca_features,
    pixel_features,
)
from keras_gen.models import DCGAN


@pytest.fixture(autouse=True)
def _one_thread():
    """On problems this small threads cost more than they give, above all on a busy machine."""
    with threadpool_limits(1):
        yield


def max_pooled(activations, side):
    """Adaptive max-pooling of `(N, H, W, C)` by its definition, flattened."""
    count, height, width, channels = activations.shape
    result = np.empty((count, side, side, channels))
    for i in range(side):
        for j in range(side):
            rows = slice(i * height // side, math.ceil((i + 1) * height / side))
            columns = slice(j * width // side, math.ceil((j + 1) * width / side))
            result[:, i, j] = activations[:, rows, columns].max(axis=(1, 2))
    return result.reshape(count, -1)


def test_a_discriminators_features_are_its_activations_pooled_by_hand():
    network = DCGAN((28, 28, 1), filters=3).discriminator
    for weight in network.weights:  # so that batch normalization does something
        if "moving" in weight.path:
            weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5, seed=1))
    images = np.random.default_rng(0).uniform(-1, 1, size=(5, 28, 28, 1)).astype("float32")
    x, expected = images, []
    for layer in network.layers[1:]:
        x = np.asarray(layer(x))
        if isinstance(layer, keras.layers.LeakyReLU):
            expected.append(max_pooled(x, 4))
    assert [each.shape[1] for each in expected] == [4 * 4 * 3, 4 * 4 * 6]
    for batch_size in (2, 256):
        features = convolutional_features(network, images, batch_size=batch_size)
        np.testing.assert_allclose(features, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)


def test_bytes_are_scaled_to_the_range_of_the_network():
    network = DCGAN((8, 8, 1), filters=3).discriminator
    images = np.random.default_rng(0).integers(0, 256, size=(3, 8, 8, 1), dtype="uint8")
    floats = (images / 127.5 - 1.0).astype("float32")
    np.testing.assert_allclose(
        convolutional_features(network, images, (-1.0, 1.0)),
        convolutional_features(network, floats),
        rtol=1e-4,
        atol=1e-7,
    )
    with pytest.raises(ValueError, match="value_range"):
        convolutional_features(network, images)


def test_the_papers_discriminator_on_32x32_images_has_28672_features():
    """Section 5.1 of arXiv:1511.06434: three layers of 256, 512 and 1,024 channels."""
    images = x = keras.Input((32, 32, 3))
    for channels in (256, 512, 1024):
        x = keras.layers.Conv2D(channels, 5, 2, "same")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    network = keras.Model(images, x)
    assert convolutional_features(network, np.zeros((1, 32, 32, 3), "float32")).shape == (1, 28672)


def test_activations_are_found_inside_after_and_not_at_all():
    images = keras.Input((6, 6, 1))
    inside = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="inside")(images)
    plain = keras.layers.Conv2D(2, 3, padding="same", name="plain")(inside)
    branch = keras.layers.ReLU()(plain)  # two layers follow: neither is the activation
    joined = keras.layers.Add()([branch, plain])
    small = keras.layers.Conv2D(2, 3, strides=3, name="small")(joined)
    after = keras.layers.Activation("tanh", name="after")(keras.layers.LayerNormalization()(small))
    network = keras.Model(images, keras.layers.Flatten()(after))
    batch = np.random.default_rng(0).normal(size=(3, 6, 6, 1)).astype("float32")
    chosen = [network.get_layer(name).output for name in ("inside", "plain", "after")]
    parts = [np.asarray(part) for part in keras.Model(images, chosen)(batch)]
    expected = [max_pooled(parts[0], 4), max_pooled(parts[1], 4), parts[2].reshape(3, -1)]
    np.testing.assert_allclose(
        convolutional_features(network, batch), np.concatenate(expected, axis=1), rtol=1e-5
    )
    named = convolutional_features(network, batch, pool=2, layer_names=["inside"])
    np.testing.assert_allclose(named, max_pooled(parts[0], 2), rtol=1e-5)


def test_a_network_without_convolutions_is_named():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="d")], name="dense")
    with pytest.raises(ValueError, match="'dense'"):
        convolutional_features(network, np.zeros((1, 4)))
    with pytest.raises(ValueError, match="layer_names"):
        convolutional_features(network, np.zeros((1, 4)), layer_names=["d"])


def test_patches_are_normalized_as_in_the_paper():
    patches = np.random.default_rng(0).uniform(0, 255, size=(7, 12))
    expected = [(p - p.mean()) / math.sqrt(p.var(ddof=1) + 10.0) for p in patches]
    np.testing.assert_allclose(representations._normalized(patches), expected, rtol=1e-10)


def test_whitening_gives_the_covariance_that_its_eigenvalues_say():
    patches = np.random.default_rng(0).normal(size=(5000, 4)) @ np.diag([3.0, 1.0, 0.5, 0.1])
    mean, matrix = representations._whitening(patches)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    values = np.linalg.eigvalsh(np.cov(patches.T))
    whitened = np.linalg.eigvalsh(np.cov(((patches - mean) @ matrix).T))
    np.testing.assert_allclose(whitened, np.sort(values / (values + 0.1)), rtol=1e-4)


def test_patches_encode_what_is_in_the_images():
    images = np.arange(2 * 5 * 6 * 3, dtype="uint8").reshape(2, 5, 6, 3)
    patches = representations._random_patches(images, 2, 300, np.random.default_rng(0))
    there = {
        tuple(image[i : i + 2, j : j + 2].ravel().tolist())
        for image in images
        for i in range(4)
        for j in range(5)
    }
    assert {tuple(patch) for patch in patches.astype(int).tolist()} == there


def test_encoding_by_its_definition():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, size=(70, 5, 6, 2), dtype="uint8")
    mean, matrix = generator.normal(size=8), generator.normal(size=(8, 8))
    centroids = generator.normal(size=(3, 8))
    features = representations._encoded(images, 2, mean, matrix, centroids.astype("float32"))
    expected = np.zeros((70, 2, 2, 3))
    for n, image in enumerate(images.astype("float64")):
        for i in range(4):
            for j in range(5):
                patch = image[i : i + 2, j : j + 2].ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 10.0)
                distances = np.linalg.norm((patch - mean) @ matrix - centroids, axis=1)
                code = np.maximum(0.0, distances.mean() - distances)
                expected[n, i // 2, min(j // 2, 1)] += code  # columns 0, 1 and 2, 3, 4
    np.testing.assert_allclose(features, expected.reshape(70, -1), rtol=1e-4, atol=1e-4)


def test_kmeans_features_are_a_function_of_the_seed_and_learned_from_training_images_only():
    generator = np.random.default_rng(0)
    train = generator.integers(0, 256, size=(30, 9, 9, 1), dtype="uint8")
    test = generator.integers(0, 256, size=(8, 9, 9, 1), dtype="uint8")
    arguments = {"num_centroids": 5, "patch_size": 3, "num_patches": 500}
    first, again = (kmeans_features(train, test, **arguments) for _ in range(2))
    assert [part.shape for part in first] == [(30, 20), (8, 20)]
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(kmeans_features(train, test[:3], **arguments)[1], first[1][:3])
    assert np.abs(kmeans_features(train, test, seed=1, **arguments)[0] - first[0]).max() > 1e-3
    with pytest.raises(ValueError, match="patch_size=9"):
        kmeans_features(train, test, patch_size=9)
    with pytest.raises(ValueError, match="float32"):
        kmeans_features(train.astype("float32"), test)


def test_principal_components_are_those_of_the_singular_value_decomposition():
    generator = np.random.default_rng(0)
    train = generator.integers(0, 256, size=(60, 3, 3, 1), dtype="uint8")
    test = generator.integers(0, 256, size=(7, 3, 3, 1), dtype="uint8")
    features = pca_features(train, test, num_components=4)
    flat = train.reshape(60, -1) / 255.0
    _, _, directions = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    for part, images in zip(features, (train, test), strict=True):
        expected = (images.reshape(len(images), -1) / 255.0 - flat.mean(axis=0)) @ directions[:4].T
        np.testing.assert_allclose(np.abs(part), np.abs(expected), atol=1e-5)


def test_pixels_are_flat_and_bytes_are_scaled():
    images = np.array([[[[0], [51]], [[255], [102]]]], "uint8")
    train, test = pixel_features(images, images.astype("float32"))
    np.testing.assert_allclose(train, [[0.0, 0.2, 1.0, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(test, [[0.0, 51.0, 255.0, 102.0]])


def separable(count, seed, scale=1.0):
    labels = np.arange(count) % 4
    corners = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0], [9.0, 9.0]])
    noise = np.random.default_rng(seed).uniform(-2, 2, size=(count, 2))
    return scale * (corners[labels] + noise), labels


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_separable_features_are_classified_without_an_error(classifier):
    for scale in (1e-3, 1e4):  # features are standardized
        train, test = separable(200, 0, scale), separable(100, 1, scale)
        probe = linear_probe(*train, *test, classifier=classifier)
        assert probe.accuracy == 1.0
        assert probe.converged
        assert probe.regularization == max(probes.REGULARIZATIONS)  # all are equally good


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_shuffled_labels_give_chance(classifier):
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(3000, 20)), generator.integers(4, size=3000)
    probe = linear_probe(
        features[:1000], labels[:1000], features[1000:], labels[1000:], classifier=classifier
    )
    assert abs(probe.accuracy - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 2000)


def test_the_regularization_is_chosen_without_the_test_labels():
    """Few examples in many dimensions: the strongest penalty leaves the intercept alone."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(2200, 180))
    signal = features[:, :40].sum(axis=1) / math.sqrt(40)
    labels = (signal + 0.5 * generator.normal(size=2200) > 0).astype(int)
    train, test = slice(0, 200), slice(200, None)
    arguments = features[train], labels[train], features[test]
    weak_to_strong = (0.1, 10.0, 100.0)
    probe = linear_probe(*arguments, labels[test], regularizations=weak_to_strong)
    other = linear_probe(*arguments, 1 - labels[test], regularizations=weak_to_strong)
    assert other[1:4] == probe[1:4]
    assert other.accuracy == pytest.approx(1.0 - probe.accuracy)
    only = [
        linear_probe(*arguments, labels[test], regularizations=(strength,)).accuracy
        for strength in weak_to_strong
    ]
    chosen = only[weak_to_strong.index(probe.regularization)]
    assert probe.accuracy == pytest.approx(chosen, abs=0.005)  # the solver started elsewhere
    assert min(only) + 0.1 < probe.accuracy


def test_features_are_scaled_by_their_own_or_by_a_common_deviation():
    generator = np.random.default_rng(0)
    train = generator.normal(3.0, [2.0, 1.0, 0.01], size=(9000, 3)).astype("float32")
    deviation = train.astype("float64").std(axis=0)
    common = math.sqrt((deviation**2).mean())
    moments = probes._moments(train)
    np.testing.assert_allclose(moments, (train.mean(axis=0, dtype="float64"), deviation))
    test = train[:5] + 1.0
    for scaling, scale in (
        ("each", [deviation[0], deviation[1], 0.1 * common]),
        ("common", [common] * 3),
    ):
        expected = (test - train.mean(axis=0, dtype="float64")) / scale
        np.testing.assert_allclose(
            probes._scaled(test, moments, scaling), expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("noise_scale, scaling", [(0.05, "common"), (5.0, "each")])
def test_the_better_scaling_is_chosen(noise_scale, scaling):
    """Much noise: best left small, and best made no larger than the signal."""
    generator = np.random.default_rng(1)
    labels = np.arange(1000) % 2
    signal = labels[:, None] + generator.normal(scale=0.5, size=(1000, 1))
    noise = noise_scale * generator.normal(size=(1000, 150))
    features = np.concatenate([signal, noise], axis=1)
    probe = linear_probe(
        features[:200], labels[:200], features[200:], labels[200:], regularizations=(0.3,)
    )
    assert probe.scaling == scaling
    assert probe.accuracy > 0.65


def test_the_penalty_is_on_the_mean_loss():
    """One feature, two classes: the minimum of the stated objective, found by bisection."""
    labels = np.array([0, 1] * 50)
    features = np.where(labels == 1, 1.0, -1.0)[:, None].astype("float32")
    model = probes._fit("logistic", features, labels, 0.3, 500, None)
    low, high = 0.0, 10.0  # d/dw [log(1 + exp(-w)) + 0.3 w^2 / 2] = 0.3 w - 1 / (1 + exp(w))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.3 * middle < 1 / (1 + math.exp(middle)) else (low, middle)
    np.testing.assert_allclose(model.coef_[0, 0], low, rtol=1e-3)


def test_features_that_are_constant_or_hardly_ever_active_do_no_harm():
    train, labels = separable(200, 0)
    test, test_labels = separable(100, 1)
    rare = np.zeros((200, 1))
    rare[0] = 1e-3
    padded = np.concatenate([train, np.ones((200, 1)), rare], axis=1)
    spiked = np.concatenate([test, np.ones((100, 1)), np.full((100, 1), 5.0)], axis=1)
    assert linear_probe(padded, labels, spiked, test_labels).accuracy == 1.0


def test_the_caller_keeps_its_features():
    train, labels = separable(40, 0)
    for features in (train, train.astype("float32")):
        before = features.copy()
        linear_probe(features, labels, features, labels)
        np.testing.assert_array_equal(features, before)


def test_the_test_examples_have_no_say_in_the_scaling():
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(200, 30)), np.arange(200) % 2
    features[:, 0] += labels
    test = generator.normal(size=(10, 30))
    probes_of_both = [
        linear_probe(features, labels, factor * test, labels[:10]) for factor in (1.0, 1e4)
    ]
    assert probes_of_both[0][1:] == probes_of_both[1][1:]


def test_wrong_arguments_of_the_probe_are_named():
    train, labels = separable(40, 0)
    with pytest.raises(ValueError, match="'forest'"):
        linear_probe(train, labels, train, labels, classifier="forest")
    with pytest.raises(ValueError, match=r"test_features of shape \(40, 2\) and 39 labels"):
        linear_probe(train, labels, train, labels[:-1])


def test_a_labelled_subset_has_equally_many_of_each_class():
    labels = np.random.default_rng(0).integers(5, size=400)
    chosen = labelled_subset(labels, 50, seed=1)
    assert np.bincount(labels[chosen]).tolist() == [10] * 5
    assert len(set(chosen.tolist())) == 50
    np.testing.assert_array_equal(chosen, labelled_subset(labels, 50, seed=1))
    assert (chosen != labelled_subset(labels, 50, seed=2)).any()
    with pytest.raises(ValueError, match="multiple of the 5 classes"):
        labelled_subset(labels, 52)


def test_the_table_has_a_row_for_each_kind_and_number():
    train, labels = separable(400, 0)
    test, test_labels = separable(100, 1)
    made = []

    def good():
        made.append("good")
        return train, test

    def useless():
        made.append("useless")
        return np.zeros((400, 3)), np.zeros((100, 3))

    kinds = {"good": good, "useless": useless}
    rows = list(probe_table(kinds, labels, test_labels, (40, None), seeds=(3, 4)))
    assert made == ["good", "useless"]
    columns = ("features", "dimensions", "labels", "seed", "accuracy")
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("good", 2, 40, 3, 1.0),
        ("good", 2, 40, 4, 1.0),
        ("good", 2, 400, 3, 1.0),
        ("useless", 3, 40, 3, 0.25),
        ("useless", 3, 40, 4, 0.25),
        ("useless", 3, 400, 3, 0.25),
    ]
    assert all(row["probe_seconds"] > 0 for row in rows)


def test_the_table_shows_means_and_ranges_over_draws():
    row = {"features": "pixels", "dimensions": 1784, "labels": 1000, "regularization": 0.1}
    row |= {"scaling": "each"}
    row |= {"converged": True, "feature_seconds": 2.4, "probe_seconds": 1.0}
    rows = [row | {"accuracy": each} for each in (0.9, 0.88, 0.86)]
    rows.append(row | {"labels": 60000, "accuracy": 0.9225, "converged": False})
    assert probe_markdown(rows).splitlines()[2:] == [
        "| pixels | 1,784 | 1,000 | 88.00 % (86.00 to 90.00, 3 draws) | 0.1 each | 2 + 1 |",
        "| pixels | 1,784 | 60,000 | 92.25 %, not converged | 0.1 each | 2 + 1 |",
    ]


def test_the_kinds_of_features_rank_as_expected_on_real_digits():
    data = load_digits()
    images = (data.images[..., None] * 255 / 16).astype("uint8")
    train, test, labels = images[:1200], images[1200:], data.target
    kmeans = kmeans_features(train, test, num_centroids=50, patch_size=3, num_patches=20_000)
    accuracies = {}
    for name, (fit, apply) in {
        "pixels": pixel_features(train, test),
        "pca": pca_features(train, test, num_components=20),
        "kmeans": kmeans,
    }.items():
        accuracies[name] = linear_probe(fit, labels[:1200], apply, labels[1200:]).accuracy
    assert 0.85 < accuracies["pixels"] < accuracies["kmeans"]
    assert accuracies["pca"] > 0.8
    assert accuracies["kmeans"] > 0.93


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_an_embedding_is_drawn_in_the_colours_of_its_labels(tmp_path, method):
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    latents = 20.0 * np.eye(3)[labels] @ generator.normal(size=(3, 6))
    latents += generator.normal(size=latents.shape)
    path = tmp_path / "embedding.png"
    embedding_figure(latents, labels, path, method, label_names=["a", "b", "c"])
    points, _ = embedding._embedded(latents.astype("float32"), method, 0)
    shown, expected = [], []
    for label, colour in enumerate(((31, 119, 180), (255, 127, 14), (44, 160, 44))):  # tab10
        picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
        picture[:35], picture[:, int(0.905 * picture.shape[1]) :] = 255, 255  # title, legend
        rows, columns = np.nonzero(np.abs(picture - colour).sum(axis=-1) < 130)
        assert len(rows) > 20
        shown.append([np.median(columns), -np.median(rows)])
        expected.append(np.median(points[labels == label], axis=0))
    # The picture is the plane but for the scales and origins of its axes.
    for axis in range(2):
        correlation = np.corrcoef(np.array(shown)[:, axis], np.array(expected)[:, axis])[0, 1]
        assert correlation > 0.97


def test_points_of_the_principal_components_are_those_of_the_decomposition():
    latents = np.random.default_rng(0).normal(size=(50, 4)) * [1, 5, 2, 0.1]
    points, names = embedding._embedded(latents, "pca", 0)
    centred = latents - latents.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :2] * values[:2]), rtol=1e-4)
    assert names[0] == f"component 1 ({100 * values[0] ** 2 / (values**2).sum():.1f} % of variance)"


def test_large_sets_are_drawn_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "_DRAWN", 20)
    seen = []

    def embedded(latents, method, seed):
        seen.append(latents)
        return latents[:, :2], "xy"

    monkeypatch.setattr(embedding, "_embedded", embedded)
    embedding_figure(np.ones((100, 3)), np.arange(100) % 30, tmp_path / "part.png")
    assert seen[0].shape == (20, 3)


def test_wrong_arguments_of_the_figure_are_named(tmp_path):
    with pytest.raises(ValueError, match="'umap'"):
        embedding_figure(np.zeros((5, 3)), np.zeros(5), tmp_path / "no.png", method="umap")
    with pytest.raises(ValueError, match=r"latents of shape \(5,\)"):
        embedding_figure(np.zeros(5), np.zeros(5), tmp_path / "no.png")
    assert not list(tmp_path.iterdir())
