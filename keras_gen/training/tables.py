"""The tables of results in README and docs.

A table stands between

    <!-- results:gans -->
    <!-- /results -->

each on a line of its own, with the family's name after the colon. `gans_brief` has a line for each
recipe, and `gans_side_by_side` a column for each metric of those models whose samples were scored.
A table is a pure function of the JSON files, so that a test can tell whether a page still says what
was measured.

`results/published/<recipe>.json` holds figures of papers and other projects:
`{"figures": [{"metric": ..., "value": ..., "source": ..., "protocol": ...}]}`. They
stand in a list below the table, each with its protocol, for hardly two were measured alike.
"""

import json
import pathlib
import re
from collections import Counter

from keras_gen.artifacts.files import write_atomic
from keras_gen.training.markdown import grid, table
from keras_gen.training.metric_names import METRICS, headlines, metric_order, printed_name
from keras_gen.training.speed_table import SPEED_TABLES, render_memory

_OPENING = re.compile(r"^<!-- results:(\w+) -->[ \t]*$", re.MULTILINE)
_BLOCK = re.compile(
    r"^(<!-- results:(\w+) -->)[ \t]*\n(?:(?!<!-- results:).*\n)*?(<!-- /results -->)[ \t]*$",
    re.MULTILINE,
)


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
    results = root / "results"
    return rewrite(stale_pages(root / "README.md", read_results(results), read_published(results)))


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
    results = root / "results"
    return list(stale_pages(root / "README.md", read_results(results), read_published(results)))


def render_table(results, family, published=None):
    """The table of a family, and below it how each metric was measured and what others found.

    Args:
        results: the contents of `results/*.json`, in any order.
        family: which of them to show, and `_brief` or `_side_by_side` behind it for such a table.
        published: what `read_published` gave.

    Returns:
        Markdown, without a line break at its end.
    """
    if family == "memory":
        return render_memory(results)
    name = family.removesuffix("_brief").removesuffix("_side_by_side")
    rows = sorted((r for r in results if r["family"] == name), key=_name)
    if not rows:
        return "No results recorded yet."
    if family in SPEED_TABLES:
        return SPEED_TABLES[family](rows[0])
    if family.endswith("_brief"):
        return _brief(rows, published or {})
    if family.endswith("_side_by_side"):
        return _side_by_side(rows)
    if any(row.get("demonstration") for row in rows):
        return "\n\n".join(_demonstration(row) for row in rows)
    columns = {
        "Model": lambda r: r["title"] + (f", {r['variant']}" if r.get("variant") else ""),
        "Data": lambda r: r["data"]["name"],
        "Metrics": lambda r: _lines(_values(r)),
        "Parameters": lambda r: _number(r["parameters"]),
        "Steps / epochs": lambda r: f"{r['steps']:,} / {r['epochs']:.1f}",
        "Time and machine": lambda r: f"{_duration(r['seconds'])}, {_machine(r['machine'])}",
        "Seed": lambda r: str(r["seed"]),
        "Recipe": lambda r: f"`{r['command']}`",
        "Paper": lambda r: _link(r["paper"]),
    }
    lines = [*table(columns, rows), "", "How each was measured:", "", *_protocols(rows)]
    others = _published(rows, published or {})
    return "\n".join([*lines, *(["", "Published figures:", "", *others] if others else [])])


# ---------------------------------------------------------------------- results


def read_json(path):
    """A JSON object from a file; ValueError where it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds no JSON object.")
    return content


def read_results(results_dir):
    """The contents of all results in a folder; ValueError where one is damaged."""
    always = {
        *("recipe", "family", "title", "paper", "command", "data", "seed", "seconds", "machine"),
        "metrics",
    }
    results = []
    for path in sorted(results_dir.glob("*.json")):
        results.append(read_json(path))
        if results[-1].get("family") in SPEED_TABLES:
            continue  # of programs, not of a recipe
        trained = () if results[-1].get("demonstration") else ("parameters", "steps", "epochs")
        missing = sorted({*always, *trained} - set(results[-1]))
        if missing:
            raise ValueError(f"{path} is damaged: it lacks {', '.join(missing)}.")
    return results


def read_published(results_dir):
    """`{recipe: figures}` of other people's results; ValueError where a file is damaged."""
    published = {}
    for path in sorted((results_dir / "published").glob("*.json")):
        figures = published[path.stem] = read_json(path).get("figures", [])
        for figure in figures:
            if set(figure) != {"metric", "value", "source", "protocol"}:
                raise ValueError(f"{path}: {figure} needs metric, value, source and protocol.")
    return published


# ---------------------------------------------------------------------- pages


def check_family(readme, family):
    """Raises ValueError unless a page has a table for the family."""
    families = {
        each for page in _pages(readme) for each in _OPENING.findall(page.read_text("utf-8"))
    }
    if family not in families:
        raise ValueError(
            f"{readme} and docs/*.md have no table for family {family!r}. Add the lines "
            f"<!-- results:{family} --> and <!-- /results --> where it should stand."
        )


