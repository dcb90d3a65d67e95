"""Generative adversarial network (GAN).

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, 2014,
Generative Adversarial Nets, arXiv:1406.2661.

A generator turns noise into images; a discriminator tells them from real ones. Each learns
against the other, and where neither can improve the generator has the data's distribution.

Objective (eq. 1), with D = sigmoid(discriminator(images)) and G = generator:

    min_G max_D  E[log D(real_images)] + E[log(1 - D(fake_images))],   fake_images = G(latents)

    discriminator_loss = -E[log D(real_images)] - E[log(1 - D(fake_images))]
    generator_loss     =  E[log(1 - D(fake_images))]     "minimax", the objective as it stands
    generator_loss     = -E[log D(fake_images)]          "non_saturating", section 3

Differences from the paper:
    - Algorithm 1 draws new noise for the generator's step. Here the generator's step uses the
      fake images of the last discriminator step, against the discriminator as just updated: one
      generator pass less. (The authors' code shares them too, and updates both at once, as
      `simultaneous=True` does here.)
    - Constant learning rate and momentum where the authors' code decays the rate by 1.000004 a
      step and raises the momentum to 0.7. Their discriminator loss is half of the one above; the
      default rate of the discriminator is therefore half of theirs.
    - The generator's output bias starts at 0, not at the logit of the data's mean image.

Shapes: latents (B, latent_dim); images (B, H, W, C) in [0, 1]; logits (B, 1).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    Dropout,
    Maxout,
    check_latent_distribution,
    replica_share,
    sample_latents,
)
from keras_gen.layers.checks import check_choice
from keras_gen.losses import (
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
)
from keras_gen.models.averages import ExponentialMovingAverage
from keras_gen.models.base import GenerativeModel, check_image_shape, check_positive

# How the gradient of a generator loss in a logit l follows from that of the discriminator's loss,
# sigmoid(l): for the non-saturating loss it is -sigmoid(-l) = -exp(-l) sigmoid(l). The bound keeps
# the factor finite where the discriminator is surer than 1 - 1e-26.
_SURE = 60.0
GRADIENT_RATIOS = {
    "minimax": lambda logits: -ops.ones_like(logits),
    "non_saturating": lambda logits: -ops.exp(-ops.maximum(logits, -_SURE)),
}
GENERATOR_LOSSES = {"minimax": minimax_generator, "non_saturating": non_saturating_generator}


def build_generator(image_shape, latent_dim):
    """The generator of the paper's MNIST experiment: two layers of 1200 rectified units.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.

    Returns:
        A network from `(B, latent_dim)` to `(B, H, W, C)` in [0, 1].
    """
    weights = keras.initializers.RandomUniform(-0.05, 0.05)
    latents = keras.Input((latent_dim,), name="latents")
    x = keras.layers.Dense(1200, activation="relu", kernel_initializer=weights)(latents)
    x = keras.layers.Dense(1200, activation="relu", kernel_initializer=weights)(x)
    x = keras.layers.Dense(math.prod(image_shape), kernel_initializer=weights)(x)
    x = keras.layers.Reshape(image_shape)(x)
    images = keras.layers.Activation("sigmoid", dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape):
    """The discriminator of the paper's MNIST experiment: two maxout layers with dropout.

    Args:
        image_shape: `(H, W, C)`.

    Returns:
        A network from `(B, H, W, C)` to logits `(B, 1)`.
    """
    weights = keras.initializers.RandomUniform(-0.005, 0.005)
    images = keras.Input(image_shape, name="images")
    x = Dropout(0.2)(keras.layers.Flatten()(images))
    x = Dropout(0.5)(Maxout(240, pieces=5, kernel_initializer=weights)(x))
    x = Dropout(0.5)(Maxout(240, pieces=5, kernel_initializer=weights)(x))
    logits = keras.layers.Dense(1, kernel_initializer=weights, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class GAN(GenerativeModel):
    """GAN on dense networks; the training that other GANs inherit with networks of their own.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        latent_distribution: `"normal"` for N(0, 1) or `"uniform"` for U(-1, 1), per coordinate, or
            `"spherical"`; see `sample_latents`.
        generator_loss: `"non_saturating"` or `"minimax"`.
        discriminator_steps: discriminator steps per generator step (the paper's k), each with a
            fresh batch: a training batch holds that many times the batch size.
        ema_decay: None, or the decay in [0, 1) of an exponential moving average of the
            generator's weights, which `decode` and `sample` then use.
        simultaneous: move the generator against the discriminator as it is before its own update,
            not after. Both gradients then come from one pass of the discriminator over the fake
            images, because the two losses' gradients in a logit are multiples of each other.

    Raises:
        ValueError: an argument is none of the above, or `simultaneous` with batch normalization in
            the discriminator, where an image's gradient depends on the others' weights in the loss.

    Reference:
        arXiv:1406.2661, Algorithm 1.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        latent_distribution="normal",
        generator_loss="non_saturating",
        discriminator_steps=1,
        ema_decay=None,
        simultaneous=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_latent_distribution(latent_distribution)
        check_choice("generator_loss", generator_loss, GENERATOR_LOSSES)
        check_positive(latent_dim=latent_dim, discriminator_steps=discriminator_steps)
        self.image_shape, self.latent_dim = check_image_shape(image_shape), latent_dim
        self.latent_distribution = latent_distribution
        self.generator_loss = GENERATOR_LOSSES[generator_loss]
        self.gradient_ratio = GRADIENT_RATIOS[generator_loss]
        self.simultaneous = simultaneous
        self.batches_per_step = discriminator_steps
        self.generator, self.discriminator = self.build_networks()
        if simultaneous:
            self._check_simultaneous()
        self.ema = self.ema_generator = None
        if ema_decay is not None:
            self.ema_generator = keras.models.clone_model(self.generator)
            self.ema = ExponentialMovingAverage(self.generator, self.ema_generator, ema_decay)
        self.track("discriminator_loss", "generator_loss", "real_probability", "fake_probability")

    def _check_simultaneous(self):
        layers = self.discriminator._flatten_layers(include_self=False)
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
            raise ValueError(
                "simultaneous=True: the discriminator has batch normalization, so that an image's "
                "gradient is not its own; leave it out."
            )

    def build_networks(self):
        """Gives `(generator, discriminator)`: what a GAN with other networks overrides."""
        return (
            build_generator(self.image_shape, self.latent_dim),
            build_discriminator(self.image_shape),
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            discriminator_optimizer: a Keras optimizer. Default: SGD(0.05, momentum 0.5).
            generator_optimizer: a Keras optimizer. Default: SGD(0.1, momentum 0.5).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        sgd = keras.optimizers.SGD
        self.set_optimizers(
            discriminator_optimizer=(
                discriminator_optimizer or sgd(0.05, momentum=0.5),
                self.discriminator,
            ),
            generator_optimizer=(generator_optimizer or sgd(0.1, momentum=0.5), self.generator),
            **kwargs,
        )

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        shape = (num_images, self.latent_dim)
        return sample_latents(self.latent_distribution, shape, seed, truncation)

    def latents_for(self, images, seed):
        """One latent for each image of a batch, `(B, latent_dim)`, none shared by replicas."""
        return replica_share(lambda count: self.draw_latents(count, seed), ops.shape(images)[0])

    def train_step(self, images):
        """One round of Algorithm 1 on images `(discriminator_steps * B, H, W, C)`."""
        seeds = self.next_seeds(self.batches_per_step)

        for step, real_images in enumerate(self.split_batches(images)):
            latents = self.latents_for(real_images, seeds[step])
            with tf.GradientTape() as generator_tape:
                fake_images = self.generator(latents, training=True)
            seen_images = tf.stop_gradient(fake_images)
            with tf.GradientTape() as tape:
                tape.watch(seen_images)
                real_logits = self.discriminator(real_images, training=True)
                fake_logits = self.discriminator(seen_images, training=True)
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
            generator_loss = self.generator_loss(fake_logits)
            self.follow(gradients[0], fake_logits, generator_tape, fake_images)
        else:
            with generator_tape:
                generator_logits = self.discriminator(fake_images, training=True)
                generator_loss = self.generator_loss(generator_logits)
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

    def follow(self, gradients, fake_logits, tape, fake_images):
        """The generator's step by the gradients of the discriminator's loss in its images.

        Args:
            gradients: `(B, H, W, C)`, what `update` gave.
            fake_logits: `(B, 1)`.
            tape: the tape of the generator's pass.
            fake_images: `(B, H, W, C)`.
        """
        ratios = ops.reshape(self.gradient_ratio(fake_logits), (-1, 1, 1, 1))
        self.update(
            self.generator_optimizer, tape, fake_images, self.generator, upstream=ratios * gradients
        )

    def test_step(self, images):
        """The losses on held-out images `(B, H, W, C)`, in inference mode, with nothing updated.

        Batch normalization then judges by moving statistics over real and generated batches alike:
        compare such values with each other, not with those of the training.
        """
        latents = self.latents_for(images, self.evaluation_seeds(1)[0])
        real_logits = self.discriminator(images, training=False)
        fake_logits = self.discriminator(self.decode(latents), training=False)
        return self.log(
            images,
            discriminator_loss=minimax_discriminator(real_logits, fake_logits),
            generator_loss=self.generator_loss(fake_logits),
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def call(self, latents, training=False):
        """Images `(B, H, W, C)` of latents `(B, latent_dim)`, from the generator in training."""
        return self.generator(latents, training=training)

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Images of latents, by the moving average of the generator where there is one.

        Args:
            latents: `(B, latent_dim)`.

        Returns:
            float32 `(B, H, W, C)` in `value_range`.
        """
        generator = self.generator if self.ema_generator is None else self.ema_generator
        return generator(tf.cast(latents, "float32"), training=False)
