import copy
import json
import pathlib

import pytest

from keras_gen.training.metric_names import METRICS, headlines
from keras_gen.training.results import record
from keras_gen.training.tables import render_table, tables_differ, update_tables

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

CONFIG = {
    "recipe": "dcgan_mnist",
    "family": "gans",
    "title": "DCGAN",
    "paper": "arXiv:1511.06434",
    "command": "python recipes/dcgan_mnist.py",
    "command_line": ["recipes/dcgan_mnist.py", "--out", "/home/someone/run"],
    "arguments": {"data": "mnist", "filters": 64, "ema_decay": 0.99, "seed": 3},
    "options": {"out": "/home/someone/run", "strategy": "auto", "mixed_precision": "float32"},
    "model": {"class": "DCGAN", "config": {}, "optimizers": {}, "parameters": 3000123},
    "data": {
        "name": "mnist",
        "split": "train",
        "fingerprint": "abc",
        "num_examples": 60000,
        "example_shape": [28, 28, 1],
        "stand_in_for": None,
    },
    "versions": {"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.1"},
    "machine": {"processor": "Xeon", "cores": 2, "memory_gib": 8.0, "gpus": []},
    "commit": "0123abc",
    "dirty": False,
}
MEASURED = {
    "finished": True,
    "steps": 5000,
    "epochs": 10.68,
    "seconds": 754.2,
    "images_per_second": 1234.5,
    "peak_memory_mib": 900.0,
    "metrics": {
        "test_generator_loss": {"value": 1.23456, "protocol": "10,000 test images"},
        "fd_mnist": {"value": 8.125, "protocol": "10,000 samples, test split"},
    },
}
PAGE = """# Title

<!-- results:gans -->
<!-- /results -->

Words below.

<!-- results:flows -->

an old table

<!-- /results -->
"""
RENDERED = """\
| Model | Data | Metrics | Parameters | Steps / epochs | Time and machine | Seed | Recipe | Paper |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| DCGAN | mnist | FD[mnist] 8.125<br>images_per_second 1,234<br>test_generator_loss 1.235 \
| 3,000,123 | 5,000 / 10.7 | 13 min, 2 cores of Xeon | 3 | `python recipes/dcgan_mnist.py` \
| [arXiv:1511.06434](https://arxiv.org/abs/1511.06434) |

How each was measured:

- FD[mnist] (dcgan_mnist): 10,000 samples, test split
- images_per_second (dcgan_mnist): mean over training from its second step on, callbacks included
- test_generator_loss (dcgan_mnist): 10,000 test images"""


