"""The tables of speed and memory in README and docs.

That of speed comes from `results/benchmarks.json`, which `python -m benchmarks.run` writes; that of
memory from the results of recipes.
"""


def render_speeds(benchmarks):
    """Markdown of what the benchmarks found: a row for each way of each comparison.

    Args:
        benchmarks: the contents of `results/benchmarks.json`.

    Returns:
        A table, ours first in each comparison, and how it was measured.
    """
    lines = [
        "| What, precision | Way | a second | ours / it (least, most) | first step | peak memory |",
        "| --- " * 6 + "|",
    ]
    for comparison in benchmarks["comparisons"]:
        title = f"{comparison['title']}, {comparison['precision']}"
        for number, way in enumerate(comparison["ways"]):
            alone = way["peak_memory_mib"] is not None
            cells = [
                "" if number else title,
                way["way"],
                f"{way['rate']:,.0f}" if way["rate"] >= 100 else f"{way['rate']:.3g}",
                "{:.2f} ({:.2f}, {:.2f})".format(*way["ratio"]) if number else "",
                f"{way['first_step_seconds']:.0f} s" if alone else "",
                f"{way['peak_memory_mib']:,.0f} MiB" if alone else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "How each was measured:", ""]
    lines += [_protocol(comparison) for comparison in benchmarks["comparisons"]]
    return "\n".join(lines)


def _protocol(comparison):
    machine, ours = comparison["machine"], comparison["ways"][0]
    text = (
        f"- {comparison['title']}, {comparison['precision']}: {comparison['rounds']} rounds, turns "
        f"of about {comparison['seconds']:g} s, medians of ratios within rounds; "
        f"{machine['cores']} cores of {machine['processor']}, TensorFlow "
        f"{comparison['versions']['tensorflow']}, PyTorch {comparison['versions']['torch']}"
    )
    if ours["flops"]:
        share = ours["flops"] * ours["rate"] / comparison["matmul_flops"]
        text += (
            f"; {ours['flops'] / 1e6:,.3g} MFLOP for an image or point, {share:.0%} of the "
            f"{comparison['matmul_flops'] / 1e9:,.0f} GFLOP/s of matrix products"
        )
    return text + "."


def render_memory(results):
    """Markdown of the peak memory of recipes, largest first.

    Args:
        results: the contents of `results/*.json`.
    """
    lines = ["| Recipe | Batch | Parameters | Peak memory |", "| --- " * 4 + "|"]
    measured = [each for each in results if "peak_memory_mib" in each and "parameters" in each]
    for result in sorted(measured, key=lambda each: -each["peak_memory_mib"]):
        variant = f", {result['variant']}" if result.get("variant") else ""
        batch = result["arguments"].get("batch_size", "-")
        lines.append(
            f"| {result['recipe']}{variant} | {batch} | {result['parameters']:,} "
            f"| {result['peak_memory_mib']:,.0f} MiB |"
        )
    return "\n".join(lines)
