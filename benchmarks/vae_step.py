"""A training step of the VAE against the same model written the textbook way, as a ratio.

    python benchmarks/vae_step.py

Both sides train 784-400-40 on the same batches with Adam through `fit`, alternating: one is
`keras_gen.models.VAE`, the other a `keras.Model` with a sampling layer, a cross-entropy of
probabilities and three metrics, as in the examples of keras.io. A third column is `Run.fit`, with
history, TensorBoard, sample grids, checkpoints and the NaN guard at their default intervals.
"""

import contextlib
import io
import pathlib
import statistics
import tempfile
import time

import keras
import tensorflow as tf
import tyro

from keras_gen.data import binarize, load_or_stand_in
from keras_gen.models import VAE
from keras_gen.training import Run, RunOptions


class Sampling(keras.layers.Layer):
    """Draws a latent for each posterior."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs):
        """`(B, D)` of means and logarithms of variances, each `(B, D)`."""
        mean, log_variance = inputs
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seed_generator)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


class TextbookVAE(keras.Model):
    """The model as examples write it."""

    def __init__(self, image_shape, latent_dim, hidden_units):
        super().__init__()
        images = keras.Input(image_shape)
        x = keras.layers.Flatten()(images)
        x = keras.layers.Dense(hidden_units, activation="relu")(x)
        moments = [keras.layers.Dense(latent_dim)(x) for _ in range(2)]
        self.encoder = keras.Model(images, [*moments, Sampling()(moments)])
        latents = keras.Input((latent_dim,))
        x = keras.layers.Dense(hidden_units, activation="relu")(latents)
        x = keras.layers.Dense(image_shape[0] * image_shape[1], activation="sigmoid")(x)
        self.decoder = keras.Model(latents, keras.layers.Reshape(image_shape)(x))
        names = ("loss", "reconstruction_loss", "kl_loss")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def metrics(self):
        """Those of the loss and of its terms."""
        return self.trackers

    def train_step(self, images):
        """One step of the optimizer."""
        with tf.GradientTape() as tape:
            mean, log_variance, latents = self.encoder(images)
            cross_entropies = keras.losses.binary_crossentropy(images, self.decoder(latents))
            reconstruction = tf.reduce_mean(tf.reduce_sum(cross_entropies, axis=(1, 2)))
            kl = -0.5 * (1 + log_variance - tf.square(mean) - tf.exp(log_variance))
            kl = tf.reduce_mean(tf.reduce_sum(kl, axis=1))
            loss = reconstruction + kl
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def main(
    data: str = "mnist",
    steps: int = 600,
    rounds: int = 5,
    batch_size: int = 100,
    jit_compile: bool = False,
):
    """Prints images/s of all sides for each round and the ratios of their medians.

    Args:
        data: data set to train on.
        steps: training steps of one side in one round.
        rounds: how often each side is timed.
        batch_size: images in a batch.
        jit_compile: compile both models' steps with XLA.
    """
    images = load_or_stand_in(data, image_size=28, value_range=VAE.value_range)
    images = binarize(images, "static")
    textbook = TextbookVAE(images.example_shape, 40, 400)
    textbook.compile(keras.optimizers.Adam(1e-4), jit_compile=jit_compile)
    ours = VAE(images.example_shape)
    ours.compile(keras.optimizers.Adam(1e-4), jit_compile=jit_compile)

    def fit(model, steps):
        batches = images.batches(batch_size, seed=0)
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    def through_run(steps):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            options = RunOptions(out=str(pathlib.Path(folder) / "run"))
            arguments = {"seed": 0, "options": options}
            run = Run("benchmark", arguments, family="autoencoders", title="", paper="")
            run.fit(ours, images, batch_size=batch_size, steps=steps)

    sides = {
        "textbook": lambda steps: fit(textbook, steps),
        "VAE": lambda steps: fit(ours, steps),
        "VAE through Run.fit": through_run,
    }
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
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name in list(sides)[1:]:
        pairs = zip(rates["textbook"], rates[name], strict=True)
        ratios = [ours / textbook for textbook, ours in pairs]
        print(
            f"{name}: {medians[name]:.0f} images/s, {medians[name] / medians['textbook']:.3f} of "
            f"the textbook's, in single rounds {min(ratios):.3f} to {max(ratios):.3f}"
        )


if __name__ == "__main__":
    tyro.cli(main)
