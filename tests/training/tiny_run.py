"""A tiny training as a program of its own, for tests that kill it or start several workers.

Leaves `state-<worker>.npz` with every variable in the folder of `--states`.
"""

import pathlib
import time

import keras
import numpy as np

from keras_gen.data import load
from keras_gen.models import DCGAN
from keras_gen.training import Options, Run, RunOptions, checkpoints, command_line


class Slow(keras.callbacks.Callback):
    """Makes every step last, so that a signal comes in the middle of the training."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(self.seconds)


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN before a step, in one worker only."""

    def __init__(self, step, weight):
        super().__init__()
        self.step, self.weight = step, weight

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.train_steps.numpy()) + 1 == self.step:
            self.weight.assign(self.weight * np.nan)


def main(
    steps: int = 12,
    optimizer: str = "adam",
    batch_size: int = 32,
    slow: float = 0.0,
    poison: int | None = None,
    states: str = ".",
    filters: int = 4,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a tiny DCGAN on digits."""
    arguments = {"seed": seed, "steps": steps, "optimizer": optimizer, "options": options}
    run = Run("tiny_run", arguments, family="gans", title="Tiny", paper="arXiv:1511.06434")
    digits = load("digits", value_range=DCGAN.value_range)
    make = {
        "sgd": lambda: keras.optimizers.SGD(0.01),
        "adam": lambda: keras.optimizers.Adam(2e-4, beta_1=0.5),
    }[optimizer]
    with run.strategy.scope():
        model = DCGAN(digits.example_shape, 8, filters, ema_decay=0.9)
        model.compile(make(), make())
    resolver = run.strategy.cluster_resolver
    worker = (resolver.task_id or 0) if resolver else 0
    extra = [Slow(slow)] if slow else []
    if poison and worker == 1:
        extra.append(Poison(poison, model.generator.trainable_variables[0]))
    run.fit(model, digits, batch_size=batch_size, steps=steps, extra=extra)
    arrays = {
        f"{name} {variable.path}": variable.numpy()
        for name, variable in checkpoints.state_variables(model).items()
        if not name.startswith("metrics/")
    }
    np.savez(pathlib.Path(states) / f"state-{worker}.npz", **arrays)
    run.finish(model)


if __name__ == "__main__":
    command_line(main)
