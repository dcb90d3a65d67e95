"""WGAN-GP: the networks of `keras_gen.models.WGANGP`, 28x28 MNIST, five critic steps of 64.

An image counts each time that a critic step sees it.
"""

import keras
import tensorflow as tf

from benchmarks import tensorflow_ways
from benchmarks.harness import torch_modes
from keras_gen.models import WGANGP

TITLE = "WGAN-GP, 32 filters, 28x28, five critic steps of 64"
BATCH_SIZE, CRITIC_STEPS = 64, 5
ITEMS = BATCH_SIZE * CRITIC_STEPS
NOTE = (
    "Keras' step and the tf.function loop take the critic's five steps on one real batch, as the "
    "keras.io example does, ours and PyTorch's on five. Of PyTorch, compiled, the generator alone "
    "is compiled: the penalty differentiates the critic twice, which torch.compile cannot. The "
    "opponents have Keras' layers, ours those of `keras_gen.layers` of the same functions."
)
LATENT_DIM = 128
FILTERS = 32
PENALTY_WEIGHT = 10.0


def data():
    """MNIST in [-1, 1]."""
    return tensorflow_ways.mnist(WGANGP.value_range)


def make_model():
    """Ours."""
    return WGANGP((28, 28, 1), LATENT_DIM, FILTERS, critic_steps=CRITIC_STEPS)


def networks():
    """`(generator, critic)` of ours, with Keras' convolutions."""
    model = make_model()
    return tuple(
        tensorflow_ways.with_keras_layers(each) for each in (model.generator, model.critic)
    )


class TextbookWGANGP(keras.Model):
    """The `train_step` of keras.io."""

    def __init__(self, generator, critic):
        super().__init__()
        self.generator, self.critic = generator, critic

    def compile(self, d_optimizer, g_optimizer):
        """Keeps both optimizers."""
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def gradient_penalty(self, count, real, fake):
        """The mean of (norm - 1)^2 between real and fake images."""
        alpha = tf.random.uniform((count, 1, 1, 1))
        between = real + alpha * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = self.critic(between, training=True)
        gradients = tape.gradient(scores, between)
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) + 1e-12)
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, real):
        """Five steps of the critic on a batch, then one of the generator."""
        count = tf.shape(real)[0]
        for _ in range(CRITIC_STEPS):
            latents = tf.random.normal((count, LATENT_DIM))
            with tf.GradientTape() as tape:
                fake = self.generator(latents, training=True)
                fake_scores = self.critic(fake, training=True)
                real_scores = self.critic(real, training=True)
                cost = tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)
                penalty = self.gradient_penalty(count, real, fake)
                d_loss = cost + PENALTY_WEIGHT * penalty
            weights = self.critic.trainable_variables
            gradients = tape.gradient(d_loss, weights)
            self.d_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        latents = tf.random.normal((count, LATENT_DIM))
        with tf.GradientTape() as tape:
            fake_scores = self.critic(self.generator(latents, training=True), training=True)
            g_loss = -tf.reduce_mean(fake_scores)
        weights = self.generator.trainable_variables
        gradients = tape.gradient(g_loss, weights)
        self.g_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}


def optimizers():
    """Adam of the paper, for both networks."""
    return [keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9) for _ in range(2)]


def ours(precision):
    """`WGANGP` through `fit`, on our data pipeline."""
    tensorflow_ways.use_precision(precision)
    model = make_model()
    model.compile()
    return tensorflow_ways.through_fit(model, data().batches(ITEMS, seed=0), counted=True)


def textbook(precision):
    """`TextbookWGANGP` through `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookWGANGP(*networks())
    model.compile(*optimizers())
    batches = tensorflow_ways.textbook_batches(data(), BATCH_SIZE)
    return tensorflow_ways.through_fit(model, batches)


def function(precision):
    """The same step without `fit`."""
    tensorflow_ways.use_precision(precision)
    model = TextbookWGANGP(*networks())
    model.compile(*optimizers())
    model.d_optimizer.build(model.critic.trainable_variables)
    model.g_optimizer.build(model.generator.trainable_variables)
    batches = tensorflow_ways.textbook_batches(data(), BATCH_SIZE)
    return tensorflow_ways.through_loop(lambda batch: model.train_step(batch)["g_loss"], batches)


def torch_way(precision, channels_last, compiled):
    """The loop as PyTorch programs have it."""
    import torch

    from benchmarks import torch_ways

    generator, critic = networks()
    generator = torch_ways.prepare(generator, channels_last, compiled)
    critic = torch_ways.prepare(critic, channels_last, compiled=False)
    generator_optimizer, critic_optimizer = (
        torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.0, 0.9), fused=True)
        for network in (generator, critic)
    )
    batches = torch_ways.batches(data(), BATCH_SIZE, channels_last=channels_last)

    def step(real):
        for number in range(CRITIC_STEPS):
            real = next(batches) if number else real
            critic_optimizer.zero_grad()
            with torch_ways.precise(precision):
                with torch.no_grad():
                    fake = generator(torch.randn(len(real), LATENT_DIM))
                cost = critic(fake).mean() - critic(real).mean()
                alpha = torch.rand(len(real), 1, 1, 1)
                between = (real + alpha * (fake - real)).requires_grad_()
                scores = critic(between)
            (gradients,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
            penalty = ((gradients.flatten(1).norm(dim=1) - 1.0) ** 2).mean()
            (cost + PENALTY_WEIGHT * penalty).backward()
            critic_optimizer.step()
        generator_optimizer.zero_grad()
        with torch_ways.precise(precision):
            loss = -critic(generator(torch.randn(len(real), LATENT_DIM))).mean()
        loss.backward(inputs=list(generator.parameters()))
        generator_optimizer.step()

    return torch_ways.through_loop(step, batches)


WAYS = {
    "keras_gen": ours,
    "Keras, as tutorials": textbook,
    "tf.function loop": function,
    **torch_modes(torch_way),
}
