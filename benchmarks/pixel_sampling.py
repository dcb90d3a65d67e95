"""Drawing from a PixelCNN: with cached activations, with the whole network, with `predict`.

    python -m benchmarks.pixel_sampling
    python -m benchmarks.pixel_sampling --batches 64 --quick
    python -m keras_gen tables

The network has the sizes of keras.io's PixelCNN example but for the first 1x1 convolution of a
block, which has 64 outputs instead of 128: 128 channels, five residual blocks, two layers of 128
behind them, on 28x28 binary pixels. Five ways to draw the same images take turns, on the CPU:

    cached               `sample()`: activations are kept
    cached, XLA          `sample(jit_compile=True)`: the same in one compiled loop
    whole network        one graph that runs the whole network for each pixel
    whole network, XLA   the same, compiled
    predict              one `model.predict` of the whole network for each pixel, in Python

The last three draw at most 64 images at a time, which none of them is slower with than with more.
They cost the same at every pixel; they are timed on the first `--pixels` pixels and scaled.
"""

import pathlib
import time

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import machine
from keras_gen.artifacts.files import write_json
from keras_gen.models import PixelCNN
from keras_gen.training.speed_table import render_sampling

CHUNK = 64
OPPONENTS = ("whole network", "whole network, XLA", "predict")


def whole_network(model, latents, pixels, jit_compile=False):
    """Draws the first pixels with the whole network in one graph."""
    height, width, _ = model.image_shape
    uniforms = tf.reshape(latents, (-1, height, width, 1))

    @tf.function(jit_compile=jit_compile)
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


def take_turns(model, images, rounds, pixels):
    """Images a second of each way.

    Args:
        model: a compiled `PixelCNN`.
        images: how many are drawn at once.
        rounds: how often each way has its turn, after one call that compiles.
        pixels: how many the opponents draw.

    Returns:
        `{way: rates, one a round}`.
    """
    height, width, _ = model.image_shape
    latents = model.draw_latents(images, [0, 1])
    chunk = latents[:CHUNK]
    ways = {
        "cached": lambda: model.decode(latents).numpy(),
        "cached, XLA": lambda: model.decode_compiled(latents).numpy(),
        "whole network": whole_network(model, chunk, pixels),
        "whole network, XLA": whole_network(model, chunk, pixels, jit_compile=True),
        "predict": predict(model, chunk, pixels),
    }
    opponents = len(chunk) * pixels / (height * width)
    drawn = {way: opponents if way in OPPONENTS else images for way in ways}
    rates = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, draw in ways.items():
            start = time.perf_counter()
            draw()
            if number:
                rates[way].append(drawn[way] / (time.perf_counter() - start))
    return rates


def main(
    batches: tuple[int, ...] = (1, 4, 16, 64, 256),
    rounds: int = 3,
    pixels: int = 4,
    quick: bool = False,
    out: pathlib.Path = pathlib.Path("results/pixel_sampling.json"),
):
    """Prints images a second of each way, and how much faster the cached ones are.

    Args:
        batches: images drawn at once.
        rounds: how often each way has its turn.
        pixels: how many of 784 the opponents draw.
        quick: one round, and nothing is written.
        out: the file of the figures.
    """
    machine.use_cpu_only()
    tf.config.set_visible_devices([], "GPU")  # of this process, which has loaded TensorFlow
    found = machine.surroundings() | {
        "recipe": "pixel_sampling",
        "family": "pixel_sampling",
        "opponents": OPPONENTS,
        "chunk": CHUNK,
        "pixels": pixels,
        "rounds": 1 if quick else rounds,
        "comparisons": [],
    }
    keras.utils.set_random_seed(0)
    model = PixelCNN((28, 28, 1), filters=128, num_blocks=5, head_filters=128)
    model.compile()
    for batch in batches:
        rates = take_turns(model, batch, found["rounds"], pixels)
        ways = [{"way": way, "rates": each} for way, each in rates.items()]
        found["comparisons"].append({"title": f"{batch}", "ways": ways})
        print(f"{batch} images: done", flush=True)
    print(render_sampling(found))
    if not quick:
        write_json(out, found)


if __name__ == "__main__":
    tyro.cli(main)
