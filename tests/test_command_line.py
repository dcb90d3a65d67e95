import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_gen.__main__ import main
from keras_gen.export import export_model
from keras_gen.models import DCGAN


@pytest.fixture(scope="module")
def model():
    return DCGAN(image_shape=(8, 8, 1), latent_dim=4, filters=4)


@pytest.fixture(scope="module")
def sources(model, tmp_path_factory):
    """A run folder with model.keras, and a folder of saved models of the same model."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    export_model(model, folder / "exported")
    return folder


def failure(capsys, *arguments):
    """The one line that a command which cannot be carried out leaves."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def pictures(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


@pytest.mark.parametrize("source", ["run", "run/model.keras", "exported", "exported/1"])
def test_every_kind_of_source_gives_the_models_samples(sources, model, tmp_path, source):
    out = tmp_path / "images.npz"
    arguments = ["--num-images", "5", "--seed", "7", "--out", str(out)]
    assert main(["sample", str(sources / source), *arguments]) == 0
    written = np.load(out)
    expected = model.sample(5, seed=7)
    np.testing.assert_allclose(written["images"], expected, rtol=0, atol=1e-6)
    assert written["images"].dtype == "float32"
    assert written["value_range"].tolist() == [-1.0, 1.0]
    assert written["seed"] == 7


def test_a_grid_holds_the_samples_in_a_square(sources, model, tmp_path, capsys):
    out = tmp_path / "new" / "grid.png"
    assert (
        main(
            ["sample", str(sources / "run"), "--num-images", "4", "--seed", "7", "--out", str(out)]
        )
        == 0
    )
    grid = np.asarray(Image.open(out))
    expected = np.clip(np.round((model.sample(4, seed=7).numpy() + 1) * 127.5), 0, 255)
    assert grid.shape == (17, 17)
    np.testing.assert_allclose(grid[9:, :8], expected[2, ..., 0], atol=1)
    said = capsys.readouterr().out
    assert said == f"Wrote 4 images of {sources / 'run' / 'model.keras'}, seed 7: {out}\n"


def test_truncation_reaches_the_model(sources, model, tmp_path):
    for source in ("run", "exported"):
        out = tmp_path / f"{source}.npz"
        arguments = ["--num-images", "3", "--seed", "7", "--truncation", "0.1", "--out", str(out)]
        assert main(["sample", str(sources / source), *arguments]) == 0
        expected = model.sample(3, seed=7, truncation=0.1)
        np.testing.assert_allclose(np.load(out)["images"], expected, rtol=0, atol=1e-6)


def test_without_seed_the_images_are_fresh_and_the_seed_said_repeats_them(
    sources, tmp_path, capsys
):
    seeds = []
    for name in ("a.npz", "b.npz"):
        out = tmp_path / name
        assert main(["sample", str(sources / "run"), "--num-images", "2", "--out", str(out)]) == 0
        seeds.append(capsys.readouterr().out.split("seed ")[1].split(":")[0])
    again = ["--num-images", "2", "--seed", seeds[0], "--out", str(tmp_path / "c.npz")]
    assert main(["sample", str(sources / "run"), *again]) == 0
    first, other, repeated = (
        np.load(tmp_path / name)["images"] for name in ("a.npz", "b.npz", "c.npz")
    )
    np.testing.assert_array_equal(first, repeated)
    assert np.abs(first - other).max() > 0


def test_single_pictures_replace_those_of_an_earlier_call(sources, tmp_path, capsys):
    command = ["sample", sources / "run", "--out", tmp_path / "many", "--seed", "7"]
    assert main([*map(str, command), "--num-images", "3"]) == 0
    assert [picture.shape for picture in pictures(tmp_path / "many")] == [(8, 8)] * 3
    (tmp_path / "many" / "notes.txt").write_text("mine")
    capsys.readouterr()
    assert "the folder is not empty" in failure(capsys, *command)
    assert main([*map(str, command), "--num-images", "2", "--overwrite"]) == 0
    assert sorted(os.listdir(tmp_path / "many")) == ["00000.png", "00001.png", "notes.txt"]


