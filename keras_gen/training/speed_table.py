"""The tables of speed and memory in README and docs.

Those of speed come from what the programs of `benchmarks/` write to results/: in `comparisons` a
title, the ways that took turns and the rate of each in every round. Ratios are taken within rounds,
and are printed as their median, with the least and the most. The table of memory comes from the
results of recipes.
"""

import statistics

from keras_gen.training.markdown import grid, table
from keras_gen.training.metric_names import printed_name

_LOOP = "tf.function loop"  # the opponent that first steps are compared with


def ratios(ours, theirs):
    """How many times as large ours was: `(median, least, most)` of the rounds' ratios."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(each), min(each), max(each)


def render_speeds(benchmarks):
    """Markdown of `results/benchmarks.json`: a table for each comparison and precision."""
    return "\n\n".join(render_comparison(each) for each in benchmarks["comparisons"])


def render_comparison(comparison):
    """Markdown of a comparison: a row for each way, and a column of ratios for each of ours.

    Args:
        comparison: one of `comparisons` in `results/benchmarks.json`.

    Returns:
        A heading, a table, and how it was measured.
    """
    ways = comparison["ways"]
    loop = next((way["first_step_seconds"] for way in ways if way["way"] == _LOOP), None)

    def of_loop(way):
        own = way["first_step_seconds"]
        return f"{ratios(own, loop)[0]:.2f}" if own and loop and way["way"] != _LOOP else ""

    def share(way):
        return way["flops"] * statistics.median(way["rates"]) / comparison["matmul_flops"]

    columns = {
        "Way": lambda way: way["way"],
        "a second": lambda way: _rate(way["rates"]),
        "first step": _cell("first_step_seconds", lambda each: f"{statistics.median(each):.1f} s"),
        "of the loop's": of_loop,
        "peak memory": _cell("peak_memory_mib", "{:,.0f} MiB".format),
        "parameters": _cell("parameters", "{:,}".format),
        "MFLOP each": _cell("flops", lambda each: f"{each / 1e6:,.3g}"),
        "of the matmul peak": lambda way: f"{share(way):.0%}" if way["flops"] else "",
    }
    for ours in filter(_is_ours, ways):
        columns[f"{ours['way']} / it"] = _over(ours["rates"])
    title = f"**{comparison['title']}, {comparison['precision']}**"
    return "\n".join([title, "", *table(columns, ways), "", _protocol(comparison)])


def render_speeds_brief(benchmarks):
    """The same in a line for each comparison: our default way over the opponents."""
    comparisons = benchmarks["comparisons"]

    def over(prefix):
        def cell(comparison):
            theirs = _fastest(comparison, prefix)
            ours = comparison["ways"][0]
            return _spread(ratios(ours["rates"], theirs["rates"])) if theirs else ""

        return cell

    columns = {
        "Training": lambda comparison: comparison["title"],
        "in": lambda comparison: comparison["precision"],
        "a second": lambda comparison: _rate(comparison["ways"][0]["rates"]),
        "/ Keras, as tutorials": over("Keras"),
        "/ tf.function loop": over(_LOOP),
        "/ PyTorch": over("PyTorch"),
    }
    where = dict.fromkeys(f"{each['rounds']} rounds; {_machine(each)}." for each in comparisons)
    protocol = "Images or points; medians and extremes of the ratios within rounds, to the fastest "
    return "\n".join(
        [*table(columns, comparisons), "", f"{protocol}mode of each opponent. {' '.join(where)}"]
    )


def _fastest(comparison, prefix):
    """The way with the largest rate of those whose names begin so; None where there is none."""
    ways = [way for way in comparison["ways"] if way["way"].startswith(prefix)]
    return max(ways, key=lambda way: statistics.median(way["rates"]), default=None)


def _is_ours(way):
    return way["way"].startswith("keras_gen")


def _over(rates):
    """A column: how many times as fast ours was as an opponent."""
    return lambda way: "" if _is_ours(way) else _spread(ratios(rates, way["rates"]))


def _cell(name, text):
    return lambda way: "" if way[name] is None else text(way[name])


def _spread(found, text="{:.2f}".format):
    return "{} ({} to {})".format(*map(text, found))


def _rate(rates):
    return _number(statistics.median(rates))


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _protocol(comparison):
    starts = max(len(way["first_step_seconds"] or ()) for way in comparison["ways"])
    text = (
        f"{_turns(comparison)}; first steps: medians of {starts}; "
        f"{comparison['matmul_flops'] / 1e9:,.0f} GFLOP/s of matrix products; "
        f"{_where(comparison)}, PyTorch {comparison['versions']['torch']}."
    )
    if comparison["note"]:
        text = f"{comparison['note']} {text}"
    if comparison["failed"]:
        text += f" Failed: {'; '.join(comparison['failed'])}."
    return text


def _where(measured):
    return f"{_machine(measured)}, load {measured['load_average'][0]:.1f} before"


def _machine(measured):
    machine = measured["machine"]
    return (
        f"{machine['cores']} cores of {machine['processor']}, TensorFlow "
        f"{measured['versions']['tensorflow']}"
    )


def _turns(measured):
    return f"{measured['rounds']} rounds, turns of about {measured['seconds']:g} s"


def render_sampling(sampling):
    """Markdown of `results/pixel_sampling.json`: rates, and ours over each other way of drawing."""
    batches, opponents = sampling["comparisons"], sampling["opponents"]
    speeds, advantages = [], []
    for batch in batches:
        found = {way["way"]: way["rates"] for way in batch["ways"]}
        speeds.append([batch["title"], *map(_rate, found.values())])
        for ours in (way for way in found if way not in opponents):
            each = (_spread(ratios(found[ours], found[way]), _number) for way in opponents)
            advantages.append([batch["title"], ours, *each])
    lines = [
        "Images a second:",
        "",
        *grid(["Images", *(way["way"] for way in batches[0]["ways"])], speeds),
        "",
        "How many times as fast:",
        "",
        *grid(["Images", "Ours", *(f"/ {way}" for way in opponents)], advantages),
        "",
        f"Medians of {sampling['rounds']} rounds. The opponents draw at most {sampling['chunk']} "
        f"images at a time, and are timed on the first {sampling['pixels']} pixels, for each costs "
        f"the same. {_where(sampling)}.",
    ]
    return "\n".join(lines)


def render_replicas(replicas):
    """Markdown of `results/replicas.json`: each use of the cores over the first of its model."""
    cells = []
    for model in replicas["comparisons"]:
        one = model["ways"][0]
        for way in model["ways"]:
            rates = way["rates"]
            speed = _spread((statistics.median(rates), min(rates), max(rates)), _number)
            times = "" if way is one else _spread(ratios(rates, one["rates"]))
            cells.append([model["title"], way["way"], speed, times])
    headings = ("Model", "Cores as", "images a second", "times one replica")
    return "\n".join([*grid(headings, cells), "", f"{_turns(replicas)}; {_where(replicas)}."])


def render_scaling(scaling):
    """Markdown of `results/scaling.json`: a row for each setting."""
    cells = [
        [
            axis["title"],
            way["way"],
            f"{1e3 * way['items'] / statistics.median(way['rates']):,.0f}",
            _rate(way["rates"]),
        ]
        for axis in scaling["comparisons"]
        for way in axis["ways"]
    ]
    headings = ("Changed", "to", "ms a step", "images a second")
    protocol = f"Medians of {_turns(scaling)}; {_where(scaling)}."
    return "\n".join([*grid(headings, cells), "", protocol])


def render_precision(precision):
    """Markdown of `results/precision.json`: what each model reached in either precision."""

    def values(name):
        return lambda model: ", ".join(map(_quality, model["values"][name]))

    def difference(model):
        single, half = map(statistics.mean, model["values"].values())
        return f"{half - single:+.3g}"

    def between_seeds(model):
        return f"{max(max(each) - min(each) for each in model['values'].values()):.3g}"

    columns = {
        "Recipe": lambda model: f"`{model['recipe']}.py --steps {model['steps']}`",
        "judged by": lambda model: printed_name(model["metric"]),
        "float32": values("float32"),
        "bfloat16": values("bfloat16"),
        "difference of means": difference,
        "largest of seeds": between_seeds,
    }
    seeds = " and ".join(map(str, precision["seeds"]))
    protocol = f"Seeds {seeds}. Lower is better in all rows. {_where(precision)}."
    return "\n".join([*table(columns, precision["comparisons"]), "", protocol])


def _quality(value):
    return f"{value:.4g}"


# name of a table -> what makes it of the result of its family
SPEED_TABLES = {
    "speed": render_speeds,
    "speed_brief": render_speeds_brief,
    "pixel_sampling": render_sampling,
    "replicas": render_replicas,
    "scaling": render_scaling,
    "precision": render_precision,
}


def render_memory(results):
    """Markdown of the peak memory of recipes, largest first.

    Args:
        results: the contents of `results/*.json`.
    """
    columns = {
        "Recipe": lambda r: r["recipe"] + (f", {r['variant']}" if r.get("variant") else ""),
        "Batch": lambda r: r["arguments"].get("batch_size", "-"),
        "Parameters": lambda r: f"{r['parameters']:,}",
        "Peak memory": lambda r: f"{r['peak_memory_mib']:,.0f} MiB",
    }
    measured = [each for each in results if "peak_memory_mib" in each and "parameters" in each]
    return "\n".join(table(columns, sorted(measured, key=lambda each: -each["peak_memory_mib"])))
