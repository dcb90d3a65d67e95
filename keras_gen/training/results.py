"""Results: from a finished run to `results/<recipe>.json` and the tables in README and docs.

A number gets into the repository in this way only; nobody types it. A table stands between

    <!-- results:gans -->
    <!-- /results -->

each on a line of its own, with the family's name after the colon. It is a pure function of the
JSON files, so that a test can tell whether a page still says what was measured.
"""

import json
import math
import pathlib
import re
from typing import NamedTuple

from keras_gen.artifacts.files import write_atomic, write_json

METRICS = (
    "nll_nats",
    "elbo_nats",
    "bits_per_dim",
    "bce_per_pixel",
    "reconstruction_mse",
    "fd_mnist",
    "fd_fashion_mnist",
    "kd_mnist",
    "precision",
    "recall",
    "density",
    "coverage",
    "classifier_score",
    "conditional_accuracy",
    "modes",
    "high_quality_share",
    "reverse_kl",
    "images_per_second",
)
METRIC_ENDINGS = ("_loss", "_probability")
_SPEED_PROTOCOL = "mean over training from its second step on, callbacks included"
_OPENING = re.compile(r"^<!-- results:(\w+) -->[ \t]*$", re.MULTILINE)
_BLOCK = re.compile(
    r"^(<!-- results:(\w+) -->)[ \t]*\n(?:(?!<!-- results:).*\n)*?(<!-- /results -->)[ \t]*$",
    re.MULTILINE,
)


class Recorded(NamedTuple):
    """What `record` did: the result's path, what changed in it, and the pages rewritten."""

    path: pathlib.Path
    changes: list
    pages: list


def record(run_folder, results_dir="results", readme="README.md", overwrite=False):
    """Files a finished run as its recipe's result and brings the tables up to date.

    Everything is checked before the first file is written.

    Args:
        run_folder: the folder of a finished run, with `config.json` and `metrics.json`.
        results_dir: the folder of results. Made if missing.
        readme: the page with the tables; `docs/*.md` beside it count too.
        overwrite: whether to replace the recipe's earlier result.

    Returns:
        A `Recorded`; its `changes` are lines `name: old -> new`, empty for a first result.

    Raises:
        FileNotFoundError: there is no such run or page.
        ValueError: the run is unfinished, diverged or used stand-in data; a file is damaged; a
            metric has no known name; a result exists and `overwrite` is false; no page has a
            table for the family; or a page has a marker without its end.
    """
    run_folder, results_dir = pathlib.Path(run_folder), pathlib.Path(results_dir)
    readme = pathlib.Path(readme)
    if not readme.is_file():
        raise FileNotFoundError(
            f"readme={str(readme)!r}: no such page. Run this where it is, or give its path."
        )
    result = _result(*_read_run(run_folder))
    path = results_dir / f"{result['recipe']}.json"
    earlier = _read_json(path) if path.exists() else None
    changes = [] if earlier is None else _differences(earlier, result)
    if earlier is not None and not overwrite:
        raise ValueError(
            f"{path} exists. Give --overwrite to replace it. That would change: "
            f"{'; '.join(changes) or 'nothing'}."
        )

    families = {
        family for page in _pages(readme) for family in _OPENING.findall(page.read_text("utf-8"))
    }
    if result["family"] not in families:
        raise ValueError(
            f"{readme} and docs/*.md have no table for family {result['family']!r}. Add the lines "
            f"<!-- results:{result['family']} --> and <!-- /results --> where it should stand."
        )
    others = [other for other in _read_results(results_dir) if other["recipe"] != result["recipe"]]
    stale = _stale_pages(readme, [*others, result])
    results_dir.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return Recorded(path, changes, _rewrite(stale))


def update_tables(root="."):
    """Writes the tables of `README.md` and `docs/*.md` anew from `results/*.json`.

    Args:
        root: the folder that holds them.

    Returns:
        The paths of the pages that changed.

    Raises:
        ValueError: a result is damaged or a marker has no end.
    """
    root = pathlib.Path(root)
    return _rewrite(_stale_pages(root / "README.md", _read_results(root / "results")))


