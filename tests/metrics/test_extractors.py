"""Feature extractors: the same bits in any batch, known weights, clear errors."""

import hashlib
import os
import pathlib
import random
import socket
import threading
import time
import urllib.error

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.signal import correlate2d
from scipy.special import softmax

from keras_gen.data import load
from keras_gen.metrics import inception
from keras_gen.metrics.classifiers import ClassifierExtractor, build_classifier, save_classifier
from keras_gen.metrics.extraction import conversion_note, fit_images
from keras_gen.metrics.extractors import SHIPPED, PixelExtractor, get_extractor

WEIGHTS = pathlib.Path(inception.__file__).parent / "weights"
SHA256 = {
    "mnist": "f733a31eb2d1e6e9c63268d11411aacddeca80254239c0ca9b1c820ede622b55",
    "fashion_mnist": "0c882a2ddaefba85ce0a968ad3bcf8f01a8deb7c49a882045029b44df1b77d7e",
    "usps": "268e1ed2f4ea394ffb34a274492dab750e1f7e5186397834e8b934161bd12f3f",
}
LEAST_ACCURACY = {"mnist": 0.994, "fashion_mnist": 0.92, "usps": 0.965}
RANDOM = np.random.default_rng(0)
DIGITS = RANDOM.integers(0, 256, (300, 28, 28, 1), "uint8")


def needs(name):
    there = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "")) / name
    return pytest.mark.skipif(
        "TFDS_DATA_DIR" not in os.environ or not there.is_dir(),
        reason=f"TFDS_DATA_DIR holds no prepared {name}",
    )


def metadata(image_shape, num_classes):
    return {
        "name": "tiny",
        "class_names": [f"class {number}" for number in range(num_classes)],
        "image_shape": image_shape,
        "test_accuracy": 0.5,
        "num_test_images": 10,
    }


