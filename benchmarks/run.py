"""Ours against the textbook ways of TensorFlow, Keras and PyTorch: a table.

    python -m benchmarks.run --quick
    python -m benchmarks.run --comparisons dcgan vae --precisions float32 bfloat16
    python -m keras_gen tables

All ways of a comparison train the same network on the same batches and take turns; see
`benchmarks.harness`. Without --quick the figures go to results/benchmarks.json, where those of
other comparisons stay, and `tables` brings docs/performance.md up to date. PyTorch's rows need the
extra `bench`.
"""

import json
import os
import pathlib

import tyro

from benchmarks.harness import PRECISIONS, compare, describe, matmul_peak, ratios
from keras_gen.artifacts.files import write_json

COMPARISONS = ("dcgan", "conditional_gan", "wgan_gp", "sn_gan", "vae", "pixel_cnn", "real_nvp")


def main(
    comparisons: tuple[str, ...] = COMPARISONS,
    precisions: tuple[str, ...] | None = None,
    rounds: int = 5,
    seconds: float = 3.0,
    quick: bool = False,
    out: pathlib.Path = pathlib.Path("results/benchmarks.json"),
):
    """Prints a table for each comparison, and writes the figures.

    Args:
        comparisons: which of dcgan, conditional_gan, wgan_gp, sn_gan, vae, pixel_cnn, real_nvp.
        precisions: float32 and bfloat16; by default the latter where the processor has it.
        rounds: how often each way has its turn.
        seconds: how long a turn lasts, about.
        quick: turns of a second, and nothing is written.
        out: the file of the figures.
    """
    for name in comparisons:
        if name not in COMPARISONS:
            raise SystemExit(f"--comparisons {name}: give some of {', '.join(COMPARISONS)}.")
    for precision in precisions or ():
        if precision not in PRECISIONS:
            raise SystemExit(f"--precisions {precision}: give some of {', '.join(PRECISIONS)}.")
    if rounds < 1 or not seconds > 0.0:
        raise SystemExit(f"--rounds {rounds} --seconds {seconds}: give positive numbers.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of the processes to come
    seconds = min(seconds, 1.0) if quick else seconds
    peaks, failed = {}, []
    for name in comparisons:
        comparison = describe(name)
        if not quick and comparison["images"] != "mnist":
            raise SystemExit("MNIST is missing: set TFDS_DATA_DIR, or give --quick.")
        available = PRECISIONS if comparison["bfloat16"] else PRECISIONS[:1]
        for precision in precisions or available:
            if precision not in peaks:
                peaks[precision] = matmul_peak(precision)
                print(f"matrix products, {precision}: {peaks[precision] / 1e9:,.0f} GFLOP/s")
            try:
                measurements = compare(comparison, precision, rounds, seconds)
            except RuntimeError as error:  # the others' figures are worth having
                failed.append(f"{name}, {precision}: {error}")
                continue
            entry = comparison | {
                "precision": precision,
                "rounds": rounds,
                "seconds": seconds,
                "matmul_flops": peaks[precision],
                "ways": [row(each, measurements[0]) for each in measurements],
            }
            print(table(entry), flush=True)
            if not quick:
                add(entry, out)
    if failed:
        raise SystemExit("\n".join(failed))


def row(measurement, ours):
    """A way's figures as JSON has them."""
    return {
        "way": measurement.way,
        "rate": measurement.rate,
        "rates": list(measurement.rates),
        "ratio": list(ratios(ours, measurement)),
        "first_step_seconds": measurement.first_step_seconds,
        "peak_memory_mib": measurement.peak_memory_mib,
        "flops": measurement.flops,
        "parameters": measurement.parameters,
    }


def table(entry):
    """Lines for the terminal."""
    lines = [f"\n{entry['title']}, {entry['precision']}, {entry['rounds']} rounds"]
    for way in entry["ways"]:
        ratio, least, most = way["ratio"]
        line = (
            f"  {way['way']:26} {way['rate']:10,.1f} a second  ours / it {ratio:5.2f} "
            f"({least:.2f} to {most:.2f})"
        )
        if way["peak_memory_mib"]:
            line += (
                f"  first step {way['first_step_seconds']:5.1f} s  "
                f"{way['peak_memory_mib']:6,.0f} MiB"
            )
        lines.append(line)
    return "\n".join(lines)


def add(entry, path):
    """Puts an entry in the place of an earlier one of the same comparison and precision."""
    content = {"recipe": "benchmarks", "family": "speed", "comparisons": []}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    key = (entry["name"], entry["precision"])
    others = [e for e in content["comparisons"] if (e["name"], e["precision"]) != key]
    order = {name: number for number, name in enumerate(COMPARISONS)}
    content["comparisons"] = sorted(
        [*others, entry], key=lambda e: (PRECISIONS.index(e["precision"]), order[e["name"]])
    )
    write_json(path, content)


if __name__ == "__main__":
    tyro.cli(main)
