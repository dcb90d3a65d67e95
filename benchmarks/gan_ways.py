"""GANs as tutorials write them, on any networks: Keras, a bare tf.function, PyTorch.

Every way takes `networks`, a function that gives `(generator, discriminator)`: from latents to
images, and from images to logits. Of conditional ones the latents end in a one-hot class, and the
images in a plane a class.
"""

import keras
import tensorflow as tf

from benchmarks import tensorflow_ways
from benchmarks.harness import torch_modes

RATE = {"learning_rate": 2e-4, "beta_1": 0.5}
NUM_CLASSES = 10
NOTE = (
    "The tutorials' Keras step draws a second batch of fakes for the generator; the tf.function "
    "loop moves both networks at once on one batch, as the simultaneous way does, but in two "
    "gradients; PyTorch's alternates on one batch, as the alternating way does. The "
    "opponents have Keras' layers, ours those of `keras_gen.layers` of the same functions."
)


class TextbookGAN(keras.Model):
    """The `train_step` of keras.io: one joint batch, and a second pass of the generator."""

    def __init__(self, generator, discriminator, latent_dim, conditional):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim, self.conditional = latent_dim, conditional
        self.seed_generator = keras.random.SeedGenerator(0)
        self.trackers = [keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        """Keeps both optimizers and the loss."""
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        """Those of both losses."""
        return self.trackers

    def latents(self, count, labels):
        """Noise, with the classes of conditional networks behind it."""
        noise = keras.random.normal((count, self.latent_dim), seed=self.seed_generator)
        if self.conditional:
            noise = tf.concat([noise, tf.one_hot(labels, NUM_CLASSES)], axis=1)
        return noise

    def train_step(self, data):
        """A step of the discriminator, and one of the generator on new noise."""
        images, labels = data if self.conditional else (data, None)
        count = tf.shape(images)[0]
        fakes = tf.cast(self.generator(self.latents(count, labels), training=True), images.dtype)
        planes = beside(labels) if self.conditional else None
        both = tf.concat([with_planes(fakes, planes), with_planes(images, planes)], axis=0)
        targets = tf.concat([tf.zeros((count, 1)), tf.ones((count, 1))], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(targets, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        gradients = tape.gradient(d_loss, weights)
        self.d_optimizer.apply_gradients(zip(gradients, weights, strict=True))

        latents = self.latents(count, labels)
        with tf.GradientTape() as tape:
            fakes = tf.cast(self.generator(latents, training=True), images.dtype)
            logits = self.discriminator(with_planes(fakes, planes), training=True)
            g_loss = self.loss_fn(tf.ones((count, 1)), logits)
        weights = self.generator.trainable_weights
        gradients = tape.gradient(g_loss, weights)
        self.g_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        for tracker, value in zip(self.trackers, (d_loss, g_loss), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def beside(labels):
    """The planes of MNIST's classes."""
    return tensorflow_ways.one_hot_planes(labels, 28, NUM_CLASSES)


def with_planes(images, planes):
    """Images with the planes of their classes, of conditional networks, behind their channels."""
    return images if planes is None else tf.concat([images, planes], axis=-1)


def keras_way(networks, data, batch_size, latent_dim, conditional=False):
    """A way: `TextbookGAN` through `fit`."""

    def make(precision):
        tensorflow_ways.use_precision(precision)
        model = TextbookGAN(*networks(), latent_dim, conditional)
        optimizers = [keras.optimizers.Adam(**RATE) for _ in range(2)]
        model.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
        batches = tensorflow_ways.textbook_batches(data(), batch_size, conditional)
        return tensorflow_ways.through_fit(model, batches)

    return make


def function_way(networks, data, batch_size, latent_dim, conditional=False):
    """A way: the loop of tensorflow.org, where both networks move at once on one batch of fakes."""

    def make(precision):
        tensorflow_ways.use_precision(precision)
        generator, discriminator = networks()
        optimizers = [keras.optimizers.Adam(**RATE) for _ in range(2)]
        for optimizer, network in zip(optimizers, (generator, discriminator), strict=True):
            optimizer.build(network.trainable_variables)
        loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

        def step(batch):
            images, labels = batch if conditional else (batch, None)
            latents = tf.random.normal((batch_size, latent_dim))
            if conditional:
                latents = tf.concat([latents, tf.one_hot(labels, NUM_CLASSES)], axis=1)
            planes = beside(labels) if conditional else None
            with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
                fakes = tf.cast(generator(latents, training=True), images.dtype)
                real = discriminator(with_planes(images, planes), training=True)
                fake = discriminator(with_planes(fakes, planes), training=True)
                generator_loss = loss_fn(tf.ones_like(fake), fake)
                discriminator_loss = loss_fn(tf.ones_like(real), real)
                discriminator_loss += loss_fn(tf.zeros_like(fake), fake)
            weights = generator.trainable_variables
            gradients = generator_tape.gradient(generator_loss, weights)
            optimizers[0].apply_gradients(zip(gradients, weights, strict=True))
            weights = discriminator.trainable_variables
            gradients = discriminator_tape.gradient(discriminator_loss, weights)
            optimizers[1].apply_gradients(zip(gradients, weights, strict=True))
            return generator_loss

        batches = tensorflow_ways.textbook_batches(data(), batch_size, conditional)
        return tensorflow_ways.through_loop(step, batches)

    return make


def torch_ways(networks, data, batch_size, latent_dim, conditional=False, hinge=False):
    """Ways: the loop of PyTorch's DCGAN example, in the modes of PyTorch.

    Args:
        networks: as above.
        data: a function that gives the training set.
        batch_size: images in a batch.
        latent_dim: size of the noise.
        conditional: whether the networks take classes.
        hinge: the hinge loss in place of the cross-entropy.
    """

    def make(precision, channels_last, compiled):
        import torch

        from benchmarks import torch_ways

        generator, discriminator = (
            torch_ways.prepare(network, channels_last, compiled) for network in networks()
        )
        settings = {"lr": RATE["learning_rate"], "betas": (RATE["beta_1"], 0.999), "fused": True}
        generator_optimizer = torch.optim.Adam(generator.parameters(), **settings)
        discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), **settings)
        cross_entropy = torch.nn.BCEWithLogitsLoss()

        def loss_of(logits, real, for_generator=False):
            if hinge and for_generator:
                return -logits.mean()
            if hinge:
                return torch.relu(1.0 - logits if real else 1.0 + logits).mean()
            return cross_entropy(logits, torch.ones_like(logits) * float(real))

        def step(batch):
            images, labels = batch if conditional else (batch, None)
            latents = torch.randn(len(images), latent_dim)
            planes = None
            if conditional:
                classes = torch.nn.functional.one_hot(labels, NUM_CLASSES).float()
                latents = torch.cat([latents, classes], dim=1)
                planes = classes[:, :, None, None].expand(-1, -1, *images.shape[2:])

            def judge(pictures):
                if conditional:
                    pictures = torch.cat([pictures, planes], dim=1)
                if channels_last:
                    pictures = pictures.contiguous(memory_format=torch.channels_last)
                return discriminator(pictures)

            discriminator_optimizer.zero_grad()
            with torch_ways.precise(precision):
                real_loss = loss_of(judge(images), True)
            real_loss.backward()
            with torch_ways.precise(precision):
                fakes = generator(latents)
                fake_loss = loss_of(judge(fakes.detach()), False)
            fake_loss.backward()
            discriminator_optimizer.step()
            generator_optimizer.zero_grad()
            with torch_ways.precise(precision):
                generator_loss = loss_of(judge(fakes), True, for_generator=True)
            generator_loss.backward(inputs=list(generator.parameters()))
            generator_optimizer.step()

        batches = torch_ways.batches(data(), batch_size, conditional, channels_last)
        return torch_ways.through_loop(step, batches)

    return torch_modes(make)
