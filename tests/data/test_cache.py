"""Sets too large for the memory budget are decoded to a file once, and are the same set."""

import collections
import os

import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataError, cache, load
from keras_gen.data.images import fill_in_threads

DiskUsage = collections.namedtuple("DiskUsage", "total used free")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "a").mkdir(parents=True)
    for number in range(12):
        pixels = np.full((5, 5), 20 * number, np.uint8)
        Image.fromarray(pixels).resize((5 + number % 2, 5)).save(
            tmp_path / "images" / "a" / f"{number}.png"
        )
    return tmp_path / "images"


def source(kind, folder):
    return (folder, {"split": "all"}) if kind == "folder" else (kind, {"split": "test"})


@pytest.mark.parametrize("kind", ["digits", "shapes", "folder"])
def test_a_memory_mapped_set_is_the_set_in_memory(kind, folder, cache_folder):
    name, arguments = source(kind, folder)
    held = load(name, **arguments)
    assert not cache_folder.exists()
    mapped = load(name, memory_budget_bytes=100, **arguments)
    assert isinstance(mapped.examples, np.memmap)
    assert not isinstance(held.examples, np.memmap)
    assert mapped.fingerprint == held.fingerprint
    assert mapped.notes == held.notes
    assert mapped.label_names == held.label_names
    for in_memory, from_file in zip(
        held.batches(6, seed=3, start_step=1, labels=True).take(5),
        mapped.batches(6, seed=3, start_step=1, labels=True).take(5),
        strict=True,
    ):
        np.testing.assert_array_equal(in_memory[0], from_file[0])
        np.testing.assert_array_equal(in_memory[1], from_file[1])
    specs = [data.batches(6, seed=0).element_spec for data in (held, mapped)]
    assert specs[0] == specs[1]
    whole = [np.concatenate(list(data.evaluation_batches(7))) for data in (held, mapped)]
    np.testing.assert_array_equal(*whole)


def test_the_budget_is_the_most_that_is_held(cache_folder):
    size = 360 * 8 * 8
    assert not isinstance(
        load("digits", split="test", memory_budget_bytes=size).examples, np.memmap
    )
    mapped = load("digits", split="test", memory_budget_bytes=size - 1)
    assert isinstance(mapped.examples, np.memmap)


def test_a_set_that_took_long_to_decode_is_read_the_next_time(folder, cache_folder, monkeypatch):
    monkeypatch.setattr(cache, "_SLOW", -1.0)
    decoded = load(folder, split="all")
    monkeypatch.setattr("keras_gen.data.folder.fill_in_threads", None)  # would fail
    again = load(folder, split="all")
    assert again.fingerprint == decoded.fingerprint and again.notes == decoded.notes
    assert not isinstance(again.examples, np.memmap)
    assert again.label_names == decoded.label_names


def test_a_cache_that_cannot_be_written_costs_time_only(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_SLOW", -1.0)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_GEN_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert len(load(folder, split="all")) == 12


def test_a_decoded_set_is_used_again_until_its_source_changes(folder, cache_folder, monkeypatch):
    decoded = []

    def counted(*arguments):
        decoded.append(arguments)
        return fill_in_threads(*arguments)

    monkeypatch.setattr("keras_gen.data.folder.fill_in_threads", counted)
    first = load(folder, split="all", memory_budget_bytes=0).fingerprint
    assert load(folder, split="all", memory_budget_bytes=0).fingerprint == first
    assert len(decoded) == 1
    load(folder, split="all", memory_budget_bytes=0, image_size=4)
    assert len(decoded) == 2
    changed = folder / "a" / "0.png"
    os.utime(changed, ns=(1, 1))  # as a file of the same length, written later, would show
    load(folder, split="all", memory_budget_bytes=0)
    assert len(decoded) == 3
    Image.new("L", (5, 5), 77).save(changed)
    assert load(folder, split="all", memory_budget_bytes=0).fingerprint != first
    assert len(decoded) == 4


def test_nothing_is_left_behind_by_a_decoding_that_fails(folder, cache_folder):
    broken = folder / "a" / "5.png"
    broken.write_bytes(broken.read_bytes()[:45])
    with pytest.raises(DataError, match=r"5\.png"):
        load(folder, split="all", memory_budget_bytes=0)
    assert list(cache_folder.iterdir()) == []


def test_a_damaged_copy_is_made_anew(cache_folder):
    fingerprint = load("digits", memory_budget_bytes=0).fingerprint
    (made,) = cache_folder.iterdir()
    examples = made / "examples.npy"
    examples.write_bytes(examples.read_bytes()[:1000])
    assert load("digits", memory_budget_bytes=0).fingerprint == fingerprint
    assert list(cache_folder.iterdir()) == [made]


def test_a_copy_made_meanwhile_by_another_process_is_used(cache_folder, monkeypatch):
    fingerprint = load("digits", memory_budget_bytes=0).fingerprint
    real = cache._is_complete
    looks = []

    def blind_at_first(*arguments):
        looks.append(arguments)
        return len(looks) > 1 and real(*arguments)

    monkeypatch.setattr(cache, "_is_complete", blind_at_first)
    # The first look finds nothing, so the set is made; at the end the other's copy is there.
    assert load("digits", memory_budget_bytes=0).fingerprint == fingerprint
    assert len(list(cache_folder.iterdir())) == 1


def test_a_full_disk_is_reported_before_decoding(cache_folder, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: DiskUsage(0, 0, 2**20))
    with pytest.raises(DataError, match=r"only 0\.00 GiB free; point KERAS_GEN_CACHE_DIR at"):
        load("digits", memory_budget_bytes=0)
    assert list(cache_folder.iterdir()) == []


def test_the_cache_lies_in_the_home_folder_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_GEN_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / ".cache" / "keras_gen" / "data"
