"""Nearest neighbours: the images of a set that a model, or another measure, holds to be closest."""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors

from keras_gen.latent.access import check_count, encode_in_chunks, require


class Neighbours(NamedTuple):
    """The images closest to each query.

    Attributes:
        queries: `(Q, H, W, C)`, as given.
        images: `(Q, count, H, W, C)`: the neighbours, nearest first.
        indices: int64 `(Q, count)`: their places in the set.
        distances: float64 `(Q, count)`: Euclidean, between features.
    """

    queries: np.ndarray
    images: np.ndarray
    indices: np.ndarray
    distances: np.ndarray


def nearest_neighbours(queries, images, count=5, features=None):
    """Finds the images of a set that are nearest to each query.

    Args:
        queries: `(Q, H, W, C)`.
        images: the set, `(N, H, W, C)`, of the same shape, type and value range as the queries.
        count: neighbours of each query, at most N.
        features: what distances are taken between: a callable from images `(N, H, W, C)` to an
            array `(N, ...)`, such as `latent_features(model)`; None for pixels.

    Returns:
        A `Neighbours`; draw it with `save_neighbours`.

    Raises:
        ValueError: an argument is none of the above.
    """
    queries, images = np.asarray(queries), np.asarray(images)
    for name, each in (("queries", queries), ("images", images)):
        if each.ndim != 4 or not len(each):
            raise ValueError(f"{name} of shape {each.shape}: give at least one, (N, H, W, C).")
    if queries.shape[1:] != images.shape[1:] or queries.dtype != images.dtype:
        raise ValueError(
            f"queries are {queries.dtype} {queries.shape[1:]} and images {images.dtype} "
            f"{images.shape[1:]}: give both in one shape, type and value range."
        )
    check_count("count", count)
    if count > len(images):
        raise ValueError(f"count={count}: the set has {len(images)} images. Give at most that.")
    index = NearestNeighbors(n_neighbors=count).fit(_flat(features, images))
    distances, indices = index.kneighbors(_flat(features, queries))
    return Neighbours(queries, images[indices], indices, distances)


def latent_features(model):
    """The model's encodings, as the `features` of `nearest_neighbours`.

    Args:
        model: a model with `encode`.

    Returns:
        A callable from images `(N, H, W, C)`, in the model's value range or uint8, to latents
        `(N, latent_dim)`.

    Raises:
        ValueError: the model lacks `encode`.
    """
    require(model, "A comparison by latents", "encode", "value_range")
    return lambda images: encode_in_chunks(model, images)


def _flat(features, images):
    values = images if features is None else np.asarray(features(images))
    return values.reshape(len(images), -1).astype("float64")
