"""How the cost of a training step grows with image size, batch, width and replicas.

    python -m benchmarks.scaling

The model is a DCGAN of noise images. One of the four changes, the others stay at 32x32, 64 images,
32 filters and one replica; all settings take turns as the programs of `benchmarks.harness` do.
Prints a table and draws it on logarithmic axes to docs/images/scaling.png.
"""

import functools
import math
import os
import pathlib
import statistics

import matplotlib.pyplot as plt
import tyro

from benchmarks.harness import Program, Worker, steps_in

AXES = {
    "image_size": (16, 32, 64),
    "batch_size": (16, 32, 64, 128, 256),
    "filters": (8, 16, 32, 64),
    "replicas": (1, 2),
}
BASE = {"image_size": 32, "batch_size": 64, "filters": 32, "replicas": 1}


def way(precision, **settings):
    """A DCGAN of some settings, through `fit`."""
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
    batches = tf.data.Dataset.from_tensors(images).repeat()
    run = tensorflow_ways.through_fit(model, batches).run
    return Program(run, lambda: (0, tensorflow_ways.parameters(model)))


WAYS = {
    f"{axis}={value}": functools.partial(way, **{axis: value})
    for axis, values in AXES.items()
    for value in values
}


def measure(axis, rounds, seconds):
    """Seconds of a step for each value of an axis, medians of rounds in which they take turns."""
    workers = []
    try:
        for value in AXES[axis]:
            workers.append(Worker("benchmarks.scaling", f"{axis}={value}", "float32"))
        steps = [steps_in(worker, seconds) for worker in workers]
        times = [
            [worker.time(count) / count for worker, count in zip(workers, steps, strict=True)]
            for _ in range(rounds)
        ]
        return [statistics.median(each) for each in zip(*times, strict=True)]
    finally:
        for worker in workers:
            worker.stop()


def draw(found, path):
    """Log-log curves, one an axis, each with the exponent of its last step."""
    figure, panels = plt.subplots(1, len(found), figsize=(3.2 * len(found), 3.0), sharey=True)
    for panel, (axis, times) in zip(panels, found.items(), strict=True):
        panel.loglog(AXES[axis], times, "o-")
        panel.set_xticks(AXES[axis], AXES[axis])
        panel.minorticks_off()
        panel.set_xlabel(axis.replace("_", " "))
        panel.set_title(f"exponent {exponent(AXES[axis], times):.2f}")
        panel.grid(True, which="both", alpha=0.3)
    panels[0].set_ylabel("seconds a step")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def exponent(values, times):
    """The slope between the last two points on logarithmic axes, where overheads count least."""
    (x0, x1), (y0, y1) = values[-2:], times[-2:]
    return math.log(y1 / y0) / math.log(x1 / x0)


def main(
    rounds: int = 5,
    seconds: float = 2.0,
    out: pathlib.Path = pathlib.Path("docs/images/scaling.png"),
):
    """Measures all four axes.

    Args:
        rounds: how often each setting has its turn.
        seconds: how long a turn lasts, about.
        out: the picture.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = {axis: measure(axis, rounds, seconds) for axis in AXES}
    for axis, times in found.items():
        cells = ", ".join(
            f"{value}: {1e3 * each:.0f} ms" for value, each in zip(AXES[axis], times, strict=True)
        )
        print(f"{axis}: {cells}; exponent {exponent(AXES[axis], times):.2f}")
    draw(found, out)


if __name__ == "__main__":
    tyro.cli(main)
