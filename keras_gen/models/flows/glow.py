"""Glow: generative flow with invertible 1x1 convolutions.

Kingma and Dhariwal, 2018, Glow: Generative flow with invertible 1x1 convolutions, arXiv:1807.03039.

RealNVP made simpler and better: one kind of step, repeated. An invertible 1x1 convolution, a
learned generalization of a permutation, mixes the channels before each coupling; each channel is
normalized by statistics of the first batch only. What leaves a level is compared with a prior that
the rest of the image predicts, and the prior of the last level may depend on the class.

Objective (sections 2 and 3, figure 2), h = x, the pixels with noise in [0, 1]:

    at each level: squeeze; `steps` times actnorm, 1x1 convolution, affine coupling
    after each level but the last: half of h leaves, standardized by a network of the other half
    after the last level: h is standardized by means and scales of each channel and class
    nll = -mean[sum log N(z; 0, I) + all log-determinants]

Standardized latents are what learned priors amount to, and make every latent N(0, 1).

Differences from the paper:
    - Log-scales are 2 tanh(output / 2), 0 at first, of what leaves a level 4 tanh(output / 4); in
      the authors' code, scales are sigmoid(output + 2).
    - The prior of what leaves a level is that of the authors' code, not of the paper's text.
    - The networks' hidden layers are not normalized, and He-initialized instead of N(0, 0.05^2).
    - Two levels and far fewer steps and filters by default; the paper has 3, 32 and 512 for
      CIFAR-10.
    - A conditional model's labels enter the prior of the last level alone, and no classifier of the
      latents is trained beside it, which the paper does with weight 0.01.

Shapes: images (B, H, W, C) in [0, 1], H and W multiples of 2^levels; labels (B,); latents
(B, H * W * C), those of the last level first.
"""

import keras
from keras import ops

from keras_gen.layers.bijectors import (
    ActNorm,
    Bijector,
    Chain,
    FactorOut,
    Flatten,
    InvertibleConv,
    Squeeze,
)
from keras_gen.layers.checks import check_choice
from keras_gen.layers.couplings import AdditiveCoupling, AffineCoupling
from keras_gen.models.base import check_positive
from keras_gen.models.flows.base import Flow, check_halvings
from keras_gen.models.flows.networks import last_layer, network_input

COUPLINGS = {"affine": AffineCoupling, "additive": AdditiveCoupling}
_PRIOR_LIMIT = 4.0  # of the log-scales of what leaves a level


def convolutional_network(filters):
    """Gives a function that makes the networks of couplings: 3x3, 1x1 and 3x3 convolutions."""

    def build(input_shape, outputs):
        images = network_input(input_shape)
        settings = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
        x = keras.layers.Conv2D(filters, 3, **settings)(images)
        x = keras.layers.Conv2D(filters, 1, **settings)(x)
        x = last_layer(keras.layers.Conv2D, outputs, 3, padding="same")(x)
        return keras.Model(images, x)

    return build


def one_convolution(input_shape, outputs):
    """The network that predicts what leaves a level: one 3x3 convolution."""
    images = network_input(input_shape)
    return keras.Model(images, last_layer(keras.layers.Conv2D, outputs, 3, padding="same")(images))


