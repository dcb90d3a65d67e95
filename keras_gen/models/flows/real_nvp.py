"""Real-valued non-volume preserving flow (RealNVP), of images.

Dinh, Sohl-Dickstein and Bengio, 2017, Density estimation using Real NVP, arXiv:1605.08803.

Affine couplings change volumes, so that a flow can be likely where data are. Those of a
checkerboard see the neighbours of what they move; then 2 x 2 blocks become channels and couplings
of channels follow. After each scale half of the values are done and the other half, at half the
resolution, goes on: work is saved, and latents of all scales enter the loss directly.

Objective (eqs. 3 to 5 and 13 to 15):

    h = logit(0.05 + 0.9 x),   x the pixels with noise in [0, 1]
    at each scale but the last: 3 couplings of checkerboards, squeeze, 3 of channels, half of h is z
    at the last one: 4 couplings of checkerboards, all of h is z
    nll = -mean[sum log N(z; 0, I) + sum of all log-scales + log det of the logit]

Differences from the paper:
    - Activation normalization (Glow, arXiv:1807.03039, section 3.1) after each coupling in place of
      batch normalization, so that an image's density depends on no others.
    - The networks have neither batch nor weight normalization; residual branches and outputs start
      at 0. Their skip connections from every block to the output are left out.
    - The factor of a log-scale's tanh is a weight for each channel that starts at 1; in the
      authors' code one for each coupling, which starts at 0 for checkerboards.
    - The logit's margin is on both sides, as in the authors' code: the paper writes 0.05 + 0.95 x.
    - No L2 penalty of weight scales. Three scales by default, of which the last is 7 x 7 for MNIST;
      the paper goes on to 4 x 4.

Shapes: images (B, H, W, C) in [0, 1], H and W multiples of 2^(scales - 1); latents (B, H * W * C).
"""

import keras

from keras_gen.layers.bijectors import ActNorm, Chain, FactorOut, Flatten, Logit, Squeeze
from keras_gen.layers.couplings import AffineCoupling
from keras_gen.models.base import check_positive
from keras_gen.models.flows.base import Flow, check_halvings
from keras_gen.models.flows.networks import last_layer, network_input


def residual_network(filters, num_blocks):
    """Gives a function that makes residual convolutional networks for couplings.

    Args:
        filters: channels between blocks.
        num_blocks: residual blocks of two 3x3 convolutions.
    """

    def build(input_shape, outputs):
        images = network_input(input_shape)
        x = keras.layers.Conv2D(filters, 3, padding="same")(images)
        for _ in range(num_blocks):
            h = keras.layers.ReLU()(x)
            h = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(h)
            # From 0: without normalization, a sum of many random branches would grow with them.
            h = keras.layers.Conv2D(filters, 3, padding="same", kernel_initializer="zeros")(h)
            x = keras.layers.Add()([x, h])
        x = keras.layers.ReLU()(x)
        return keras.Model(images, last_layer(keras.layers.Conv2D, outputs, 1)(x))

    return build


@keras.saving.register_keras_serializable(package="keras_gen")
class RealNVP(Flow):
    """Multi-scale RealNVP.

    Args:
        image_shape: `(H, W, C)`.
        scales: how many; each but the last halves the sides.
        filters: channels of the residual blocks at the first scale; each scale doubles them.
        num_blocks: residual blocks of each network.
        margin: of the logit, in (0, 1/2).

    Raises:
        ValueError: an argument is none of the above, or sides that cannot be halved so often.

    Reference:
        arXiv:1605.08803, sections 3.6 and 4.1: 32 filters and 4 blocks for images of 32 x 32, 64
        and 8 for CIFAR-10.
    """

    def __init__(
        self, image_shape=(28, 28, 1), scales=3, filters=24, num_blocks=2, margin=0.05, **kwargs
    ):
        check_positive(scales=scales, filters=filters, num_blocks=num_blocks)
        check_halvings(image_shape, scales=scales, halvings=scales - 1)
        self.scales, self.filters, self.num_blocks = scales, filters, num_blocks
        self.margin = margin
        super().__init__(image_shape, **kwargs)

    def build_flow(self):
        """The scales, the last one innermost."""
        flow = Chain([*self.couplings(self.scales - 1, "checkerboard", 4), Flatten()])
        for scale in reversed(range(self.scales - 1)):
            fine = self.couplings(scale, "checkerboard", 3)
            coarse = self.couplings(scale, "channels", 3)
            flow = Chain([*fine, Squeeze(), *coarse, FactorOut(flow)])
        return Chain([Logit(self.margin), flow])

    def couplings(self, scale, mask, count):
        """Couplings that keep one part and the other in turn, each with its normalization."""
        build_network = residual_network(self.filters * 2**scale, self.num_blocks)
        layers = []
        for number in range(count):
            settings = {"learned_limit": True, "mask": mask, "reverse": bool(number % 2)}
            layers += [AffineCoupling(build_network, 1.0, **settings), ActNorm()]
        return layers
