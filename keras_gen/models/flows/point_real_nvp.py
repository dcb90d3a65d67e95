"""RealNVP of points in the plane.

Dinh, Sohl-Dickstein and Bengio, 2017, Density estimation using Real NVP, arXiv:1605.08803; with
splines in place of affine maps, Durkan, Bekasov, Murray and Papamakarios 2019, Neural spline flows,
arXiv:1906.04032.

Two coordinates take turns: each coupling moves one of them by a network of the other. It is the
smallest flow there is, and its density can be drawn, integrated and compared with the true one.

Objective, with z standard normal:

    y = actnorm(x);   in turn: y_2 = g(y_2; network(y_1)),  y_1 = g(y_1; network(y_2))
    nll = -mean[log N(z; 0, I) + sum of all log-slopes]

Differences from the paper:
    - It has points in figure 1 only, without its settings: networks of two layers are a choice.
    - Activation normalization (Glow, arXiv:1807.03039, section 3.1) before the couplings, so that
      splines, which move values within 4 deviations, meet standardized ones.

Shapes: points (B, 1, 1, 2), of any values; latents (B, 2).
"""

import keras

from keras_gen.layers.bijectors import ActNorm, Chain, Flatten
from keras_gen.layers.checks import check_choice
from keras_gen.layers.couplings import AdditiveCoupling, AffineCoupling, SplineCoupling
from keras_gen.models.base import check_positive
from keras_gen.models.flows.base import Flow
from keras_gen.models.flows.networks import dense_network

COUPLINGS = ("affine", "additive", "spline")
_BOUND = 4.0  # of splines, in deviations of the data


@keras.saving.register_keras_serializable(package="keras_gen")
class PointRealNVP(Flow):
    """Flow of points in the plane, each an image `(1, 1, 2)` of any values.

    Args:
        num_couplings: how many; they move the coordinates in turn.
        hidden_units: units of each hidden layer of a coupling's network.
        activation: of the hidden layers.
        coupling: `"affine"`, `"additive"` or `"spline"`.
        num_bins: of a spline.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1605.08803, section 3; arXiv:1906.04032, section 3.1.
    """

    value_range = (-5.0, 5.0)
    num_levels = None

    def __init__(
        self,
        num_couplings=6,
        hidden_units=(128, 128),
        activation="relu",
        coupling="affine",
        num_bins=16,
        **kwargs,
    ):
        check_positive(num_couplings=num_couplings, num_bins=num_bins)
        for units in hidden_units:
            check_positive(hidden_units=units)
        check_choice("coupling", coupling, COUPLINGS)
        self.num_couplings, self.hidden_units = num_couplings, tuple(hidden_units)
        self.activation, self.coupling, self.num_bins = activation, coupling, num_bins
        super().__init__((1, 1, 2), **kwargs)

    def build_flow(self):
        """A normalization, then couplings that keep one coordinate and the other in turn."""
        build_network = dense_network(self.hidden_units, self.activation)
        make = {
            "affine": AffineCoupling,
            "additive": AdditiveCoupling,
            "spline": lambda *args, **options: SplineCoupling(
                *args, self.num_bins, _BOUND, **options
            ),
        }[self.coupling]
        couplings = [
            make(build_network, reverse=bool(number % 2)) for number in range(self.num_couplings)
        ]
        return Chain([Flatten(), ActNorm(), *couplings])
