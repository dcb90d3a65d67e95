"""The evaluation as a whole: what is compared with what, and what is said about it."""

import json
import os
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gen.data import DataSet, load
from keras_gen.metrics import frechet_distance, kernel_distance, memorization, prdc
from keras_gen.metrics.evaluation import evaluate_samples
from keras_gen.metrics.extraction import Extracted
from keras_gen.metrics.images import image_blocks
from keras_gen.metrics.report import Evaluation, printed_name, save_class_histogram

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (1200, 5, 4, 1), "uint8")


class Means:
    """Features: the mean of each column; classes: the brightest of the first three columns."""

    name, digest = "means", "00ff"
    num_features, num_classes = 4, 3
    class_names, image_shape, test_accuracy = ("left", "middle", "right"), None, None
    description = "means 00ff"
    calls = 0

    def __call__(self, images):
        self.calls += len(images)
        features = images.mean(axis=(1, 3)).astype("float32") / 255.0
        return Extracted(features, np.eye(3, dtype="float32")[features[:, :3].argmax(axis=1)])


class Model:
    value_range = (-1.0, 1.0)

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        return tf.random.stateless_uniform((num_images, 5, 4, 1), [seed, 0], -1.0, 1.0)


def data_set(images, split, name="noise"):
    return DataSet(name, split, images)


@pytest.fixture(scope="module")
def result():
    real, training = data_set(IMAGES[:500], "test"), data_set(IMAGES[500:], "train")
    return evaluate_samples(Model(), real, extractor=Means(), training=training, num_images=400)


def test_every_metric_is_that_of_its_function_on_the_features_of_the_same_images(result):
    chosen = np.sort(np.random.default_rng(0).choice(500, 400, replace=False))
    real = Means()(IMAGES[chosen]).features
    drawn = np.concatenate(list(image_blocks(Model(), 400, seed=0)))
    generated = Means()(drawn).features
    expected = {
        "fd_means": frechet_distance(real, generated),
        "kd_means": kernel_distance(real, generated)[0],
        **prdc(real, generated),
        "memorization_share": memorization(
            generated, Means()(IMAGES[500:]).features, real
        ).share_nearer,
    }
    measured = {name: value for name, (value, _) in result.metrics.items()}
    assert {name: measured[name] for name in expected} == expected
    others = set(measured) - set(expected)
    assert others == {"sliced_wasserstein", "classifier_score", "class_entropy_nats"}
    np.testing.assert_array_equal(result.images, drawn)


def test_the_protocol_names_all_that_a_value_depends_on(result):
    for value, protocol in result.metrics.values():
        assert isinstance(value, float)
        for part in (
            "400 generated against 400 of noise/test (a random part of 500)",
            "means 00ff",
            "images as they are",
            "seed 0",
        ):
            assert part in protocol
    assert "100 subsets of 400" in result.metrics["kd_means"][1]
    assert "3 neighbours" in result.metrics["recall"][1]
    assert "5 neighbours" in result.metrics["coverage"][1]
    assert "700 of noise/train" in result.metrics["memorization_share"][1]


def test_precision_and_recall_are_of_as_many_images_of_each():
    few = data_set(IMAGES[:60], "test")
    result = evaluate_samples(IMAGES[60:], few, extractor=Means(), num_images=1000)
    chosen = np.random.default_rng(0).choice(1000, 60, replace=False)
    shares = prdc(Means()(few.examples).features, Means()(result.images[chosen]).features, 3, 5)
    for name in ("precision", "recall", "density", "coverage"):
        value, protocol = result.metrics[name]
        assert value == shares[name] and ", 60 of each, " in protocol
    assert "of each" not in result.metrics["fd_means"][1]


def test_prints_never_say_fid_but_for_inception(result):
    text = str(result)
    assert "FD[means]" in text and "KD[means]" in text and "FID" not in text
    assert "(400 generated against 400 of noise/test (a random part of 500))" in text
    assert printed_name("fd_fashion_mnist") == "FD[fashion_mnist]"
    assert printed_name("fd_inception") == "FID[keras-inception]"
    assert printed_name("kd_inception") == "KID[keras-inception]"
    assert printed_name("classifier_score") == "classifier score"