@pytest.fixture
def root(tmp_path):
    """A repository with a page that has tables, and no results yet."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(PAGE)
    (tmp_path / "docs" / "gans.md").write_text(PAGE)
    (tmp_path / "docs" / "plain.md").write_text("No tables here.\n")
    return tmp_path


def make_run(folder, changes=()):
    """A run folder; `changes` are `(path of keys, value)` in config.json or metrics.json."""
    files = {"config": copy.deepcopy(CONFIG), "metrics": copy.deepcopy(MEASURED)}
    for path, value in changes:
        *parents, last = path.split("/")
        place = files
        for name in parents:
            place = place[name]
        place[last] = value
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def record_in(root, run, **arguments):
    return record(run, root / "results", root / "README.md", **arguments)


def snapshot(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_result_keeps_what_was_measured_and_how(root):
    recorded = record_in(root, make_run(root / "run"))
    assert recorded.path == root / "results" / "dcgan_mnist.json"
    assert recorded.changes == []
    result = json.loads(recorded.path.read_text())
    for name in ("recipe", "family", "title", "paper", "command", "data", "machine", "versions"):
        assert result[name] == CONFIG[name]
    for name in ("steps", "epochs", "seconds", "peak_memory_mib"):
        assert result[name] == MEASURED[name]
    assert result["arguments"] == CONFIG["arguments"]
    assert (result["parameters"], result["seed"]) == (3000123, 3)
    assert (result["commit"], result["dirty"]) == ("0123abc", False)
    assert result["metrics"]["fd_mnist"] == MEASURED["metrics"]["fd_mnist"]
    assert result["metrics"]["images_per_second"]["value"] == 1234.5
    assert result["metrics"]["images_per_second"]["protocol"]


def test_a_result_does_not_say_where_files_lay(root):
    run = make_run(root / "run", [("config/arguments/data", "/home/someone/birds")])
    text = record_in(root, run).path.read_text()
    assert "/home" not in text
    assert json.loads(text)["arguments"]["data"] == "birds"


def test_the_tables_of_every_page_are_brought_up_to_date(root):
    recorded = record_in(root, make_run(root / "run"))
    assert recorded.pages == [root / "README.md", root / "docs" / "gans.md"]
    expected = (
        f"# Title\n\n<!-- results:gans -->\n\n{RENDERED}\n\n<!-- /results -->\n\nWords below.\n\n"
        "<!-- results:flows -->\n\nNo results recorded yet.\n\n<!-- /results -->\n"
    )
    assert (root / "README.md").read_text() == expected
    assert (root / "docs" / "gans.md").read_text() == expected
    assert (root / "docs" / "plain.md").read_text() == "No tables here.\n"


def test_a_table_that_was_typed_by_hand_is_found_and_put_right(root):
    record_in(root, make_run(root / "run"))
    assert tables_differ(root) == []
    page = root / "docs" / "gans.md"
    right = page.read_text()
    page.write_text(right.replace("8.125", "2.125"))
    assert tables_differ(root) == [page]
    assert update_tables(root) == [page]
    assert page.read_text() == right
    assert update_tables(root) == []


def publish(root, **changes):
    figure = {"metric": "fd_mnist", "value": 6.5, "source": "a paper", "protocol": "its own"}
    figure = {k: v for k, v in (figure | changes).items() if v is not None}
    (root / "results" / "published").mkdir(parents=True)
    (root / "results" / "published" / "dcgan_mnist.json").write_text(
        json.dumps({"figures": [figure]})
    )


def test_published_figures_stand_below_the_table_with_their_protocol(root):
    publish(root)
    record_in(root, make_run(root / "run"))
    text = (root / "README.md").read_text()
    assert f"{RENDERED}\n\nPublished figures:\n\n- FD[mnist] (dcgan_mnist): 6.5, " in text
    assert "a paper: its own\n" in text
    assert tables_differ(root) == []


def test_a_published_figure_without_its_protocol_is_refused(root):
    publish(root, protocol=None)
    with pytest.raises(ValueError, match="needs metric, value, source and protocol"):
        record_in(root, make_run(root / "run"))


def test_published_figures_are_those_of_recipes():
    recipes = {path.stem for path in (REPOSITORY / "recipes").glob("*.py")}
    assert {path.stem for path in (REPOSITORY / "results/published").glob("*.json")} <= recipes


def test_a_removed_result_leaves_the_tables(root):
    recorded = record_in(root, make_run(root / "run"))
    recorded.path.unlink()
    assert tables_differ(root) == [root / "README.md", root / "docs" / "gans.md"]


def test_the_table_does_not_depend_on_the_order_of_the_results(root):
    first = json.loads(record_in(root, make_run(root / "run")).path.read_text())
    second = first | {"recipe": "gan_mnist", "title": "GAN"}
    other = first | {"recipe": "nice_mnist", "family": "flows", "title": "NICE"}
    table = render_table([second, other, first], "gans")
    assert table == render_table([first, second, other], "gans")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| DCGAN", "| GAN"]
    assert "- FD[mnist] (dcgan_mnist, gan_mnist): 10,000 samples, test split" in table


def test_models_stand_side_by_side_with_what_two_or_more_measured(root):
    first = json.loads(record_in(root, make_run(root / "run")).path.read_text())
    metrics = first["metrics"] | {"probe_accuracy": {"value": 0.5, "protocol": "one alone"}}
    second = first | {"recipe": "gan_mnist", "metrics": metrics, "seconds": 60}
    unscored = first | {"recipe": "wgan_mnist", "metrics": {}}
    table = render_table([second, unscored, first], "gans_side_by_side").splitlines()
    assert table == [
        "| Recipe | FD[mnist] | images_per_second | Time |",
        "| --- | --- | --- | --- |",
        "| dcgan_mnist | 8.125 | 1,234 | 13 min |",
        "| gan_mnist | 8.125 | 1,234 | 1 min |",
    ]
    assert render_table([], "gans_side_by_side") == "No results recorded yet."


def test_a_brief_table_has_a_line_for_each_recipe_and_the_first_published_figure(root):
    first = json.loads(record_in(root, make_run(root / "run")).path.read_text())
    metrics = first["metrics"] | {"baseline_nll_nats": {"value": 1.0, "protocol": "not ours"}}
    variant = first | {"variant": "long"}
    figures = [
        {"metric": metric, "value": value, "source": "a paper", "protocol": "its own"}
        for metric, value in (("fd_mnist", 7.0), ("fd_mnist", 9.0), ("kd_mnist", 1.0))
    ]
    table = render_table(
        [variant, first | {"metrics": metrics}], "gans_brief", {"dcgan_mnist": figures}
    )
    assert table.splitlines() == [
        "| Model | Data | Measured | Published | Time and machine | Recipe | Paper |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| DCGAN | mnist | FD[mnist] 8.125 | FD[mnist] 7 "
        "| 13 min, 2 cores of Xeon | `recipes/dcgan_mnist.py` "
        "| [arXiv:1511.06434](https://arxiv.org/abs/1511.06434) |",
    ]


def test_headlines_say_what_a_model_is_for():
    names = ["images_per_second", "baseline_nll_nats", "test_loss", "kd_mnist", "bce_per_pixel"]
    assert headlines(names) == ["bce_per_pixel", "kd_mnist"]
    assert headlines([*names, "fd_mnist", "progressed_accuracy"]) == [
        "progressed_accuracy",
        "fd_mnist",
    ]
    assert headlines(["images_per_second"]) == []


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        ([("metrics/seconds", 42.4)], "42 s, 2 cores of Xeon"),
        ([("metrics/seconds", 12000)], "3 h 20 min, 2 cores of Xeon"),
        ([("config/machine/gpus", ["H200", "H200"])], "13 min, 2 x H200"),
        ([("config/machine/cores", 1)], "13 min, 1 core of Xeon"),
        ([("config/title", "A | B")], "A \\| B"),
        ([("config/paper", "Smith 2014")], "Smith 2014"),
        ([("metrics/metrics/fd_mnist/value", 0.000123456)], "FD[mnist] 0.0001235<br>"),
        ([("metrics/metrics/fd_mnist/value", 12345.6)], "FD[mnist] 12,346<br>"),
        ([("metrics/metrics/fd_mnist/value", -99.98765)], "FD[mnist] -99.99<br>"),
    ],
)
def test_cells_are_readable(root, changes, cell):
    record_in(root, make_run(root / "run", changes))
    assert cell in (root / "README.md").read_text()


def test_a_second_result_needs_overwrite_and_says_what_changes(root):
    record_in(root, make_run(root / "first"))
    before = snapshot(root / "results")
    second = make_run(
        root / "second",
        [("metrics/metrics/fd_mnist/value", 7.5), ("config/commit", "fff"), ("metrics/steps", 9)],
    )
    changes = ["commit: 0123abc -> fff", "metrics.fd_mnist.value: 8.125 -> 7.5", "steps: 5000 -> 9"]
    with pytest.raises(ValueError, match="dcgan_mnist.json exists. Give --overwrite") as refusal:
        record_in(root, second)
    assert "; ".join(changes) in str(refusal.value)
    assert snapshot(root / "results") == before
    assert record_in(root, second, overwrite=True).changes == changes
    page = (root / "README.md").read_text()
    assert "FD[mnist] 7.5<br>" in page and "FD[mnist] 8.125<br>" not in page
    assert tables_differ(root) == []


def test_a_result_keeps_those_of_other_recipes_in_the_table(root):
    record_in(root, make_run(root / "run"))
    record_in(root, make_run(root / "other", [("config/recipe", "gan"), ("config/title", "GAN")]))
    page = (root / "README.md").read_text()
    assert "| DCGAN |" in page and "| GAN |" in page
    assert tables_differ(root) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("metrics/finished", False)], "has not finished. Continue it with --resume"),
        ([("config/data/stand_in_for", "mnist"), ("config/data/name", "digits")],
         "used digits, the stand-in for mnist, .* --strict-data makes sure"),
        ([("metrics/metrics/fid", {"value": 1.0, "protocol": "x"})],
         "metric 'fid' has no known name. Use one of nll_nats, .* ends in _loss or _probability"),
        ([("metrics/metrics/fd_mnist/value", float("nan"))], "fd_mnist is nan. The run diverged"),
        ([("metrics/metrics/fd_mnist/value", "8")], "fd_mnist is '8', not a number"),
        ([("metrics/metrics/fd_mnist/protocol", "")], "fd_mnist has no protocol. Say on what"),
        ([("metrics/metrics/fd_mnist", {"value": 1.0})], "lacks 'protocol'. They are damaged"),
        ([("config/model", {})], "config.json or metrics.json lacks 'parameters'"),
        ([("config/data", {})], "config.json lacks 'stand_in_for': it is damaged"),
        ([("config/recipe", "../x")], "recipe='../x' .*: a recipe's name has letters"),
        ([("config/family", "gan")], "no table for family 'gan'. Add the lines <!-- results:gan"),
    ],
)  # fmt: skip
def test_a_run_that_is_no_result_is_refused_and_nothing_is_written(root, changes, message):
    run = make_run(root / "run", changes)
    before = snapshot(root)
    with pytest.raises(ValueError, match=message):
        record_in(root, run)
    assert snapshot(root) == before


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_fixed_metric_name_is_taken(root, name):
    run = make_run(root / "run", [(f"metrics/metrics/{name}", {"value": 1.0, "protocol": "x"})])
    result = json.loads(record_in(root, run).path.read_text())
    assert result["metrics"][name] == {"value": 1.0, "protocol": "x"}


def test_a_run_without_metrics_has_not_finished(root):
    run = make_run(root / "run")
    (run / "metrics.json").unlink()
    with pytest.raises(ValueError, match="this run has not finished"):
        record_in(root, run)


@pytest.mark.parametrize("name", ["config", "metrics"])
@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_file_of_a_run_is_named(root, name, content):
    run = make_run(root / "run")
    (run / f"{name}.json").write_text(content)
    with pytest.raises(ValueError, match=f"{name}.json is damaged"):
        record_in(root, run)


def test_missing_runs_and_pages_are_named(root):
    with pytest.raises(FileNotFoundError, match="elsewhere: no run here"):
        record_in(root, root / "elsewhere")
    with pytest.raises(FileNotFoundError, match="readme=.*: no such page"):
        record(make_run(root / "run"), root / "results", root / "no.md")


def test_a_marker_without_its_end_is_refused_before_anything_is_written(root):
    (root / "docs" / "gans.md").write_text("<!-- results:gans -->\n\n<!-- results:flows -->\n"
                                           "<!-- /results -->\n")  # fmt: skip
    run = make_run(root / "run")
    before = snapshot(root)
    with pytest.raises(ValueError, match="gans.md: <!-- results:gans --> has no <!-- /results -->"):
        record_in(root, run)
    assert snapshot(root) == before


@pytest.mark.parametrize("content", ["{", '{"recipe": "x"}'])
def test_a_damaged_result_is_named(root, content):
    (root / "results").mkdir()
    (root / "results" / "x.json").write_text(content)
    with pytest.raises(ValueError, match="x.json is damaged"):
        update_tables(root)


def test_the_tables_of_this_repository_say_what_was_measured():
    assert tables_differ(REPOSITORY) == [], "put right by: python -m keras_gen tables"


def test_a_variant_stands_beside_the_result_of_the_defaults(root):
    record_in(root, make_run(root / "run"))
    run = make_run(root / "other", [("metrics/metrics/fd_mnist/value", 7.5)])
    recorded = record_in(root, run, variant="wide")
    assert recorded.path == root / "results" / "dcgan_mnist-wide.json"
    readme = (root / "README.md").read_text()
    assert "| DCGAN | " in readme and "| DCGAN, wide | " in readme
    assert "FD[mnist] 8.125" in readme and "FD[mnist] 7.5" in readme
    assert "- FD[mnist] (dcgan_mnist, dcgan_mnist-wide): " in readme
    assert record_in(root, run, variant="wide", overwrite=True).changes == []
    with pytest.raises(ValueError, match="variant='../x': give letters"):
        record_in(root, run, variant="../x")


DEMONSTRATED = [
    ("config/demonstration", True),
    ("config/family", "lines"),
    ("config/recipe", "lines"),
    ("config/command", "python recipes/lines.py"),
    ("config/data", {"name": "none", "stand_in_for": None}),
    ("config/model", None),
    ("metrics/steps", None),
    ("metrics/images_per_second", None),
    (
        "metrics/metrics",
        {
            "js": {"value": 0.6931234, "analytic": 0.6931472, "protocol": "nats, at |1|"},
            "noise": {"value": 3.0, "analytic": None, "protocol": "somewhere"},
        },
    ),
]


def test_a_demonstration_is_filed_with_the_analytic_values_beside_its_own(root):
    (root / "docs" / "lines.md").write_text("<!-- results:lines -->\n<!-- /results -->\n")
    recorded = record_in(root, make_run(root / "run", DEMONSTRATED))
    result = json.loads(recorded.path.read_text())
    assert result["metrics"] == dict(DEMONSTRATED)["metrics/metrics"]
    assert "parameters" not in result and "steps" not in result
    expected = """<!-- results:lines -->

| Quantity | Measured | Analytic | On what |
| --- | --- | --- | --- |
| js | 0.693123 | 0.693147 | nats, at \\|1\\| |
| noise | 3 | - | somewhere |

`python recipes/lines.py`, seed 3, 13 min, 2 cores of Xeon.

<!-- /results -->
"""
    assert (root / "docs" / "lines.md").read_text() == expected
    assert tables_differ(root) == []
