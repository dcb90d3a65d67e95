"""The Python of docs/latent.md runs as it stands, and its commands and pictures exist."""

import inspect
import pathlib
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from keras_gen.__main__ import COMMANDS
from keras_gen.models import DCGAN

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "latent.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/mine").mkdir(parents=True)
    DCGAN((28, 28, 1), 100, 4).save("runs/mine/model.keras")
    (code,) = blocks("python")
    # Digits that are embedded stand in for MNIST, and a few steps for many.
    small = code.replace('"mnist"', '"digits"').replace("prior_weight=0.1", "steps=2")
    assert small.count("digits") > code.count("digits") and "steps=2" in small
    exec(small, {})  # noqa: S102
    written = re.findall(r'"(\w+\.(?:png|gif))"', code)
    assert len(written) == 8
    for name in written:
        with Image.open(tmp_path / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 0, name


@pytest.mark.parametrize("line", "".join(blocks("bash")).splitlines())
def test_the_commands_of_the_page_exist_with_their_flags(line):
    _, _, package, command, *arguments = shlex.split(line)
    assert package == "keras_gen"
    names = inspect.signature(COMMANDS[command]).parameters
    parameters = {name.replace("_", "-") for name in names}
    flags = {each.removeprefix("--") for each in arguments if each.startswith("--")}
    assert flags <= parameters


def test_links_and_pictures_of_the_page_exist():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", PAGE)
    assert len(targets) >= 4
    for target in targets:
        assert (DOCS / target).exists(), target
