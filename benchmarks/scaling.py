"""How the cost of a training step grows with image size, batch, width and replicas.

    python -m benchmarks.scaling
    python -m keras_gen tables

The model is a DCGAN of noise images, on the CPU. One of the four changes, the others stay at 28x28,
64 images, 32 filters and one replica. DCGAN doubles its resolution as often as the side is even:
these sides are four times an odd number, so that all have two doublings. All settings of an axis
take turns as the programs of `benchmarks.workers` do. The figures go to results/scaling.json, and
to docs/images/scaling.png on logarithmic axes.
"""

import functools
import math
import pathlib
import statistics

import matplotlib.pyplot as plt
import tyro
from matplotlib import ticker

from benchmarks import machine
from benchmarks.workers import Workers
from keras_gen.artifacts.files import write_json
from keras_gen.training.speed_table import render_scaling

AXES = {
    "image_size": (20, 28, 44, 60),
    "batch_size": (16, 32, 64, 128, 256),
    "filters": (8, 16, 32, 64),
    "replicas": (1, 2),
}
BASE = {"image_size": 28, "batch_size": 64, "filters": 32, "replicas": 1}


def way(precision, **settings):
    """A DCGAN of some settings."""
    import numpy as np
    import tensorflow as tf

    from benchmarks import tensorflow_ways
    from keras_gen.models import DCGAN
    from keras_gen.training.strategy import make_strategy

    tensorflow_ways.use_precision(precision)
    settings = BASE | settings
    replicas, size = settings["replicas"], settings["image_size"]
    strategy = make_strategy("mirrored" if replicas > 1 else "none", replicas)
    with strategy.scope():
        model = DCGAN((size, size, 3), filters=settings["filters"])
        model.compile()
    shape = (settings["batch_size"], size, size, 3)
    images = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype("float32")
    batches = strategy.experimental_distribute_dataset(
        tf.data.Dataset.from_tensors(images).repeat()
    )
    return tensorflow_ways.through_one_iterator(model, batches)


WAYS = {
    f"{axis}={value}": functools.partial(way, **{axis: value})
    for axis, values in AXES.items()
    for value in values
}


def measure(axis, rounds, seconds):
    """Images a second for each value of an axis, in rounds in which they take turns.

    Raises:
        SystemExit: a setting failed; its error stands above.
    """
    ways = {f"{axis}={value}": value for value in AXES[axis]}
    with Workers("benchmarks.scaling", ways) as workers:
        times = workers.turns(rounds, seconds)
    if workers.failed:
        raise SystemExit(f"{', '.join(workers.failed)} failed; the errors stand above.")
    found = []
    for name, value in ways.items():
        items = (BASE | {axis: value})["batch_size"]
        rates = [items / taken for taken in times[name]]
        found.append({"way": str(value), "items": items, "rates": rates})
    return {"title": axis.replace("_", " "), "ways": found}


def draw(comparisons, path):
    """Log-log curves, one an axis, each with the exponent of its last step."""
    figure, panels = plt.subplots(
        1, len(comparisons), figsize=(3.2 * len(comparisons), 3.0), sharey=True
    )
    for panel, axis in zip(panels, comparisons, strict=True):
        values = [int(way["way"]) for way in axis["ways"]]
        times = [1e3 * way["items"] / statistics.median(way["rates"]) for way in axis["ways"]]
        panel.loglog(values, times, "o-")
        panel.set_xticks(values, values)
        panel.minorticks_off()
        panel.set_xlabel(axis["title"])
        panel.set_title(f"exponent {exponent(values, times):.2f}")
        panel.grid(True, which="both", alpha=0.3)
    panels[0].yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    panels[0].yaxis.set_major_formatter(ticker.ScalarFormatter())
    panels[0].set_ylabel("milliseconds a step")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def exponent(values, times):
    """The slope between the last two points on logarithmic axes, where overheads count least."""
    (x0, x1), (y0, y1) = values[-2:], times[-2:]
    return math.log(y1 / y0) / math.log(x1 / x0)


def main(
    rounds: int = 5,
    seconds: float = 2.0,
    out: pathlib.Path = pathlib.Path("results/scaling.json"),
    picture: pathlib.Path = pathlib.Path("docs/images/scaling.png"),
):
    """Measures all four axes.

    Args:
        rounds: how often each setting has its turn.
        seconds: how long a turn lasts, about.
        out: the file of the figures.
        picture: the curves.
    """
    machine.use_cpu_only()
    found = machine.surroundings() | {
        "recipe": "scaling",
        "family": "scaling",
        "rounds": rounds,
        "seconds": seconds,
    }
    found["comparisons"] = [measure(axis, rounds, seconds) for axis in AXES]
    print(render_scaling(found))
    write_json(out, found)
    draw(found["comparisons"], picture)


if __name__ == "__main__":
    tyro.cli(main)