def test_each_image_is_extracted_once():
    extractor = Means()
    evaluate_samples(IMAGES[:200], IMAGES[200:400], extractor=extractor, training=IMAGES[400:])
    assert extractor.calls == 1200


def test_the_result_is_json_with_the_form_of_metrics_files(result):
    read = json.loads(json.dumps(result.as_dict()))
    assert set(read["metrics"]["fd_means"]) == {"value", "protocol"}
    assert read["details"]["num_real"] == 400 and read["details"]["memorization"]["z_score"]
    assert sum(read["details"]["seconds"].values()) < 60
    assert len(read["details"]["seconds"]) == 11


def test_the_same_seed_gives_the_same_values_and_stored_images_those_of_their_model(result):
    real = data_set(IMAGES[:500], "test")
    again = evaluate_samples(Model(), real, extractor=Means(), num_images=400)
    stored = evaluate_samples(again.images, real, extractor=Means(), num_images=400)
    for name, (value, _) in again.metrics.items():
        assert value == result.metrics[name][0] == stored.metrics[name][0]
    other = evaluate_samples(Model(), real, extractor=Means(), num_images=400, seed=1)
    assert other.metrics["fd_means"][0] != again.metrics["fd_means"][0]


def test_classes_are_counted_and_their_entropy_is_right():
    images = np.zeros((400, 5, 4, 1), "uint8")
    images[:, :, 0] = 100
    images[:100, :, 1] = 200  # a quarter is of the middle class, the rest of the left one
    found = evaluate_samples(images, IMAGES[:300], extractor=Means())
    details = found.details
    assert details["class_counts"]["generated"] == [300, 100, 0]
    assert sum(details["class_counts"]["real"]) == 300
    entropy = 0.75 * np.log(4 / 3) + 0.25 * np.log(4)
    assert found.metrics["class_entropy_nats"][0] == pytest.approx(entropy)
    # Answers are certain, so the score is exp of the entropy of their mean, here of ten parts in
    # random order. In the order given, seven parts of one class would give a mean near 1.
    assert found.metrics["classifier_score"][0] == pytest.approx(np.exp(entropy), rel=0.06)


def test_copies_of_training_images_show_as_memorized():
    training = data_set(IMAGES[:700], "train")
    found = evaluate_samples(
        IMAGES[:300], data_set(IMAGES[700:], "test"), extractor="pixels", training=training
    )
    assert found.metrics["memorization_share"][0] == 1.0
    np.testing.assert_array_equal(found.memorization.distances, 0.0)
    indices = found.memorization
    np.testing.assert_array_equal(indices.generated_indices, indices.training_indices)


def test_without_classes_there_is_no_classifier_score(tmp_path):
    found = evaluate_samples(IMAGES[:300], IMAGES[300:600], extractor="pixels")
    assert "classifier_score" not in found.metrics and "fd_pixels" in found.metrics
    with pytest.raises(ValueError, match="no classes"):
        save_class_histogram(found, tmp_path / "classes.png")


def test_float_streams_are_judged_by_their_value_range():
    stream = tf.data.Dataset.from_tensor_slices(IMAGES[:300] / 255.0).batch(64)
    bytes_given = evaluate_samples(IMAGES[:300], IMAGES[300:600], extractor="pixels")
    arguments = {"extractor": "pixels", "num_images": 300, "value_range": (0.0, 1.0)}
    floats_given = evaluate_samples(stream, IMAGES[300:600], **arguments)
    for name, (value, _) in bytes_given.metrics.items():
        assert floats_given.metrics[name][0] == value


