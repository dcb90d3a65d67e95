"""Traversal: one coordinate of a latent moves, all others stay.

Where each coordinate stands for one factor of the data, as disentangled models aim at, a row of
the picture changes one thing only. In most models a row changes several things, or nothing.
"""

from typing import NamedTuple

import numpy as np

from keras_gen.latent.access import as_latents, decode_in_chunks, require
from keras_gen.latent.prior import draw_latents, prior_quantiles


class Traversal(NamedTuple):
    """What one latent becomes as its coordinates move, one at a time.

    Attributes:
        latents: float32 `(coordinates, steps, latent_dim)`.
        images: float32 `(coordinates, steps, H, W, C)` in the model's value range.
        coordinates: the indices, one a row.
        values: float32 `(coordinates, steps)`: what the coordinate was set to.
    """

    latents: np.ndarray
    images: np.ndarray
    coordinates: tuple
    values: np.ndarray


def traverse(model, coordinates, values=None, latent=None, seed=0):
    """Decodes a latent with one coordinate at a time set to each of a series of values.

    Args:
        model: a model with `decode` and `latent_dim`.
        coordinates: an index, or several: a row each.
        values: the values `(steps,)`; by default the quantiles of each coordinate's prior at 31
            probabilities from 0.02 to 0.98.
        latent: the latent to start from, `(latent_dim,)` or `(1, latent_dim)`, or one image
            `(1, H, W, C)`, if the model has `encode`; by default one drawn from the prior.
        seed: an integer that decides the drawn latent.

    Returns:
        A `Traversal`; draw it with `save_traversal`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.
    """
    require(model, "Traversal", "decode", "latent_dim")
    coordinates = _checked_coordinates(coordinates, model.latent_dim)
    values = _values(model, coordinates, values)
    latent = draw_latents(model, 1, seed) if latent is None else as_latents(model, latent, "latent")
    if len(latent) != 1:
        raise ValueError(f"latent: {len(latent)} of them. Give one, and call once for each.")
    latents = np.tile(latent, (*values.shape, 1))
    for row, coordinate in enumerate(coordinates):
        latents[row, :, coordinate] = values[row]
    return Traversal(latents, decode_in_chunks(model, latents), coordinates, values)


def _checked_coordinates(coordinates, latent_dim):
    coordinates = np.atleast_1d(np.asarray(coordinates))
    whole = coordinates.ndim == 1 and np.issubdtype(coordinates.dtype, np.integer)
    if not whole or not all(0 <= each < latent_dim for each in coordinates):
        raise ValueError(
            f"coordinates={coordinates.tolist()!r}: give indices from 0 to {latent_dim - 1}."
        )
    return tuple(int(each) for each in coordinates)


def _values(model, coordinates, values):
    """float32 `(coordinates, steps)`."""
    if values is None:
        return prior_quantiles(model, np.linspace(0.02, 0.98, 31)).T[list(coordinates)]
    values = np.asarray(values, "float32")
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"values of shape {values.shape}: give a row of finite numbers.")
    return np.tile(values, (len(coordinates), 1))
