"""A training step of masked convolutions: taps alone, or a whole kernel under a mask.

    python -m benchmarks.masked_convolution

`MaskedConv2D` stores the taps that its mask keeps and convolves with the rows down to the pixel's
own; the usual way multiplies a whole kernel by a mask. A third way splits the kept taps exactly, in
one convolution over the rows above and one over the pixel's own row. Each row alternates the three
on the same inputs, forwards and backwards.
"""

import numpy as np
import tensorflow as tf
import tyro

from benchmarks.operations import median_times, training_step
from keras_gen.layers import MaskedConv2D


def layers(size, channels, filters):
    """`{name: (function, weights)}` of the three ways, mask B."""
    ours = MaskedConv2D(filters, size, "B", use_bias=False)
    ours.build((None, None, None, channels))
    middle = size // 2
    mask = np.ones((size, size, channels, filters), "float32")
    mask[middle, middle + 1 :] = mask[middle + 1 :] = 0.0
    whole = tf.Variable(tf.random.normal(mask.shape))
    above = tf.Variable(tf.random.normal((middle, size, channels, filters)))
    beside = tf.Variable(tf.random.normal((1, middle + 1, channels, filters)))

    def split(images):
        padding = [[0, 0], [middle, 0], [middle, middle], [0, 0]]
        rows = tf.nn.conv2d(images[:, :-1], above, 1, padding)
        return rows + tf.nn.conv2d(images, beside, 1, [[0, 0], [0, 0], [middle, 0], [0, 0]])

    return {
        "masked": (lambda images: tf.nn.conv2d(images, whole * mask, 1, "SAME"), [whole]),
        "MaskedConv2D": (ours, [ours.kernel.value]),
        "split": (split, [above, beside]),
    }


def main(batch_size: int = 64, rounds: int = 15):
    """Prints milliseconds of each way and the ratios of medians; FLOPs are those of one image.

    Args:
        batch_size: images of 28x28.
        rounds: how often each way is timed.
    """
    print("| kernel | channels | weights | FLOPs | masked | MaskedConv2D | split | ratio |")
    print("| --- " * 8 + "|")
    for size, channels, filters in ((3, 32, 32), (3, 64, 64), (7, 1, 64), (7, 64, 64)):
        images = tf.random.normal((batch_size, 28, 28, channels))
        ways = layers(size, channels, filters)
        steps = {name: training_step(*way) for name, way in ways.items()}
        medians = median_times(steps, images, rounds)
        weights = ways["MaskedConv2D"][1][0].shape.num_elements()
        kept, taps = f"{weights:,} of {size * size * channels * filters:,}", size // 2 + 1
        flops = 2 * 28 * 28 * taps * size * channels * filters
        row = " | ".join(f"{value:.1f} ms" for value in medians.values())
        ratio = medians["masked"] / medians["MaskedConv2D"]
        sizes = f"{size}x{size} | {channels} to {filters} | {kept} | {flops:,}"
        print(f"| {sizes} | {row} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
