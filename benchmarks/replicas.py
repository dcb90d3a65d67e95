"""What data parallelism costs on one machine: the same cores as one replica, two, or two workers.

    python -m benchmarks.replicas
    python -m benchmarks.replicas --quick
    python -m keras_gen tables

Three ways to train take turns, on the CPU, with the same global batch:

    1 replica    one process on all cores
    2 replicas   MirroredStrategy over two logical CPUs of one process on all cores
    2 workers    MultiWorkerMirroredStrategy over two processes, each on its half of the cores

DCGAN has a large step, the VAE a small one, in which what replicas cost shows. Neither is compiled
by XLA, which several replicas cannot be.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys

import tyro

from benchmarks import machine
from benchmarks.harness import Program
from benchmarks.workers import Workers
from keras_gen.artifacts.files import write_json
from keras_gen.training.launch import free_ports
from keras_gen.training.speed_table import render_replicas

MODELS = {"DCGAN": 128, "VAE": 100}  # and the images of a global batch


def train(model, strategy, replicas=1):
    """Training of a model of `MODELS` on noise: a function of how many steps."""
    import numpy as np
    import tensorflow as tf

    from benchmarks import tensorflow_ways
    from keras_gen.models import DCGAN, VAE
    from keras_gen.training.strategy import make_strategy

    strategy, batch_size = make_strategy(strategy, replicas), MODELS[model]
    with strategy.scope():
        made = {"DCGAN": DCGAN, "VAE": VAE}[model]((28, 28, 1))
        made.compile()
    low, high = made.value_range
    images = np.random.default_rng(0).uniform(low, high, (batch_size, 28, 28, 1))
    images = images.astype("float32")

    def part(context):
        share = images[: context.get_per_replica_batch_size(batch_size)]
        return tensorflow_ways.without_autotune(tf.data.Dataset.from_tensors(share).repeat())

    batches = strategy.distribute_datasets_from_function(part)
    return tensorflow_ways.through_one_iterator(made, batches).run


def two_workers(model):
    """The same by two workers: this process and one that it starts."""
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    code = f"from benchmarks import replicas; replicas.second_worker({model!r})"
    second = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"TF_CONFIG": _cluster(addresses, 1)},
        stdin=subprocess.PIPE,
        text=True,
    )
    os.environ["TF_CONFIG"] = _cluster(addresses, 0)
    _take_half_of_the_cores(0)
    run = train(model, "multiworker")

    def both(steps):
        print(steps, file=second.stdin, flush=True)
        run(steps)

    return both


def second_worker(model):
    """Takes as many steps as each line of the standard input says, until that ends."""
    _take_half_of_the_cores(1)
    run = train(model, "multiworker")
    for line in sys.stdin:
        run(int(line))


def _cluster(addresses, index):
    return json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    )


def _take_half_of_the_cores(index):
    """Before TensorFlow makes its threads, which stay where the process is then."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[index::2] or cores)


SETTINGS = {
    "1 replica": lambda model: train(model, "none"),
    "2 replicas": lambda model: train(model, "mirrored", 2),
    "2 workers": two_workers,
}


def way(precision, model, setting):
    """A model in a setting, in float32."""
    return Program(SETTINGS[setting](model))


WAYS = {
    f"{model}, {setting}": functools.partial(way, model=model, setting=setting)
    for model in MODELS
    for setting in SETTINGS
}


def main(
    rounds: int = 5,
    seconds: float = 3.0,
    quick: bool = False,
    out: pathlib.Path = pathlib.Path("results/replicas.json"),
):
    """Prints images a second of each setting, and writes the figures.

    Args:
        rounds: how often each setting has its turn.
        seconds: how long a turn lasts, about.
        quick: two rounds of a second, and nothing is written.
        out: the file of the figures.
    """
    machine.use_cpu_only()
    rounds, seconds = (2, 1.0) if quick else (rounds, seconds)
    found = machine.surroundings() | {
        "recipe": "replicas",
        "family": "replicas",
        "rounds": rounds,
        "seconds": seconds,
        "comparisons": [],
    }
    for model, batch_size in MODELS.items():
        with Workers("benchmarks.replicas", [f"{model}, {name}" for name in SETTINGS]) as workers:
            times = workers.turns(rounds, seconds)
        if workers.failed:
            raise SystemExit(f"{'; '.join(workers.failed)} failed; the errors stand above.")
        ways = [
            {"way": name, "rates": [batch_size / taken for taken in each]}
            for name, each in zip(SETTINGS, times.values(), strict=True)
        ]
        found["comparisons"].append({"title": f"{model}, batch {batch_size}", "ways": ways})
    print(render_replicas(found))
    if not quick:
        write_json(out, found)


if __name__ == "__main__":
    tyro.cli(main)
