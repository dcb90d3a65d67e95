"""Imports point one way (see "The house" in CONTRIBUTING.md)."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_gen"

# package -> what of keras_gen it may import, itself included
MAY_IMPORT = {
    "layers": {"layers"},
    "losses": {"losses"},
    "models": {"models", "layers", "losses"},
    "data": {"data"},
    "artifacts": {"artifacts"},
    "metrics": {"metrics", "artifacts"},
    "latent": {"latent", "artifacts"},
    "training": {"training", "artifacts"},
    "export": {"export"},
    "lab": {"lab", "losses", "layers", "artifacts", "metrics"},
}
MAY_IMPORT["commands"] = {*MAY_IMPORT, "commands"}  # what a user calls may use everything


def imported(path):
    """The names below keras_gen that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "keras_gen" and len(parts) > 1:
                yield parts[1]
            if parts[0] in ("recipes", "tests", "benchmarks"):
                yield parts[0]


def test_every_package_has_a_rule():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(MAY_IMPORT)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.name))
def test_packages_import_only_what_lies_below_them(path):
    parts = path.relative_to(PACKAGE).parts
    allowed = MAY_IMPORT[parts[0]] if len(parts) > 1 else {*MAY_IMPORT, "__version__"}
    assert set(imported(path)) <= allowed


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.py")), ids=lambda p: p.stem)
def test_recipes_import_no_other_recipe_and_hold_no_class(path):
    assert "recipes" not in set(imported(path))
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(path.read_text())))
    assert 40 <= len(path.read_text().splitlines()) <= 90


def test_the_rule_is_enforced(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from keras_gen.models import GAN\n")
    assert set(imported(wrong)) == {"models"}
