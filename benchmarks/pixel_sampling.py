"""Drawing from a PixelCNN: with cached activations, with the whole network, with `predict`.

    python -m benchmarks.pixel_sampling
    python -m benchmarks.pixel_sampling --batches 64 --rounds 1

The network is that of keras.io's PixelCNN example in its sizes: 128 channels, five residual blocks,
two layers of 128 behind them, on 28x28 binary pixels. Four ways to draw the same images:

    cached, XLA     `sample(jit_compile=True)`: activations are kept, one compiled loop
    cached          `sample()`: the same, not compiled
    whole network   one graph that runs the whole network for each pixel
    predict         one `model.predict` of the whole network for each pixel, in Python

The last two cost the same at every pixel; they are timed on the first `--pixels` pixels and scaled.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
import tyro

from keras_gen.models import PixelCNN


def seconds(function, rounds):
    """The median time of a call, after one that compiles."""
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def whole_network(model, latents, pixels):
    """Draws the first pixels with the whole network in one graph."""
    height, width, _ = model.image_shape
    uniforms = tf.reshape(latents, (-1, height, width, 1))

    @tf.function
    def draw():
        images = tf.zeros((len(latents), *model.image_shape))
        for index in tf.range(pixels):
            row, column = index // width, index % width
            parameters = model.network(images)[:, row, column]
            value = model.pixel.draw(0, parameters, uniforms[:, row, column], 1.0)
            here = tf.one_hot(row, height)[:, None] * tf.one_hot(column, width)
            images = images + here[None, :, :, None] * value[:, None, None]
        return images

    return lambda: draw().numpy()


def predict(model, latents, pixels):
    """Draws the first pixels with one `predict` each, as keras.io's example does."""
    height, width, _ = model.image_shape
    uniforms = np.reshape(latents, (-1, height, width, 1))

    def draw():
        images = np.zeros((len(latents), *model.image_shape), "float32")
        for index in range(pixels):
            row, column = divmod(index, width)
            logits = model.network.predict(images, batch_size=len(images), verbose=0)
            logits = logits[:, row, column]
            images[:, row, column] = uniforms[:, row, column] < 1 / (1 + np.exp(-logits))
        return images

    return draw


def main(batches: tuple[int, ...] = (1, 4, 16, 64, 256), rounds: int = 3, pixels: int = 4):
    """Prints images a second of each way, and how much faster the cached ones are.

    Args:
        batches: images drawn at once.
        rounds: calls that are timed, of which the median counts.
        pixels: how many of 784 the slow ways draw.
    """
    keras.utils.set_random_seed(0)
    model = PixelCNN((28, 28, 1), filters=128, num_blocks=5, head_filters=128)
    model.compile()
    share = 28 * 28 / pixels
    print("| images | cached, XLA | cached | whole network | predict | XLA / network | / predict |")
    print("| --- " * 7 + "|")
    for batch in batches:
        latents = model.draw_latents(batch, [0, 1])
        times = [
            seconds(lambda z=latents: model.decode_compiled(z).numpy(), rounds),
            seconds(lambda z=latents: model.decode(z).numpy(), rounds),
            share * seconds(whole_network(model, latents, pixels), rounds),
            share * seconds(predict(model, latents, pixels), rounds),
        ]
        rates = " | ".join(f"{batch / each:.3g}" for each in times)
        ratios = " | ".join(f"{each / times[0]:.0f}" for each in times[2:])
        print(f"| {batch} | {rates} | {ratios} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