def tables_differ(root="."):
    """The pages whose tables are not what `results/*.json` give; nothing is written.

    Args:
        root: the folder with `README.md`, `docs` and `results`.

    Returns:
        A list of paths; empty when all is well.

    Raises:
        ValueError: a result is damaged or a marker has no end.
    """
    root = pathlib.Path(root)
    return list(_stale_pages(root / "README.md", _read_results(root / "results")))


def render_table(results, family):
    """The table of a family, and below it how each metric was measured.

    Args:
        results: the contents of `results/*.json`, in any order.
        family: which of them to show.

    Returns:
        Markdown, without a line break at its end.
    """
    rows = sorted((r for r in results if r["family"] == family), key=lambda r: r["recipe"])
    if not rows:
        return "No results recorded yet."
    columns = {
        "Model": lambda r: r["title"],
        "Data": lambda r: r["data"]["name"],
        "Metrics": lambda r: "<br>".join(f"{n} {_number(v)}" for n, v in _values(r)),
        "Parameters": lambda r: _number(r["parameters"]),
        "Steps / epochs": lambda r: f"{r['steps']:,} / {r['epochs']:.1f}",
        "Time and machine": lambda r: f"{_duration(r['seconds'])}, {_machine(r['machine'])}",
        "Seed": lambda r: str(r["seed"]),
        "Recipe": lambda r: f"`{r['command']}`",
        "Paper": lambda r: _link(r["paper"]),
    }
    lines = [_row(columns), _row("---" for _ in columns)]
    lines += [_row(cell(result) for cell in columns.values()) for result in rows]
    return "\n".join([*lines, "", "How each was measured:", "", *_protocols(rows)])


# ---------------------------------------------------------------------- from a run to a result


def _read_run(folder):
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder}: no run here (no config.json). Give a run folder.")
    config = _read_json(folder / "config.json")
    measured = _read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
    if measured.get("finished") is not True:
        raise ValueError(
            f"{folder}: this run has not finished. Continue it with --resume, then record it."
        )
    try:
        stand_in_for = config["data"]["stand_in_for"]
        trained_on = config["data"]["name"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'config.json'} lacks {error}: it is damaged.") from error
    if stand_in_for:
        raise ValueError(
            f"{folder}: this run used {trained_on}, the stand-in for {stand_in_for}, and would be "
            f"filed under data that it never saw. Run it where {stand_in_for} can be had; "
            "--strict-data makes sure of it."
        )
    return folder, config, measured


def _result(folder, config, measured):
    """The contents of `results/<recipe>.json`."""
    try:
        result = {
            **{name: config[name] for name in ("recipe", "family", "title", "paper", "command")},
            "arguments": {name: _portable(value) for name, value in config["arguments"].items()},
            "options": {
                name: config["options"][name]
                for name in ("strategy", "replicas", "mixed_precision")
                if name in config.get("options", {})
            },
            "data": config["data"],
            "parameters": config["model"]["parameters"],
            "steps": measured["steps"],
            "epochs": measured["epochs"],
            "seed": config["arguments"]["seed"],
            "seconds": measured["seconds"],
            "peak_memory_mib": measured["peak_memory_mib"],
            "machine": config["machine"],
            "versions": config["versions"],
            "commit": config["commit"],
            "dirty": config["dirty"],
            "metrics": _metrics(folder, measured),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder}: config.json or metrics.json lacks {error}. They are damaged or were "
            "written by another version."
        ) from error
    if not re.fullmatch(r"[\w-]+", result["recipe"]):
        raise ValueError(
            f"recipe={result['recipe']!r} in {folder / 'config.json'}: a recipe's name has "
            "letters, digits, - and _ only."
        )
    return result


