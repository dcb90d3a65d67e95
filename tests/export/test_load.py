import gc
import json
import shutil

import numpy as np
import pytest

from keras_gen.export import load_exported


@pytest.fixture
def copy(exported_folder, tmp_path):
    """The export's folder of versions, to damage."""
    return shutil.copytree(exported_folder, tmp_path / "copy")


def test_the_newest_version_is_loaded_unless_one_is_named(copy):
    for version in ("2", "10"):
        shutil.copytree(copy / "1", copy / version)
    assert load_exported(copy).folder == copy / "10"
    assert load_exported(str(copy / "2")).folder == copy / "2"


def test_a_loaded_model_knows_its_images(exported):
    assert exported.value_range == (-1.0, 1.0)
    assert exported.image_shape == (8, 8, 1)
    assert exported.latent_dim == 4


def test_a_method_outlives_every_other_reference(exported_folder, latents):
    decode = load_exported(exported_folder).decode
    gc.collect()
    assert decode(latents).shape == (17, 8, 8, 1)


def test_samples_without_seed_are_fresh(exported):
    assert np.abs(exported.sample(4) - exported.sample(4)).max() > 1e-2


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such folder.*nothing"):
        load_exported(tmp_path / "nothing")


def test_a_folder_without_version_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no numbered version in this folder"):
        load_exported(tmp_path)


def test_a_truncated_graph_is_reported(copy):
    graph = copy / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    with pytest.raises(ValueError, match="cannot be loaded: saved_model.pb or variables/ is dam"):
        load_exported(copy)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_damaged_weights_are_reported(copy, damage):
    weights = copy / "1" / "variables" / "variables.data-00000-of-00001"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    if damage == "flipped":
        weights.write_bytes(content)
    elif damage == "truncated":
        weights.write_bytes(content[:100])
    else:
        weights.unlink()
    with pytest.raises(ValueError, match="cannot be loaded: saved_model.pb or variables/ is dam"):
        load_exported(copy)


def test_a_foreign_saved_model_is_reported(copy):
    shutil.rmtree(copy / "1" / "assets.extra")
    with pytest.raises(ValueError, match="not written by export_model. Load it with tf.saved_mod"):
        load_exported(copy)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"signatures": {"decode": 1}}'])
def test_a_damaged_side_file_is_reported(copy, content):
    (copy / "1" / "assets.extra" / "keras_gen.json").write_text(content)
    with pytest.raises(ValueError, match="keras_gen.json is damaged .*Export again"):
        load_exported(copy)


def test_a_signature_that_the_graph_lacks_is_reported(copy):
    side_file = copy / "1" / "assets.extra" / "keras_gen.json"
    description = json.loads(side_file.read_text())
    description["signatures"]["encode"] = description["signatures"]["decode"]
    side_file.write_text(json.dumps(description))
    with pytest.raises(ValueError, match="lacks the signatures encode"):
        load_exported(copy)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.zeros((2, 5)), r"latents has shape \(2, 5\) .*: give float32 of shape \(None, 4\)"),
        (np.zeros(4), r"latents has shape \(4,\) .*: give float32 of shape \(None, 4\)"),
        ("text", "latents has shape .* and type string"),
        ([[1.0, 2.0], [3.0]], "latents: .*Give numbers"),
    ],
)
def test_latents_of_another_shape_are_refused(exported, latents, message):
    with pytest.raises(ValueError, match=message):
        exported.decode(latents)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_images": 0}, "num_images=0: give an integer from 1 to 4096"),
        ({"num_images": 4097}, "num_images=4097: give an integer from 1 to 4096"),
        ({"num_images": 2.5}, "num_images=2.5: give an integer"),
        ({"num_images": 2, "seed": 2**63}, "seed=9223372036854775808: give an integer of at most"),
        ({"num_images": 2, "seed": "x"}, "seed='x': give an integer of at most"),
        ({"num_images": 2, "truncation": 0}, "truncation=0: give a positive number"),
    ],
)
def test_bad_arguments_of_sample_are_refused(exported, arguments, message):
    with pytest.raises(ValueError, match=message):
        exported.sample(**arguments)


def test_an_unknown_input_is_refused(exported):
    with pytest.raises(ValueError, match="inputs=.'noise'.: decode takes exactly latents"):
        exported.call("decode", noise=1.0)