def test_an_existing_file_is_kept_unless_overwrite_is_given(sources, tmp_path, capsys):
    out = tmp_path / "grid.png"
    out.write_text("mine")
    command = ["sample", sources / "run", "--num-images", "1", "--out", out]
    assert "the file exists. Give another, or --overwrite." in failure(capsys, *command)
    assert out.read_text() == "mine"
    assert main([*map(str, command), "--overwrite"]) == 0
    assert Image.open(out).size == (8, 8)
    assert capsys.readouterr().out.startswith("Wrote 1 image of ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "grid.jpg"], "--out grid.jpg: unknown suffix '.jpg'. End it in .png"),
        (["--out", "grid.png", "--format", "npz"], "--format npz needs a name in .npz."),
        (["--out", "images", "--format", "grid"], "--format grid needs a name in .png."),
        (["--num-images", "0"], "--num-images 0: give an integer of at least 1."),
        (["--truncation", "0"], "--truncation 0.0: give a positive number."),
        (["--seed", str(2**63)], "give an integer of at most 64 bits"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    sources, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert message in failure(capsys, "sample", sources / "run", *arguments)
    assert not list(tmp_path.iterdir())


def test_more_images_than_an_export_gives_at_once_are_refused(sources, tmp_path, capsys):
    arguments = ["--num-images", "4097", "--out", tmp_path / "grid.png"]
    message = failure(capsys, "sample", sources / "exported", *arguments)
    assert "num_images=4097: give an integer from 1 to 4096" in message


def test_sources_that_hold_no_model_are_refused(sources, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").write_text("{}")
    (tmp_path / "damaged.keras").write_bytes(b"not a zip")
    (tmp_path / "picture.jpg").write_bytes(b"")
    expected = {
        "nothing": "nothing: there is nothing. Give a folder of saved_models/, a run folder or",
        "empty": "No SavedModel and no numbered version in this folder",
        "unfinished": "this run has no model.keras yet; it has not finished.",
        "damaged.keras": "damaged.keras cannot be loaded: it is damaged, or of a class that",
        "picture.jpg": "picture.jpg: give a .keras file, a run folder or a folder of saved_models/",
    }
    for source, message in expected.items():
        assert message in failure(capsys, "sample", source)
    assert not (tmp_path / "samples.png").exists()


def test_a_keras_model_that_cannot_sample_is_refused(tmp_path, capsys):
    import keras

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    out = tmp_path / "grid.png"
    message = failure(capsys, "sample", tmp_path / "dense.keras", "--out", out)
    assert "dense.keras: Sequential cannot sample; give a generative model." in message


def test_record_says_why_a_run_cannot_be_recorded(tmp_path, capsys):
    (tmp_path / "README.md").write_text("")
    arguments = ["--readme", tmp_path / "README.md"]
    assert "no run here (no config.json)" in failure(capsys, "record", tmp_path / "x", *arguments)


def test_tables_writes_what_the_results_give_and_says_which_pages_changed(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("<!-- results:gans -->\nmade up\n<!-- /results -->\n")
    assert main(["tables", "--root", str(tmp_path)]) == 0
    assert "made up" not in page.read_text()
    assert capsys.readouterr().out == f"Updated {page}\n"
    assert main(["tables", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "All tables are up to date.\n"
    assert "there is no README.md" in failure(capsys, "tables", "--root", tmp_path / "x")


def test_a_defect_is_not_dressed_up_as_a_users_error(sources, monkeypatch, tmp_path):
    import keras_gen.artifacts.pictures as artifacts

    def defect(images, value_range):
        return int("not a number")

    # Of this file, so not raised by the package on purpose.
    monkeypatch.setattr(artifacts, "image_grid", defect)
    with pytest.raises(ValueError, match="invalid literal"):
        main(["sample", str(sources / "run"), "--out", str(tmp_path / "grid.png")])


def test_help_needs_no_tensorflow():
    script = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from keras_gen.__main__ import main; main(['--help'])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "sample" in shown.stdout and "record" in shown.stdout


def test_the_program_prints_one_line_and_exits_with_its_code(sources, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "keras_gen", "sample", *map(str, arguments)]
        # Without the tests' own settings, as a user has it.
        environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    out = tmp_path / "grid.png"
    done = run(sources / "exported", "--seed", "7", "--num-images", "4", "--out", out)
    version = sources / "exported" / "1"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Wrote 4 images of {version}, seed 7: {out}\n"
    failed = run(sources / "exported", "--out", out)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == f"error: --out {out}: the file exists. Give another, or --overwrite.\n"
