"""Interpolation between latents: straight lines, and great circles.

A high-dimensional normal or uniform prior has its mass near a sphere. A straight line between two
latents cuts through the inside, which the decoder has hardly seen; a great circle stays on the
sphere (White 2016, Sampling Generative Networks, arXiv:1609.04468, section 2).

Shapes: latents (..., D), paths (..., steps, D).
"""

from typing import NamedTuple

import numpy as np

from keras_gen.latent.access import as_latents, check_count, decode_in_chunks, require


class Interpolation(NamedTuple):
    """Paths between pairs of latents.

    Attributes:
        latents: float32 `(pairs, steps, latent_dim)`.
        images: float32 `(pairs, steps, H, W, C)` in the model's value range.
        fractions: float64 `(steps,)`, how far along the path, from 0 to 1.
    """

    latents: np.ndarray
    images: np.ndarray
    fractions: np.ndarray


def linear_interpolation(start, end, steps):
    """Evenly spaced points on the straight line from `start` to `end`, both included.

    Args:
        start: `(..., D)`.
        end: `(..., D)`, of the same shape.
        steps: how many points, at least 2.

    Returns:
        float64 `(..., steps, D)`.

    Raises:
        ValueError: shapes that differ, or fewer than two steps.
    """
    start, end, fractions = _checked(start, end, steps)
    return (1.0 - fractions) * start + fractions * end


def spherical_interpolation(start, end, steps):
    """Points evenly spaced in angle on the great circle from `start` to `end`, both included.

    Where both ends have the same norm, so has every point between, and the points are those of

        sin((1 - t) angle) / sin(angle) * start + sin(t angle) / sin(angle) * end

    (Shoemake 1985, Animating Rotation with Quaternion Curves; White 2016, arXiv:1609.04468).
    Where the norms differ, the formula would let the norm swing; here the direction follows the
    great circle and the norm goes from one to the other linearly. Opposite ends have no one great
    circle between them: the one is taken that turns towards the coordinate in which the start is
    smallest. A zero vector has no direction: it takes that of the other end.

    Args:
        start: `(..., D)`, D at least 2.
        end: `(..., D)`, of the same shape.
        steps: how many points, at least 2.

    Returns:
        float64 `(..., steps, D)`.

    Raises:
        ValueError: shapes that differ, fewer than two steps, or one coordinate only.
    """
    start, end, fractions = _checked(start, end, steps)
    if start.shape[-1] < 2:
        raise ValueError(
            "start with one coordinate: there is no sphere to go along. Interpolate linearly."
        )
    start_norm, end_norm = _norm(start), _norm(end)
    start_direction = _direction(start, start_norm, otherwise=end)
    end_direction = _direction(end, end_norm, otherwise=start)
    # Half the angle from sum and difference is exact where the arc cosine of the product is not.
    difference, total = end_direction - start_direction, end_direction + start_direction
    angle = 2.0 * np.arctan2(_norm(difference), _norm(total))
    sideways = _sideways(start_direction, end_direction)
    turned = np.cos(fractions * angle) * start_direction + np.sin(fractions * angle) * sideways
    return ((1.0 - fractions) * start_norm + fractions * end_norm) * turned


METHODS = {"spherical": spherical_interpolation, "linear": linear_interpolation}


def interpolate(model, start, end, steps=31, method="spherical"):
    """Decodes the paths from one set of latents to another, pair by pair.

    Args:
        model: a model with `decode` and `latent_dim`.
        start: latents `(pairs, latent_dim)` or `(latent_dim,)`; or images `(pairs, H, W, C)`, if
            the model has `encode`.
        end: likewise, as many.
        steps: points of a path, both ends included.
        method: `"spherical"` or `"linear"`.

    Returns:
        An `Interpolation`; draw it with `save_interpolation`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.
    """
    require(model, "Interpolation", "decode", "latent_dim")
    if method not in METHODS:
        raise ValueError(f"method={method!r}: give one of {', '.join(METHODS)}.")
    start, end = as_latents(model, start, "start"), as_latents(model, end, "end")
    latents = METHODS[method](start, end, steps).astype("float32")
    return Interpolation(latents, decode_in_chunks(model, latents), np.linspace(0.0, 1.0, steps))


def _checked(start, end, steps):
    """Both ends as float64 `(..., 1, D)` and the fractions `(steps, 1)`."""
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    if start.shape != end.shape or not start.ndim:
        raise ValueError(
            f"start of shape {start.shape} and end of shape {end.shape}: give two arrays of one "
            "shape, (..., D)."
        )
    check_count("steps", steps, least=2)
    return start[..., None, :], end[..., None, :], np.linspace(0.0, 1.0, steps)[:, None]


def _norm(vectors):
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def _direction(vectors, norm, otherwise):
    """Unit vectors; where the norm is 0, those of `otherwise`; where that is 0 too, zeros."""
    vectors = np.where(norm > 0.0, vectors, otherwise)
    norm = _norm(vectors)
    return vectors / np.where(norm > 0.0, norm, 1.0)


def _sideways(start_direction, end_direction):
    """Unit vectors across the start, in the plane of both ends, on the end's side."""
    across = _across(end_direction, start_direction)
    parallel = _norm(across) < 1e-12  # along one line: what is left is rounding
    smallest = np.argmin(np.abs(start_direction), axis=-1)
    axis = np.eye(start_direction.shape[-1])[smallest]
    across = np.where(parallel, axis, across)
    # Twice: what the first pass leaves along the start would show once scaled to length one.
    across = _across(_direction(across, _norm(across), across), start_direction)
    return _direction(across, _norm(across), across)


def _across(vectors, directions):
    return vectors - np.sum(vectors * directions, axis=-1, keepdims=True) * directions
