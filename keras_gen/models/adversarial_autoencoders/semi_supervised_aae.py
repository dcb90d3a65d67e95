"""Semi-supervised adversarial autoencoder.

Makhzani, Shlens, Jaitly, Goodfellow and Frey, 2015, Adversarial Autoencoders, arXiv:1511.05644,
section 5 and figure 8.

An image's code has two parts, its class y and its style z. The encoder gives both; one
discriminator makes the classes look like one-hot vectors drawn uniformly, another the styles like a
Gaussian, and the few images whose class is known are learned by cross-entropy. A class that says
nothing about style and a style that says nothing about class is the cheapest way to reconstruct.

Objective, with (codes, class_logits) = encoder(images), classes = softmax(class_logits), C the
probability of the code discriminator and Y of the class discriminator. Each training step has three
phases:

    reconstruction:  networks_loss = E[|images - sigmoid(decoder(codes, classes))|^2] / 2
    regularization:  code_discriminator_loss  = -E[log C(prior_latents)] - E[log(1 - C(codes))]
                     class_discriminator_loss = -E[log Y(one_hot)] - E[log(1 - Y(classes))]
                     encoder_loss = -E[log C(codes)] - E[log Y(classes)]
    classification:  classifier_loss = -E[log softmax(class_logits)[label]]  of labelled images

As in the paper's appendix, in training the images that enter the encoder have Gaussian noise of
deviation `input_noise`, so that the classifier does not learn its few images by heart.

Differences from the paper:
    - The optimizers, their constant rates, the encoder's loss and the first weights: as in `AAE`.

Shapes: images (B, H, W, C) in [0, 1]; labels (B,); latents (B, latent_dim); classes (B,
num_classes), rows of probabilities; logits (B, 1).
"""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.losses import minimax_discriminator, non_saturating_generator
from keras_gen.models.adversarial_autoencoders.aae import half_squared_error
from keras_gen.models.adversarial_autoencoders.base import CodedModel
from keras_gen.models.adversarial_autoencoders.networks import build_discriminator
from keras_gen.models.base import (
    check_image_shape,
    check_positive,
)


