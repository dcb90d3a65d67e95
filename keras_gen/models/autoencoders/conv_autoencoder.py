"""Convolutional autoencoder.

Masci, Meier, Ciresan and Schmidhuber, 2011, Stacked Convolutional Auto-Encoders for Hierarchical
Feature Extraction, ICANN. Reviewed in arXiv:1206.5538, section 7. The networks are those of
Chollet, 2016, Building Autoencoders in Keras.

The autoencoder of images: convolutions see the same strokes wherever they are, max-pooling halves
the resolution, and the decoder doubles it by repeating pixels before each convolution. The code
keeps its places, a small image with a few channels; as `latents` it is flattened. With
`latent_dim`, a dense layer on each side makes a code without places of it, which can then stand for
what the whole image has in common. The objective is that of `Autoencoder`.

Differences from the paper:
    - All layers are trained at once instead of one by one, with rectified instead of tanh units and
      the cross-entropy instead of the squared error; the decoder has weights of its own.

    - The dense layers around the code are neither the paper's nor the post's.

Shapes: images (B, H, W, C) in [0, 1]; latents (B, latent_dim), by default h * w * filters[-1] with
h, w the sides halved once for each number in filters, rounded up; logits (B, H, W, C).
"""

import math

import keras

from keras_gen.layers import Conv2D
from keras_gen.models.autoencoders.autoencoder import Autoencoder
from keras_gen.models.base import check_positive


def coarse_sides(image_shape, depth):
    """The code's `(h, w)`: the image's sides halved `depth` times, rounded up each time.

    Doubled again, a side is as long as before, or 4 pixels longer: one convolution without padding
    before the last doubling takes those off. So 28 goes by 14 and 7 to 4, and back by 8, 16 and 14.

    Args:
        image_shape: `(H, W, C)`.
        depth: how often the sides are halved.

    Returns:
        `((h, w), excess)`, excess 0 or 4.

    Raises:
        ValueError: the sides cannot be reached again so.
    """
    sides = [math.ceil(side / 2**depth) for side in image_shape[:2]]
    excess = {small * 2**depth - side for small, side in zip(sides, image_shape[:2], strict=True)}
    if excess not in ({0}, {4}):
        raise ValueError(
            f"image_shape={tuple(image_shape)!r} cannot be halved {depth} times and doubled back: "
            f"give sides that are multiples of {2**depth}, or both 4 less than one, such as 28, "
            "32 or 64. Load the images with such an image_size."
        )
    return tuple(sides), excess.pop()


def build_encoder(image_shape, filters, latent_dim):
    """Convolutions, each followed by max-pooling, and a dense layer where it is asked for.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels of each 3x3 convolution.
        latent_dim: size of a code, or None for the last convolution's output.

    Returns:
        A network from `(B, H, W, C)` to `(B, latent_dim)`.
    """
    images = keras.Input(image_shape, name="images")
    x = images
    for channels in filters:
        x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D(2, padding="same")(x)
    if latent_dim is None:
        latents = keras.layers.Flatten(dtype="float32", name="latents")(x)
    else:
        x = keras.layers.Flatten()(x)
        latents = keras.layers.Dense(latent_dim, dtype="float32", name="latents")(x)
    return keras.Model(images, latents, name="encoder")


def build_decoder(image_shape, filters, latent_dim):
    """Convolutions, each followed by a doubling of the resolution, and one for the logits.

    Args:
        image_shape: `(H, W, C)`.
        filters: those of the encoder, in the encoder's order.
        latent_dim: likewise.

    Returns:
        A network from `(B, latent_dim)` to logits `(B, H, W, C)`.
    """
    (height, width), excess = coarse_sides(image_shape, len(filters))
    size = height * width * filters[-1]
    latents = keras.Input((latent_dim or size,), name="latents")
    x = latents
    if latent_dim is not None:
        x = keras.layers.Dense(size, activation="relu")(x)
    x = keras.layers.Reshape((height, width, filters[-1]))(x)
    for layer, channels in reversed(list(enumerate(filters))):
        padding = "valid" if excess and layer == 0 else "same"
        x = keras.layers.Conv2D(channels, 3, padding=padding, activation="relu")(x)
        x = keras.layers.UpSampling2D(2)(x)
    logits = Conv2D(image_shape[-1], 3, padding="same", dtype="float32", name="logits")(x)
    return keras.Model(latents, logits, name="decoder")


@keras.saving.register_keras_serializable(package="keras_gen")
class ConvAutoencoder(Autoencoder):
    """`Autoencoder` with convolutional networks.

    Args:
        image_shape: `(H, W, C)`; H and W as `coarse_sides` wants them.
        filters: channels of the encoder's convolutions, and backwards the decoder's.
        latent_dim: size of a code that dense layers make; None for the last convolution's output
            as it is, 4 * 4 * 8 = 128 numbers with the default arguments.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(self, image_shape=(28, 28, 1), filters=(16, 8, 8), latent_dim=None, **kwargs):
        if not filters:
            raise ValueError("filters=(): give the channels of at least one convolution.")
        for channels in filters:
            check_positive(filters=channels)
        (height, width), _ = coarse_sides(image_shape, len(filters))
        if latent_dim is not None:
            check_positive(latent_dim=latent_dim)
        self.filters, self.dense_code = tuple(filters), latent_dim
        super().__init__(image_shape, latent_dim or height * width * filters[-1], **kwargs)

    def build_networks(self):
        """Gives `(encoder, decoder)`."""
        sizes = (self.image_shape, self.filters, self.dense_code)
        return build_encoder(*sizes), build_decoder(*sizes)
