"""Training steps of points in the plane inside one graph, against `fit` as textbooks have it.

    python -m benchmarks.graph_loop

Both sides train the same two networks of two layers of 128 units on the ring of Gaussians with the
same batch and optimizers, alternating: `keras_gen.training.graph_loop`, and a `keras.Model` whose
`train_step` is that of the tutorials, through `fit` at steps_per_execution 1.
"""

import statistics
import time

import keras
import tensorflow as tf
import tyro

from benchmarks.gan_ways import TextbookGAN
from benchmarks.tensorflow_ways import gathered_batches
from keras_gen.data import load
from keras_gen.models.points import PointGAN, build_discriminator, build_generator
from keras_gen.training.graph_loop import compile_loop


def main(steps: int = 2_000, rounds: int = 5, batch_size: int = 256, width: int = 128):
    """Prints steps/s of both sides for each round and the ratio of their medians.

    Args:
        steps: training steps of one side in one round.
        rounds: how often each side is timed.
        batch_size: points in a batch.
        width: units of each hidden layer.
    """
    points = load("ring", split="train").examples.reshape(-1, 1, 1, 2)

    def optimizers():
        return [keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)]

    networks = build_generator(2, width), build_discriminator(width)
    textbook = TextbookGAN(*networks, 2, conditional=False)
    textbook.compile(*optimizers(), keras.losses.BinaryCrossentropy(from_logits=True))
    batches = gathered_batches(points, batch_size)
    ours = PointGAN(width=width)
    ours.compile(*optimizers())
    loop = compile_loop(ours, points, batch_size, seed=0)

    def in_the_graph(count):
        loop(tf.constant(0, "int64"), tf.constant(count, "int64"))
        return float(ours.trackers["generator_loss"].result())  # waits for the last step

    sides = {
        "fit": lambda count: textbook.fit(batches, steps_per_epoch=count, verbose=0),
        "in the graph": in_the_graph,
    }
    for side in sides.values():
        side(3)  # traces and compiles
    rates = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side(steps)
            rates[name].append(steps / (time.perf_counter() - start))
        row = ", ".join(f"{name} {values[-1]:.0f} steps/s" for name, values in rates.items())
        print(f"round {number + 1}: {row}", flush=True)
    ratios = [ours / fit for fit, ours in zip(*rates.values(), strict=True)]
    medians = [statistics.median(values) for values in rates.values()]
    print(
        f"{medians[1] / medians[0]:.2f} times the steps, in single rounds {min(ratios):.2f} to "
        f"{max(ratios):.2f}"
    )


if __name__ == "__main__":
    tyro.cli(main)
