"""Commands that measure and explore a model: each leaves a picture and a JSON, none is replaced."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_gen.__main__ import COMMANDS, main
from keras_gen.export import export_model
from keras_gen.models import DCGAN, ConditionalGAN

SMALL = {
    "evaluate": ["--data", "digits", "--extractor", "pixels", "--num-images", "50"],
    "bias-curve": ["--data", "digits", "--extractor", "pixels", "--num-images", "100"],
    "interpolate": ["--pairs", "2", "--steps", "5"],
    "traverse": ["--coordinates", "0", "1"],
    "manifold": ["--side", "3"],
    "arithmetic": ["--plus", "1", "2", "--minus", "3", "--base", "4"],
    "truncate": ["--thresholds", "1", "0.5"],
    "project": ["--data", "digits", "--num-images", "2", "--steps", "3", "--restarts", "2"],
}
MOVING = {"interpolate", "traverse"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A run folder's model.keras and an exported model, with two latent coordinates."""
    folder = tmp_path_factory.mktemp("sources")
    model = DCGAN(image_shape=(8, 8, 1), latent_dim=2, filters=4)
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    export_model(model, folder / "exported")
    return folder


def call(command, source, out, *more):
    return main([command, str(source), *SMALL[command], "--out", str(out), *more])


def failure(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", SMALL)
@pytest.mark.parametrize("source", ["run", "exported"])
def test_a_command_leaves_a_picture_and_a_json(command, source, sources, tmp_path, capsys):
    out = tmp_path / "new" / "picture.png"
    assert call(command, sources / source, out) == 0
    result = json.loads(out.with_suffix(".json").read_text())
    named = result["details"]["model"] if command == "evaluate" else result["model"]
    assert named.startswith(str(sources / source))
    pictures = sorted(out.parent.glob("*.png"))
    assert pictures
    for path in pictures:
        assert np.asarray(Image.open(path)).std() > 0
    assert (out.parent / "picture.gif").exists() == (command in MOVING)
    shown = capsys.readouterr().out
    assert all(path.name in shown for path in pictures)


@pytest.mark.parametrize("command", SMALL)
def test_a_command_repeats_itself(command, sources, tmp_path):
    results = []
    for name in ("first", "second"):
        assert call(command, sources / "run", tmp_path / f"{name}.png") == 0
        result = json.loads((tmp_path / f"{name}.json").read_text())
        result.get("details", {}).pop("seconds", None)
        result.pop("seconds", None)
        results.append(result)
    assert results[0] == results[1]


@pytest.mark.parametrize("command", SMALL)
def test_nothing_is_replaced_unasked(command, sources, tmp_path, capsys):
    (tmp_path / "picture.json").write_text("kept")
    arguments = (command, sources / "run", *SMALL[command], "--out", tmp_path / "picture.png")
    assert "picture.json exists already" in failure(capsys, *arguments)
    assert (tmp_path / "picture.json").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["picture.json"]
    assert call(command, sources / "run", tmp_path / "picture.png", "--overwrite") == 0
    assert (tmp_path / "picture.json").read_text() != "kept"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["interpolate", "--out", "picture.jpg"], "--out picture.jpg: end it in .png"),
        (["interpolate", "--pairs", "0"], "--pairs 0"),
        (["traverse", "--coordinates", "2"], "2"),
        (["evaluate", "--data", "mnits"], "mnits"),
        (["evaluate", "--data", "digits", "--extractor", "nothing"], "nothing"),
        (["arithmetic", "--plus", "a", "b", "--minus", "1", "--base", "2"], "--plus a b: give"),
        (["arithmetic", "--plus", "999", "--minus", "1", "--base", "2"], "--plus 999: give"),
        (["arithmetic", "--plus", "class:1", "--minus", "1", "--base", "2"], "say with --data"),
        (["project", "--data", "digits", "--num-images", "9999"], "not 9999"),
    ],
)
def test_bad_flags_are_named(arguments, message, sources, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, *flags = arguments
    assert message in failure(capsys, command, sources / "run", *flags)
    assert not list(tmp_path.iterdir())


def test_pictures_and_arrays_are_measured_like_the_model_that_drew_them(sources, tmp_path):
    model = str(sources / "run")
    for out in (tmp_path / "images.npz", tmp_path / "pictures"):
        assert main(["sample", model, "--num-images", "60", "--seed", "1", "--out", str(out)]) == 0
    values = []
    for name in ("images.npz", "pictures"):
        out = tmp_path / f"{name.split('.')[0]}-result.png"
        assert call("evaluate", tmp_path / name, out) == 0
        metrics = json.loads(out.with_suffix(".json").read_text())["metrics"]
        values.append(metrics["fd_pixels"]["value"])
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_a_finished_run_is_measured_anew(sources, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.keras").write_bytes((sources / "run" / "model.keras").read_bytes())
    arguments = (SMALL["evaluate"], "--out", tmp_path / "picture.png", "--add")
    assert "not the folder of a finished run" in failure(
        capsys, "evaluate", run, *arguments[0], *arguments[1:]
    )
    kept = {"value": 1.5, "protocol": "kept"}
    (run / "metrics.json").write_text(json.dumps({"finished": True, "metrics": {"a_loss": kept}}))
    assert call("evaluate", run, tmp_path / "picture.png", "--add") == 0
    measured = json.loads((run / "metrics.json").read_text())
    assert measured["finished"] and measured["metrics"]["a_loss"] == kept
    expected = json.loads((tmp_path / "picture.json").read_text())["metrics"]["recall"]
    assert measured["metrics"]["recall"] == expected


def test_arithmetic_takes_classes_of_a_model_that_encodes(tmp_path, monkeypatch):
    from keras_gen.commands import explore

    class Images:
        labels = np.array([0, 1, 1])
        label_names = ("zero", "one")
        examples = np.arange(3)

    monkeypatch.setattr(explore, "load_images", lambda *_: Images)
    chosen = explore._examples(None, "plus", ("class:one",), "digits", 0)
    assert chosen.tolist() == [1, 2]
    with pytest.raises(ValueError, match="the classes are zero, one"):
        explore._examples(None, "plus", ("class:two",), "digits", 0)


def test_a_conditional_model_needs_a_label(tmp_path, capsys):
    path = tmp_path / "model.keras"
    ConditionalGAN((8, 8, 1), num_classes=3, latent_dim=2).save(path)
    shown = failure(capsys, "interpolate", path, "--out", tmp_path / "picture.png")
    assert "takes labels: hold the class fixed" in shown and "--label" in shown
    assert call("interpolate", path, tmp_path / "picture.png", "--label", "2") == 0
    out = tmp_path / "other.png"
    assert "label=3" in failure(capsys, "traverse", path, "--label", "3", "--out", out)
