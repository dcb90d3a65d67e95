"""Conditional GAN (CGAN).

Mirza and Osindero, 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784.

A GAN both of whose networks are told the class y of an image: the generator draws an image of the
class asked for, and the discriminator judges whether an image is a real one of its class, so that a
perfect 3 in the place of a 7 is no success.

Objective (eq. 2), with D = sigmoid(discriminator(images, labels)) and G = generator:

    min_G max_D  E[log D(real_images, labels)] + E[log(1 - D(fake_images, labels))],
                 fake_images = G(latents, labels)

    discriminator_loss = -E[log D(real_images, labels)] - E[log(1 - D(fake_images, labels))]
    generator_loss     = -E[log D(fake_images, labels)]               non-saturating

Differences from the paper:
    - Labels of fake images are those of the batch's real images.
    - Batch normalization in the generator, none of its dropout, and dropout of the pixels. As the
      paper has them the discriminator wins: images collapse to one or two within a few epochs,
      with SGD as with Adam.
    - Adam(2e-4, beta_1 0.5) where the paper has SGD from 0.1, decayed by 1.00004 a step, with
      momentum from 0.5 to 0.7.
    - The generator's step uses the fake images of the discriminator's step, and takes the
      non-saturating loss (see `GAN`).
    - Kernels start as Keras has them: the paper does not say.

Shapes: latents (B, latent_dim); labels (B,), from 0 to num_classes - 1; images (B, H, W, C) in
[0, 1]; logits (B, 1).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import Dropout, Maxout, batch_normalization
from keras_gen.losses import minimax_discriminator, non_saturating_generator
from keras_gen.models.base import check_positive
from keras_gen.models.gans.gan import GAN


def build_generator(image_shape, num_classes, latent_dim):
    """Latent and class, each through rectified units of its own, and then together.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent.

    Returns:
        A network from `[(B, latent_dim), (B,)]` to `(B, H, W, C)` in [0, 1].
    """
    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")

    def normalized(x):
        return keras.layers.ReLU()(batch_normalization()(x))

    from_latents = normalized(keras.layers.Dense(200, use_bias=False)(latents))
    from_labels = keras.layers.Dense(1000, activation="relu")(ops.one_hot(labels, num_classes))
    x = keras.layers.Concatenate()([from_latents, from_labels])
    x = normalized(keras.layers.Dense(1200, use_bias=False)(x))
    x = keras.layers.Reshape(image_shape)(keras.layers.Dense(math.prod(image_shape))(x))
    images = keras.layers.Activation("sigmoid", dtype="float32", name="images")(x)
    return keras.Model([latents, labels], images, name="generator")


def build_discriminator(image_shape, num_classes):
    """Image and class, each through maxout units of its own, and then together.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.

    Returns:
        A network from `[(B, H, W, C), (B,)]` to logits `(B, 1)`.
    """
    images = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    pixels = Dropout(0.2)(keras.layers.Flatten()(images))
    from_images = Dropout(0.5)(Maxout(240, pieces=5)(pixels))
    from_labels = Dropout(0.5)(Maxout(50, pieces=5)(ops.one_hot(labels, num_classes)))
    x = keras.layers.Concatenate()([from_images, from_labels])
    x = Dropout(0.5)(Maxout(240, pieces=4)(x))
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model([images, labels], logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class ConditionalGAN(GAN):
    """Conditional GAN on dense networks.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a latent.
        latent_distribution: `"uniform"` for U(-1, 1), or another of `LATENT_DISTRIBUTIONS`.
        discriminator_steps: as in `GAN`.
        ema_decay: as in `GAN`.
        simultaneous: as in `GAN`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1411.1784, sections 3.2 and 4.1.
    """

    conditional = True

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=100,
        latent_distribution="uniform",
        discriminator_steps=1,
        ema_decay=None,
        simultaneous=False,
        **kwargs,
    ):
        check_positive(num_classes=num_classes)
        self.num_classes = num_classes
        super().__init__(
            image_shape,
            latent_dim,
            latent_distribution,
            discriminator_steps=discriminator_steps,
            ema_decay=ema_decay,
            simultaneous=simultaneous,
            **kwargs,
        )

    def build_networks(self):
        """Gives `(generator, discriminator)`."""
        return (
            build_generator(self.image_shape, self.num_classes, self.latent_dim),
            build_discriminator(self.image_shape, self.num_classes),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """As `GAN.compile`; the default of both optimizers is Adam(2e-4, beta_1 0.5)."""
        adam = keras.optimizers.Adam
        super().compile(
            discriminator_optimizer or adam(2e-4, beta_1=0.5),
            generator_optimizer or adam(2e-4, beta_1=0.5),
            **kwargs,
        )

    def train_step(self, batch):
        """A step of both networks on `(images, labels)` of `discriminator_steps * B`."""
        seeds = self.next_seeds(self.batches_per_step)
        batches = zip(*map(self.split_batches, self.checked(batch)), strict=True)

        for step, (real_images, labels) in enumerate(batches):
            latents = self.latents_for(real_images, seeds[step])
            with tf.GradientTape() as generator_tape:
                fake_images = self.generator([latents, labels], training=True)
            seen_images = tf.stop_gradient(fake_images)
            with tf.GradientTape() as tape:
                tape.watch(seen_images)
                real_logits = self.discriminator([real_images, labels], training=True)
                fake_logits = self.discriminator([seen_images, labels], training=True)
                discriminator_loss = minimax_discriminator(real_logits, fake_logits)
            also = [seen_images] if self.simultaneous else []
            gradients = self.update(
                self.discriminator_optimizer,
                tape,
                discriminator_loss,
                self.discriminator,
                also=also,
            )

        if self.simultaneous:
            generator_loss = non_saturating_generator(fake_logits)
            self.follow(gradients[0], fake_logits, generator_tape, fake_images)
        else:
            with generator_tape:
                generator_logits = self.discriminator([fake_images, labels], training=True)
                generator_loss = non_saturating_generator(generator_logits)
            self.update(self.generator_optimizer, generator_tape, generator_loss, self.generator)

        if self.ema:
            self.ema.update(self.train_steps)
        return self.log(
            real_images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def test_step(self, batch):
        """The losses on held-out `(images, labels)`, with nothing updated."""
        images, labels = self.checked(batch)
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        real_logits = self.discriminator([images, labels], training=False)
        fake_logits = self.discriminator([self.decode(latents, labels), labels], training=False)
        return self.log(
            images,
            discriminator_loss=minimax_discriminator(real_logits, fake_logits),
            generator_loss=non_saturating_generator(fake_logits),
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def call(self, batch, training=False):
        """Images `(B, H, W, C)` of `(latents, labels)`, from the generator in training."""
        return self.generator(list(batch), training=training)

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels):
        """Images, by the moving average of the generator where there is one.

        Args:
            latents: `(B, latent_dim)`.
            labels: integers `(B,)`, from 0 to num_classes - 1.

        Returns:
            float32 `(B, H, W, C)` in `value_range`.
        """
        generator = self.generator if self.ema_generator is None else self.ema_generator
        inputs = [tf.cast(latents, "float32"), *self.conditions(labels)]
        return generator(inputs, training=False)