class LastPrior(Bijector):
    """Standardizes the last level's values by means and scales of each channel and class.

    `z = (h - mean[label]) exp(-log_scale[label])`; the identity at first.

    Args:
        channels: of the last level, C.
        num_classes: how many; None for no classes.
    """

    def __init__(self, channels, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.num_rows = channels, num_classes or 1

    def build(self, input_shape):
        """Makes the weights for `(B, D)`, channels last."""
        self.places = input_shape[-1] // self.channels
        shape = (self.num_rows, self.channels)
        self.means = self.add_weight(name="means", shape=shape, initializer="zeros")
        self.log_scales = self.add_weight(name="log_scales", shape=shape, initializer="zeros")

    def forward(self, h, labels=None):
        """Standardizes values `(B, D)`."""
        means, log_scales = self._rows(h, labels)
        return (h - means) * ops.exp(-log_scales), -ops.sum(log_scales, axis=-1)

    def inverse(self, z, labels=None):
        """Takes latents `(B, D)` back."""
        means, log_scales = self._rows(z, labels)
        return z * ops.exp(log_scales) + means, ops.sum(log_scales, axis=-1)

    def _rows(self, h, labels):
        """Both weights for each example and value, `(B, D)`."""
        if labels is None:
            labels = ops.zeros(ops.shape(h)[:1], "int32")
        weights = map(ops.convert_to_tensor, (self.means, self.log_scales))
        return [ops.tile(ops.take(each, labels, axis=0), (1, self.places)) for each in weights]


class Levels(Bijector):
    """All levels, and the prior of the last one; conditional if that is.

    Args:
        levels: a bijector from images to `(B, D)`, the values of the last level first.
        prior: of these.
        last_dim: how many they are.
    """

    def __init__(self, levels, prior, last_dim, **kwargs):
        super().__init__(**kwargs)
        self.levels, self.prior, self.last_dim = levels, prior, last_dim

    def build(self, input_shape):
        """Builds both."""
        self.levels.build(input_shape)
        self.prior.build((None, self.last_dim))

    def forward(self, x, labels=None):
        """From images to latents."""
        h, log_det = self.levels.forward(x)
        last, others = ops.split(h, [self.last_dim], axis=-1)
        last, prior_log_det = self.prior.forward(last, labels)
        return ops.concatenate([last, others], axis=-1), log_det + prior_log_det

    def inverse(self, z, labels=None):
        """From latents to images."""
        last, others = ops.split(z, [self.last_dim], axis=-1)
        last, prior_log_det = self.prior.inverse(last, labels)
        x, log_det = self.levels.inverse(ops.concatenate([last, others], axis=-1))
        return x, log_det + prior_log_det

    def initialize(self, x):
        """The levels from a first batch; the prior stays the identity."""
        return self.levels.initialize(x)


@keras.saving.register_keras_serializable(package="keras_gen")
class Glow(Flow):
    """Glow, unconditional or class-conditional.

    Args:
        image_shape: `(H, W, C)`.
        levels: how many; each halves the sides.
        steps: of flow in each level, the paper's K.
        filters: channels of the hidden layers of couplings.
        coupling: `"affine"` or `"additive"`.
        lu: whether 1x1 convolutions keep their kernels as LU decompositions, which `jit_compile`
            needs: XLA has no determinants on a CPU.
        num_classes: for a conditional model: labels are 0 to num_classes - 1. None for none.

    Raises:
        ValueError: an argument is none of the above, or sides that cannot be halved so often.

    Reference:
        arXiv:1807.03039, section 3.
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        levels=2,
        steps=8,
        filters=64,
        coupling="affine",
        lu=False,
        num_classes=None,
        **kwargs,
    ):
        check_positive(levels=levels, steps=steps, filters=filters)
        check_choice("coupling", coupling, COUPLINGS)
        check_halvings(image_shape, levels=levels, halvings=levels)
        if num_classes is not None:
            check_positive(num_classes=num_classes)
        self.levels, self.steps, self.filters, self.lu = levels, steps, filters, lu
        self.coupling = COUPLINGS[coupling]
        self.num_classes, self.conditional = num_classes, num_classes is not None
        super().__init__(image_shape, **kwargs)

    def build_flow(self):
        """The levels, the last one innermost."""
        flow = Chain([Squeeze(), *self.flow_steps(), Flatten()])
        for _ in range(self.levels - 1):
            # Keeps the half that goes on, and standardizes the one that leaves.
            prior = AffineCoupling(one_convolution, _PRIOR_LIMIT)
            flow = Chain([Squeeze(), *self.flow_steps(), prior, FactorOut(flow)])
        channels = self.image_shape[-1] * 2 ** (self.levels + 1)
        last_dim = self.latent_dim // 2 ** (self.levels - 1)
        return Levels(flow, LastPrior(channels, self.num_classes), last_dim)

    def flow_steps(self):
        """`steps` times actnorm, 1x1 convolution and coupling."""
        build_network = convolutional_network(self.filters)
        layers = []
        for _ in range(self.steps):
            layers += [ActNorm(), InvertibleConv(self.lu), self.coupling(build_network)]
        return layers
