"""Adversarial autoencoder with label information in the regularization.

Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2015, Adversarial Autoencoders, arXiv:1511.05644,
section 2.3 and figure 3.

The prior has a part for each class, a component of a mixture or a stretch of a swiss roll. The
discriminator is told the class of what it sees, so the codes of a class must lie where the prior's
part for it lies. Images whose class is unknown are compared with the whole prior.

Objective: that of `AAE` with C = sigmoid(discriminator(latents, labels)), prior_latents drawn from
the parts that the labels of the batch name, and for a label of -1, unknown, from any part.

Differences from the paper:
    - Those of `AAE`.
    - The discriminator takes the class beside the latent as a one-hot vector with one more class
      for unknown, as in the paper; unknown images have it on both sides.

Shapes: images (B, H, W, C) in [0, 1]; labels (B,), from 0 to num_classes - 1 or -1; latents (B, 2);
logits (B, 1).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import code_prior, replica_share
from keras_gen.losses import minimax_discriminator, non_saturating_generator
from keras_gen.models.adversarial_autoencoders.aae import AAE, half_squared_error
from keras_gen.models.adversarial_autoencoders.networks import build_discriminator
from keras_gen.models.base import check_positive, sampling_labels, sampling_seed


@keras.saving.register_keras_serializable(package="keras_gen")
class LabelInformedAAE(AAE):
    """AAE whose prior has a part for each class.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1, and -1 for unknown.
        hidden_units: as in `AAE`.
        prior: `"mixture"` or `"swiss_roll"`, of as many parts.
        prior_scale: as in `AAE`.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1511.05644, section 2.3.
    """

    conditional = True

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        hidden_units=(1000, 1000),
        prior="mixture",
        prior_scale=1.0,
        **kwargs,
    ):
        check_positive(num_classes=num_classes)
        if prior == "normal":
            raise ValueError("prior='normal' has no parts for classes: give mixture or swiss_roll.")
        self.num_classes = num_classes
        super().__init__(image_shape, 2, hidden_units, prior, prior_scale, **kwargs)

    def build_prior(self, name, latent_dim, scale):
        """A prior with a part for each class."""
        return code_prior(name, latent_dim, scale, self.num_classes)

    def build_discriminator(self):
        """A discriminator of `[latents (B, 2), labels (B,)]`."""
        latents = keras.Input((2,), name="latents")
        labels = keras.Input((), dtype="int32", name="labels")
        one_hot = ops.one_hot(_with_unknown(labels, self.num_classes), self.num_classes + 1)
        judge = build_discriminator((2 + self.num_classes + 1,), self.hidden_units)
        logits = judge(keras.layers.Concatenate()([latents, one_hot]))
        return keras.Model([latents, labels], logits, name="discriminator")

    def train_step(self, batch):
        """Both phases on `(images, labels)`."""
        images, labels = batch
        (seed,) = tf.unstack(self.next_seeds(1))
        prior_latents = self.latents_of_parts(labels, seed)

        with tf.GradientTape() as tape:
            reconstructions = ops.sigmoid(self.networks(images, training=True))
            networks_loss = half_squared_error(images, reconstructions)
        self.update(self.networks_optimizer, tape, networks_loss, self.networks)

        with tf.GradientTape() as encoder_tape:
            codes = self.encoder(images, training=True)
        with tf.GradientTape() as tape:
            prior_logits = self.discriminator([prior_latents, labels], training=True)
            code_logits = self.discriminator([tf.stop_gradient(codes), labels], training=True)
            discriminator_loss = minimax_discriminator(prior_logits, code_logits)
        self.update(self.discriminator_optimizer, tape, discriminator_loss, self.discriminator)

        with encoder_tape:
            code_logits_now = self.discriminator([codes, labels], training=True)
            encoder_loss = non_saturating_generator(code_logits_now)
        self.update(self.encoder_optimizer, encoder_tape, encoder_loss, self.encoder)

        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            discriminator_loss=discriminator_loss,
            encoder_loss=encoder_loss,
            prior_probability=ops.mean(ops.sigmoid(prior_logits)),
            code_probability=ops.mean(ops.sigmoid(code_logits)),
        )

    def test_step(self, batch):
        """The same losses on held-out `(images, labels)`, with nothing updated."""
        images, labels = batch
        codes = self.encoder(images, training=False)
        reconstructions = ops.sigmoid(self.decoder(codes, training=False))
        prior_latents = self.latents_of_parts(labels, self.evaluation_seeds(1)[0])
        prior_logits = self.discriminator([prior_latents, labels], training=False)
        code_logits = self.discriminator([codes, labels], training=False)
        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            discriminator_loss=minimax_discriminator(prior_logits, code_logits),
            encoder_loss=non_saturating_generator(code_logits),
            prior_probability=ops.mean(ops.sigmoid(prior_logits)),
            code_probability=ops.mean(ops.sigmoid(code_logits)),
        )

    def latents_of_parts(self, labels, seed):
        """A latent from the prior's part for each label of a batch, none shared by replicas.

        Args:
            labels: integers `(B,)`; -1 for any part.
            seed: `(2,)` integers.
        """
        # The rows that a replica keeps of a draw for the global batch meet its own labels.
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        parts = tf.tile(tf.cast(labels, "int32"), [replicas])
        return replica_share(
            lambda count: self.prior.draw(count, seed, parts=parts), ops.shape(labels)[0]
        )

    def draw_latents(self, num_images, seed, truncation=None, labels=None):
        """Latents from the prior, float32 `(num_images, 2)`.

        Args:
            num_images: how many.
            seed: `(2,)` integers.
            truncation: as in `AAE`.
            labels: integers `(num_images,)`: the part of the prior for each, -1 for any; None for
                the classes that `sample` draws.
        """
        if labels is None:
            labels = sampling_labels(None, num_images, self.num_classes, tf.cast(seed, "int64"))
        return self.prior.draw(num_images, seed, truncation, labels)

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        """Draws images of classes.

        Args:
            num_images: how many, N.
            seed: an integer for the same images each time; None for fresh ones.
            labels: integers `(N,)`: the class of each image, and so the part of the prior for its
                latent; None to draw them uniformly.
            truncation: as in `draw_latents`.

        Returns:
            float32 `(N, H, W, C)` in `value_range`.

        Raises:
            ValueError: an argument is none of the above.
        """
        check_positive(num_images=num_images)
        seed = sampling_seed(seed)
        labels = sampling_labels(labels, num_images, self.num_classes, seed)
        return self.sample_in_chunks(self.draw_latents(num_images, seed, truncation, labels))

    def part_of(self, latents):
        """The part of the prior that each of latents `(N, 2)` most probably comes from: `(N,)`."""
        return self.prior.part_log_densities(latents).argmax(axis=0)


def _with_unknown(labels, num_classes):
    """Labels whose -1 is the class after all others."""
    return ops.where(labels < 0, num_classes, labels)
