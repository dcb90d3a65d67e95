"""Every command of the README is run, with flags added that make it small."""

import json
import pathlib
import re
import shlex
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from test_recipes import TINY, flags, recipe

import keras_gen.__main__
from keras_gen.export import export_model
from keras_gen.models import DCGAN
from keras_gen.training import command_line
from keras_gen.training.tables import tables_differ

pytestmark = pytest.mark.usefixtures("few_samples")

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def recipe_commands():
    return [line for line in commands() if line.startswith("python recipes/")]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder in which the README's commands find what they name."""
    monkeypatch.chdir(tmp_path)
    images = tmp_path / "path/to/images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(100):
        Image.fromarray(rng.integers(255, size=(9, 8, 3), dtype="uint8")).save(
            images / f"{index}.png"
        )
    return tmp_path


def small(arguments):
    """The README's flags, with tiny ones behind them; a later flag wins."""
    tiny = dict(TINY["dcgan_mnist"])
    if "--data" in arguments and "/" in arguments[arguments.index("--data") + 1]:
        tiny.pop("data")
    return [*arguments, *flags(tiny)]


@pytest.mark.parametrize("line", [c for c in recipe_commands() if "--resume" not in c])
def test_recipe_commands_run(line, workplace):
    _, script, *arguments = shlex.split(line)
    main = recipe(pathlib.Path(script).stem).main
    if "--help" in arguments:
        with pytest.raises(SystemExit) as stop:
            command_line(main, arguments)
        assert stop.value.code == 0
        return
    command_line(main, small(arguments))
    assert list(workplace.glob("runs/dcgan_mnist/*/metrics.json"))
    assert list(workplace.glob("saved_models/dcgan_mnist/1/saved_model.pb"))


@pytest.mark.parametrize("line", [c for c in recipe_commands() if "--resume" in c])
def test_resume_commands_go_on(line, workplace):
    _, script, *arguments = shlex.split(line)
    main = recipe(pathlib.Path(script).stem).main
    out = ["--out", arguments[arguments.index("--out") + 1]] if "--out" in arguments else []
    command_line(main, small(out))
    command_line(main, [*small(arguments), "--steps", "5"])
    (metrics,) = workplace.glob("runs/**/metrics.json")
    assert json.loads(metrics.read_text())["steps"] == 5


def test_the_sample_command_draws(workplace):
    model = DCGAN((8, 8, 1), 3, 4)
    export_model(model, "saved_models/dcgan_mnist")
    (line,) = [line for line in commands() if " sample " in line]
    assert keras_gen.__main__.main(shlex.split(line)[3:]) == 0
    with Image.open("grid.png") as picture:
        assert picture.size == (8 * 9 - 1, 8 * 9 - 1)


EXPLORING = {  # command of the README -> flags that make it small
    "evaluate": ["--extractor", "pixels", "--num-images", "30"],
    "bias-curve": ["--extractor", "pixels", "--num-images", "100"],
    "probe": ["--num-images", "200", "--labels", "100", "--no-baselines"],
    "interpolate": ["--steps", "3"],
    "traverse": [],
    "arithmetic": [],
    "truncate": ["--extractor", "pixels", "--num-images", "30"],
    "project": ["--steps", "2", "--restarts", "1"],
    "tsne": ["--num-images", "40", "--method", "pca"],
}


@pytest.mark.parametrize("command", EXPLORING)
def test_commands_that_measure_and_explore_run(command, workplace):
    model = DCGAN((8, 8, 1), 3, 4)
    (workplace / "runs/mine").mkdir(parents=True)
    model.save("runs/mine/model.keras")
    (line,) = [line for line in commands() if f" {command} " in line]
    arguments = [*shlex.split(line)[3:], *EXPLORING[command]]
    if "--data" in arguments:
        arguments += ["--data", "digits"]
    assert keras_gen.__main__.main(arguments) == 0
    assert list(workplace.glob("*.png"))


def test_the_record_command_files_a_run(workplace):
    # A run on digits that were asked for, not one on digits that stand in for another set.
    command_line(recipe("dcgan_mnist").main, ["--out", "runs/mine", *flags(TINY["dcgan_mnist"])])
    (workplace / "README.md").write_text("<!-- results:gans -->\n<!-- /results -->\n")
    (line,) = [line for line in commands() if " record " in line]
    assert keras_gen.__main__.main(shlex.split(line)[3:]) == 0
    assert "DCGAN" in (workplace / "README.md").read_text()


def test_make_targets_of_the_readme_exist():
    targets = [line.split()[1] for line in commands() if line.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_no_command_of_the_readme_is_left_untested():
    tested = [
        line
        for line in commands()
        if line.startswith(("python recipes/", "make "))
        or re.match(rf"python -m keras_gen ({'|'.join([*EXPLORING, 'sample', 'record'])}) ", line)
    ]
    assert tested == commands()
    # What needs a server is in `console` blocks: its JSON is tested below.
    assert all("tensorflow" in block or "curl" in block for block in blocks("console"))


def test_the_request_of_the_readme_is_answered_by_the_signature(workplace):
    (body,) = re.findall(r"-d '(\{.*\})'", README)
    request = json.loads(body)
    model = DCGAN((8, 8, 1), 3, 4)
    loaded = tf.saved_model.load(str(export_model(model, "saved_models/dcgan_mnist")))
    signature = loaded.signatures[request["signature_name"]]
    types = signature.structured_input_signature[1]
    inputs = {
        name: tf.constant(value, types[name].dtype) for name, value in request["inputs"].items()
    }
    images = signature(**inputs)["images"]
    expected = model.sample(request["inputs"]["num_images"], seed=request["inputs"]["seed"])
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_python_of_the_readme_runs(workplace):
    for block in blocks("python"):
        names = {}
        exec(block, names)  # noqa: S102
        assert names["images"].shape == (16, 28, 28, 1)


def test_tables_say_what_the_result_files_say():
    assert tables_differ(ROOT) == []


def test_links_and_pictures_of_the_readme_exist():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
