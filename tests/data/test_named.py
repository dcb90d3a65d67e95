"""Image sets of tensorflow-datasets: found, chosen from, resized, damaged, absent."""

import os
import socket
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import download_manager

from keras_gen.data import (
    DataError,
    DataUnavailableError,
    load,
    load_or_stand_in,
    named,
    named_reading,
    network,
)

REAL_DATA = os.environ.get("TFDS_DATA_DIR", "")


def needs(name):
    """Skip a test of real data where the data directory does not hold the set."""
    there = bool(REAL_DATA) and (Path(REAL_DATA) / name).is_dir()
    return pytest.mark.skipif(not there, reason=f"TFDS_DATA_DIR holds no prepared {name}")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(named, "network_trouble", lambda: "the cable is cut")


def store(data_dir, name, features, **splits):
    """Write a prepared set: each split is a list of examples."""

    def records(examples):
        return tf.data.Dataset.from_generator(
            lambda: iter(examples),
            output_signature=tfds.features.FeaturesDict(features).get_tensor_spec(),
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            data_dir=data_dir,
            disable_shuffling=True,
            split_datasets={split: records(examples) for split, examples in splits.items()},
            features=tfds.features.FeaturesDict(features),
        )
    return data_dir / name / "1.0.0"


def image_of(number, shape=(4, 4, 1), dtype=np.uint8):
    return np.full(shape, number, dtype)


@pytest.fixture
def tiny(data_dir):
    """20 train and 7 test images, image i full of the value i, its label i % 3."""
    features = {
        "image": tfds.features.Image(shape=(4, 4, 1)),
        "label": tfds.features.ClassLabel(names=["ash", "oak", "yew"]),
        "serial": np.int64,
    }
    examples = [{"image": image_of(i), "label": i % 3, "serial": i} for i in range(27)]
    return store(data_dir, "tiny", features, train=examples[:20], test=examples[20:])


def shard(folder, split="train"):
    (path,) = folder.glob(f"*{split}*")
    return path


def test_a_prepared_set_is_read_in_stored_order(tiny):
    train, test = load("tiny"), load("tiny", split="test")
    assert train.examples[:, 0, 0, 0].tolist() == list(range(20))
    assert test.examples[:, 0, 0, 0].tolist() == list(range(20, 27))
    np.testing.assert_array_equal(train.labels, np.arange(20) % 3)
    assert train.label_names == ("ash", "oak", "yew")
    assert train.factors == {}  # a serial number is no factor
    assert train.notes == ()


def test_splits_may_be_expressions(tiny):
    assert load("tiny", split="train[5:8]").examples[:, 0, 0, 0].tolist() == [5, 6, 7]
    assert len(load("tiny", split="train+test")) == 27
    assert len(load("tiny", split="all")) == 27


@pytest.mark.parametrize("split", ["trian", "validation", "train[", "train[:1%]"])
def test_an_unknown_or_empty_split_lists_those_there_are(split, tiny):
    with pytest.raises(DataError, match=r"split='.*' .*tiny.*; it has train.*test"):
        load("tiny", split=split)


