"""Projection: latents whose images come closest to given images, found by gradient descent.

Every generator can be inverted so, also one without an encoder (Lipton and Tripathi 2017, Precise
Recovery of Latent Vectors from Generative Adversarial Networks, arXiv:1702.04782). For each image

    objective = distance(decode(latent), image) + prior_weight * penalty(latent)

is minimized from several starts, of which the best end counts. Two differences from that paper:
Adam with a decaying rate, and restarts and a soft penalty instead of stochastic clipping. An
image that the generator cannot draw keeps a large error, whatever the optimizer does.

Shapes: images (N, H, W, C); latents under optimization (N * restarts, latent_dim).
"""

import itertools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_gen.latent.access import (
    CHUNK,
    as_images,
    check_count,
    decode_in_chunks,
    encode_in_chunks,
    has,
    require,
)
from keras_gen.latent.prior import draw_latents, latent_distribution


class Projection(NamedTuple):
    """The latents found.

    Attributes:
        latents: float32 `(N, latent_dim)`, of the restart with the least objective.
        images: float32 `(N, H, W, C)`: their images, the reconstructions.
        targets: float32 `(N, H, W, C)`: what was to be reconstructed.
        errors: float32 `(N,)`: mean squared difference of pixels, in the value range's units, or
            of features; without the penalty.
        restart_errors: float32 `(N, restarts)`: the same of every restart, to see whether they
            agree.
    """

    latents: np.ndarray
    images: np.ndarray
    targets: np.ndarray
    errors: np.ndarray
    restart_errors: np.ndarray


def project(
    model,
    images,
    *,
    steps=300,
    learning_rate=0.1,
    restarts=4,
    features=None,
    prior_weight=0.0,
    seed=0,
    progress=None,
):
    """Finds for each image the latent that the model decodes to something closest to it.

    The first start is the image's encoding where the model has `encode`; the others are drawn from
    the prior.

    Args:
        model: a model with `decode`, `latent_dim` and `value_range`, whose `decode` is made of
            differentiable TensorFlow operations.
        images: `(N, H, W, C)`, in the model's value range or uint8.
        steps: Adam steps.
        learning_rate: Adam's rate at the first step; it falls to 0 along a cosine.
        restarts: starts for each image.
        features: None to compare pixels, or a differentiable callable from images `(B, H, W, C)`
            to a tensor `(B, ...)`.
        prior_weight: weight of the penalty for leaving the prior: the mean over coordinates of
            z^2 for a normal prior, of max(|z| - 1, 0)^2 for a uniform one. Other priors have none.
        seed: an integer that decides the starts.
        progress: None, or called as `progress(done, total)` with the steps over all images.

    Returns:
        A `Projection`; draw it with `save_projection`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.
    """
    require(model, "Projection", "decode", "latent_dim", "value_range")
    check_count("steps", steps)
    check_count("restarts", restarts)
    if not learning_rate > 0.0:
        raise ValueError(f"learning_rate={learning_rate!r}: give a positive number.")
    if not prior_weight >= 0.0:
        raise ValueError(f"prior_weight={prior_weight!r}: give a number of at least 0.")
    targets = as_images(images, model.value_range)
    features = features or tf.identity
    objective = _objective(model, features, prior_weight)
    starts = _starts(model, targets, restarts, seed)
    at_once = max(1, CHUNK // restarts)  # images: bounds the memory of the gradient
    firsts = range(0, len(targets), at_once)
    done = itertools.count(1)

    def report():
        if progress:
            progress(next(done), len(firsts) * steps)

    ends = []
    for first in firsts:
        goals = features(tf.constant(targets[first : first + at_once]))
        begin = starts[first : first + at_once]
        ends.append(_descend(objective, goals, begin, steps, learning_rate, report))
    latents, errors, objectives = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    best = np.arange(len(targets)), objectives.argmin(axis=1)
    return Projection(
        latents[best], decode_in_chunks(model, latents[best]), targets, errors[best], errors
    )


def _starts(model, targets, restarts, seed):
    """Latents `(N, restarts, latent_dim)`."""
    drawn = draw_latents(model, len(targets) * restarts, seed)
    starts = drawn.reshape(len(targets), restarts, model.latent_dim)
    if has(model, "encode"):
        starts[:, 0] = encode_in_chunks(model, targets)
    return starts


def _objective(model, features, prior_weight):
    """The function from latents `(B, latent_dim)` and goals to objectives and errors, `(B,)`."""
    distribution = latent_distribution(model) if prior_weight > 0.0 else None
    if prior_weight > 0.0 and distribution is None:
        raise ValueError(
            f"prior_weight={prior_weight}: the prior of {type(model).__name__} is neither N(0, 1) "
            "nor U(-1, 1), so there is no penalty for leaving it. Leave prior_weight at 0."
        )

    def objective(latents, goals):
        difference = features(model.decode(latents)) - goals
        errors = tf.reduce_mean(tf.square(difference), axis=range(1, len(difference.shape)))
        if prior_weight == 0.0:
            return errors, errors
        outside = latents if distribution == "normal" else tf.nn.relu(tf.abs(latents) - 1.0)
        return errors + prior_weight * tf.reduce_mean(tf.square(outside), axis=1), errors

    return objective


def _descend(objective, goals, starts, steps, learning_rate, report):
    """Latents `(N, restarts, latent_dim)`, errors and objectives `(N, restarts)` after descent."""
    images, restarts, latent_dim = starts.shape
    goals = tf.repeat(goals, restarts, axis=0)
    latents = keras.Variable(starts.reshape(-1, latent_dim))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))
    optimizer.build([latents])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            # The sum: no latent's gradient depends on how many others are optimized beside it.
            loss = tf.reduce_sum(objective(tf.convert_to_tensor(latents.value), goals)[0])
        optimizer.apply_gradients([(tape.gradient(loss, latents.value), latents)])

    for _ in range(steps):
        step()
        report()
    objectives, errors = objective(tf.convert_to_tensor(latents.value), goals)
    shape = (images, restarts)
    return (
        latents.numpy().reshape(starts.shape),
        errors.numpy().reshape(shape),
        objectives.numpy().reshape(shape),
    )
