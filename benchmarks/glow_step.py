"""A training step of Glow against the same flow written the textbook way, as a ratio.

    python -m benchmarks.glow_step

Both sides train the same levels, steps and filters on the same batches of 8-bit MNIST with Adam
through `fit`, alternating. The textbook's is a `keras.Model` as examples write it: layers that add
their log-determinants to the loss, kernels of 1x1 convolutions whose determinants are computed by
decomposition, and normalization that looks in every step whether it is initialized.
"""

import math
import statistics
import time

import keras
import tensorflow as tf
import tyro

from keras_gen.data import load_or_stand_in
from keras_gen.models import Glow


class TextbookStep(keras.layers.Layer):
    """Normalization, 1x1 convolution and affine coupling; each adds its log-determinant."""

    def __init__(self, channels, filters):
        super().__init__()
        self.shift = self.add_weight(shape=(channels,), initializer="zeros")
        self.log_scale = self.add_weight(shape=(channels,), initializer="zeros")
        self.initialized = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.kernel = self.add_weight(shape=(channels, channels), initializer="orthogonal")
        convolution = {"padding": "same", "activation": "relu"}
        self.network = keras.Sequential(
            [
                keras.layers.Conv2D(filters, 3, **convolution),
                keras.layers.Conv2D(filters, 1, **convolution),
                keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros"),
            ]
        )

    def initialize(self, x):
        """Sets the normalization from a batch."""
        self.shift.assign(-tf.reduce_mean(x, axis=(0, 1, 2)))
        self.log_scale.assign(-tf.math.log(tf.math.reduce_std(x, axis=(0, 1, 2)) + 1e-6))
        self.initialized.assign(1.0)
        return 0

    def call(self, x):
        """From `(B, H, W, C)` to the same shape."""
        places = x.shape[1] * x.shape[2]
        tf.cond(self.initialized < 0.5, lambda: self.initialize(x), lambda: 0)
        x = (x + self.shift) * tf.exp(self.log_scale)
        x = tf.nn.conv2d(x, self.kernel[None, None], 1, "SAME")
        determinant = tf.linalg.slogdet(tf.convert_to_tensor(self.kernel)).log_abs_determinant
        kept, moved = tf.split(x, 2, axis=-1)
        shift, log_scale = tf.split(self.network(kept), 2, axis=-1)
        log_scale = tf.tanh(log_scale)
        moved = moved * tf.exp(log_scale) + shift
        log_det = tf.reduce_mean(tf.reduce_sum(log_scale, axis=(1, 2, 3)))
        self.add_loss(-log_det - places * (determinant + tf.reduce_sum(self.log_scale)))
        return tf.concat([kept, moved], axis=-1)


class TextbookGlow(keras.Model):
    """The flow as examples write it."""

    def __init__(self, channels, levels, steps, filters):
        super().__init__()
        self.flow_steps, self.priors = [], []
        for level in range(levels):
            channels *= 4
            self.flow_steps.append([TextbookStep(channels, filters) for _ in range(steps)])
            channels = channels if level == levels - 1 else channels // 2
            prior = keras.layers.Conv2D(2 * channels, 3, padding="same", kernel_initializer="zeros")
            self.priors.append(prior)

    def call(self, images):
        """Adds every part of the negative log-likelihood to the loss."""
        x = (tf.round(images * 255.0) + tf.random.uniform(tf.shape(images))) / 256.0
        for level, (steps, prior) in enumerate(zip(self.flow_steps, self.priors, strict=True)):
            x = tf.nn.space_to_depth(x, 2)
            for step in steps:
                x = step(x)
            if level == len(self.priors) - 1:
                moments, done = prior(tf.zeros_like(x)), x
            else:
                x, done = tf.split(x, 2, axis=-1)
                moments = prior(x)
            mean, log_scale = tf.split(moments, 2, axis=-1)
            z = (done - mean) * tf.exp(-log_scale)
            log_density = -0.5 * (z * z + math.log(2 * math.pi)) - log_scale
            self.add_loss(-tf.reduce_mean(tf.reduce_sum(log_density, axis=(1, 2, 3))))
        return x


def main(
    data: str = "mnist",
    levels: int = 2,
    flow_steps: int = 8,
    filters: int = 64,
    steps: int = 20,
    rounds: int = 7,
    batch_size: int = 64,
):
    """Prints images/s of both sides for each round and the ratio of their medians.

    Args:
        data: data set to train on.
        levels: of both flows.
        flow_steps: of each level.
        filters: channels of the hidden layers.
        steps: training steps of one side in one round.
        rounds: how often each side is timed.
        batch_size: images in a batch.
    """
    images = load_or_stand_in(data, image_size=28, value_range=Glow.value_range)
    sides = {
        "textbook": TextbookGlow(images.example_shape[-1], levels, flow_steps, filters),
        "Glow": Glow(images.example_shape, levels, flow_steps, filters),
        "Glow, LU kernels": Glow(images.example_shape, levels, flow_steps, filters, lu=True),
    }

    def fit(model, steps):
        batches = images.batches(batch_size, seed=0)
        return model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0).history

    for model in sides.values():
        model.compile(keras.optimizers.Adam(1e-4), jit_compile=False)
        fit(model, 2)  # traces
    rates = {name: [] for name in sides}
    for number in range(rounds):
        for name, model in sides.items():
            start = time.perf_counter()
            fit(model, steps)
            rates[name].append(steps * batch_size / (time.perf_counter() - start))
        row = ", ".join(f"{name} {values[-1]:.1f} images/s" for name, values in rates.items())
        print(f"round {number + 1}: {row}", flush=True)
    textbook = statistics.median(rates["textbook"])
    for name, values in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(values, rates["textbook"], strict=True)]
        print(
            f"{name}: {statistics.median(values):.1f} images/s, "
            f"{statistics.median(values) / textbook:.3f} of the textbook's, in single rounds "
            f"{min(ratios):.3f} to {max(ratios):.3f}, {sides[name].count_params():,} parameters"
        )


if __name__ == "__main__":
    tyro.cli(main)
