"""What a checkpoint costs: its time, and its share of the training at the default interval.

    python benchmarks/checkpoint.py

On the DCGAN of `recipes/dcgan_mnist.py`, with random images: what they show does not matter here.
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
import tyro

from keras_gen.models import DCGAN
from keras_gen.training import RunOptions, checkpoints


def main(rounds: int = 9, steps: int = 30, batch_size: int = 128):
    """Prints both times and the share, medians over the rounds.

    Args:
        rounds: how often a checkpoint is written.
        steps: training steps timed before each.
        batch_size: images in a batch.
    """
    model = DCGAN((28, 28, 1), filters=64, ema_decay=0.999)
    model.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (batch_size, 28, 28, 1)).astype("float32")
    train_step = tf.function(model.train_step)
    train_step(images)
    seconds_step, seconds_save = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            start = time.perf_counter()
            for _ in range(steps):
                logs = train_step(images)
            float(logs["generator_loss"])  # waits for the last step
            middle = time.perf_counter()
            path = checkpoints.save(pathlib.Path(folder), number, model, {})
            seconds_save.append(time.perf_counter() - middle)
            seconds_step.append((middle - start) / steps)
        size = path.stat().st_size / 2**20
    save, step = statistics.median(seconds_save), statistics.median(seconds_step)
    every = RunOptions().checkpoint_every
    share = save / (save + every * step)
    print(f"one checkpoint: {save:.3f} s, {size:.1f} MiB; one step: {step:.3f} s")
    print(f"every {every} steps: {share:.3%} of the training time")


if __name__ == "__main__":
    tyro.cli(main)
