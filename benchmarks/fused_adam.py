"""Adam as Keras writes it, compiled by XLA, and as one operation a weight: milliseconds an update.

    python -m benchmarks.fused_adam

On the weights of two networks of dense layers, of the VAE and of the flow of the comparisons.
"""

import statistics
import time

import keras
import tensorflow as tf
import tyro

from benchmarks.tensorflow_ways import parameters
from keras_gen.models import VAE, PointRealNVP
from keras_gen.models.fused_adam import fuse_adam

NETWORKS = {
    "VAE": lambda: VAE((28, 28, 1), 40, (400,)),
    "RealNVP of points": lambda: PointRealNVP(6, (256,) * 4),
}


def update(model, fused=False, jit_compile=False):
    """A function that moves the model's weights once."""
    weights = model.trainable_variables
    adam = keras.optimizers.Adam(1e-3)
    adam.build(weights)
    if fused:
        fuse_adam(adam)
    gradients = [tf.random.normal(weight.shape) for weight in weights]

    @tf.function(jit_compile=jit_compile)
    def run():
        adam.apply_gradients(zip(gradients, weights, strict=True))
        return adam.iterations.value + 0

    return run


def main(updates: int = 200, rounds: int = 7):
    """Prints medians of the rounds, and the median of the ratios within rounds.

    Args:
        updates: of one way in a round.
        rounds: how often each way has its turn.
    """
    for name, make in NETWORKS.items():
        ways = {
            "Keras": update(make()),
            "Keras, XLA": update(make(), jit_compile=True),
            "one operation a weight": update(make(), fused=True),
        }
        times = {way: [] for way in ways}
        for run in ways.values():
            run()
        for _ in range(rounds):
            for way, run in ways.items():
                start = time.perf_counter()
                for _ in range(updates):
                    last = run()
                last.numpy()
                times[way].append(1e3 * (time.perf_counter() - start) / updates)
        ours = times["one operation a weight"]
        print(f"{name}, {parameters(make()):,} numbers:")
        for way, each in times.items():
            ratio = statistics.median(a / b for a, b in zip(each, ours, strict=True))
            print(f"  {way}: {statistics.median(each):.2f} ms, {ratio:.2f} times ours")


if __name__ == "__main__":
    tyro.cli(main)
