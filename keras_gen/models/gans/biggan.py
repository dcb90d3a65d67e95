"""BigGAN.

Brock, Donahue and Simonyan, 2019, Large Scale GAN Training for High Fidelity Natural Image
Synthesis, arXiv:1809.11096.

`SAGAN` made larger: wider layers and large batches, and what makes that work. The classes share one
embedding, from which each batch normalization takes its scales and offsets by a linear map of its
own. The latent is cut into chunks: one makes the first maps, and each block is given another beside
the class. Kernels start orthogonal, and a penalty keeps the generator's near it, so that latents
drawn from a narrower distribution than in training still give good images: the truncation trick,
which buys fidelity with variety. What samples is a moving average of the weights, normalized by
standing statistics.

Objective, with scores = discriminator(images, labels) as in `SAGAN`, and W the generator's kernels:

    discriminator_loss = E[max(0, 1 - real_scores)] + E[max(0, 1 + fake_scores)]
    generator_loss     = -E[fake_scores]
    penalized_loss     = generator_loss + orthogonal_weight sum_W ||W^T W * (1 - I)||_F^2    (eq. 3)

    scales  = 1 + spectral(linear([shared_embedding[labels], latents[chunk]])),   offsets likewise

Differences from the paper:
    - At 128 pixels the networks are those of its Table 4, at 32 and 64 those of the first author's
      code (github.com/ajbrock/BigGAN-PyTorch), for the paper has no such table. For other sizes see
      `SAGAN`.
    - The first layer is given the first chunk alone, as in Figure 15 and that code; Table 4 writes
      20 + 128 inputs. The parameter counts of Table 1 are those of 20.
    - Values in attention have half of the channels, as in that code (see `SelfAttention`).
    - The penalty is on all kernels of dense layers and convolutions of the generator, the shared
      embedding left out, as in that code. Its gradient there is half of eq. 3's.
    - Batch normalization adds 1e-5 to the variance, as in that code; in the published modules it is
      1e-4.
    - The moving average's decay rises to `ema_decay`: see `ExponentialMovingAverage`. The paper has
      0.9999 from the start.
    - Batch size is the caller's: 2048 in the paper. Statistics are pooled over all replicas, as
      in the paper.

Shapes: latents (B, latent_dim); labels (B,), from 0 to num_classes - 1; images (B, H, W, C) in
[-1, 1], at most 128x128; scores (B, 1).
"""

import keras
from keras import ops

from keras_gen.layers import conditional_batch_normalization
from keras_gen.losses import orthogonal_penalty
from keras_gen.models.gans.sagan import (
    SAGAN,
    build_discriminator,
    canvas_side,
    grow,
    spectral_layers,
)

