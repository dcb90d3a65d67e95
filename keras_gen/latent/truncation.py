"""The truncation trick: latents nearer the middle give more typical and less varied images.

Brock, Donahue and Simonyan 2019, Large Scale GAN Training for High Fidelity Natural Image
Synthesis, arXiv:1809.11096, section 3.1: coordinates of magnitude above a threshold are drawn
again. Figure 2a shows samples at the thresholds 2, 1, 0.5 and 0.04; sweeping the threshold gives
a curve of fidelity against diversity. A model whose prior is U(-1, 1) changes below 1 only. To a
StyleGAN truncation is another thing: a factor by which latents are drawn towards their mean
(arXiv:1812.04948, appendix B).
"""

from typing import NamedTuple

import numpy as np

from keras_gen.latent.access import check_count, decode_in_chunks, require
from keras_gen.latent.prior import draw_latents

THRESHOLDS = (2.0, 1.0, 0.5, 0.04)
FACTORS = (0.7, 0.5, 0.3, 0.1)


def truncation_kind(model):
    """What truncation is to a model: a `"bound"` on latents, or a `"factor"` towards their mean."""
    description = getattr(model, "description", None)
    if isinstance(description, dict):
        return description.get("truncation_kind") or "bound"
    return getattr(model, "truncation_kind", "bound")


def default_thresholds(model):
    """`THRESHOLDS`, or `FACTORS` where truncation is a factor."""
    return FACTORS if truncation_kind(model) == "factor" else THRESHOLDS


class Truncation(NamedTuple):
    """Samples at several thresholds.

    Attributes:
        latents: float32 `(thresholds, N, latent_dim)`: of one seed, so a column holds one rank of
            ever narrower distributions.
        images: float32 `(thresholds, N, H, W, C)` in the model's value range.
        thresholds: the thresholds, one a row; None for no truncation.
        kind: what they are; see `truncation_kind`.
    """

    latents: np.ndarray
    images: np.ndarray
    thresholds: tuple
    kind: str = "bound"


def sample_truncated(model, thresholds=None, num_images=8, seed=0):
    """Draws images at each threshold, from one seed.

    Args:
        model: a model with `decode` and `latent_dim`.
        thresholds: positive numbers, among them None for no truncation. Default: those of
            `default_thresholds`.
        num_images: images at each threshold, N.
        seed: an integer.

    Returns:
        A `Truncation`; draw it with `save_truncation`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.
    """
    thresholds = _checked(model, thresholds, num_images)
    latents = np.stack([draw_latents(model, num_images, seed, each) for each in thresholds])
    images = decode_in_chunks(model, latents)
    return Truncation(latents, images, thresholds, truncation_kind(model))


def truncation_curve(model, evaluate, thresholds=None, num_images=1000, seed=0, progress=None):
    """Measures images at each threshold, for the curve of fidelity against diversity.

    Args:
        model: a model with `decode` and `latent_dim`.
        evaluate: called with float32 images `(num_images, H, W, C)` in the model's value range;
            gives a dictionary of numbers, such as precision (fidelity) and recall (diversity).
        thresholds: positive numbers, among them None for no truncation. Default: those of
            `default_thresholds`.
        num_images: images at each threshold.
        seed: an integer.
        progress: None, or called as `progress(done, total)` after each threshold.

    Returns:
        A list with a dictionary for each threshold: `truncation`, then what `evaluate` gave. Draw
        it with `save_truncation_curve`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.
    """
    thresholds = _checked(model, thresholds, num_images)
    rows = []
    for threshold in thresholds:
        images = decode_in_chunks(model, draw_latents(model, num_images, seed, threshold))
        rows.append({"truncation": threshold, **evaluate(images)})
        if progress:
            progress(len(rows), len(thresholds))
    return rows


def _checked(model, thresholds, num_images):
    require(model, "Truncation", "decode", "latent_dim")
    check_count("num_images", num_images)
    thresholds = default_thresholds(model) if thresholds is None else tuple(thresholds)
    if not thresholds or not all(each is None or each > 0 for each in thresholds):
        raise ValueError(f"thresholds={thresholds!r}: give positive numbers, or None for none.")
    return thresholds
