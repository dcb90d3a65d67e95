"""VAE of 784-400-40 units on binarized MNIST, batches of 100."""

import keras
import tensorflow as tf

from benchmarks import tensorflow_ways
from benchmarks.harness import torch_modes
from keras_gen.data import binarize
from keras_gen.models import VAE

TITLE = "VAE, 784-400-40, binarized 28x28, batch 100"
ITEMS = 100
NOTE = "20 steps a call is Keras' steps_per_execution, which the textbook model could take, too."
LATENT_DIM, HIDDEN = 40, 400
RATE = 1e-4


def data():
    """MNIST, binarized once."""
    return binarize(tensorflow_ways.mnist(), "static")


class Sampling(keras.layers.Layer):
    """Draws a latent for each posterior."""

    def __init__(self):
        super().__init__(dtype="float32")
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs):
        """`(B, D)` of means and logarithms of variances, each `(B, D)`."""
        mean, log_variance = inputs
        shape = keras.ops.shape(mean)
        noise = keras.random.normal(shape, dtype=mean.dtype, seed=self.seed_generator)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


class TextbookVAE(keras.Model):
    """The model of keras.io: a cross-entropy of probabilities, and three metrics."""

    def __init__(self):
        super().__init__()
        images = keras.Input((28, 28, 1))
        x = keras.layers.Flatten()(images)
        x = keras.layers.Dense(HIDDEN, activation="relu")(x)
        moments = [keras.layers.Dense(LATENT_DIM, dtype="float32")(x) for _ in range(2)]
        self.encoder = keras.Model(images, [*moments, Sampling()(moments)])
        latents = keras.Input((LATENT_DIM,))
        x = keras.layers.Dense(HIDDEN, activation="relu")(latents)
        x = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(28 * 28)(x))
        # Last, so that Keras' cross-entropy finds the logits, as in the example.
        x = keras.layers.Activation("sigmoid", dtype="float32")(x)
        self.decoder = keras.Model(latents, x)
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


def ours(precision, **settings):
    """`VAE` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = VAE((28, 28, 1), LATENT_DIM, (HIDDEN,))
    model.compile(keras.optimizers.Adam(RATE), **settings)
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


def textbook(precision):
    """`TextbookVAE` through `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookVAE()
    model.compile(keras.optimizers.Adam(RATE))
    return tensorflow_ways.through_fit(model, tensorflow_ways.textbook_batches(data(), ITEMS))


def function(precision, jit_compile=False):
    """The same step without `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookVAE()
    model.compile(keras.optimizers.Adam(RATE))
    model.optimizer.build(model.trainable_variables)
    batches = tensorflow_ways.textbook_batches(data(), ITEMS)
    return tensorflow_ways.through_loop(
        lambda batch: model.train_step(batch)["loss"], batches, jit_compile
    )


def torch_networks():
    """`(encoder, decoder)` in PyTorch."""
    import torch

    encoder = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(28 * 28, HIDDEN),
        torch.nn.ReLU(inplace=True),
        torch.nn.Linear(HIDDEN, 2 * LATENT_DIM),
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(LATENT_DIM, HIDDEN),
        torch.nn.ReLU(inplace=True),
        torch.nn.Linear(HIDDEN, 28 * 28),
    )
    return encoder, decoder


def torch_way(precision, channels_last, compiled):
    """The loop of PyTorch's VAE example, with a cross-entropy of logits."""
    import torch

    from benchmarks import torch_ways

    encoder, decoder = torch_networks()
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)
    if compiled:
        encoder, decoder = torch.compile(encoder), torch.compile(decoder)
    cross_entropy = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def step(images):
        optimizer.zero_grad()
        with torch_ways.precise(precision):
            mean, log_variance = encoder(images).chunk(2, dim=1)
            latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            logits = decoder(latents)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        loss = (cross_entropy(logits.float(), images.flatten(1)) + kl) / len(images)
        loss.backward()
        optimizer.step()

    return torch_ways.through_loop(step, torch_ways.batches(data(), ITEMS))


# Vectors have no channels.
_TORCH = {name: way for name, way in torch_modes(torch_way).items() if "channels" not in name}
WAYS = {
    "keras_gen": ours,
    "keras_gen, XLA": lambda precision: ours(precision, jit_compile=True),
    "keras_gen, 20 steps a call": lambda precision: ours(precision, steps_per_execution=20),
    "Keras, as tutorials": textbook,
    "tf.function loop": function,
    "tf.function loop, XLA": lambda precision: function(precision, True),
    **_TORCH,
}
