"""Arithmetic on concepts: mean(A) - mean(B) + mean(C).

Radford, Metz and Chintala 2016, arXiv:1511.06434, section 6.3.2: with A smiling women, B neutral
women and C neutral men the result is a smiling man. Single latents were unstable; the means of
three per concept gave what was asked for. Figure 7 shows the result between eight neighbours,
with uniform noise of scale 0.25 added to it.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gen.latent.access import as_latents, decode_in_chunks, require
from keras_gen.latent.prior import seed_pair

NEIGHBOURS = 9  # the result in the centre of 3 x 3


class Arithmetic(NamedTuple):
    """What came of plus - minus + base.

    Attributes:
        latents: float32 `(9, latent_dim)`: the result at index 4, eight neighbours around it.
        images: float32 `(9, H, W, C)`: their images.
        examples: three arrays `(N, H, W, C)`: the images of the latents given, in the order plus,
            minus, base.
        means: float32 `(3, H, W, C)`: the images of the three mean latents.
    """

    latents: np.ndarray
    images: np.ndarray
    examples: tuple
    means: np.ndarray


def latent_arithmetic(model, plus, minus, base, noise=0.25, seed=0):
    """Decodes mean(plus) - mean(minus) + mean(base) and eight neighbours of it.

    Args:
        model: a model with `decode` and `latent_dim`.
        plus: examples with the feature; latents `(N, latent_dim)`, any N, the paper has three; or
            images `(N, H, W, C)`, if the model has `encode`.
        minus: examples that are alike but for the feature.
        base: examples that are to get the feature.
        noise: half the width of the uniform noise that makes the neighbours, in latent units.
        seed: an integer, for the noise.

    Returns:
        An `Arithmetic`; draw it with `save_arithmetic`.

    Raises:
        ValueError: the model lacks what is needed, or an argument is none of the above.

    Reference:
        arXiv:1511.06434, section 6.3.2 and figure 7.
    """
    require(model, "Arithmetic", "decode", "latent_dim")
    if not noise >= 0.0:
        raise ValueError(f"noise={noise!r}: give a number of at least 0.")
    terms = {"plus": plus, "minus": minus, "base": base}
    terms = [as_latents(model, values, name) for name, values in terms.items()]
    means = np.stack([latents.mean(axis=0) for latents in terms])  # (3, latent_dim)
    result = means[0] - means[1] + means[2]
    spread = tf.random.stateless_uniform(
        (NEIGHBOURS, model.latent_dim), seed_pair(seed), -noise, noise
    ).numpy()
    spread[NEIGHBOURS // 2] = 0.0
    latents = result + spread
    return Arithmetic(
        latents,
        decode_in_chunks(model, latents),
        tuple(decode_in_chunks(model, each) for each in terms),
        decode_in_chunks(model, means),
    )
