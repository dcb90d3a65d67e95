"""What bfloat16 does to quality: five models trained in both precisions, from the same seeds.

    python -m benchmarks.precision --quick
    python -m benchmarks.precision
    python -m keras_gen tables

Each training is a recipe of few steps, on a core of its own. A run that was finished is not made
again, so that the benchmark may be cut off. How fast they are is the matter of `benchmarks.run`.
"""

import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys

import tyro

from benchmarks import machine
from keras_gen.artifacts.files import write_json
from keras_gen.training.speed_table import render_precision

# recipe: its steps, and what it is judged by
MODELS = {
    "dcgan_mnist": (2_000, "fd_mnist"),
    "conditional_gan_mnist": (4_000, "fd_mnist"),
    "vae_mnist": (20_000, "nll_nats"),
    "pixel_cnn_mnist": (6_000, "nll_nats"),
    "real_nvp_mnist": (1_000, "bits_per_dim"),
}
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def train(recipe, steps, policy, seed, folder):
    """Runs a recipe, or finds that it was run.

    Args:
        recipe: its name.
        steps: training steps.
        policy: Keras' dtype policy.
        seed: of the recipe.
        folder: of the run; the recipe's words go to `output.txt` beside it.

    Returns:
        `{metric: value}`.

    Raises:
        RuntimeError: the recipe failed.
    """
    metrics = folder / "metrics.json"
    if not metrics.exists():
        command = [sys.executable, f"recipes/{recipe}.py", "--steps", str(steps)]
        command += ["--mixed-precision", policy, "--seed", str(seed)]
        command += ["--out", str(folder), "--export", str(folder / "export"), "--strict-data"]
        output = folder.with_suffix(".txt")
        output.parent.mkdir(parents=True, exist_ok=True)
        with open(output, "w", encoding="utf-8") as file:
            ended = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
        if ended.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: see {output}.")
    found = json.loads(metrics.read_text(encoding="utf-8"))["metrics"]
    return {name: each["value"] for name, each in found.items()}


def main(
    seeds: tuple[int, ...] = (0, 1),
    runs: pathlib.Path = pathlib.Path("runs/precision"),
    quick: bool = False,
    out: pathlib.Path = pathlib.Path("results/precision.json"),
):
    """Trains, prints the table and writes the figures.

    Args:
        seeds: at least two, whose difference is what that of the precisions is compared with.
        runs: where the run folders lie.
        quick: a thousandth of the steps, and nothing is written to --out.
        out: the file of the figures.
    """
    if len(set(seeds)) < 2:
        raise SystemExit(f"--seeds {' '.join(map(str, seeds))}: give two or more.")
    machine.use_cpu_only()
    found = machine.surroundings() | {"recipe": "precision", "family": "precision"}
    tasks = {}
    with _one_process_a_core() as pool:
        for recipe, (steps, _) in MODELS.items():
            steps = max(steps // 1_000, 1) if quick else steps
            for name, policy in POLICIES.items():
                for seed in seeds:
                    folder = runs / f"{recipe}-{steps}-{name}-{seed}"
                    task = pool.submit(train, recipe, steps, policy, seed, folder)
                    tasks[recipe, name, seed] = task
    comparisons = []
    for recipe, (steps, metric) in MODELS.items():
        values = {
            name: [tasks[recipe, name, seed].result()[metric] for seed in seeds]
            for name in POLICIES
        }
        comparisons.append({"recipe": recipe, "steps": steps, "metric": metric, "values": values})
    found |= {"seeds": list(seeds), "comparisons": comparisons}
    print(render_precision(found))
    if not quick:
        write_json(out, found)


def _one_process_a_core():
    context, cores = multiprocessing.get_context("spawn"), sorted(os.sched_getaffinity(0))
    free = context.Queue()
    for core in cores:
        free.put(core)
    return concurrent.futures.ProcessPoolExecutor(len(cores), context, _stay_on_one, (free,))


def _stay_on_one(free):
    os.sched_setaffinity(0, {free.get()})  # what it starts stays there, too


if __name__ == "__main__":
    tyro.cli(main)
