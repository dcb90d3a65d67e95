"""DCGAN with the tricks that are passed on to make GANs train, each to be had by its name.

Chintala, Denton, Arjovsky and Mathieu, 2016, How to train a GAN? Tips and tricks to make GANs
work; Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, Improved techniques for
training GANs, arXiv:1606.03498.

Each trick was found useful somewhere by somebody. What it does on the networks and data at hand is
measured by `benchmarks/gan_hacks.py`, one at a time.

Objective, that of `GAN` with the non-saturating loss, where by name:

    "label_smoothing"       the discriminator's target for real images is 0.9 (arXiv:1606.03498,
                            section 3.4)
    "noisy_labels"          targets are drawn for each image, U[0.7, 1] for real and U[0, 0.3] for
                            fake ones
    "label_flips"           the targets of 5 % of the images are exchanged
    "instance_noise"        N(0, 0.1^2) is added to all that the discriminator sees (Sonderby et al.
                            2017, arXiv:1610.04490)
    "generator_dropout"     half of the generator's channels are dropped, in training and sampling
                            (see `LatentDropout`)
    "historical_averaging"  each network pays |parameters - their mean over training|^2
                            (arXiv:1606.03498, section 3.3)

Tricks that other classes have as an argument too: a latent distribution, EMA. Two time-scale
learning rates are a matter of `compile`.

Differences from the paper:
    - Instance noise stays where Sonderby et al. let it fade out, as nothing here says how long a
      training will be.
    - Noisy targets end at 1, not at 1.2 as in the list of tricks: with targets above 1 the
      cross-entropy has no lower bound.
    - The mean of the parameters starts from the untrained ones.
    - The generator's step uses the fake images of the discriminator's step (see `GAN`).

Shapes: latents (B, latent_dim); images (B, H, W, C) in [-1, 1], H and W multiples of 4;
logits (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.losses import minimax_discriminator, non_saturating_generator
from keras_gen.models.gans.dcgan import DCGAN, build_discriminator, build_generator

HACKS = (
    "label_smoothing",
    "noisy_labels",
    "label_flips",
    "instance_noise",
    "generator_dropout",
    "historical_averaging",
)
_SMOOTHED = 0.9
_NOISY = 0.3
_FLIPPED = 0.05
_NOISE = 0.1
_DROPPED = 0.5


@keras.saving.register_keras_serializable(package="keras_gen")
class HackedGAN(DCGAN):
    """`DCGAN` with tricks.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        latent_dim: size of a latent.
        filters: channels of the widest-resolution hidden layer of both networks.
        kernel_size: side of the kernels.
        latent_distribution: `"normal"`, `"uniform"` or `"spherical"`.
        hacks: names from `HACKS`.
        ema_decay: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        filters=128,
        kernel_size=5,
        latent_distribution="normal",
        hacks=(),
        ema_decay=None,
        **kwargs,
    ):
        for name in hacks:
            if name not in HACKS:
                raise ValueError(f"hacks: {name!r} is none of {', '.join(HACKS)}.")
        self.hacks = tuple(hacks)
        super().__init__(
            image_shape,
            latent_dim,
            filters,
            kernel_size,
            latent_distribution,
            ema_decay=ema_decay,
            **kwargs,
        )
        self.histories = {}
        if "historical_averaging" in self.hacks:
            for name in ("generator", "discriminator"):
                history = keras.models.clone_model(getattr(self, name))
                history.trainable = False
                history.set_weights(getattr(self, name).get_weights())
                self.histories[name] = history

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        sizes = (self.filters, self.kernel_size)
        dropout = _DROPPED if "generator_dropout" in self.hacks else 0.0
        return (
            build_generator(self.image_shape, self.latent_dim, *sizes, dropout),
            build_discriminator(self.image_shape, *sizes),
        )

    def train_step(self, images):
        """A step of both networks on images `(B, H, W, C)`."""
        latent_seed, *seeds = tf.unstack(self.next_seeds(6))
        real_targets, fake_targets = self.targets_for(images, *seeds[:2])
        real_images = self.noisy(images, seeds[2])

        with tf.GradientTape() as generator_tape:
            fake_images = self.generator(self.latents_for(images, latent_seed), training=True)
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real_images, training=True)
            seen_images = self.noisy(tf.stop_gradient(fake_images), seeds[3])
            fake_logits = self.discriminator(seen_images, training=True)
            discriminator_loss = minimax_discriminator(
                real_logits, fake_logits, real_targets, fake_targets
            )
            penalized_loss = discriminator_loss + self.distance_from_history("discriminator")
        self.update(self.discriminator_optimizer, tape, penalized_loss, self.discriminator)

        with generator_tape:
            generator_logits = self.discriminator(self.noisy(fake_images, seeds[4]), training=True)
            generator_loss = non_saturating_generator(generator_logits)
            penalized_loss = generator_loss + self.distance_from_history("generator")
        self.update(self.generator_optimizer, generator_tape, penalized_loss, self.generator)

        self.extend_histories()
        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def targets_for(self, images, target_seed, flip_seed):
        """The discriminator's targets for a batch of real and one of fake images, each `(B, 1)`."""
        count = ops.shape(images)[0]

        def uniform(seed):
            return replica_share(lambda rows: tf.random.stateless_uniform((rows, 2), seed), count)

        real_targets, fake_targets = ops.ones((count, 1)), ops.zeros((count, 1))
        if "label_smoothing" in self.hacks:
            real_targets = _SMOOTHED * real_targets
        if "noisy_labels" in self.hacks:
            noise = _NOISY * uniform(target_seed)
            real_targets, fake_targets = real_targets - noise[:, :1], fake_targets + noise[:, 1:]
        if "label_flips" in self.hacks:
            flipped = uniform(flip_seed) < _FLIPPED
            real_targets, fake_targets = (
                ops.where(flipped[:, :1], fake_targets, real_targets),
                ops.where(flipped[:, 1:], real_targets, fake_targets),
            )
        return real_targets, fake_targets

    def noisy(self, images, seed):
        """Images `(B, H, W, C)` as the discriminator shall see them."""
        if "instance_noise" not in self.hacks:
            return images

        def draw(rows):
            return tf.random.stateless_normal((rows, *self.image_shape), seed)

        return images + _NOISE * replica_share(draw, ops.shape(images)[0])

    def distance_from_history(self, name):
        """Squared distance of a network's parameters from their mean over training."""
        if name not in self.histories:
            return 0.0
        network, history = getattr(self, name), self.histories[name]
        pairs = zip(network.weights, history.weights, strict=True)
        return sum(ops.sum(ops.square(new - mean)) for new, mean in pairs if new.trainable)

    def extend_histories(self):
        """Moves the means by the parameters of this step."""
        count = ops.cast(self.train_steps, "float32") + 1.0
        for name, history in self.histories.items():
            for mean, new in zip(history.weights, getattr(self, name).weights, strict=True):
                if mean.dtype == "float32":
                    mean.assign(mean + (new - mean) / count)