def test_images_are_resized_on_request_and_share_the_cache(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GEN_CACHE_DIR", str(tmp_path / "cache"))
    held = load("tiny", image_size=(6, 8))
    mapped = load("tiny", image_size=(6, 8), memory_budget_bytes=0)
    assert held.example_shape == (6, 8, 1)
    assert held.examples[:, 0, 0, 0].tolist() == list(range(20))
    assert isinstance(mapped.examples, np.memmap)
    assert mapped.fingerprint == held.fingerprint
    assert load("tiny", memory_budget_bytes=0).fingerprint == load("tiny").fingerprint
    np.testing.assert_array_equal(mapped.labels, held.labels)


def test_several_class_labels_become_factors(data_dir):
    features = {
        "image": tfds.features.Image(shape=(4, 4, 3)),
        "hair": tfds.features.ClassLabel(names=["short", "long"]),
        "coat": tfds.features.ClassLabel(num_classes=3),
        "angle": np.float32,
        "attributes": {"smiles": np.bool_},
    }
    examples = [
        {
            "image": image_of(9 * i, (4, 4, 3)),
            "hair": i % 2,
            "coat": i % 3,
            "angle": i / 4,
            "attributes": {"smiles": i > 2},
        }
        for i in range(6)
    ]
    store(data_dir, "people", features, train=examples)
    data = load("people")
    assert data.labels is None
    assert list(data.factors) == ["angle", "attributes/smiles", "coat", "hair"]
    np.testing.assert_array_equal(data.factors["hair"], np.arange(6) % 2)
    np.testing.assert_array_equal(data.factors["attributes/smiles"], np.arange(6) > 2)
    assert data.factors["attributes/smiles"].dtype == data.factors["coat"].dtype == np.int64
    assert data.factors["angle"].dtype == np.float32
    assert data.factor_names == {"hair": ("short", "long"), "coat": ("0", "1", "2")}
    with pytest.raises(DataError, match="its factors are angle, attributes/smiles, coat, hair"):
        data.batches(2, seed=0, labels=True)


def test_images_of_many_sizes_need_a_size(data_dir):
    features = {"picture": tfds.features.Image(shape=(None, None, 3))}
    examples = [{"picture": image_of(i, (5 + i, 9 - i, 3))} for i in range(4)]
    store(data_dir, "mixed", features, train=examples)
    with pytest.raises(DataError, match=r"images of mixed have many sizes; give image_size"):
        load("mixed")
    data = load("mixed", image_size=6)
    assert data.examples[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert data.labels is None


def test_deep_and_see_through_images_become_8_bits_rgb(data_dir):
    deep = tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16, encoding_format="png")
    store(data_dir, "deep", {"image": deep}, train=[{"image": image_of(257 * 9, dtype=np.uint16)}])
    assert np.all(load("deep").examples == 9)
    assert load("deep").notes == ("1 images scaled from 16 bits to 8",)
    clear = tfds.features.Image(shape=(2, 2, 4), encoding_format="png")
    pixel = np.broadcast_to(np.array([200, 100, 50, 51], np.uint8), (2, 2, 4))
    store(data_dir, "clear", {"image": clear}, train=[{"image": pixel}])
    assert load("clear").examples[0, 0, 0].tolist() == [40, 20, 10]


@pytest.mark.parametrize("image_size", [None, 8])
def test_drawings_of_0_and_1_become_black_and_white(image_size, data_dir):
    examples = [{"image": np.eye(4, dtype=np.uint8)[..., None] * (i > 0)} for i in range(3)]
    store(data_dir, "ink", {"image": tfds.features.Image(shape=(4, 4, 1))}, train=examples)
    data = load("ink", image_size=image_size)
    assert data.examples.max() == 255
    assert data.notes == ("values 0 and 1 only: taken for black and white, 0 and 255",)
    # Spread before they are resized: the edges get intermediate values.
    assert (len(np.unique(data.examples)) > 2) == (image_size is not None)


def test_a_set_without_images_is_refused(data_dir):
    store(data_dir, "rhymes", {"verse": tfds.features.Text()}, train=[{"verse": "so"}])
    with pytest.raises(DataError, match="rhymes is no image set: its features are verse; choose"):
        load("rhymes")
    with pytest.raises(DataError, match="imdb_reviews is no image set: its features are label, te"):
        load("imdb_reviews")


def test_images_of_real_numbers_are_refused(data_dir):
    depth = tfds.features.Image(shape=(4, 4, 1), dtype=np.float32)
    store(data_dir, "depth", {"image": depth}, train=[{"image": image_of(1, dtype=np.float32)}])
    with pytest.raises(DataError, match="images of depth are float32"):
        load("depth")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-30])


def overwritten(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def cut_at_a_record(path):
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records[:-2]:
            writer.write(record)


def without_pixels(path):
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    example = tf.train.Example.FromString(records[5])
    example.features.feature["image"].bytes_list.value[0] = b"no image"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in [*records[:5], example.SerializeToString(), *records[6:]]:
            writer.write(record)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_short, "damaged after example 19"),
        (overwritten, "damaged after example"),
        (emptied, "0 examples instead of 20"),
        (cut_at_a_record, "18 examples instead of 20"),
        (without_pixels, "damaged after example 5"),
        (os.remove, "the file is missing"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(damage, reason, tiny):
    damage(shard(tiny))
    with pytest.raises(DataError) as caught:
        load_or_stand_in("tiny")  # a damaged file is no reason to go on with other data
    message = str(caught.value)
    assert f"{shard(tiny).name if damage is not os.remove else 'tiny-train'}" in message
    assert reason in message
    assert "{{" not in message
    assert "[Op:" not in message
    assert f"Delete the folder {tiny}" in message
    assert len(load("tiny", split="test")) == 7


def test_a_reader_that_ends_early_leaves_no_unfilled_images(tiny, monkeypatch):
    records = named_reading._records
    monkeypatch.setattr(named_reading, "_records", lambda task: records(task).take(5))
    with pytest.raises(DataError, match="5 examples instead of 20"):
        load("tiny")


def test_a_damaged_description_is_reported(tiny):
    (tiny / "features.json").write_text("{ not json")
    with pytest.raises(DataError, match=r"tiny cannot be opened in .*delete the set's folder"):
        load("tiny")


@pytest.mark.parametrize(
    ("name", "near"),
    [("mnsit", "mnist"), ("shape", "shapes"), ("tinny", "tiny"), ("Digits", "digits")],
)
def test_an_unknown_name_is_answered_with_near_ones(name, near, tiny, offline):
    with pytest.raises(DataError, match=rf"'{name}' is not the name .*near names: .*\b{near}\b"):
        load_or_stand_in(name)


def test_a_name_like_no_other_is_answered_with_the_embedded_ones(data_dir):
    with pytest.raises(DataError, match="'qqqqqq' is not .*embedded are digits, shapes"):
        load("qqqqqq")


def test_an_unknown_config_or_version_is_refused(data_dir):
    with pytest.raises(DataError, match="cifar10/apple cannot be opened .* check the name's conf"):
        load("cifar10/apple")
    with pytest.raises(DataError, match="mnist:9.9.9 cannot be opened"):
        load("mnist:9.9.9")


def test_a_set_may_be_named_with_its_config(data_dir, offline):
    with pytest.raises(DataUnavailableError, match="cycle_gan/horse2zebra is not prepared in"):
        load("cycle_gan/horse2zebra", split="trainA", image_size=64)


def test_an_absent_set_is_reported_with_place_reason_and_remedies(data_dir, offline):
    with pytest.raises(DataUnavailableError) as caught:
        load("mnist")
    for part in (
        f"mnist is not prepared in {data_dir} and cannot be downloaded: the cable is cut",
        "Connect to the network, set TFDS_DATA_DIR to a data directory that holds it, or use digit",
    ):
        assert part in str(caught.value)
    assert caught.value.natural_size == (28, 28)


def test_a_set_that_has_no_download_is_unavailable_not_unknown(data_dir, offline):
    with pytest.raises(DataUnavailableError, match="usps is not prepared in .* has no download"):
        load("usps")
    with pytest.warns(UserWarning, match="stand in for lpc_sprites"):
        assert load_or_stand_in("lpc_sprites").example_shape == (64, 64, 1)


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionError("host is down\nlong trace"),
        PermissionError("read-only"),
        download_manager.NonMatchingChecksumError("host is down", "there"),
        ImportError("no module named cv2"),
        AssertionError("Manual directory is empty"),
    ],
)
def test_a_download_that_fails_is_unavailability(failure, data_dir, monkeypatch):
    def fail(self, **arguments):
        raise failure

    monkeypatch.setattr(named, "network_trouble", lambda: None)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DataUnavailableError, match=type(failure).__name__) as caught:
        load("mnist")
    assert "long trace" not in str(caught.value)