def stale_pages(readme, results, published):
    """`{path: new text}` of the pages that do not say what the results say."""
    stale = {}
    for page in _pages(readme):
        text = page.read_text(encoding="utf-8")
        renewed = _renewed(page, text, results, published)
        if renewed != text:
            stale[page] = renewed
    return stale


def _pages(readme):
    pages = [readme, *sorted((readme.parent / "docs").glob("*.md"))]
    return [page for page in pages if page.exists()]


def _renewed(page, text, results, published):
    complete = {match.start() for match in _BLOCK.finditer(text)}
    for opening in _OPENING.finditer(text):
        if opening.start() not in complete:
            raise ValueError(
                f"{page}: {opening.group().strip()} has no <!-- /results --> after it. Add that "
                "line where the table ends."
            )
    return _BLOCK.sub(
        lambda match: f"{match[1]}\n\n{render_table(results, match[2], published)}\n\n{match[3]}",
        text,
    )


def rewrite(pages):
    """Writes `{path: text}` and gives the paths."""
    for page, text in pages.items():
        write_atomic(page, text)
    return list(pages)


# ---------------------------------------------------------------------- table cells


def _brief(results, published):
    """A row for each recipe, no variants: its headlines, and what others found for those."""

    def values(result):
        metrics = result["metrics"]
        return [(name, metrics[name]["value"]) for name in headlines(metrics)]

    def others(result):
        figures = reversed(published.get(result["recipe"], ()))  # the first of several counts
        found = {figure["metric"]: figure["value"] for figure in figures}
        return _lines((name, found[name]) for name, _ in values(result) if name in found)

    columns = {
        "Model": lambda r: r["title"],
        "Data": lambda r: r["data"]["name"],
        "Measured": lambda r: _lines(values(r)),
        "Published": others,
        "Time and machine": lambda r: f"{_duration(r['seconds'])}, {_machine(r['machine'])}",
        "Recipe": lambda r: f"`{r['command'].removeprefix('python ')}`",
        "Paper": lambda r: _link(r["paper"]),
    }
    return "\n".join(table(columns, [each for each in results if not each.get("variant")]))


def _side_by_side(results):
    """A row for each result with a Frechet distance, a column for each metric of two or more."""
    rows = [row for row in results if any(name.startswith("fd_") for name in row["metrics"])]
    counts = Counter(name for row in rows for name in row["metrics"])

    def value(name):
        return lambda r: _number(r["metrics"][name]["value"]) if name in r["metrics"] else ""

    columns = {"Recipe": _name}
    columns |= {printed_name(name): value(name) for name in METRICS if counts[name] > 1}
    columns |= {"Time": lambda r: _duration(r["seconds"])}
    return "\n".join(table(columns, rows))


def _lines(values):
    """Names and values below each other, in a cell."""
    return "<br>".join(f"{printed_name(name)} {_number(value)}" for name, value in values)


def _demonstration(result):
    """The numbers of a demonstration, each beside the analytic one, and how they were got."""

    def known(metric):
        return "-" if metric.get("analytic") is None else f"{metric['analytic']:.6g}"

    cells = [
        (name, f"{metric['value']:.6g}", known(metric), metric["protocol"])
        for name, metric in result["metrics"].items()
    ]
    lines = grid(("Quantity", "Measured", "Analytic", "On what"), cells)
    where = f"{_duration(result['seconds'])}, {_machine(result['machine'])}"
    return "\n".join([*lines, "", f"`{result['command']}`, seed {result['seed']}, {where}."])


def _values(result):
    """`(name, value)` of the metrics: those with fixed names in their order, then the others."""
    metrics = result["metrics"]
    return [(name, metrics[name]["value"]) for name in sorted(metrics, key=metric_order)]


def _name(result):
    return result["recipe"] + (f"-{result['variant']}" if result.get("variant") else "")


def _protocols(results):
    """One line for each way in which a metric was measured, with the recipes that did so."""
    recipes = {}
    for result in results:
        for name, metric in result["metrics"].items():
            key = (metric_order(name), name, " ".join(metric["protocol"].split()))
            recipes.setdefault(key, []).append(_name(result))
    return [
        f"- {printed_name(name)} ({', '.join(measured_by)}): {protocol}"
        for (_, name, protocol), measured_by in sorted(recipes.items())
    ]


def _published(results, published):
    """One line for each figure of another project, of the recipes that have a result."""
    recipes = sorted({result["recipe"] for result in results})
    return [
        f"- {printed_name(figure['metric'])} ({recipe}): {figure['value']:g}, "
        f"{figure['source']}: {figure['protocol']}"
        for recipe in recipes
        for figure in published.get(recipe, ())
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
