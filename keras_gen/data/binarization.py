"""Binarization of grey images, explicit because likelihoods of different ones cannot be compared.

A byte b is taken as the probability b / 255 of a white pixel.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_gen.data.arguments import checked_seed
from keras_gen.data.dataset import DataSet, static_draw
from keras_gen.data.errors import DataError

BINARIZATIONS = ("static", "dynamic", "threshold", "none")


def check_pixels(likelihood: str, binarization: str) -> None:
    """Raises DataError where an exact likelihood is none of the pixels that it would be given.

    Args:
        likelihood: `"bernoulli"`, of black and white pixels, or one of 8-bit pixels.
        binarization: as for `binarize`.
    """
    if (likelihood == "bernoulli") == (binarization == "none"):
        wanted = "static, dynamic or threshold" if likelihood == "bernoulli" else "none"
        raise DataError(
            f"binarization={binarization!r}: the likelihood {likelihood} is no probability of such "
            f"pixels. Give {wanted}."
        )


def binarize(data: DataSet, mode: str, seed: int = 0) -> DataSet:
    """A set of black and white images made of one of grey images.

    Args:
        data: images.
        mode: `"static"`: every pixel is drawn once, Bernoulli(b / 255), fixed by the seed.
            `"dynamic"`: `batches` draws anew in every step, a function of the seed and the step
            (Burda et al. 2016, arXiv:1509.00519, section 5); `evaluation_batches` gives the draw
            that `"static"` gives, and `examples` stay grey. `"threshold"`: white where b >= 128.
            `"none"`: the set as it is, whose pixels a Bernoulli likelihood takes as
            probabilities.
        seed: decides the draws. The splits of one set are drawn independently.

    Returns:
        A set of the same size, whose `binarization` says what was done, for protocols.

    Raises:
        DataError: another mode, or a set of points.
    """
    if mode not in BINARIZATIONS:
        raise DataError(f"binarization={mode!r}: give one of {', '.join(BINARIZATIONS)}.")
    if data.examples.dtype != np.uint8:
        raise DataError(f"{data.name} holds points; only images can be binarized.")
    seed = checked_seed(seed)
    if mode == "none":
        return dataclasses.replace(data, binarization="no binarization, grey pixels")
    if mode == "dynamic":
        return dataclasses.replace(
            data, binarization=f"dynamic Bernoulli binarization, seed {seed}", dynamic_seed=seed
        )
    if mode == "static":
        return dataclasses.replace(
            data,
            examples=static_draw(data.examples, data.split, seed),
            binarization=f"static Bernoulli binarization, seed {seed}",
        )
    white = np.where(data.examples >= 128, np.uint8(255), np.uint8(0))
    return dataclasses.replace(data, examples=white, binarization="threshold at 128 of 255")
