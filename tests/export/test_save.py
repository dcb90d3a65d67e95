import concurrent.futures
import errno
import json
import os
import pathlib
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen
from keras_gen.export import export_model, load_exported, save

# Runs where Keras cannot be imported, on nothing but TensorFlow and NumPy.
WITHOUT_KERAS = """
import sys
sys.modules["keras"] = None
sys.modules["tf_keras"] = None
import numpy as np
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1])
def sample(seed):
    inputs = {"seed": tf.constant(seed, "int64"), "num_images": tf.constant(16)}
    return served.signatures["sample"](**inputs)["images"]
latents = np.load(sys.argv[2])
decoded = served.signatures["decode"](latents=tf.constant(latents))["images"]
np.savez(sys.argv[3], decoded=decoded, first=sample(7), second=sample(7), other=sample(8))
"""


def test_a_process_without_keras_gets_the_same_images(exported_folder, model, latents, tmp_path):
    np.save(tmp_path / "latents.npy", latents)
    arguments = [exported_folder / "1", tmp_path / "latents.npy", tmp_path / "images.npz"]
    subprocess.run([sys.executable, "-c", WITHOUT_KERAS, *map(str, arguments)], check=True)
    served = np.load(tmp_path / "images.npz")
    expected = model.ema_generator(latents, training=False)
    np.testing.assert_allclose(served["decoded"], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(served["first"], served["second"])
    np.testing.assert_allclose(served["first"], model.sample(16, seed=7), rtol=0, atol=1e-6)
    assert np.abs(served["first"] - served["other"]).max() > 1e-2


def test_the_side_file_says_what_a_client_needs(exported_folder):
    description = json.loads((exported_folder / "1/assets.extra/keras_gen.json").read_text())
    number = {"dtype": "int32", "shape": []}
    images = {"dtype": "float32", "shape": [None, 8, 8, 1]}
    sample = description["signatures"]["sample"]
    assert description["model"] == "DCGAN"
    assert description["value_range"] == [-1.0, 1.0]
    assert description["image_shape"] == [8, 8, 1]
    assert description["latent_dim"] == 4
    assert description["note"] == {"recipe": "tiny"}
    assert description["versions"] == {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "keras_gen": keras_gen.__version__,
    }
    assert sample["inputs"] == {"seed": {"dtype": "int64", "shape": []}, "num_images": number}
    assert sample["outputs"] == {"images": images}


def test_only_what_the_signatures_read_is_exported(exported_folder, model):
    variables = tf.train.list_variables(str(exported_folder / "1/variables/variables"))
    shapes = sorted(tuple(shape) for name, shape in variables if name.startswith("captured"))
    assert shapes == sorted(tuple(weight.shape) for weight in model.ema_generator.weights)


def test_an_export_leaves_the_model_as_it_was(model, latents, tmp_path):
    before = [weight.numpy() for weight in model.weights]
    export_model(model, tmp_path)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_a_bfloat16_model_exports_float32_images(tiny_dcgan, tmp_path, latents):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = tiny_dcgan()
    export_model(model, tmp_path)
    images = load_exported(tmp_path).decode(latents)
    assert images.dtype == "float32"
    np.testing.assert_allclose(images, model.decode(latents), rtol=0, atol=1e-2)


def test_a_mirrored_model_exports_as_any_other(mirrored, tiny_dcgan, tmp_path, latents):
    with mirrored.scope():
        model = tiny_dcgan()
    export_model(model, tmp_path)
    images = load_exported(tmp_path).decode(latents)
    np.testing.assert_allclose(images, model.decode(latents), rtol=0, atol=1e-6)


def test_versions_count_up_from_the_largest_number_there(model, tmp_path):
    assert export_model(model, tmp_path / "new") == tmp_path / "new" / "1"
    assert export_model(model, tmp_path / "new") == tmp_path / "new" / "2"
    for name in ("7", "notes", "12x", ".exporting-left-by-a-crash"):
        (tmp_path / "new" / name).mkdir()
    (tmp_path / "new" / "9").write_text("a file")
    assert export_model(model, tmp_path / "new") == tmp_path / "new" / "10"
    assert (tmp_path / "new" / "9").read_text() == "a file"
    assert not list((tmp_path / "new" / "7").iterdir())


def test_an_export_that_is_overtaken_takes_the_next_number(model, tmp_path, monkeypatch):
    rename = os.rename

    def overtaken(source, target):
        if not (tmp_path / "1").exists():
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "saved_model.pb").write_text("of the other export")
        rename(source, target)

    monkeypatch.setattr(save.os, "rename", overtaken)
    assert export_model(model, tmp_path) == tmp_path / "2"
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "of the other export"
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_concurrent_exports_all_arrive(tmp_path):
    count = 24
    start = threading.Barrier(8)

    def publish(number):
        folder = tmp_path / f".exporting-{number}"
        folder.mkdir()
        (folder / "saved_model.pb").write_text(str(number))
        if number < 8:
            start.wait()
        return save._publish(folder, tmp_path)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        published = list(pool.map(publish, range(count)))
    assert sorted(int(path.name) for path in published) == list(range(1, count + 1))
    contents = [(path / "saved_model.pb").read_text() for path in published]
    assert contents == [str(number) for number in range(count)]
    assert len(os.listdir(tmp_path)) == count


def test_an_export_that_fails_while_writing_leaves_nothing(model, tmp_path, monkeypatch):
    def full_disk(module, folder, signatures):
        (pathlib.Path(folder) / "saved_model.pb").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        export_model(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_export_that_fails_while_tracing_leaves_nothing(tmp_path):
    class Broken:
        image_shape, latent_dim = (8, 8, 1), 4

        def decode(self, latents):
            raise RuntimeError("broken decode")

    with pytest.raises(RuntimeError, match="broken decode"):
        export_model(Broken(), tmp_path / "name")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_refused(model, tmp_path):
    (tmp_path / "name").write_text("a file")
    with pytest.raises(NotADirectoryError, match="Give the folder of versions.*name"):
        export_model(model, tmp_path / "name")
    with pytest.raises(OSError, match="cannot write an export there.*name/below"):
        export_model(model, tmp_path / "name" / "below")


def test_a_folder_that_may_not_be_written_is_named(model, tmp_path, monkeypatch):
    def refused(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(pathlib.Path, "mkdir", refused)
    with pytest.raises(PermissionError, match="Permission denied: cannot write an export there"):
        export_model(model, tmp_path / "locked")


def test_a_version_is_not_taken_for_a_folder_of_versions(model, exported_folder):
    with pytest.raises(ValueError, match="is itself a SavedModel. Give the folder of versions"):
        export_model(model, exported_folder / "1")


@pytest.mark.parametrize("note", ["text", {"path": pathlib.Path("x")}])
def test_a_note_that_json_cannot_hold_is_refused(model, tmp_path, note):
    with pytest.raises(ValueError, match="note=.*Give strings|note='text': give a dictionary"):
        export_model(model, tmp_path / "name", note=note)
    assert not (tmp_path / "name").exists()
