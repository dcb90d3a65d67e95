"""The manifold of a model with two latent coordinates, as one picture.

Kingma and Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114, appendix A and figure 4:
linearly spaced coordinates on the unit square go through the inverse of the Gaussian's
distribution function, so that every image stands for the same share of the prior.
"""

from typing import NamedTuple

import numpy as np

from keras_gen.latent.access import check_count, decode_in_chunks, require
from keras_gen.latent.prior import prior_quantiles


class Manifold(NamedTuple):
    """A grid over a two-dimensional latent space.

    Attributes:
        latents: float32 `(side, side, 2)`: the first coordinate grows to the right, the second
            upwards, so row 0 has the largest.
        images: float32 `(side, side, H, W, C)` in the model's value range.
        values: float32 `(side, 2)`: what each coordinate takes, ascending.
    """

    latents: np.ndarray
    images: np.ndarray
    values: np.ndarray


def draw_manifold(model, side=20):
    """Decodes a grid over the whole prior of a model with two latent coordinates.

    The unit square is cut into side x side equal cells and their centres are taken: its edges
    would lie at infinity. (The paper does not say where its coordinates begin.) Of a model whose
    prior is not Gaussian, its own distribution function is inverted.

    Args:
        model: a model with `decode` and `latent_dim` 2.
        side: images in a row and in a column.

    Returns:
        A `Manifold`; draw it with `save_manifold`.

    Raises:
        ValueError: the model lacks what is needed, or has another number of latent coordinates.

    Reference:
        arXiv:1312.6114, appendix A and figure 4.
    """
    require(model, "A manifold", "decode", "latent_dim")
    check_count("side", side)
    if model.latent_dim != 2:
        raise ValueError(
            f"latent_dim={model.latent_dim} of {type(model).__name__}: a manifold is drawn of "
            "models with latent_dim 2. Train one, or look along coordinates with traverse."
        )
    values = prior_quantiles(model, (np.arange(side) + 0.5) / side)
    latents = np.stack(np.meshgrid(values[:, 0], values[::-1, 1]), axis=-1)
    return Manifold(latents, decode_in_chunks(model, latents), values)