def build_encoder(image_shape, latent_dim, num_classes, hidden_units):
    """Dense rectified layers from an image to its style and the logits of its class.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a style.
        num_classes: how many classes.
        hidden_units: units of each hidden layer; may be empty.

    Returns:
        A network from `(B, H, W, C)` to float32 `[(B, latent_dim), (B, num_classes)]`.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(images)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    latents = keras.layers.Dense(latent_dim, dtype="float32", name="latents")(x)
    class_logits = keras.layers.Dense(num_classes, dtype="float32", name="class_logits")(x)
    return keras.Model(images, [latents, class_logits], name="encoder")


def build_decoder(image_shape, latent_dim, num_classes, hidden_units):
    """The encoder's layers backwards, from a style and a class to the logits of the pixels.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a style.
        num_classes: how many classes.
        hidden_units: those of the encoder, in the encoder's order.

    Returns:
        A network from `[(B, latent_dim), (B, num_classes)]` to logits `(B, H, W, C)`.
    """
    latents = keras.Input((latent_dim,), name="latents")
    classes = keras.Input((num_classes,), name="classes")
    x = keras.layers.Concatenate()([latents, classes])
    for units in reversed(hidden_units):
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(image_shape), dtype="float32")(x)
    logits = keras.layers.Reshape(image_shape, dtype="float32", name="logits")(x)
    return keras.Model([latents, classes], logits, name="decoder")


@keras.saving.register_keras_serializable(package="keras_gen")
class SemiSupervisedAAE(CodedModel):
    """Semi-supervised adversarial autoencoder on dense networks.

    A training batch `(images, labels)` holds images without and with a label in turn, half of each,
    as `keras_gen.data.SemiSupervisedSet` gives them: what stands at even places is never looked up.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a style.
        hidden_units: units of the hidden layers of encoder and discriminators, and backwards of the
            decoder.
        input_noise: deviation of the noise on the encoder's images in training.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1511.05644, section 5.
    """

    conditional = True
    batches_per_step = 2

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        latent_dim=10,
        hidden_units=(1000, 1000),
        input_noise=0.3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(num_classes=num_classes, latent_dim=latent_dim)
        for units in hidden_units:
            check_positive(hidden_units=units)
        if not input_noise >= 0.0:
            raise ValueError(f"input_noise={input_noise!r}: give a number of at least 0.")
        self.image_shape, self.hidden_units = check_image_shape(image_shape), tuple(hidden_units)
        self.num_classes, self.latent_dim = num_classes, latent_dim
        self.input_noise = input_noise
        sizes = (self.image_shape, latent_dim, num_classes, self.hidden_units)
        self.encoder, self.decoder = build_encoder(*sizes), build_decoder(*sizes)
        self.networks = keras.Model(
            [self.encoder.input, *self.decoder.inputs],
            [*self.encoder(self.encoder.input), self.decoder(self.decoder.inputs)],
            name="networks",
        )
        self.classifier = keras.Model(
            self.encoder.input, self.encoder.outputs[1], name="classifier"
        )
        self.code_discriminator = build_discriminator(
            (latent_dim,), self.hidden_units, name="code_discriminator"
        )
        self.class_discriminator = build_discriminator(
            (num_classes,), self.hidden_units, name="class_discriminator"
        )
        self.track(
            "reconstruction_mse",
            "code_discriminator_loss",
            "class_discriminator_loss",
            "encoder_loss",
            "classifier_loss",
            "classification_error",
        )

    def compile(
        self,
        networks_optimizer=None,
        code_discriminator_optimizer=None,
        class_discriminator_optimizer=None,
        encoder_optimizer=None,
        classifier_optimizer=None,
        **kwargs,
    ):
        """Sets the optimizers.

        Args:
            networks_optimizer: of the reconstruction phase. Default: Adam(2e-4).
            code_discriminator_optimizer: Default: Adam(2e-4, beta_1 0.5).
            class_discriminator_optimizer: Default likewise.
            encoder_optimizer: of the encoder in the regularization phase; default likewise.
            classifier_optimizer: of the encoder without its styles, in the classification phase.
                Default: Adam(2e-4).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """

        def adversarial():
            return keras.optimizers.Adam(2e-4, beta_1=0.5)

        self.set_optimizers(
            networks_optimizer=(networks_optimizer or keras.optimizers.Adam(2e-4), self.networks),
            code_discriminator_optimizer=(
                code_discriminator_optimizer or adversarial(),
                self.code_discriminator,
            ),
            class_discriminator_optimizer=(
                class_discriminator_optimizer or adversarial(),
                self.class_discriminator,
            ),
            encoder_optimizer=(encoder_optimizer or adversarial(), self.encoder),
            classifier_optimizer=(
                classifier_optimizer or keras.optimizers.Adam(2e-4),
                self.classifier,
            ),
            **kwargs,
        )

    def train_step(self, batch):
        """The three phases on `(images, labels)` of `2 * B`; see the class for what they hold."""
        images, labelled_images = self.split_batches(batch[0])
        _, labels = self.split_batches(batch[1])
        latent_seed, class_seed, *noise_seeds = tf.unstack(self.next_seeds(4))
        prior_latents = self.latents_for(images, latent_seed)
        one_hot = self.one_hot_for(images, class_seed)
        noisy_images, noisy_labelled_images = (
            each + self.input_noise * self.noise_for(each, seed)
            for each, seed in zip((images, labelled_images), noise_seeds, strict=True)
        )

        with tf.GradientTape() as tape:
            codes, class_logits = self.encoder(noisy_images, training=True)
            classes = ops.softmax(class_logits)
            reconstructions = ops.sigmoid(self.decoder([codes, classes], training=True))
            networks_loss = half_squared_error(images, reconstructions)
        self.update(self.networks_optimizer, tape, networks_loss, self.networks)

        with tf.GradientTape() as encoder_tape:
            codes, class_logits = self.encoder(noisy_images, training=True)
            classes = ops.softmax(class_logits)
        with tf.GradientTape() as tape:
            code_discriminator_loss = minimax_discriminator(
                self.code_discriminator(prior_latents, training=True),
                self.code_discriminator(tf.stop_gradient(codes), training=True),
            )
        self.update(
            self.code_discriminator_optimizer,
            tape,
            code_discriminator_loss,
            self.code_discriminator,
        )
        with tf.GradientTape() as tape:
            class_discriminator_loss = minimax_discriminator(
                self.class_discriminator(one_hot, training=True),
                self.class_discriminator(tf.stop_gradient(classes), training=True),
            )
        self.update(
            self.class_discriminator_optimizer,
            tape,
            class_discriminator_loss,
            self.class_discriminator,
        )
        with encoder_tape:
            encoder_loss = non_saturating_generator(
                self.code_discriminator(codes, training=True)
            ) + non_saturating_generator(self.class_discriminator(classes, training=True))
        self.update(self.encoder_optimizer, encoder_tape, encoder_loss, self.encoder)

        with tf.GradientTape() as tape:
            class_logits = self.classifier(noisy_labelled_images, training=True)
            classifier_loss = cross_entropy(labels, class_logits)
        self.update(self.classifier_optimizer, tape, classifier_loss, self.classifier)

        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            code_discriminator_loss=code_discriminator_loss,
            class_discriminator_loss=class_discriminator_loss,
            encoder_loss=encoder_loss,
            classifier_loss=classifier_loss,
            classification_error=error_rate(labels, class_logits),
        )

    def test_step(self, batch):
        """The same on held-out `(images, labels)`, all labelled, without noise or updates."""
        images, labels = batch
        latent_seed, class_seed = tf.unstack(self.evaluation_seeds(2))
        codes, class_logits = self.encoder(images, training=False)
        classes = ops.softmax(class_logits)
        reconstructions = ops.sigmoid(self.decoder([codes, classes], training=False))
        code_logits = self.code_discriminator(codes, training=False)
        prior_logits = self.code_discriminator(self.latents_for(images, latent_seed))
        judged_classes = self.class_discriminator(classes, training=False)
        judged_one_hot = self.class_discriminator(self.one_hot_for(images, class_seed))
        return self.log(
            images,
            reconstruction_mse=ops.mean(ops.square(images - reconstructions)),
            code_discriminator_loss=minimax_discriminator(prior_logits, code_logits),
            class_discriminator_loss=minimax_discriminator(judged_one_hot, judged_classes),
            encoder_loss=non_saturating_generator(code_logits)
            + non_saturating_generator(judged_classes),
            classifier_loss=cross_entropy(labels, class_logits),
            classification_error=error_rate(labels, class_logits),
        )

    def one_hot_for(self, images, seed):
        """A class drawn uniformly for each image of a batch, one-hot `(B, num_classes)`."""

        def draw(count):
            drawn = tf.random.stateless_uniform((count,), seed, 0, self.num_classes, "int32")
            return tf.one_hot(drawn, self.num_classes)

        return replica_share(draw, ops.shape(images)[0])

    def noise_for(self, images, seed):
        """Standard normal noise for the pixels of a batch, none shared by replicas."""

        def draw(count):
            return tf.random.stateless_normal((count, *self.image_shape), seed)

        return replica_share(draw, ops.shape(images)[0])

    def call(self, images, training=False):
        """Reconstructions of images `(B, H, W, C)` by the styles and classes found in them."""
        codes, class_logits = self.encoder(images, training=training)
        logits = self.decoder([codes, ops.softmax(class_logits)], training=training)
        return ops.sigmoid(logits)

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Styles, float32 `(B, latent_dim)`, of images `(B, H, W, C)` in [0, 1]."""
        return self.encoder(tf.cast(images, "float32"), training=False)[0]

    @tf.function(reduce_retracing=True)
    def classify(self, images):
        """Probabilities of the classes, float32 `(B, num_classes)`, of images `(B, H, W, C)`."""
        return tf.nn.softmax(self.classifier(tf.cast(images, "float32"), training=False))

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels):
        """Images, float32 `(B, H, W, C)` in [0, 1], of styles `(B, latent_dim)` and classes.

        Args:
            latents: `(B, latent_dim)`.
            labels: integers `(B,)`, from 0 to num_classes - 1.
        """
        (labels,) = self.conditions(labels)
        classes = tf.one_hot(labels, self.num_classes)
        return tf.sigmoid(self.decoder([tf.cast(latents, "float32"), classes], training=False))

    @tf.function(reduce_retracing=True)
    def reconstruct(self, images):
        """Reconstructions, float32, of images `(B, H, W, C)` by what the encoder finds in them."""
        return self(tf.cast(images, "float32"), training=False)


def cross_entropy(labels, class_logits):
    """-mean[log softmax(class_logits)[label]] in nats, of labels (B,) and logits (B, classes)."""
    return ops.mean(ops.sparse_categorical_crossentropy(labels, class_logits, from_logits=True))


def error_rate(labels, class_logits):
    """The share of images whose most probable class is not their label."""
    wrong = ops.argmax(class_logits, axis=-1) != ops.cast(labels, "int32")
    return ops.mean(ops.cast(wrong, "float32"))
