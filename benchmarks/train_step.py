"""What a run costs over a bare loop: images/s through `fit` with all callbacks, as a ratio.

    python benchmarks/train_step.py

Both sides train the same DCGAN of `recipes/dcgan_mnist.py` on the same data pipeline, alternating;
one side is `Run.fit` with progress bar, history, TensorBoard, sample grids, checkpoints and the
NaN guard at their default intervals, the other a loop over one `tf.function`.
"""

import contextlib
import io
import pathlib
import statistics
import tempfile
import time

import tensorflow as tf
import tyro

from keras_gen.data import load_or_stand_in
from keras_gen.models import DCGAN
from keras_gen.training import Run, RunOptions


def main(data: str = "mnist", steps: int = 250, rounds: int = 5, batch_size: int = 128):
    """Prints images/s of both sides for each round and the ratio of their medians.

    Args:
        data: data set to train on.
        steps: training steps of one side in one round.
        rounds: how often each side is timed.
        batch_size: images in a batch.
    """
    images = load_or_stand_in(data, image_size=28, value_range=DCGAN.value_range)
    model = DCGAN(images.example_shape, filters=64, ema_decay=0.999)
    model.compile()

    @tf.function
    def train_step(iterator):
        return model.train_step(next(iterator))

    def bare(steps):
        iterator = iter(images.batches(batch_size, seed=0))
        for _ in range(steps):
            logs = train_step(iterator)
        return float(logs["generator_loss"])  # waits for the last step

    def through_fit(steps):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            options = RunOptions(out=str(pathlib.Path(folder) / "run"))
            arguments = {"seed": 0, "options": options}
            run = Run("benchmark", arguments, family="gans", title="", paper="")
            run.fit(model, images, batch_size=batch_size, steps=steps)

    sides = {"bare tf.function loop": bare, "Run.fit with callbacks": through_fit}
    for side in sides.values():
        side(3)  # traces and compiles
    rates = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side(steps)
            rates[name].append(steps * batch_size / (time.perf_counter() - start))
        row = ", ".join(f"{name} {values[-1]:.0f} images/s" for name, values in rates.items())
        print(f"round {number + 1}: {row}", flush=True)
    base, ours = (statistics.median(values) for values in rates.values())
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    print(f"medians {base:.0f} and {ours:.0f} images/s, ratio {ours / base:.3f}")
    print(f"ratio of single rounds: {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    tyro.cli(main)