def test_with_a_network_a_set_is_downloaded_once(data_dir, monkeypatch):
    prepared = []

    def prepare(self, **arguments):
        prepared.append(self.name)
        images = [{"image": image_of(9 * i, (28, 28, 1))} for i in range(5)]
        store(data_dir, self.name, self.info.features, train=images)
        self.info.read_from_directory(self.data_dir)

    monkeypatch.setattr(named, "network_trouble", lambda: None)
    builder = tfds.builder_cls("binarized_mnist")  # one class: `store` prepares with another
    monkeypatch.setattr(builder, "download_and_prepare", prepare)
    assert len(load("binarized_mnist")) == 5
    assert len(load("binarized_mnist")) == 5
    assert prepared == ["binarized_mnist"]


def test_offline_gives_up_within_five_seconds(data_dir, monkeypatch):
    def never(*arguments, **options):
        time.sleep(30)

    monkeypatch.setattr(socket, "getaddrinfo", never)
    for proxy in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(proxy, raising=False)
    start = time.monotonic()
    with pytest.raises(DataUnavailableError, match="did not answer in 3 s"):
        load("mnist")
    assert time.monotonic() - start < 5


def test_a_prepared_set_needs_no_network(tiny, monkeypatch):
    def refuse():
        raise AssertionError("the network was asked")

    monkeypatch.setattr(named, "network_trouble", refuse)
    assert len(load("tiny")) == 20


def test_the_network_is_there_if_the_host_answers_anything(monkeypatch):
    import requests

    monkeypatch.setattr(requests, "head", lambda url, **options: "404")
    assert network.network_trouble() is None

    def refuse(url, **options):
        raise requests.exceptions.ProxyError("no")

    monkeypatch.setattr(requests, "head", refuse)
    assert network.network_trouble() == (
        "https://storage.googleapis.com cannot be reached (ProxyError)"
    )


@needs("mnist")
def test_mnist_has_its_published_counts():
    train, test = load("mnist"), load("mnist", split="test")
    assert np.bincount(train.labels).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.example_shape == (28, 28, 1)
    # Mean and deviation as published with PyTorch's examples.
    assert train.examples.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert train.examples.std() / 255 == pytest.approx(0.3081, abs=1e-4)


@needs("lpc_sprites")
def test_sprites_have_five_factors_and_no_combination_in_both_splits():
    splits = [load("lpc_sprites"), load("lpc_sprites", split="test")]
    assert [len(data) for data in splits] == [3444, 444]
    assert list(splits[0].factors) == ["body", "bottomwear", "direction", "hair", "topwear"]
    assert splits[0].labels is None
    combinations = [set(zip(*data.factors.values(), strict=True)) for data in splits]
    assert combinations[0].isdisjoint(combinations[1])


@needs("cifar10")
def test_cifar10_loads():
    data = load("cifar10", split="test")
    assert data.examples.shape == (10_000, 32, 32, 3)
    assert np.bincount(data.labels).tolist() == [1000] * 10
    assert data.label_names[0] == "airplane"


@needs("facades_unpaired128")
def test_unpaired_facades_load_by_their_split_names():
    assert load("facades_unpaired128", split="trainA").examples.shape == (400, 128, 128, 3)
    with pytest.raises(DataError, match="it has trainA, trainB, testA, testB"):
        load("facades_unpaired128")


@needs("usps")
def test_usps_loads_resized():
    assert load("usps", split="test", image_size=20).examples.shape == (2007, 20, 20, 1)
