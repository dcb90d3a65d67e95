"""Results: from a finished run to `results/<recipe>.json` and the tables in README and docs.

A number gets into the repository in this way only; nobody types it.
"""

import math
import pathlib
import re
from typing import NamedTuple

from keras_gen.artifacts.files import write_json
from keras_gen.training.metric_names import METRIC_ENDINGS, METRICS, is_known, metric_order
from keras_gen.training.tables import (
    check_family,
    read_json,
    read_published,
    read_results,
    rewrite,
    stale_pages,
)

_SPEED_PROTOCOL = "mean over training from its second step on, callbacks included"


class Recorded(NamedTuple):
    """What `record` did: the result's path, what changed in it, and the pages rewritten."""

    path: pathlib.Path
    changes: list
    pages: list


def record(run_folder, results_dir="results", readme="README.md", overwrite=False, variant=None):
    """Files a finished run as its recipe's result and brings the tables up to date.

    Everything is checked before the first file is written.

    Args:
        run_folder: the folder of a finished run, with `config.json` and `metrics.json`.
        results_dir: the folder of results. Made if missing.
        readme: the page with the tables; `docs/*.md` beside it count too.
        overwrite: whether to replace the recipe's earlier result.
        variant: a name for what the run's flags changed, such as `"k5"`: the result then stands
            beside the recipe's own, as `<recipe>-<variant>.json`. None for the defaults.

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
    if variant is not None and not re.fullmatch(r"\w+", variant):
        raise ValueError(f"variant={variant!r}: give letters, digits and _ only, such as k5.")
    result = _result(*_read_run(run_folder)) | {"variant": variant}
    name = result["recipe"] + (f"-{variant}" if variant else "")
    path = results_dir / f"{name}.json"
    earlier = read_json(path) if path.exists() else None
    changes = [] if earlier is None else _differences(earlier, result)
    if earlier is not None and not overwrite:
        raise ValueError(
            f"{path} exists. Give --overwrite to replace it. That would change: "
            f"{'; '.join(changes) or 'nothing'}."
        )

    check_family(readme, result["family"])
    key = (result["recipe"], variant)
    others = [
        other
        for other in read_results(results_dir)
        if (other["recipe"], other.get("variant")) != key
    ]
    stale = stale_pages(readme, [*others, result], read_published(results_dir))
    results_dir.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return Recorded(path, changes, rewrite(stale))


# ---------------------------------------------------------------------- from a run to a result


def _read_run(folder):
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder}: no run here (no config.json). Give a run folder.")
    config = read_json(folder / "config.json")
    measured = read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
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
    demonstration = bool(config.get("demonstration"))
    try:
        result = {
            **{name: config[name] for name in ("recipe", "family", "title", "paper", "command")},
            "arguments": {name: _portable(value) for name, value in config["arguments"].items()},
            **({"demonstration": True} if demonstration else _training(config, measured)),
            "data": config["data"],
            "seed": config["arguments"]["seed"],
            "seconds": measured["seconds"],
            "peak_memory_mib": measured["peak_memory_mib"],
            "machine": config["machine"],
            "versions": config["versions"],
            "commit": config["commit"],
            "dirty": config["dirty"],
            "metrics": _metrics(folder, measured, any_name=demonstration),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder}: config.json or metrics.json lacks {error}. They are damaged or were "
            "written by another version."
        ) from error
    if not re.fullmatch(r"\w+", result["recipe"]):
        raise ValueError(
            f"recipe={result['recipe']!r} in {folder / 'config.json'}: a recipe's name has "
            "letters, digits and _ only."
        )
    return result


def _training(config, measured):
    return {
        "options": {
            name: config["options"][name]
            for name in ("strategy", "replicas", "mixed_precision")
            if name in config.get("options", {})
        },
        "parameters": config["model"]["parameters"],
        "steps": measured["steps"],
        "epochs": measured["epochs"],
    }


def _metrics(folder, measured, any_name):
    metrics = dict(measured["metrics"])
    if measured.get("images_per_second") is not None:
        speed = {"value": measured["images_per_second"], "protocol": _SPEED_PROTOCOL}
        metrics.setdefault("images_per_second", speed)
    for name, metric in metrics.items():
        if not any_name and not is_known(name):
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
    return {name: metrics[name] for name in sorted(metrics, key=metric_order)}


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
