"""RealNVP of two moons: six affine couplings of four layers of 256 units, batches of 256.

The sizes are those of the keras.io example, with one network for scale and shift where the example
has two.
"""

import math

import keras
import tensorflow as tf

from benchmarks import tensorflow_ways
from benchmarks.harness import torch_modes
from keras_gen.data import load
from keras_gen.models import PointRealNVP

TITLE = "RealNVP of points, 6 couplings of 4 x 256 units, batch 256"
ITEMS = 256
NOTE = (
    "The opponents' networks see both coordinates, one of them masked; ours see the other one "
    "alone, and their input is normalized. 20 steps a call is Keras' steps_per_execution, which "
    "the textbook model could take, too."
)
COUPLINGS, HIDDEN = 6, (256,) * 4
RATE = 1e-4


def data():
    """Two moons, as images of one pixel."""
    return load("moons", split="train").as_images()


class TextbookRealNVP(keras.Model):
    """The flow as keras.io writes it: masks, and a `train_step` of the mean log-likelihood."""

    def __init__(self):
        super().__init__()
        self.networks = []
        for _ in range(COUPLINGS):
            inputs = keras.Input((2,))
            x = inputs
            for units in HIDDEN:
                x = keras.layers.Dense(units, activation="relu")(x)
            log_scale = keras.layers.Dense(2, activation="tanh", dtype="float32")(x)
            shift = keras.layers.Dense(2, dtype="float32")(x)
            self.networks.append(keras.Model(inputs, [log_scale, shift]))
        self.masks = [tf.constant([[0.0, 1.0]]), tf.constant([[1.0, 0.0]])] * (COUPLINGS // 2)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        """That of the loss."""
        return [self.loss_tracker]

    def log_loss(self, points):
        """The mean negative log-likelihood of `(B, 2)`."""
        log_det = tf.zeros(tf.shape(points)[:1])
        for network, mask in zip(self.networks, self.masks, strict=True):
            kept = points * mask
            log_scale, shift = network(kept)
            log_scale, shift = log_scale * (1.0 - mask), shift * (1.0 - mask)
            points = kept + (1.0 - mask) * (points * tf.exp(log_scale) + shift)
            log_det += tf.reduce_sum(log_scale, axis=1)
        log_density = -0.5 * tf.reduce_sum(points**2, axis=1) - math.log(2.0 * math.pi)
        return -tf.reduce_mean(log_density + log_det)

    def train_step(self, points):
        """One step of the optimizer."""
        with tf.GradientTape() as tape:
            loss = self.log_loss(points)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def textbook_batches():
    """Points `(B, 2)`."""
    return tensorflow_ways.gathered_batches(data().examples.reshape(-1, 2), ITEMS)


def ours(precision, **settings):
    """`PointRealNVP` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = PointRealNVP(COUPLINGS, HIDDEN)
    model.compile(keras.optimizers.Adam(RATE), **settings)
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


def textbook(precision):
    """`TextbookRealNVP` through `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookRealNVP()
    model.compile(keras.optimizers.Adam(RATE))
    return tensorflow_ways.through_fit(model, textbook_batches())


def function(precision, jit_compile=False):
    """The same step without `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookRealNVP()
    model.compile(keras.optimizers.Adam(RATE))
    model.optimizer.build(model.trainable_variables)
    return tensorflow_ways.through_loop(
        lambda batch: model.train_step(batch)["loss"], textbook_batches(), jit_compile
    )


def torch_flow():
    """The same flow in PyTorch: from points to their mean negative log-likelihood."""
    import torch

    class RealNVP(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("masks", torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
            sizes = (2, *HIDDEN)
            self.networks = torch.nn.ModuleList()
            for _ in range(COUPLINGS):
                layers = []
                for before, after in zip(sizes, sizes[1:], strict=False):
                    layers += [torch.nn.Linear(before, after), torch.nn.ReLU(inplace=True)]
                self.networks.append(torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN[-1], 4)))

        def forward(self, points):
            log_det = torch.zeros(len(points))
            for number, network in enumerate(self.networks):
                mask = self.masks[number % 2]
                kept = points * mask
                log_scale, shift = network(kept).float().chunk(2, dim=1)
                log_scale, shift = torch.tanh(log_scale) * (1.0 - mask), shift * (1.0 - mask)
                points = kept + (1.0 - mask) * (points * torch.exp(log_scale) + shift)
                log_det = log_det + log_scale.sum(dim=1)
            log_density = -0.5 * points.square().sum(dim=1) - math.log(2.0 * math.pi)
            return -(log_density + log_det).mean()

    return RealNVP()


def torch_way(precision, channels_last, compiled):
    """Its training."""
    import torch

    from benchmarks import torch_ways

    model = torch_flow()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    model = torch.compile(model) if compiled else model
    points = torch.from_numpy(data().examples.reshape(-1, 2).copy())

    def batches():
        while True:
            for rows in torch.randperm(len(points)).split(ITEMS)[:-1]:
                yield points[rows]

    def step(batch):
        optimizer.zero_grad()
        with torch_ways.precise(precision):
            loss = model(batch)
        loss.backward()
        optimizer.step()

    return torch_ways.through_loop(step, batches())


# Points have no channels.
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
