"""What all feature extractors share: what they give, how images are brought to their size.

An extractor is a callable from uint8 images `(N, H, W, C)`, of any size and C 1 or 3, to
`Extracted`, with the attributes

    name            "mnist": names the metrics, as in `fd_mnist`
    digest          first 16 hex digits of the SHA-256 of its weights file, or None without weights
    num_features    D, or None where it depends on the images
    num_classes     K, or None where it gives no probabilities
    class_names     K names, or None
    image_shape     `(H, W, C)` that images are brought to, or None where they stay as they are
    test_accuracy   of its classes on the held-out split, or None
    description     one line for protocols

An image gives the same bits whatever other images come with it: a network always sees batches of
one size, the last one filled up with black images.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gen.metrics.streaming import check_images

_ITU_R_601 = (0.299, 0.587, 0.114)


class Extracted(NamedTuple):
    """What an extractor gives for N images.

    Attributes:
        features: float32 `(N, D)`.
        probabilities: float32 `(N, K)`, rows that sum to 1, or None.
    """

    features: np.ndarray
    probabilities: np.ndarray | None


def fit_images(images, image_shape):
    """Brings images to an extractor's size and channels; what fits already stays as it is.

    Colour becomes grey by the luma weights of ITU-R 601 (0.299, 0.587, 0.114), grey becomes
    colour by repetition. Then another size is resized bilinearly, with antialiasing where it gets
    smaller, without regard to the aspect, and not rounded to bytes again.

    Args:
        images: uint8 tensor `(N, H, W, C)`, C 1 or 3.
        image_shape: the `(H, W, C)` wanted, C 1 or 3.

    Returns:
        float32 tensor `(N, *image_shape)` in [0, 1].
    """
    images = tf.cast(images, "float32") / 255.0
    height, width, channels = image_shape
    if images.shape[-1] == 3 and channels == 1:
        images = tf.reduce_sum(images * tf.constant(_ITU_R_601), axis=-1, keepdims=True)
    if images.shape[1:3] != (height, width):
        images = tf.image.resize(images, (height, width), method="bilinear", antialias=True)
    if images.shape[-1] == 1 and channels == 3:
        images = tf.repeat(images, 3, axis=-1)
    return images


def conversion_note(from_shape, to_shape):
    """What `fit_images` does to images of one shape, in words for protocols.

    Args:
        from_shape: `(H, W, C)` of the images.
        to_shape: `(H, W, C)` of the extractor, or None where it takes any.
    """
    if to_shape is None:
        return "images as they are"
    notes = []
    if from_shape[2] != to_shape[2]:
        notes.append("grey by ITU-R 601" if to_shape[2] == 1 else "grey repeated as RGB")
    if from_shape[:2] != to_shape[:2]:
        sizes = [f"{height}x{width}" for height, width, _ in (from_shape, to_shape)]
        notes.append(f"resized {sizes[0]} to {sizes[1]} (bilinear, antialiased)")
    return "images " + " and ".join(notes) if notes else "images as they are"


def check_channels(images):
    """Gives images as a uint8 array `(N, H, W, C)`, C 1 or 3; raises ValueError for others."""
    images = check_images("images", images)
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"images of shape {images.shape}: give grey or RGB images, C 1 or 3.")
    return images


class NetworkExtractor:
    """An extractor that runs a network; what classifiers and Inception inherit.

    Args:
        network: a functional model from float32 `(B, *image_shape)` in [0, 1] to
            `(features, probabilities)`, or to features alone.
        image_shape: `(H, W, C)` of its input.
        batch_size: how many images the network always sees at once.
    """

    def __init__(self, network, image_shape, batch_size):
        self.image_shape = tuple(image_shape)
        self.num_features = network.outputs[0].shape[-1]
        self.num_classes = network.outputs[1].shape[-1] if len(network.outputs) > 1 else None
        self._network, self._batch_size = network, batch_size
        # Traced once for each size of images: the batch has always the same.
        self._run = tf.function(
            lambda images: network(fit_images(images, self.image_shape), training=False),
            jit_compile=False,
        )

    def __call__(self, images):
        """`Extracted` of uint8 images `(N, H, W, C)`, C 1 or 3; N may be 0.

        Raises:
            ValueError: not such images.
        """
        return self._extract(check_channels(images))

    def of_floats(self, images, value_range):
        """Features `(N, D)` of float images as they are, not rounded to bytes.

        For what bytes are too coarse for, such as how features change along a short path.

        Args:
            images: floats `(N, H, W, C)`, C 1 or 3.
            value_range: `(low, high)`, which becomes [0, 1]; values beyond are kept.
        """
        low, high = value_range
        bytes_unrounded = (np.asarray(images, "float32") - low) * np.float32(255.0 / (high - low))
        return self._extract(bytes_unrounded).features

    def _extract(self, images):
        features = np.empty((len(images), self.num_features), "float32")
        probabilities = None
        if self.num_classes:
            probabilities = np.empty((len(images), self.num_classes), "float32")
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            rows, count = slice(start, start + len(batch)), len(batch)
            batch = np.pad(batch, [(0, self._batch_size - count), (0, 0), (0, 0), (0, 0)])
            outputs = self._run(tf.constant(batch))
            if probabilities is None:
                features[rows] = outputs.numpy()[:count]
            else:
                features[rows], probabilities[rows] = (each.numpy()[:count] for each in outputs)
        return Extracted(features, probabilities)
