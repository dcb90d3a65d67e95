"""GAN on sequences of discrete symbols, by the Gumbel-softmax.

Kusner and Hernandez-Lobato, 2016, GANs for Sequences of Discrete Elements with the Gumbel-softmax
Distribution, arXiv:1611.04051.

A generator of symbols must choose, and through a choice no gradient passes from the discriminator.
The Gumbel-softmax is a choice that is not quite made: a mixture of the symbols, differentiable, and
the nearer to one of them the lower the temperature. The generator, an LSTM, starts from random
states and reads its own last mixture at each step; the discriminator, another LSTM, reads the
whole sequence. The temperature falls during the training. Samples are drawn with the choice made.

Objective, with D = sigmoid(discriminator(images)), noise[t] = -log(-log u) and fake_images[0] = 0:

    logits[t], states = generator(fake_images[t - 1], states)        states first from the latents
    fake_images[t] = softmax((logits[t] + noise[t]) / temperature)
    discriminator_loss = -E[log D(real_images)] - E[log(1 - D(fake_images))]
    generator_loss     = -E[log D(fake_images)]         "non_saturating"; or "minimax", see `GAN`
    temperature = start + (end - start) * min(1, train_steps / annealing_steps)

A latent holds all of a sample's chance, the first states and the Gumbel noise of every symbol.

Differences from the paper:
    - `input_noise`, which keeps the discriminator from telling mixtures from one-hot rows at a
      glance, is normal and added to real and generated sequences alike (instance noise, Sonderby
      et al. 2017, arXiv:1610.04490).
    - The generator's losses are the two of `GAN`; both first states are drawn from N(0, 1).
    - `straight_through` is ours: the discriminator then sees choices, at any temperature, and the
      generator gets the mixtures' gradient (Jang et al. 2017, arXiv:1611.01144, section 2.2).
    - One generator pass a step, as in `GAN`: it learns from the sequences that the discriminator
      has just learnt from.

Shapes: latents (B, 2 * units + length * num_symbols); images (B, length, num_symbols, 1) in [0, 1],
each row a symbol, one-hot or relaxed; states (B, units), a pair of them; logits (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share, sample_latents
from keras_gen.layers.checks import check_choice
from keras_gen.losses import minimax_discriminator
from keras_gen.models.autoencoders.latents import CategoricalLatent
from keras_gen.models.base import GenerativeModel, check_positive
from keras_gen.models.gans.gan import GENERATOR_LOSSES
from keras_gen.models.gans.sequence_lstm import (
    build_step,
    check_sequence_shape,
    generate,
)


def build_discriminator(image_shape, units):
    """An LSTM that reads a sequence and judges it by its last state.

    Args:
        image_shape: `(length, num_symbols, 1)`.
        units: size of each of the LSTM's two states.

    Returns:
        A network from `(B, length, num_symbols, 1)` to logits `(B, 1)`.
    """
    images = keras.Input(image_shape, name="images")
    symbols = keras.layers.Reshape(image_shape[:2])(images)  # (B, length, num_symbols)
    hidden = keras.layers.LSTM(units, unroll=True, seed=0)(symbols)  # as in `build_step`
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(hidden)
    return keras.Model(images, logits, name="discriminator")


def linear_temperature(train_steps, start, end, annealing_steps):
    """From `start` to `end` in a straight line over `annealing_steps`, and `end` from there on.

    Args:
        train_steps: training steps done so far, an integer tensor or number.
        start: the temperature of the first step.
        end: the temperature after `annealing_steps`.
        annealing_steps: how many steps the way takes.

    Returns:
        float32 scalar.
    """
    done = ops.minimum(ops.cast(train_steps, "float32") / annealing_steps, 1.0)
    return start + (end - start) * done


@keras.saving.register_keras_serializable(package="keras_gen")
class GumbelGAN(GenerativeModel):
    """GAN of two LSTMs on sequences of symbols.

    Args:
        image_shape: `(length, num_symbols, 1)`.
        units: size of each of the two states of both LSTMs.
        generator_loss: `"non_saturating"` or `"minimax"`.
        start_temperature: the temperature of the first training step.
        end_temperature: the temperature from `annealing_steps` on.
        annealing_steps: training steps over which it falls.
        input_noise: deviation of the noise on what the discriminator sees in training.
        straight_through: train on one-hot sequences, with the gradient of the relaxed ones.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1611.04051, Algorithm 1.
    """

    value_range = (0.0, 1.0)

    def __init__(
        self,
        image_shape=(12, 6, 1),
        units=32,
        generator_loss="non_saturating",
        start_temperature=5.0,
        end_temperature=1.0,
        annealing_steps=20_000,
        input_noise=0.0,
        straight_through=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("generator_loss", generator_loss, GENERATOR_LOSSES)
        temperatures = {"start_temperature": start_temperature, "end_temperature": end_temperature}
        for name, temperature in temperatures.items():
            if not temperature > 0.0:
                raise ValueError(f"{name}={temperature!r}: give a number above 0.")
        if not input_noise >= 0.0:
            raise ValueError(f"input_noise={input_noise!r}: give a number of at least 0.")
        check_positive(units=units, annealing_steps=annealing_steps)
        self.image_shape = check_sequence_shape(image_shape)
        self.length, self.num_symbols, _ = self.image_shape
        self.units, self.input_noise = units, input_noise
        self.generator_loss = GENERATOR_LOSSES[generator_loss]
        self.annealing = (start_temperature, end_temperature, annealing_steps)
        self.symbol = CategoricalLatent(1, self.num_symbols, straight_through)
        self.latent_dim = 2 * units + self.length * self.num_symbols
        self.generator = build_step(self.num_symbols, units, "generator")
        self.discriminator = build_discriminator(self.image_shape, units)
        self.track("discriminator_loss", "generator_loss", "real_probability", "fake_probability")

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            discriminator_optimizer: a Keras optimizer. Default: Adam(1e-3).
            generator_optimizer: a Keras optimizer. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        adam = keras.optimizers.Adam
        self.set_optimizers(
            discriminator_optimizer=(discriminator_optimizer or adam(1e-3), self.discriminator),
            generator_optimizer=(generator_optimizer or adam(1e-3), self.generator),
            **kwargs,
        )

    @property
    def temperature(self):
        """The temperature of the next training step, a float32 scalar."""
        return linear_temperature(self.train_steps, *self.annealing)

    def relaxed_sequences(self, latents, temperature):
        """What the discriminator is to judge: `(B, length, num_symbols, 1)`, differentiable."""

        def choose(logits, noise):
            return self.symbol.reparameterize(logits, noise, temperature)

        states, noise = self.split_latents(latents)
        return generate(self.generator, states, noise, choose, training=True)

    def split_latents(self, latents):
        """First states `(hidden, cell)` and noise `(B, length, num_symbols)` of latents."""
        hidden, cell, noise = ops.split(latents, [self.units, 2 * self.units], axis=-1)
        return [hidden, cell], ops.reshape(noise, (-1, self.length, self.num_symbols))

    def draw_latents(self, num_images, seed):
        """Latents `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        state_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        states = sample_latents("normal", (num_images, 2 * self.units), state_seed)
        noise = self.symbol.noise((num_images, self.length), noise_seed)
        noise = ops.reshape(noise, (-1, self.length * self.num_symbols))
        return ops.concatenate([states, noise], axis=-1)

    def latents_for(self, images, seed):
        """One latent for each image of a batch, `(B, latent_dim)`, none shared by replicas."""
        return replica_share(lambda count: self.draw_latents(count, seed), ops.shape(images)[0])

    def noise_for(self, images, seed):
        """The noise on a batch that the discriminator sees, none shared by replicas."""
        return self.input_noise * replica_share(
            lambda count: sample_latents("normal", (count, *self.image_shape), seed),
            ops.shape(images)[0],
        )

    def train_step(self, real_images):
        """One round of Algorithm 1 on images `(B, length, num_symbols, 1)`."""
        temperature = self.temperature
        latent_seed, real_seed, fake_seed = tf.unstack(self.next_seeds(3))
        latents = self.latents_for(real_images, latent_seed)
        real_noise = self.noise_for(real_images, real_seed)
        fake_noise = self.noise_for(real_images, fake_seed)

        with tf.GradientTape() as generator_tape:
            fake_images = self.relaxed_sequences(latents, temperature) + fake_noise
        with tf.GradientTape() as discriminator_tape:
            real_logits = self.discriminator(real_images + real_noise, training=True)
            fake_logits = self.discriminator(tf.stop_gradient(fake_images), training=True)
            discriminator_loss = minimax_discriminator(real_logits, fake_logits)
        self.update(
            self.discriminator_optimizer,
            discriminator_tape,
            discriminator_loss,
            self.discriminator,
        )

        with generator_tape:
            generator_logits = self.discriminator(fake_images, training=True)
            generator_loss = self.generator_loss(generator_logits)
        self.update(self.generator_optimizer, generator_tape, generator_loss, self.generator)

        return self.log(
            real_images,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_probability=ops.mean(ops.sigmoid(real_logits)),
            fake_probability=ops.mean(ops.sigmoid(fake_logits)),
        )

    def test_step(self, images):
        """The losses on held-out images, against one-hot samples, with nothing updated."""
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
        """The sequences of latents, one-hot."""
        return self.decode(latents)

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Sequences of latents, with every choice made: the largest of logits + noise.

        Args:
            latents: `(B, latent_dim)`.

        Returns:
            float32 `(B, length, num_symbols, 1)`, the rows one-hot.
        """
        states, noise = self.split_latents(tf.cast(latents, "float32"))
        return generate(self.generator, states, noise, self.symbol.draw)
