"""Controllable generation by classifier gradients: only the latent moves.

The generator and a classifier of its images are frozen. A feature is raised by gradient ascent on
the latent, as in activation maximization through a generator (Nguyen, Dosovitskiy, Yosinski, Brox
and Clune 2016, Synthesizing the preferred inputs for neurons in neural networks via deep generator
networks, arXiv:1605.09304):

    objective = log p(value | decode(z))
                - hold_weight * sum_f KL(p(f | decode(z_start)) || p(f | decode(z)))
                - norm_weight * (|z| - |z_start|)^2
    z <- z + learning_rate * gradient,   gradient = d objective / d z, shortened to 1 if longer

f runs over the factors to hold. The norm matters because a generator has been trained on latents of
the prior only, which for N(0, 1) all lie near the sphere of radius sqrt(D).

Shapes: latents (N, D); images (N, H, W, C); scores {factor: (N, K)}.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gen.latent.access import CHUNK, as_latents, check_count, decode_in_chunks, require


class Ascent(NamedTuple):
    """Where gradient ascent has led.

    Attributes:
        latents: float32 `(N, D)`.
        images: float32 `(N, H, W, C)`.
        log_probabilities: float32 `(steps + 1, N)`: of the value, before the first and after
            each step.
    """

    latents: np.ndarray
    images: np.ndarray
    log_probabilities: np.ndarray


def ascend(
    model,
    classifier,
    latents,
    feature,
    *,
    steps=50,
    learning_rate=0.1,
    hold=(),
    hold_weight=1.0,
    norm_weight=0.01,
):
    """Moves latents so that a classifier sees a value of a factor in their images.

    Nothing but the latents is changed, and each moves for itself.

    Args:
        model: a model with `decode` and `latent_dim`, whose `decode` is made of differentiable
            TensorFlow operations.
        classifier: a differentiable callable from images `(B, H, W, C)` in the model's value range
            to `{factor: (B, K)}`, logits or log-probabilities.
        latents: `(N, D)`, where to start.
        feature: `(factor, value)`, what to raise; value is an integer, or one for each latent,
            `(N,)`.
        steps: gradient steps.
        learning_rate: length of a step for a gradient of length 1, and of the longest step.
        hold: names of factors that shall stay as they are.
        hold_weight: weight of their change.
        norm_weight: weight of the change of the latents' length.

    Returns:
        An `Ascent`.

    Raises:
        ValueError: the model lacks what is needed, there is no such factor or value, the moved
            factor is to be held, or a number is none of the above.
    """
    require(model, "Gradient ascent", "decode", "latent_dim")
    check_count("steps", steps)
    for name, number in (("hold_weight", hold_weight), ("norm_weight", norm_weight)):
        if not number >= 0.0:
            raise ValueError(f"{name}={number!r}: give a number of at least 0.")
    latents, (factor, values) = as_latents(model, latents), feature
    values = np.broadcast_to(np.asarray(values), (len(latents),))
    scores = classifier(decode_in_chunks(model, latents[:1]))
    _check_feature(scores, factor, values, hold)
    # As weights of all factors, so that one graph serves every feature and every choice to hold.
    wanted = {name: np.zeros((len(latents), each.shape[-1])) for name, each in scores.items()}
    wanted[factor][np.arange(len(latents)), values] = 1.0
    holds = {name: hold_weight if name in hold else 0.0 for name in scores}
    numbers = tf.nest.map_structure(_float, (holds, learning_rate, norm_weight))
    parts = []
    for start in range(0, len(latents), CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = tf.nest.map_structure(lambda each, rows=rows: _float(each[rows]), (latents, wanted))
        parts.append(_climb(model, classifier, *chunk, tf.constant(steps), *numbers))
    ends = np.concatenate([part[0] for part in parts])
    log_probabilities = np.concatenate([part[1] for part in parts], axis=1)
    return Ascent(ends, decode_in_chunks(model, ends), log_probabilities)


def _float(value):
    return tf.constant(value, "float32")


def move_by_ascent(
    model,
    classifier,
    latents,
    features,
    *,
    steps=50,
    learning_rate=0.1,
    hold_weight=1.0,
    norm_weight=0.01,
):
    """Moves latents to each of several features by `ascend`, in place of fixed directions.

    All other factors of the classifier are held, unless `hold_weight` is 0.

    Args:
        model: as for `ascend`.
        classifier: as for `ascend`.
        latents: `(N, D)`, where to start.
        features: `(factor, value)` pairs.
        steps: as for `ascend`.
        learning_rate: as for `ascend`.
        hold_weight: as for `ascend`.
        norm_weight: as for `ascend`.

    Returns:
        `{(factor, value): float32 (N, D)}`, as `keras_gen.latent.directions.move` gives it.
    """
    latents, factors = as_latents(model, latents), dict.fromkeys(factor for factor, _ in features)
    others = list(classifier(decode_in_chunks(model, latents[:1])))
    moved = {}
    for factor in factors:
        values = [value for name, value in features if name == factor]
        ends = ascend(
            model,
            classifier,
            np.tile(latents, (len(values), 1)),
            (factor, np.repeat(values, len(latents))),
            steps=steps,
            learning_rate=learning_rate,
            hold=[name for name in others if name != factor] if hold_weight else (),
            hold_weight=hold_weight,
            norm_weight=norm_weight,
        ).latents
        parts = np.split(ends, len(values))
        moved |= {(factor, value): part for value, part in zip(values, parts, strict=True)}
    return moved


@tf.function(reduce_retracing=True)
def _climb(model, classifier, latents, wanted, steps, holds, learning_rate, norm_weight):
    """The latents after all steps, and the log-probability of what is wanted along the way.

    wanted: {factor: (N, K)}, 1 for the value to raise, else 0; holds: {factor: weight}.
    """
    start, start_norms = _read(model, classifier, latents), tf.norm(latents, axis=-1)
    reached = tf.TensorArray(tf.float32, size=steps + 1)
    for step in tf.range(steps):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(latents)
            now = _read(model, classifier, latents)
            score = _sum_of(wanted[name] * now[name] for name in now)
            changes = _sum_of(
                holds[name] * tf.exp(start[name]) * (start[name] - now[name]) for name in now
            )
            # The small number: the gradient of a norm is not a number at 0.
            norms = tf.sqrt(tf.reduce_sum(latents**2, axis=-1) + 1e-12)
            objective = score - changes - norm_weight * (norms - start_norms) ** 2
        reached = reached.write(step, score)
        # Clipped: at the edge between two values gradients through a generator are spikes.
        gradient = tf.clip_by_norm(tape.gradient(objective, latents), 1.0, axes=-1)
        latents += learning_rate * gradient
    end = _read(model, classifier, latents)
    score = _sum_of(wanted[name] * end[name] for name in end)
    return latents, reached.write(steps, score).stack()


def _sum_of(parts):
    """Of several `(N, K)`, the sum of each row, `(N,)`."""
    return tf.add_n([tf.reduce_sum(part, axis=-1) for part in parts])


def _read(model, classifier, latents):
    scores = classifier(model.decode(latents))
    return {name: tf.nn.log_softmax(tf.cast(each, "float32")) for name, each in scores.items()}


def _check_feature(scores, factor, values, hold):
    unknown = [name for name in (factor, *hold) if name not in scores]
    if unknown:
        known = ", ".join(scores)
        raise ValueError(f"{unknown[0]!r} is no factor of the classifier; it reads {known}.")
    if factor in hold:
        raise ValueError(f"hold={hold!r}: {factor!r} is what shall move.")
    count = scores[factor].shape[-1]
    whole = np.issubdtype(values.dtype, np.integer)
    if not whole or values.min() < 0 or values.max() >= count:
        raise ValueError(
            f"feature={(factor, np.unique(values).tolist())!r}: give values from 0 to {count - 1}."
        )
