"""Ours against the textbook ways of TensorFlow, Keras and PyTorch: a table.

    python -m benchmarks.run --quick
    python -m benchmarks.run --comparisons dcgan vae --precisions float32 bfloat16
    python -m keras_gen tables

All ways of a comparison train the same network on the same batches and take turns, on the CPU, for
which they are made; see `benchmarks.harness`. Without --quick the figures go to
results/benchmarks.json, where those of other comparisons stay, and `tables` brings
docs/performance.md up to date. PyTorch's rows need the extra `bench`.
"""

import dataclasses
import json
import os
import pathlib

import tyro

from benchmarks import machine
from benchmarks.harness import PRECISIONS, compare
from benchmarks.workers import WayError
from keras_gen.artifacts.files import write_json
from keras_gen.training.speed_table import render_comparison

COMPARISONS = ("dcgan", "conditional_gan", "wgan_gp", "sn_gan", "vae", "pixel_cnn", "real_nvp")


def main(
    comparisons: tuple[str, ...] = COMPARISONS,
    precisions: tuple[str, ...] | None = None,
    rounds: int = 5,
    seconds: float = 3.0,
    starts: int = 3,
    quick: bool = False,
    out: pathlib.Path = pathlib.Path("results/benchmarks.json"),
):
    """Prints a table for each comparison, and writes the figures.

    Args:
        comparisons: which of dcgan, conditional_gan, wgan_gp, sn_gan, vae, pixel_cnn, real_nvp.
        precisions: float32 and bfloat16; by default the latter where the processor has it.
        rounds: how often each way has its turn.
        seconds: how long a turn lasts, about.
        starts: how often each way is started, for the time of its first step.
        quick: turns of a second, one start, and nothing is written.
        out: the file of the figures.
    """
    for name in comparisons:
        if name not in COMPARISONS:
            raise SystemExit(f"--comparisons {name}: give some of {', '.join(COMPARISONS)}.")
    for precision in precisions or ():
        if precision not in PRECISIONS:
            raise SystemExit(f"--precisions {precision}: give some of {', '.join(PRECISIONS)}.")
    if rounds < 1 or starts < 1 or not seconds > 0.0:
        raise SystemExit(
            f"--rounds {rounds} --starts {starts} --seconds {seconds}: give positive numbers."
        )
    machine.use_cpu_only()
    if quick:
        seconds, starts = min(seconds, 1.0), 1
    elif machine.images() != "mnist":
        raise SystemExit("MNIST is missing: set TFDS_DATA_DIR, or give --quick.")
    surroundings = machine.surroundings()  # once: the first figures written change the work tree
    precisions = precisions or (PRECISIONS if surroundings["bfloat16"] else PRECISIONS[:1])
    failed = []
    for name in comparisons:
        comparison = machine.describe(name)
        for precision in precisions:
            load, peak = os.getloadavg(), machine.matmul_peak(precision)
            try:
                measurements, lost = compare(comparison, precision, rounds, seconds, starts)
            except WayError as error:  # the others' figures are worth having
                failed.append(f"{name}, {precision}: {error}")
                continue
            failed += [f"{name}, {precision}: {way}" for way in lost]
            entry = {
                **comparison,
                **surroundings,
                "load_average": list(load),
                "precision": precision,
                "rounds": rounds,
                "seconds": seconds,
                "matmul_flops": peak,
                "failed": lost,
                "ways": [dataclasses.asdict(each) for each in measurements],
            }
            print("\n" + render_comparison(entry), flush=True)
            if not quick:
                add(entry, out)
    if failed:
        raise SystemExit("Failed, with their errors above:\n" + "\n".join(failed))


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