def randomized(network):
    """Weights as a training may leave them: also the statistics of batch normalization."""
    for weight in network.weights:
        values = RANDOM.normal(size=weight.shape, scale=0.2)
        if "seed" not in weight.path:
            weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return network


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The path of a classifier of 12x10 RGB images into three classes."""
    path = tmp_path_factory.mktemp("classifier") / "tiny.npz"
    save_classifier(path, randomized(build_classifier((12, 10, 3), 3)), metadata((12, 10, 3), 3))
    return path


# ---------------------------------------------------------------------- the shipped classifiers


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_the_recorded_files_below_a_megabyte(name):
    content = (WEIGHTS / f"{name}.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256[name]
    assert len(content) < 1_000_000
    extractor = get_extractor(name)
    assert (extractor.name, extractor.digest) == (name, SHA256[name][:16])
    assert extractor.test_accuracy >= LEAST_ACCURACY[name]
    counts = (2_007, 7_291) if name == "usps" else (10_000, 60_000)
    assert extractor.metadata["num_test_images"] == counts[0]
    assert extractor.metadata["num_train_images"] == counts[1]
    assert extractor.digest in extractor.description


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in SHIPPED])
def test_shipped_classifiers_have_their_recorded_accuracy_on_the_test_split(name):
    test, extractor = load(name, split="test"), get_extractor(name)
    answers = extractor(test.examples).probabilities.argmax(axis=1)
    # On other processors a rounding may turn an answer or two.
    assert np.mean(answers == test.labels) == pytest.approx(extractor.test_accuracy, abs=3e-4)
    assert extractor.class_names == tuple(test.label_names)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_classifiers_describe_themselves(name):
    extractor = get_extractor(name)
    assert (extractor.num_features, extractor.num_classes) == (128, 10)
    side = 16 if name == "usps" else 28
    assert extractor.image_shape == (side, side, 1) and len(extractor.class_names) == 10
    found = extractor(DIGITS[:3])
    assert found.features.shape == (3, 128) and found.features.dtype == np.float32
    assert found.probabilities.shape == (3, 10) and found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, rtol=1e-5)


# ---------------------------------------------------------------------- what they compute


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_an_image_gives_the_same_bits_in_any_company(data):
    extractor = get_extractor("mnist")
    everything = extractor(DIGITS)
    chosen = data.draw(st.lists(st.integers(0, 299), min_size=1, max_size=290))
    some = extractor(DIGITS[chosen])
    np.testing.assert_array_equal(some.features, everything.features[chosen])
    np.testing.assert_array_equal(some.probabilities, everything.probabilities[chosen])


def by_definition(image, weights):
    """The network on one image `(H, W, C)` in [0, 1], as its docstring describes it."""
    stages = 1 + max(int(name[5]) for name in weights if name.startswith("stage"))
    for stage in range(stages):
        if stage:
            rows, columns = (-(-side // 2) for side in image.shape[:2])
            image = np.array(
                [
                    [
                        image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(0, 1))
                        for j in range(columns)
                    ]
                    for i in range(rows)
                ]
            )
        for number in range(2 if stage else 1):
            kernel = weights[f"stage{stage}_conv{number}.kernel"].astype("float64")
            image = np.stack(
                [
                    sum(
                        correlate2d(image[..., c], kernel[:, :, c, f], mode="same")
                        for c in range(image.shape[-1])
                    )
                    for f in range(kernel.shape[-1])
                ],
                axis=-1,
            )
            norm = f"stage{stage}_norm{number}"
            image = image - weights[f"{norm}.moving_mean"]
            image = image / np.sqrt(weights[f"{norm}.moving_variance"] + 1e-3)
            image = np.maximum(image * weights[f"{norm}.gamma"] + weights[f"{norm}.beta"], 0.0)
    features = image.mean(axis=(0, 1))
    logits = features @ weights["probabilities.kernel"] + weights["probabilities.bias"]
    return features, softmax(logits)


def test_features_and_probabilities_are_those_of_the_definition(tiny):
    images = RANDOM.integers(0, 256, (2, 12, 10, 3), "uint8")
    found = ClassifierExtractor.load(tiny)(images)
    with np.load(tiny) as file:
        weights = {name: file[name] for name in file.files if name != "metadata"}
    for index, image in enumerate(images):
        features, probabilities = by_definition(image / 255.0, weights)
        np.testing.assert_allclose(found.features[index], features, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.probabilities[index], probabilities, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("image_shape", "filters"),
    [
        ((28, 28, 1), [32, 64, 64, 128, 128]),
        ((64, 64, 3), [16, 32, 32, 64, 64, 128, 128]),
        ((8, 8, 1), [64, 128, 128]),
        ((33, 40, 3), [16, 32, 32, 64, 64, 128, 128]),
    ],
)
def test_the_classifier_fits_any_size_and_is_below_a_megabyte(image_shape, filters, tmp_path):
    network = build_classifier(image_shape, 10)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == filters
    save_classifier(tmp_path / "one.npz", network, metadata(image_shape, 10))
    assert (tmp_path / "one.npz").stat().st_size < 1_000_000
    assert ClassifierExtractor.load(tmp_path / "one.npz").image_shape == image_shape


def test_loading_is_float32_under_any_policy_and_draws_no_random_numbers(tiny):
    images = RANDOM.integers(0, 256, (2, 12, 10, 3), "uint8")
    expected = ClassifierExtractor.load(tiny)(images)
    states = random.getstate(), np.random.get_state()[1].copy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    found = ClassifierExtractor.load(tiny)(images)
    np.testing.assert_array_equal(found.features, expected.features)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])


def test_the_same_weights_and_metadata_give_the_same_file(tiny, tmp_path):
    network = randomized(build_classifier((8, 8, 1), 3))
    for name in ("one.npz", "two.npz"):
        save_classifier(tmp_path / name, network, metadata((8, 8, 1), 3))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with pytest.raises(ValueError, match="class_names"):
        save_classifier(tmp_path / "three.npz", network, {"name": "x"})


# ---------------------------------------------------------------------- sizes and channels


def test_colour_becomes_grey_by_its_luma():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], "uint8")
    grey = fit_images(colours[:, None], (1, 4, 1)).numpy().ravel()
    np.testing.assert_allclose(grey, [0.299, 0.587, 0.114, 1.0], rtol=1e-6)


def test_grey_becomes_colour_by_repetition():
    colour = fit_images(DIGITS[:2], (28, 28, 3)).numpy()
    np.testing.assert_array_equal(colour, np.repeat(DIGITS[:2] / np.float32(255), 3, axis=-1))


@pytest.mark.parametrize("size", [(14, 9), (28, 28), (56, 41), (10, 40)])
def test_resizing_is_the_antialiased_bilinear_one_of_pillow(size):
    ours = fit_images(DIGITS[:1], (*size, 1)).numpy()[0, ..., 0]
    picture = Image.fromarray(DIGITS[0, ..., 0] / np.float32(255), mode="F")
    theirs = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)


def test_protocols_say_what_was_converted():
    assert conversion_note((28, 28, 1), (28, 28, 1)) == "images as they are"
    assert conversion_note((28, 28, 1), None) == "images as they are"
    note = conversion_note((32, 30, 3), (28, 28, 1))
    assert note == "images grey by ITU-R 601 and resized 32x30 to 28x28 (bilinear, antialiased)"
    assert conversion_note((8, 8, 1), (8, 8, 3)) == "images grey repeated as RGB"


def test_pixels_are_features_in_stored_order():
    found = PixelExtractor()(np.array([[[[0, 51]], [[255, 102]]]], "uint8").reshape(1, 2, 2, 1))
    np.testing.assert_allclose(found.features, [[0.0, 0.2, 1.0, 0.4]], rtol=1e-6)
    assert found.probabilities is None and found.features.dtype == np.float32


@pytest.mark.parametrize("extractor", [PixelExtractor(), "tiny"])
@pytest.mark.parametrize(
    "images", [DIGITS.astype("float32"), DIGITS[0], np.zeros((1, 4, 4, 2), "uint8")]
)
def test_what_is_no_image_is_refused(extractor, images, tiny):
    extractor = get_extractor(tiny) if extractor == "tiny" else extractor
    with pytest.raises(ValueError, match="shape"):
        extractor(images)


# ---------------------------------------------------------------------- by name


def test_a_name_or_file_gives_one_object_until_the_file_changes(tiny, tmp_path):
    assert get_extractor("mnist") is get_extractor("mnist")
    path = tmp_path / "mine.npz"
    path.write_bytes(tiny.read_bytes())
    first = get_extractor(path)
    assert get_extractor(str(path)) is first and first.name == "tiny"
    save_classifier(path, build_classifier((8, 8, 1), 2), metadata((8, 8, 1), 2))
    assert get_extractor(path).num_classes == 2


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(
        ValueError, match=r"'cifar'.*fashion_mnist, inception, mnist, pixels.*\.npz"
    ):
        get_extractor("cifar")
    with pytest.raises(FileNotFoundError, match="nowhere.npz"):
        get_extractor("nowhere.npz")


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def foreign(content):
    import io

    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("damage", [cut, flipped, foreign, lambda content: b"", lambda _: b"PK"])
def test_a_damaged_or_foreign_file_is_named(tiny, tmp_path, damage):
    path = tmp_path / "damaged.npz"
    path.write_bytes(damage(tiny.read_bytes()))
    with pytest.raises(ValueError, match=r"damaged\.npz is no classifier"):
        get_extractor(path)


# ---------------------------------------------------------------------- Inception


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_inception_without_a_network_says_what_is_missing_where_and_what_to_do(
    keras_home, monkeypatch
):
    def unreachable(*args, **kwargs):
        raise urllib.error.URLError(socket.gaierror(-2, "Name or service not known"))

    monkeypatch.setattr(inception.urllib.request, "urlopen", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        get_extractor("inception")
    message = str(caught.value)
    assert "https://storage.googleapis.com/" in message and "Name or service" in message
    assert str(keras_home / "models" / "inception_v3") in message and "mnist" in message


def test_inception_fails_fast_where_the_network_hangs(keras_home, monkeypatch):
    over = threading.Event()

    def hanging(*args, **kwargs):
        over.wait(60)
        raise urllib.error.URLError("too late")

    monkeypatch.setattr(inception.urllib.request, "urlopen", hanging)
    monkeypatch.setattr(inception, "_PATIENCE_SECONDS", 0.2)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match="no answer in 0.2 s"):
        inception.InceptionExtractor()
    assert time.monotonic() - start < 5.0
    over.set()


def test_inception_reports_a_failed_download(keras_home, monkeypatch):
    def broken(*args, **kwargs):
        raise Exception("URL fetch failure: 503")  # Keras raises exactly this class

    monkeypatch.setattr(inception, "_network_trouble", lambda: None)
    monkeypatch.setattr(keras.utils, "get_file", broken)
    with pytest.raises(FileNotFoundError, match="503"):
        inception.InceptionExtractor()


def test_damaged_inception_weights_are_named(keras_home):
    path = keras_home / "models" / "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
    path.parent.mkdir()
    path.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=f"{path} cannot be read"):
        inception.InceptionExtractor()


def test_inception_gives_what_keras_own_preprocessing_and_network_give(monkeypatch):
    monkeypatch.setattr(inception, "_BATCH", 2)
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = inception._build(None)
    extractor = inception.InceptionExtractor(network)
    images = RANDOM.integers(0, 256, (1, 299, 299, 3), "uint8")
    found = extractor(images)
    scaled = keras.applications.inception_v3.preprocess_input(images.astype("float32"))
    np.testing.assert_allclose(found.probabilities, network(scaled), rtol=1e-4, atol=1e-7)
    last = keras.Model(network.input, network.get_layer("mixed10").output)(scaled)
    np.testing.assert_allclose(found.features, np.mean(last, axis=(1, 2)), rtol=1e-3, atol=1e-5)
    assert (extractor.num_features, extractor.num_classes) == (2048, 1000)
    small = extractor(DIGITS[:3])
    assert small.features.shape == (3, 2048) and extractor.digest is None
