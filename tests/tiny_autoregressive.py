"""Tiny autoregressive models of random weights, for all tests of the family."""

import numpy as np
import tensorflow as tf

from keras_gen.models import FVSBN, ConditionalPixelCNN, GatedPixelCNN, PixelCNN, PixelRNN

GREY, COLOR = (6, 5, 1), (4, 4, 3)
# name -> (class, arguments without the image's shape, image shapes that it takes)
MODELS = {
    "FVSBN": (FVSBN, {}, GREY),
    "PixelCNN": (PixelCNN, {"filters": 8, "num_blocks": 2, "head_filters": 8}, GREY),
    "PixelCNN-colours": (
        PixelCNN,
        {"filters": 12, "num_blocks": 1, "head_filters": 12, "likelihood": "categorical"},
        COLOR,
    ),
    "PixelCNN-mixture": (
        PixelCNN,
        {"filters": 12, "num_blocks": 1, "head_filters": 12, "likelihood": "logistic_mixture"},
        COLOR,
    ),
    "GatedPixelCNN": (GatedPixelCNN, {"filters": 4, "num_layers": 3, "head_filters": 8}, GREY),
    "GatedPixelCNN-colours": (
        GatedPixelCNN,
        {"filters": 6, "num_layers": 2, "head_filters": 12, "likelihood": "categorical"},
        COLOR,
    ),
    "ConditionalPixelCNN": (
        ConditionalPixelCNN,
        {"num_classes": 3, "filters": 4, "num_layers": 3, "head_filters": 8},
        GREY,
    ),
    "ConditionalPixelCNN-colours": (
        ConditionalPixelCNN,
        {"num_classes": 3, "filters": 6, "num_layers": 2, "head_filters": 12},
        COLOR,
    ),
    "PixelRNN-row": (
        PixelRNN,
        {"variant": "row", "units": 4, "num_layers": 2, "head_filters": 8},
        GREY,
    ),
    "PixelRNN-diagonal": (
        PixelRNN,
        {"variant": "diagonal", "units": 4, "num_layers": 1, "head_filters": 8},
        GREY,
    ),
}


def make(name, image_shape=None, **arguments):
    """A model of random weights, large enough for all of its outputs to depend on its inputs."""
    cls, settings, shape = MODELS[name]
    model = cls(image_shape or shape, **{**settings, **arguments})
    rng = np.random.default_rng(0)
    for variable in model.network.trainable_variables:
        # Biases that keep rectified units alive: a dead one would hide what it sees.
        scale, shift = (0.4, 0.0) if len(variable.shape) > 1 else (0.1, 1.0)
        variable.assign(rng.normal(shift, scale, variable.shape))
    return model


def labels_for(model, count):
    """Labels, the classes in turn, or None for an unconditional model."""
    return tf.range(count) % model.num_classes if model.conditional else None


def jacobian(model):
    """d parameters / d values at one image, absolute, `(H * W * colors, H * W * C)`.

    Rows are pixels, and where colours are ordered the colours of each; columns are pixels and their
    channels. Of a row's parameters a random combination is differentiated.
    """
    height, width, channels = model.image_shape
    rng, count = np.random.default_rng(1), height * width * model.pixel.colors
    # A copy of the image for each row, of which that row's parameters are differentiated.
    image = rng.uniform(size=(1, *model.image_shape))
    images = tf.constant(np.repeat(image, count, axis=0), "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        inputs = [images, tf.ones(count, "int32")] if model.conditional else images
        parameters = tf.reshape(model.network(inputs), (count, count, -1))
        weights = rng.normal(size=parameters.shape[-1]).astype("float32")
        chosen = tf.linalg.diag_part(tf.reduce_sum(parameters * weights, axis=-1))
    return np.abs(tape.gradient(chosen, images).numpy()).reshape(count, -1)
