"""What the PyTorch programs of all comparisons share; needs the `bench` extra.

A Keras network becomes the PyTorch network of the same layers and sizes, so that both sides of a
comparison surely train the same thing. What differs is where a strided convolution lets the odd
line of padding fall: PyTorch pads both sides alike. Rectified units work in place, as in PyTorch's
own examples.
"""

import contextlib

import keras
import numpy as np
import torch
from torch import nn

from benchmarks.harness import Program
from keras_gen.layers import SpectralNormalization
from keras_gen.training import environment

# Else one a physical core, fewer than the others have.
torch.set_num_threads(environment.machine()["cores"])


def prepare(network, channels_last, compiled):
    """A Keras network as PyTorch's, in a memory layout, compiled or not."""
    network = as_torch(network)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    return torch.compile(network) if compiled else network


def precise(precision):
    """The context in which losses are computed."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def as_torch(network):
    """A Keras network whose layers follow one another, as an `nn.Sequential`.

    Args:
        network: of the layers below.

    Raises:
        ValueError: another layer, or another count of parameters than Keras has.
    """
    parts = []
    for layer in network.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            parts += _convert(layer)
    made = nn.Sequential(*parts)
    ours = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    theirs = sum(weight.numel() for weight in made.parameters())
    if ours != theirs:
        raise ValueError(f"{network.name}: {ours:,} parameters became {theirs:,}.")
    return made


def _convert(layer):
    kind = type(layer).__name__
    if isinstance(layer, SpectralNormalization):
        converted = _convert(layer.layer)
        return [nn.utils.parametrizations.spectral_norm(converted[0]), *converted[1:]]
    if kind == "Dense":
        made = nn.Linear(layer.kernel.shape[0], layer.units, bias=layer.use_bias)
    elif kind == "Conv2D":
        size, (stride, _) = layer.kernel_size[0], layer.strides
        arguments = (layer.kernel.shape[2], layer.filters, size, stride, (size - 1) // 2)
        made = nn.Conv2d(*arguments, bias=layer.use_bias)
    elif kind == "Conv2DTranspose":
        size, (stride, _) = layer.kernel_size[0], layer.strides
        padding = (size - 1) // 2
        missing = stride - size + 2 * padding  # of the side that Keras makes
        arguments = (layer.kernel.shape[3], layer.filters, size, stride, padding, missing)
        made = nn.ConvTranspose2d(*arguments, bias=layer.use_bias)
    elif kind == "BatchNormalization":
        of_rank = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(layer.input.shape)]
        made = of_rank(layer.input.shape[-1], layer.epsilon, 1.0 - layer.momentum)
    elif kind == "Reshape":
        height, width, channels = layer.target_shape
        made = nn.Unflatten(1, (channels, height, width))
    elif kind == "LeakyReLU":
        made = nn.LeakyReLU(layer.negative_slope, inplace=True)
    elif kind == "Dropout":
        made = nn.Dropout(layer.rate)
    elif kind == "GlobalMaxPooling2D":
        return [nn.AdaptiveMaxPool2d(1), nn.Flatten()]
    elif kind == "Flatten":
        made = nn.Flatten()
    elif kind == "ReLU":
        made = nn.ReLU(inplace=True)
    elif kind == "Activation":
        return _activation(layer)
    else:
        raise ValueError(f"{layer.name}: {kind} has no counterpart here.")
    return [made, *_activation(layer)]


def _activation(layer):
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if name == "linear":
        return []
    made = {"relu": nn.ReLU(inplace=True), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh()}
    return [made[name]]


def batches(data, batch_size, labels=False, channels_last=False):
    """Random batches of bytes in memory, made floats in the data's range, without end."""
    images = torch.from_numpy(data.examples.transpose(0, 3, 1, 2).copy())
    numbers = torch.from_numpy(data.labels.copy()) if labels else None
    low, high = data.value_range
    while True:
        for rows in torch.randperm(len(images)).split(batch_size)[:-1]:
            batch = images[rows].float() / 255.0 * (high - low) + low
            if channels_last:
                batch = batch.contiguous(memory_format=torch.channels_last)
            yield (batch, numbers[rows]) if labels else batch


def through_loop(step, data):
    """Trains by a loop over a function of a batch."""

    def run(steps):
        for _ in range(steps):
            step(next(data))

    return Program(run, alone=False)