def test_progress_is_told_each_part():
    parts = []
    found = evaluate_samples(IMAGES[:99], IMAGES[99:300], extractor="pixels", progress=parts.append)
    assert parts == list(found.details["seconds"])
    assert parts[:2] == ["real images", "generated images"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"training": data_set(IMAGES[:9], "test")}, "held-out"),
        ({"generated": IMAGES[:, :4]}, r"\(4, 4, 1\) against real ones of \(5, 4, 1\)"),
        ({"generated": Model(), "seed": -1}, "seed"),
        ({"generated": IMAGES / 255.0}, "value_range"),
        ({"extractor": "vgg"}, "'vgg'.*pixels"),
        ({"real": np.zeros((9, 64, 65, 1), "uint8")} | {"generated": "real"}, "4160 features"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, says):
    given = {"generated": IMAGES, "real": data_set(IMAGES, "test"), "extractor": "pixels"}
    given |= arguments
    if isinstance(given["generated"], str):
        given["generated"] = given["real"]
    with pytest.raises(ValueError, match=says):
        evaluate_samples(given.pop("generated"), given.pop("real"), **given)


def test_dynamically_binarized_sets_are_called_by_their_grey_examples():
    grey = types.SimpleNamespace(
        examples=IMAGES, name="noise", split="test", binarization="dynamic", dynamic_seed=0
    )
    static = types.SimpleNamespace(
        examples=IMAGES, name="noise", split="test", binarization="threshold", dynamic_seed=None
    )
    labels = [
        evaluate_samples(IMAGES[:99], real, extractor="pixels").details["real"]
        for real in (grey, static)
    ]
    assert labels == ["noise/test", "noise/test (threshold)"]


def test_models_are_called_by_their_class_exported_ones_by_their_models():
    exported = Model()
    exported.description = {"model": "DCGAN"}
    names = [
        evaluate_samples(model, IMAGES, extractor="pixels", num_images=50).details["generated"]
        for model in (Model(), exported)
    ]
    assert names == ["Model", "DCGAN"]


@pytest.mark.parametrize("num_classes", [3, 60])
def test_the_class_histogram_is_a_picture(tmp_path, num_classes):
    counts = {kind: RANDOM.integers(1, 99, num_classes) for kind in ("generated", "real")}
    details = {
        "generated": "Model",
        "real": "noise/test",
        "extractor": "means 00ff",
        "class_names": [f"class {number}" for number in range(num_classes)],
        "class_counts": {kind: each.tolist() for kind, each in counts.items()},
        "class_entropy_nats": {"generated": 1.0, "real": 1.0},
    }
    save_class_histogram(Evaluation({}, details, IMAGES), tmp_path / "classes.png")
    with Image.open(tmp_path / "classes.png") as picture:
        assert picture.size[0] >= 640 and len(picture.getcolors(10**6)) > 10


@pytest.mark.skipif(
    not (pathlib.Path(os.environ.get("TFDS_DATA_DIR", "/nowhere")) / "mnist").is_dir(),
    reason="TFDS_DATA_DIR holds no prepared mnist",
)
def test_digits_rank_as_a_person_would_rank_them():
    train, test = load("mnist", split="train"), load("mnist", split="test")
    random = np.random.default_rng(0)
    images = train.examples[:300]
    noise = random.integers(0, 256, images.shape, "uint8")
    noisy = np.where(random.random(images.shape) < 0.1, noise, images)
    ones = train.examples[train.labels == 1][:300]
    values = {}
    for name, generated in {"train": images, "noisy": noisy, "ones": ones, "noise": noise}.items():
        found = evaluate_samples(generated, test, extractor="mnist", num_images=300)
        values[name] = {metric: value for metric, (value, _) in found.metrics.items()}
    for worse in ("noisy", "ones", "noise"):
        assert values["train"]["fd_mnist"] < 0.5 * values[worse]["fd_mnist"]
        assert values["train"]["kd_mnist"] < 0.5 * values[worse]["kd_mnist"]
    assert values["train"]["classifier_score"] > 8.0 > 2 * values["noisy"]["classifier_score"]
    assert values["ones"]["recall"] < 0.3 < 0.7 < values["train"]["recall"]
    assert values["ones"]["class_entropy_nats"] < 0.1
    assert values["noise"]["precision"] < 0.1
