"""Data sets whose labels are the values of one of their factors."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Sequence

import numpy as np

from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError, DataUnavailableError
from keras_gen.data.faces import load_faces
from keras_gen.data.loading import load

USUAL_FACTORS = {"lpc_sprites": "hair", "shapes": "size"}


def load_by_factor(
    name_or_folder, factor: str | None = None, *, strict: bool = False, **arguments
) -> DataSet:
    """Load a set with labelled factors, or the embedded `shapes` where it cannot be had now.

    Args:
        name_or_folder: a set with factors, see `load`; or a folder of faces, see `load_faces`.
        factor: which of its factors the labels shall be; None for the usual one: age of faces, hair
            of lpc_sprites, size of shapes.
        strict: raise DataUnavailableError instead of going on with the shapes.
        **arguments: `split`, `image_size` and `value_range`, as in `load`.

    Returns:
        The set; where it stands in, `stand_in_for` is the name asked for, its labels are its usual
        factor, and its size is its own where the one asked for is not square.

    Raises:
        DataError: no such factor, or as `load`.
    """
    if os.path.isdir(os.path.expanduser(name_or_folder)):
        return label_by_factor(load_faces(name_or_folder, **arguments), factor or "age")
    try:
        data = load(name_or_folder, **arguments)
    except DataUnavailableError as error:
        if strict:
            raise
        warnings.warn(
            f"{error} Going on with the embedded shapes, which stand in for {name_or_folder}: "
            f"results are not comparable. --strict-data makes this an error.",
            stacklevel=2,
        )
        size = arguments.get("image_size")
        square = isinstance(size, int) or (size is not None and size[0] == size[1])
        data = load("shapes", **{**arguments, "image_size": size if square else None})
        return label_by_factor(
            dataclasses.replace(data, stand_in_for=str(name_or_folder)), USUAL_FACTORS["shapes"]
        )
    factor = factor or USUAL_FACTORS.get(data.name)
    if factor is None:
        raise DataError(
            f"factor: say by which factor to label {data.name}; it has "
            f"{', '.join(data.factors) or 'none'}."
        )
    return label_by_factor(data, factor)


def label_by_factor(data: DataSet, factor: str, edges: Sequence[float] | None = None) -> DataSet:
    """The same set, with one of its factors as the labels.

    A factor of real numbers is cut into ranges first: value v becomes label k where
    `edges[k - 1] <= v < edges[k]`, 0 below all edges. Give all splits the same edges.

    Args:
        data: a set with factors.
        factor: the name of one of them.
        edges: where the ranges of a factor of real numbers meet, in rising order; None for a
            factor of whole numbers, which are its labels as they stand.

    Returns:
        The set with new labels and their names. Its factors stay, the ranges in the place of real
        numbers.

    Raises:
        DataError: no such factor, edges missing, not wanted or not rising, or whole numbers below
            0.
    """
    if factor not in data.factors:
        known = f"it has {', '.join(data.factors)}" if data.factors else "it has none"
        raise DataError(f"factor={factor!r} is not a factor of {data.name}; {known}.")
    values = data.factors[factor]
    if np.issubdtype(values.dtype, np.integer):
        if edges is not None:
            raise DataError(
                f"edges={edges!r}: {factor} of {data.name} is whole numbers, which are labels as "
                "they stand; leave edges out."
            )
        if values.min() < 0:
            raise DataError(
                f"{factor} of {data.name} is {values.min()} somewhere, and labels start at 0; "
                f"leave out the examples whose {factor} is not known."
            )
        names = data.factor_names.get(factor)
    else:
        edges = _checked_edges(edges, factor, data)
        values = np.digitize(values, edges).astype(np.int64)
        names = _range_names(edges)
    factors = {**data.factors, factor: values}
    factor_names = dict(data.factor_names) | ({factor: names} if names else {})
    return dataclasses.replace(
        data, labels=values, label_names=names, factors=factors, factor_names=factor_names
    )


def _checked_edges(edges, factor: str, data: DataSet) -> list[float]:
    edges = [] if edges is None else [float(edge) for edge in edges]
    if not np.isfinite(edges).all() or not edges or np.any(np.diff(edges) <= 0):
        values = data.factors[factor]
        raise DataError(
            f"edges={edges!r}: {factor} of {data.name} is real numbers from {values.min():g} to "
            f"{values.max():g}; give rising edges that cut them into ranges, such as "
            f"edges=({np.median(values):g},)."
        )
    return edges


def _range_names(edges: list[float]) -> tuple[str, ...]:
    between = [f"{a:g} to {b:g}" for a, b in zip(edges, edges[1:], strict=False)]
    return (f"below {edges[0]:g}", *between, f"from {edges[-1]:g}")