# As `keras_gen.models.gans.sagan.WIDTHS`.
WIDTHS = {
    8: ((4, 4), (4, 4), 1),
    16: ((4, 4, 4), (4, 4, 4), 2),
    32: ((4, 4, 4, 4), (4, 4, 4, 4), 2),
    64: ((16, 16, 8, 4, 2), (1, 2, 4, 8, 16), 4),
    128: ((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
}
SHARED_DIM = 128
INITIALIZER = "orthogonal"  # Saxe et al. 2014, arXiv:1312.6120


def build_generator(
    image_shape,
    num_classes,
    latent_dim,
    filters,
    attention_size,
    shared_dim=SHARED_DIM,
    hierarchical=True,
):
    """A chunk of the latent becomes 4x4 maps, and each block that doubles them is given another.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent; with `hierarchical`, a multiple of the chunks: one for the
            first layer and one for each block.
        filters: channels for a width of 1.
        attention_size: side of the maps that attention is over; 0 for none.
        shared_dim: size of a class' embedding.
        hierarchical: whether the latent is cut; else the first layer is given all of it and the
            blocks the class alone ("Hier." in the paper's Table 1).

    Returns:
        A network from `[(B, latent_dim), (B,)]` to `(B, H, W, C)` in [-1, 1].
    """
    first, *widths = WIDTHS[canvas_side(image_shape)][0]
    _, connect = spectral_layers(INITIALIZER)
    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    embedding = keras.layers.Embedding(num_classes, shared_dim, INITIALIZER)(labels)

    chunk, conditions = latents, [embedding] * len(widths)
    if hierarchical:
        chunk, *chunks = ops.split(latents, len(widths) + 1, axis=1)
        conditions = [keras.layers.Concatenate()([embedding, each]) for each in chunks]

    def normalizer(condition):
        def normalize(x):
            channels = x.shape[-1]
            scales = 1.0 + connect(condition, channels, use_bias=False)
            offsets = connect(condition, channels, use_bias=False)
            return conditional_batch_normalization(x, scales, offsets)

        return normalize

    x = keras.layers.Reshape((4, 4, first * filters))(connect(chunk, 16 * first * filters))
    sizes = image_shape, filters, attention_size, widths
    images = grow(x, *sizes, map(normalizer, conditions), INITIALIZER)
    return keras.Model([latents, labels], images, name="generator")


@keras.saving.register_keras_serializable(package="keras_gen")
class BigGAN(SAGAN):
    """BigGAN; the defaults are the paper's model for 128 pixels, row 8 of its Table 1.

    Args:
        image_shape: `(H, W, C)`, at most 128x128. See `SAGAN`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent, N(0, 1): a multiple of 4, 5 or 6 for 32, 64 or 128 pixels.
        filters: channels for a width of 1, the paper's "Ch.".
        attention_size: as in `SAGAN`. The first author's code has 0 at 32 pixels.
        orthogonal_weight: weight of the orthogonal regularization, the paper's beta; 0 for none.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1809.11096, sections 3 and 3.1, appendices B and C.
    """

    presets = {
        "paper": {"attention_size": 64, "chunk_size": 20},
        "small": {"filters": 8, "attention_size": 16, "chunk_size": 16},
    }

    def __init__(
        self,
        image_shape=(128, 128, 3),
        num_classes=1000,
        latent_dim=120,
        filters=96,
        attention_size=64,
        orthogonal_weight=1e-4,
        discriminator_steps=2,
        ema_decay=0.9999,
        **kwargs,
    ):
        chunks = len(WIDTHS[canvas_side(image_shape)][0])
        if latent_dim % chunks:
            raise ValueError(
                f"latent_dim={latent_dim!r}: give a multiple of {chunks}, for the latent is cut "
                "into as many chunks."
            )
        if not orthogonal_weight >= 0.0:
            raise ValueError(
                f"orthogonal_weight={orthogonal_weight!r}: give a number of at least 0."
            )
        self.orthogonal_weight = orthogonal_weight
        super().__init__(
            image_shape,
            num_classes,
            latent_dim,
            filters,
            attention_size,
            discriminator_steps,
            ema_decay,
            **kwargs,
        )

    @classmethod
    def preset_arguments(cls, preset, image_shape):
        """As in `SAGAN`; chunks of a latent have 20 coordinates, in the small preset 16."""
        arguments = super().preset_arguments(preset, image_shape)
        chunks = len(WIDTHS[canvas_side(image_shape)][0])
        arguments["latent_dim"] = chunks * arguments.pop("chunk_size")
        return arguments

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        shape, classes = self.image_shape, self.num_classes
        sizes = (self.filters, self.attention_size)
        return (
            build_generator(shape, classes, self.latent_dim, *sizes),
            build_discriminator(shape, classes, *sizes, WIDTHS, INITIALIZER),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """As `GAN.compile`; the default is Adam(beta_1 0, beta_2 0.999) at 2e-4 and 5e-5."""
        adam = keras.optimizers.Adam
        super().compile(
            discriminator_optimizer or adam(2e-4, beta_1=0.0, beta_2=0.999),
            generator_optimizer or adam(5e-5, beta_1=0.0, beta_2=0.999),
            **kwargs,
        )

    def generator_penalty(self):
        """The orthogonal regularization of the generator's kernels, with its weight."""
        if not self.orthogonal_weight:
            return 0.0
        kernels = [each for each in self.generator.trainable_variables if each.name == "kernel"]
        return self.orthogonal_weight * sum(orthogonal_penalty(kernel) for kernel in kernels)
