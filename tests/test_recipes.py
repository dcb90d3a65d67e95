"""Every recipe, run small: from data to SavedModel, from Python and from the command line."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_gen.export.save
from keras_gen.data import DataSet
from keras_gen.models import GenerativeModel
from keras_gen.training import RunOptions, command_line
from keras_gen.training.results import record

pytestmark = pytest.mark.usefixtures("few_samples", "eager_steps")

RECIPES = pathlib.Path(__file__).parents[1] / "recipes"


@pytest.fixture
def eager_steps(monkeypatch):
    """Three training steps take a fraction of the time that their graph takes to be traced.

    The commands of the README and the tests of processes run recipes' steps as graphs.
    """
    set_optimizers = GenerativeModel.set_optimizers

    def eagerly(model, jit_compile=False, run_eagerly=False, **optimizers):
        set_optimizers(model, run_eagerly=True, **optimizers)

    monkeypatch.setattr(GenerativeModel, "set_optimizers", eagerly)


# recipe -> arguments that make it tiny; a recipe that is missing here fails the suite
TINY = {
    "autoencoder_mnist": {
        "data": "digits",
        "image_size": 8,
        "latent_dim": 3,
        "batch_size": 16,
        "steps": 3,
    },
    "conv_autoencoder_mnist": {
        "data": "digits",
        "image_size": 8,
        "latent_dim": 5,
        "batch_size": 16,
        "steps": 3,
    },
    "denoising_autoencoder_mnist": {
        "data": "digits",
        "image_size": 8,
        "batch_size": 16,
        "steps": 3,
    },
    "caae_sprites": {
        "data": "shapes",
        "image_size": [16, 16],
        "latent_dim": 3,
        "filters": 4,
        "classifier_steps": 3,
        "batch_size": 16,
        "steps": 3,
    },
    "conditional_vae_mnist": {
        "data": "digits",
        "image_size": 8,
        "latent_dim": 2,
        "judged": 50,
        "batch_size": 16,
        "steps": 3,
    },
    "quadrant_cvae_mnist": {
        "data": "digits",
        "image_size": 8,
        "code_dim": 2,
        "batch_size": 16,
        "steps": 3,
    },
    "sparse_autoencoder_mnist": {
        "data": "digits",
        "image_size": 8,
        "latent_dim": 3,
        "batch_size": 16,
        "steps": 3,
    },
    "vae_mnist": {
        "data": "digits",
        "image_size": 8,
        "latent_dim": 2,
        "warm_up_steps": 2,
        "batch_size": 16,
        "steps": 3,
    },
    "gumbel_vae_mnist": {
        "data": "digits",
        "image_size": 8,
        "num_variables": 3,
        "num_classes": 4,
        "batch_size": 16,
        "steps": 3,
    },
    "gumbel_gan_grammar": {"measure_every": 2, "batch_size": 16, "steps": 3},
    "conv_vae_mnist": {"data": "digits", "image_size": 8, "batch_size": 16, "steps": 3},
    "iwae_mnist": {
        "data": "digits",
        "image_size": 8,
        "importance_samples": 3,
        "evaluation_samples": 4,
        "evaluated": 20,
        "batch_size": 16,
        "steps": 3,
    },
    "controllable_gan_sprites": {
        "data": "shapes",
        "image_size": [16, 16],
        "filters": 2,
        "classifier_steps": 3,
        "batch_size": 16,
        "steps": 3,
    },
    "aae_mnist": {
        "data": "digits",
        "image_size": 8,
        "prior": "mixture",
        "informed": True,
        "num_labels": 20,
        "hidden_units": [6],
        "batch_size": 16,
        "steps": 3,
    },
    "avb_mnist": {
        "data": "digits",
        "image_size": 8,
        "hidden_units": [6],
        "held_steps": 1,
        "evaluated": 4,
        "batch_size": 16,
        "steps": 3,
    },
    "semi_supervised_aae_mnist": {
        "data": "digits",
        "image_size": 8,
        "num_labels": 20,
        "hidden_units": [6],
        "batch_size": 16,
        "steps": 3,
    },
    "alpha_gan_mnist": {
        "data": "digits",
        "image_size": 8,
        "hidden_units": [6],
        "batch_size": 16,
        "steps": 3,
    },
    "vae_gan_mnist": {
        "data": "digits",
        "image_size": 8,
        "hidden_units": [6],
        "batch_size": 16,
        "steps": 3,
    },
    "real_nvp_moons": {"num_couplings": 2, "steps": 3},
    "real_nvp_mnist": {
        "data": "digits",
        "image_size": 8,
        "scales": 1,
        "filters": 4,
        "num_blocks": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "glow_mnist": {
        "data": "digits",
        "image_size": 8,
        "flow_steps": 1,
        "filters": 4,
        "conditional": True,
        "batch_size": 16,
        "steps": 3,
    },
    "nice_mnist": {
        "data": "digits",
        "image_size": 8,
        "hidden_units": [5],
        "batch_size": 16,
        "steps": 3,
    },
    "fvsbn_mnist": {"data": "digits", "image_size": 8, "batch_size": 16, "steps": 3},
    "pixel_cnn_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "num_blocks": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "gated_pixel_cnn_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "num_layers": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "conditional_pixel_cnn_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "num_layers": 1,
        "judged": 50,
        "batch_size": 16,
        "steps": 3,
    },
    "pixel_rnn_mnist": {
        "data": "digits",
        "image_size": 8,
        "units": 3,
        "num_layers": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "gan_mnist": {"data": "digits", "image_size": 8, "latent_dim": 3, "batch_size": 16, "steps": 3},
    "least_squares_gan_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "batch_size": 16,
        "steps": 3,
    },
    "wgan_mnist": {"data": "digits", "image_size": 8, "filters": 4, "batch_size": 16, "steps": 3},
    "wgan_gp_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "batch_size": 16,
        "steps": 3,
    },
    "sagan_fashion_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 4,
        "judged": 40,
        "passes": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "sn_gan_mnist": {"data": "digits", "image_size": 8, "filters": 4, "batch_size": 16, "steps": 3},
    "cyclegan_facades": {"data": ["digits", "digits"], "image_size": 16, "steps": 3},
    "cyclegan_mnist_usps": {
        "data": ["digits", "digits"],
        "image_size": 16,
        "batch_size": 2,
        "steps": 3,
    },
    "biggan_fashion_mnist": {
        "data": "digits",
        "image_size": 8,
        "filters": 2,
        "judged": 40,
        "passes": 1,
        "batch_size": 16,
        "steps": 3,
    },
    "conditional_gan_mnist": {
        "data": "digits",
        "image_size": 8,
        "judged": 50,
        "batch_size": 16,
        "steps": 3,
    },
    "dcgan_mnist": {"data": "digits", "image_size": 8, "filters": 4, "batch_size": 16, "steps": 3},
    "progan_sprites": {
        "data": "shapes",
        "image_size": 16,
        "filters": [4, 4, 3],
        "phase_images": 16,
        "classifier_steps": 2,
        "path_pairs": 10,
        "batch_size": 16,
        "steps": 3,
    },
    "stylegan_sprites": {
        "data": "shapes",
        "image_size": 16,
        "filters": [4, 4, 3],
        "mapping_layers": 2,
        "phase_images": 16,
        "classifier_steps": 2,
        "path_pairs": 10,
        "batch_size": 16,
        "steps": 3,
    },
}

RESUMED = ("conditional_vae_mnist", "gumbel_gan_grammar")

# demonstration -> arguments that make it tiny: recipes that train no model for use, but show
# something and measure it. They have a folder with pictures and numbers, no export and no resume.
DEMONSTRATIONS = {
    "minimax_dynamics": {"steps": 5},
    "avb_four_points": {"steps": 5, "draws": 200},
    "mode_collapse_lab": {"data": ["ring"], "models": ["GAN"], "steps": 20, "seeds": 2},
    "js_vs_earth_mover": {"offsets": [0.0, 0.5], "steps": 3},
    "vanishing_gradients": {
        "data": "digits",
        "image_size": 8,
        "filters": 2,
        "generator_steps": 2,
        "means": [1.0, 2.0],
        "batch_size": 16,
        "steps": 3,
    },
}


def recipe(name):
    """The module of a recipe, imported from its file."""
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flags(arguments):
    return [part for key, value in arguments.items() for part in (f"--{key}", str(value))]


def test_every_recipe_is_in_the_table():
    assert {path.stem for path in RECIPES.glob("*.py")} == {*TINY, *DEMONSTRATIONS}


@pytest.mark.parametrize("name", TINY)
def test_a_recipe_goes_from_data_to_a_saved_model(name, tmp_path):
    options = RunOptions(out=str(tmp_path / "run"), export=str(tmp_path / "exported"))
    run = recipe(name).main(**TINY[name], options=options)
    assert run.folder == tmp_path / "run"
    for file in ("config.json", "metrics.json", "model.keras", "samples.gif", "curves.png"):
        assert (run.folder / file).stat().st_size > 0
    config = json.loads((run.folder / "config.json").read_text())
    assert config["recipe"] == name
    for key, value in TINY[name].items():
        assert config["arguments"][key] == value
    loaded = tf.saved_model.load(str(tmp_path / "exported" / "1"))
    assert loaded.signatures


@pytest.mark.parametrize("count", [1, 4, 25, 40])
def test_arithmetic_has_images_with_most_and_with_least_ink_of_a_set_of_any_size(count):
    greys = np.random.default_rng(0).permutation(count).astype("uint8")
    examples = np.tile(greys[:, None, None, None], (1, 2, 2, 1))
    data = DataSet(name="greys", split="test", examples=examples)
    most, least = recipe("vae_gan_mnist").most_and_least(data, "ink")
    assert list(most[:, 0, 0, 0]) == list(range(count))[::-1][: -(-count // 10)]
    assert list(least[:, 0, 0, 0]) == list(range(count))[: max(count // 10, 1)][::-1]


# What is tested is the run's more than the recipe's: two always, the others with the slow tests;
# dcgan_mnist's is one of the README's commands, all of which are tested.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in RESUMED else pytest.mark.slow) for name in TINY],
)
def test_a_recipe_resumes(name, tmp_path):
    options = {"out": str(tmp_path / "run"), "export": str(tmp_path / "exported")}
    module = recipe(name)
    module.main(**TINY[name], options=RunOptions(**options))
    longer = TINY[name] | {"steps": TINY[name]["steps"] + 1}
    module.main(**longer, options=RunOptions(**options, resume=True))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["steps"] == longer["steps"]
    assert (tmp_path / "exported" / "2" / "saved_model.pb").exists()


# What is tested here is the run's, not the recipe's.
@pytest.mark.parametrize("name", [pytest.param("dcgan_mnist", marks=pytest.mark.slow), "vae_mnist"])
def test_a_failed_export_is_completed_by_a_resume(name, tmp_path, monkeypatch):
    options = {"out": str(tmp_path / "run"), "export": str(tmp_path / "exported")}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras_gen.export.save, "_write_saved_model", full)
    with pytest.raises(OSError, match="No space left"):
        recipe(name).main(**TINY[name], options=RunOptions(**options))
    monkeypatch.undo()
    recipe(name).main(**TINY[name], options=RunOptions(**options, resume=True))
    assert (tmp_path / "exported/1/saved_model.pb").exists()
    assert json.loads((tmp_path / "run/metrics.json").read_text())["finished"]


@pytest.mark.parametrize("name", TINY)
def test_a_recipe_says_its_measured_options_in_its_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line(recipe(name).main, ["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for flag in (
        *("--data", "--epochs", "--steps", "--batch-size", "--seed", "--out", "--export"),
        *("--resume", "--checkpoint-every", "--strategy", "--replicas", "--mixed-precision"),
        *("--strict-data",),
    ):
        assert flag in text


def test_help_of_no_recipe_needs_tensorflow():
    script = (
        "import runpy, sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "for recipe in sys.argv[1:]:\n"
        "    sys.argv = [recipe, '--help']\n"
        "    try:\n"
        "        runpy.run_path(recipe, run_name='__main__')\n"
        "    except SystemExit as stop:\n"
        "        assert not stop.code, recipe\n"
    )
    command = [sys.executable, "-c", script, *map(str, sorted(RECIPES.glob("*.py")))]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("--seed") >= len(TINY)


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_a_demonstration_leaves_pictures_and_numbers_beside_the_analytic_ones(
    name, tmp_path, capsys
):
    demonstration = recipe(name).main(**DEMONSTRATIONS[name], out=str(tmp_path / "run"))
    assert demonstration.folder == tmp_path / "run"
    assert list(demonstration.folder.glob("*.png"))
    config = json.loads((demonstration.folder / "config.json").read_text())
    assert config["recipe"] == name
    for key, value in DEMONSTRATIONS[name].items():
        assert config["arguments"][key] == value
    metrics = json.loads((demonstration.folder / "metrics.json").read_text())
    printed = capsys.readouterr().out
    assert metrics["finished"] and metrics["metrics"]
    for metric, entry in metrics["metrics"].items():
        assert set(entry) == {"value", "analytic", "protocol"}
        assert f"{metric}: " in printed
    (tmp_path / "README.md").write_text(f"<!-- results:{name} -->\n<!-- /results -->\n")
    record(demonstration.folder, tmp_path / "results", tmp_path / "README.md")
    assert "| Analytic |" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_a_demonstration_overwrites_nothing(name, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        command_line(recipe(name).main, ["--out", str(tmp_path / "run")])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "the folder is not empty" in error and "--resume" not in error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", DEMONSTRATIONS)
def test_a_demonstration_says_its_options_in_its_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line(recipe(name).main, ["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "--seed" in text and "--out" in text


def test_the_command_line_shows_a_bad_input_as_one_line(tmp_path):
    command = [
        sys.executable,
        RECIPES / "dcgan_mnist.py",
        "--data",
        "mnits",
        "--out",
        tmp_path / "r",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "mnits" in last and "mnist" in last
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--image-size", "30"], "multiples of 4"),
        (["--batch-size", "2000"], "2000"),
        (["--checkpoint-every", "0"], "--checkpoint-every 0"),
        (["--steps", "0"], "--steps 0"),
        (["--ema-decay", "1.5"], "ema_decay=1.5"),
        (["--latent-dim", "0"], "latent_dim=0"),
        (["--filters", "0"], "filters=0"),
        (["--seed", "-1"], "--seed -1"),
        (["--strategy", "none", "--replicas", "3"], "--replicas 3 needs"),
    ],
)
def test_bad_flags_end_with_exit_code_2_and_their_name(extra, message, tmp_path, capsys):
    arguments = flags({"data": "digits", "steps": 2, "filters": 4, "out": tmp_path / "run"})
    with pytest.raises(SystemExit) as stop:
        command_line(recipe("dcgan_mnist").main, arguments + extra)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "extra", "message"),
    [
        ("aae_mnist", ["--num-labels", "100"], "--num-labels 100 is for labels: add --informed"),
        ("vae_gan_mnist", ["--attribute", "beard"], "--attribute beard: give one of ink"),
    ],
)
def test_a_recipe_refuses_flags_before_it_trains(name, extra, message, tmp_path, capsys):
    arguments = flags({"data": "digits", "image_size": 8, "steps": 2, "out": tmp_path / "run"})
    with pytest.raises(SystemExit) as stop:
        command_line(recipe(name).main, arguments + extra)
    assert stop.value.code == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not list(tmp_path.glob("run/*.keras"))


def test_a_defect_keeps_its_traceback():
    def main():
        raise ValueError("not raised by the package")

    with pytest.raises(ValueError, match="not raised by the package"):
        command_line(main, [])
