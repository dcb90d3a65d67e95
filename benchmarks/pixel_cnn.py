"""Training of a PixelCNN after keras.io's: 128 filters, five blocks, binary 28x28, batches of 32.

The first 1x1 convolution of a block has 64 outputs, as in the paper; in the keras.io example it has
128.
"""

import keras
import numpy as np
import tensorflow as tf

from benchmarks import tensorflow_ways
from benchmarks.harness import torch_modes
from keras_gen.data import binarize
from keras_gen.models import PixelCNN

TITLE = "PixelCNN, 128 filters, 5 blocks of 64 inside, binarized 28x28, batch 32"
ITEMS = 32
NOTE = (
    "The opponents multiply whole kernels by their masks in every step; ours leave out the rows "
    "below the pixel."
)
FILTERS, BLOCKS = 128, 5
RATE = 5e-4


def data():
    """MNIST, binarized once."""
    return binarize(tensorflow_ways.mnist(), "static")


def mask(shape, kind):
    """The mask of a kernel `(h, w, in, out)`, of type A or B."""
    made = np.ones(shape, "float32")
    row, column = shape[0] // 2, shape[1] // 2
    made[row, column + (kind == "B") :] = 0.0
    made[row + 1 :] = 0.0
    return made


class MaskedConvolution(keras.layers.Layer):
    """A convolution whose kernel is multiplied by a mask in every call."""

    def __init__(self, kind, **arguments):
        super().__init__()
        self.kind = kind
        self.convolution = keras.layers.Conv2D(padding="same", **arguments)

    def build(self, input_shape):
        """Makes kernel and mask."""
        self.convolution.build(input_shape)
        self.mask = mask(self.convolution.kernel.shape, self.kind)

    def call(self, images):
        """`(B, H, W, C)` to `(B, H, W, filters)`."""
        layer = self.convolution
        kernel = tf.cast(layer.kernel * self.mask, images.dtype)
        x = tf.nn.conv2d(images, kernel, 1, "SAME") + tf.cast(layer.bias, images.dtype)
        return layer.activation(x)


def textbook_network():
    """The network after keras.io's."""
    images = keras.Input((28, 28, 1))
    x = MaskedConvolution("A", filters=FILTERS, kernel_size=7, activation="relu")(images)
    for _ in range(BLOCKS):
        h = keras.layers.Conv2D(FILTERS // 2, 1, activation="relu")(x)
        h = MaskedConvolution("B", filters=FILTERS // 2, kernel_size=3, activation="relu")(h)
        x = keras.layers.Add()([x, keras.layers.Conv2D(FILTERS, 1, activation="relu")(h)])
    for _ in range(2):
        x = MaskedConvolution("B", filters=FILTERS, kernel_size=1, activation="relu")(x)
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(x)
    return keras.Model(images, outputs)


def ours(precision):
    """`PixelCNN` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = PixelCNN((28, 28, 1), FILTERS, BLOCKS, FILTERS)
    model.compile(keras.optimizers.Adam(RATE))
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


def textbook(precision):
    """The network with Keras' own `train_step`, through `fit`."""
    tensorflow_ways.use_precision(precision)
    model = textbook_network()
    model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy")
    batches = tensorflow_ways.textbook_batches(data(), ITEMS).map(lambda x: (x, x))
    return tensorflow_ways.through_fit(model, batches)


def function(precision):
    """The same network in a bare loop."""
    tensorflow_ways.use_precision(precision)
    model = textbook_network()
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(model.trainable_variables)
    loss_fn = keras.losses.BinaryCrossentropy()

    def step(images):
        with tf.GradientTape() as tape:
            loss = loss_fn(images, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return tensorflow_ways.through_loop(step, tensorflow_ways.textbook_batches(data(), ITEMS))


def torch_network():
    """The same network in PyTorch."""
    import torch
    from torch import nn

    class Masked(nn.Conv2d):
        def __init__(self, kind, channels, filters, size):
            super().__init__(channels, filters, size, padding=size // 2)
            kept = mask((size, size, channels, filters), kind).transpose(3, 2, 0, 1)
            self.register_buffer("mask", torch.from_numpy(kept.copy()))

        def forward(self, images):
            return self._conv_forward(images, self.weight * self.mask, self.bias)

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(
                nn.Conv2d(FILTERS, FILTERS // 2, 1),
                nn.ReLU(inplace=True),
                Masked("B", FILTERS // 2, FILTERS // 2, 3),
                nn.ReLU(inplace=True),
                nn.Conv2d(FILTERS // 2, FILTERS, 1),
                nn.ReLU(inplace=True),
            )

        def forward(self, x):
            return x + self.inner(x)

    heads = [Masked("B", FILTERS, FILTERS, 1) for _ in range(2)]
    return nn.Sequential(
        Masked("A", 1, FILTERS, 7),
        nn.ReLU(inplace=True),
        *(Residual() for _ in range(BLOCKS)),
        *(part for head in heads for part in (head, nn.ReLU(inplace=True))),
        nn.Conv2d(FILTERS, 1, 1),
    )


def torch_way(precision, channels_last, compiled):
    """The same network in PyTorch."""
    import torch

    from benchmarks import torch_ways

    model = torch_network()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    model = torch.compile(model) if compiled else model
    cross_entropy = torch.nn.BCEWithLogitsLoss()

    def step(images):
        optimizer.zero_grad()
        with torch_ways.precise(precision):
            logits = model(images)
        cross_entropy(logits.float(), images).backward()
        optimizer.step()

    batches = torch_ways.batches(data(), ITEMS, channels_last=channels_last)
    return torch_ways.through_loop(step, batches)


WAYS = {
    "keras_gen": ours,
    "Keras, as tutorials": textbook,
    "tf.function loop": function,
    **torch_modes(torch_way),
}
