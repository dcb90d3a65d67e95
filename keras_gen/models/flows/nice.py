"""Non-linear independent components estimation (NICE).

Dinh, Krueger and Bengio, 2015, NICE: Non-linear independent components estimation, arXiv:1410.8516.

The first of its kind: additive couplings, whose determinant is 1, on all pixels at once, and one
learned factor for each latent, which alone changes volumes. A small factor says that the latent
varies much and carries much, a large one that it hardly varies: the inverse factors are a spectrum
like that of a principal component analysis.

Objective (eqs. 1 and 3), x the pixels with noise in [0, 1], even and odd ones taking turns:

    h_1 = x;   h_{i+1}: one half of h_i plus network_i(the other half)
    z = exp(log_scale) h_5
    nll = -mean[sum log p(z) + sum log_scale],   p logistic or normal

Differences from the paper:
    - Adam's second decay rate and epsilon are Keras', not 0.01 and 1e-4; networks' last layers
      start at 0.
    - The networks of its MNIST model; the whitening of other data sets is not here.

Shapes: images (B, H, W, C) in [0, 1]; latents (B, H * W * C).
"""

import math

import keras
import numpy as np

from keras_gen.layers.bijectors import Chain, Flatten, Permutation, Scaling
from keras_gen.layers.checks import check_choice
from keras_gen.layers.couplings import AdditiveCoupling
from keras_gen.models.base import check_positive
from keras_gen.models.flows.base import LOG_DENSITIES, Flow
from keras_gen.models.flows.networks import dense_network


@keras.saving.register_keras_serializable(package="keras_gen")
class NICE(Flow):
    """NICE on dense networks.

    Args:
        image_shape: `(H, W, C)`, an even number of values.
        num_couplings: how many; both halves need two.
        hidden_units: units of each hidden layer of a coupling's network.
        latent_distribution: of each value of a latent: `"logistic"` or `"normal"`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1410.8516, section 5.1.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_couplings=4,
        hidden_units=(1000,) * 5,
        latent_distribution="logistic",
        **kwargs,
    ):
        check_positive(num_couplings=num_couplings)
        for units in hidden_units:
            check_positive(hidden_units=units)
        check_choice("latent_distribution", latent_distribution, LOG_DENSITIES)
        self.num_couplings, self.hidden_units = num_couplings, tuple(hidden_units)
        self.latent_distribution = latent_distribution
        if math.prod(image_shape) % 2:
            raise ValueError(f"image_shape={image_shape!r}: give an even number of values.")
        super().__init__(image_shape, **kwargs)

    def build_flow(self):
        """Even pixels before odd ones, couplings, a factor for each latent."""
        pixels = np.arange(self.latent_dim)
        build_network = dense_network(self.hidden_units)
        couplings = [
            AdditiveCoupling(build_network, reverse=bool(number % 2))
            for number in range(self.num_couplings)
        ]
        even_odd = Permutation(np.concatenate([pixels[::2], pixels[1::2]]))
        return Chain([Flatten(), even_odd, *couplings, Scaling()])