def _metrics(folder, measured):
    metrics = dict(measured["metrics"])
    if measured.get("images_per_second") is not None:
        speed = {"value": measured["images_per_second"], "protocol": _SPEED_PROTOCOL}
        metrics.setdefault("images_per_second", speed)
    for name, metric in metrics.items():
        if name not in METRICS and not name.endswith(METRIC_ENDINGS):
            raise ValueError(
                f"{folder / 'metrics.json'}: metric {name!r} has no known name. Use one of "
                f"{', '.join(METRICS)}, or one that ends in {' or '.join(METRIC_ENDINGS)}."
            )
        value = metric["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{folder / 'metrics.json'}: {name} is {value!r}, not a number.")
        if not math.isfinite(value):
            raise ValueError(
                f"{folder / 'metrics.json'}: {name} is {value}. The run diverged; there is no "
                "result to record."
            )
        if not metric["protocol"]:
            raise ValueError(
                f"{folder / 'metrics.json'}: {name} has no protocol. Say on what and how it was "
                "measured."
            )
    return {name: metrics[name] for name in sorted(metrics, key=_metric_order)}


def _portable(value):
    """A result says what was trained on, not where on a disk it lay."""
    is_path = isinstance(value, str) and pathlib.Path(value).is_absolute()
    return pathlib.Path(value).name if is_path else value


def _differences(earlier, later, prefix=""):
    """Lines `name: old -> new` of every value that differs, in order of the names."""
    lines = []
    for name in sorted({*earlier, *later}):
        old, new = earlier.get(name, "-"), later.get(name, "-")
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {old} -> {new}")
    return lines


def _read_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object.")
    return content


def _read_results(results_dir):
    needed = {
        *("recipe", "family", "title", "paper", "command", "data", "parameters", "steps"),
        *("epochs", "seed", "seconds", "machine", "metrics"),
    }
    results = []
    for path in sorted(results_dir.glob("*.json")):
        results.append(_read_json(path))
        missing = sorted(needed - set(results[-1]))
        if missing:
            raise ValueError(f"{path} is damaged: it lacks {', '.join(missing)}.")
    return results


# ---------------------------------------------------------------------- pages


def _stale_pages(readme, results):
    """`{path: new text}` of the pages that do not say what the results say."""
    stale = {}
    for page in _pages(readme):
        text = page.read_text(encoding="utf-8")
        renewed = _renewed(page, text, results)
        if renewed != text:
            stale[page] = renewed
    return stale


def _pages(readme):
    pages = [readme, *sorted((readme.parent / "docs").glob("*.md"))]
    return [page for page in pages if page.exists()]


def _renewed(page, text, results):
    complete = {match.start() for match in _BLOCK.finditer(text)}
    for opening in _OPENING.finditer(text):
        if opening.start() not in complete:
            raise ValueError(
                f"{page}: {opening.group().strip()} has no <!-- /results --> after it. Add that "
                "line where the table ends."
            )
    return _BLOCK.sub(
        lambda match: f"{match[1]}\n\n{render_table(results, match[2])}\n\n{match[3]}", text
    )


def _rewrite(pages):
    for page, text in pages.items():
        write_atomic(page, text)
    return list(pages)


# ---------------------------------------------------------------------- table cells


def _row(cells):
    # A bar or a line break would end the cell.
    safe = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(safe)} |"


def _values(result):
    """`(name, value)` of the metrics: those with fixed names in their order, then the others."""
    metrics = result["metrics"]
    return [(name, metrics[name]["value"]) for name in sorted(metrics, key=_metric_order)]


def _metric_order(name):
    return (METRICS.index(name) if name in METRICS else len(METRICS), name)


def _protocols(results):
    """One line for each way in which a metric was measured, with the recipes that did so."""
    recipes = {}
    for result in results:
        for name, metric in result["metrics"].items():
            key = (_metric_order(name), name, " ".join(metric["protocol"].split()))
            recipes.setdefault(key, []).append(result["recipe"])
    return [
        f"- {name} ({', '.join(measured_by)}): {protocol}"
        for (_, name, protocol), measured_by in sorted(recipes.items())
    ]


def _number(value):
    """Four significant digits; whole from a thousand on, where digits are grouped."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _duration(seconds):
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _machine(machine):
    gpus = [str(name) for name in machine["gpus"]]
    if not gpus:
        cores = machine["cores"]
        return f"{cores} core{'' if cores == 1 else 's'} of {machine['processor']}"
    return " + ".join(f"{gpus.count(name)} x {name}" for name in sorted(set(gpus)))


def _link(paper):
    if paper.startswith("arXiv:"):
        return f"[{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')})"
    return paper
