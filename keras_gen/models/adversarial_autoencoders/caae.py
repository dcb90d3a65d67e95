"""Conditional adversarial autoencoder (CAAE).

Zhang, Song and Qi, 2017, Age Progression/Regression by Conditional Adversarial Autoencoder,
arXiv:1702.08423.

An autoencoder whose generator is told the value of one attribute, such as the age of a face, beside
the code. The code then is to say who it is and the label how old: with the code kept and the label
changed, the same face ages. No two images of one person are needed. Two discriminators help. One
tells codes from noise that is uniform in the cube, so that codes fill the cube and there are no
holes between faces; the other tells generated images from real ones of the same label, so that
images are sharp and show what the label says.

Objective, with D = sigmoid(discriminator(...)) and codes = encoder(images):

    reconstructions = generator(codes, labels)
    fake_images = generator(codes, asked)            asked = labels, or drawn: see below

    reconstruction_loss = mean |images - reconstructions|
    variation_loss      = total_variation(reconstructions)
    code_loss           = -E[log D_code(codes)]
    image_loss          = -E[log D_image(fake_images, asked)]
    networks_loss       = reconstruction_loss + variation_weight * variation_loss
                          + code_weight * code_loss + image_weight * image_loss

    code_discriminator_loss  = -E[log D_code(latents)] - E[log(1 - D_code(codes))]
    image_discriminator_loss = -E[log D_image(images, labels)]
                               - E[log(1 - D_image(fake_images, asked))]

with latents from U(-1, 1) per coordinate.

Differences from the paper:
    - `asked`. In the paper they are the images' own labels, as with the default `asked="own"`: then
      nothing in the objective looks at an image under another label than its own, and whether the
      generator obeys one depends on how little of the attribute is left in the code. With
      `asked="random"`, which is not in the paper, they are drawn uniformly.
    - The reconstruction error is the mean absolute difference, as in the authors' code; the
      paper has a squared norm.
    - Weights. The paper weighs reconstruction and total variation against the adversarial losses;
      we could not verify its values. The authors name 1e-4 for the images, and that and 1e-2 for
      the codes are in use with their code. In the version of it that we read, all weights are 0
      beside the reconstruction's, and users report that more makes training fail on other data.
    - One attribute. The authors' code gives the generator and the image discriminator the gender as
      a second label.
    - Sizes follow from the image and from `filters`; at 128x128 and filters=64 they are those of
      the authors' code. The label is repeated to about the latent's length, as there.
    - Total variation is of absolute differences, the code's of squares.
    - Batch normalization has scales (the code's has none), and the layers before it no biases; its
      epsilon of 1e-3 is what TensorFlow had for the code's. The code we read also divides the
      kernels of strided convolutions by their spectral norms; here they are free.
    - Kernels start from He's distribution (arXiv:1502.01852), in the code we read from N(0, 0.02).
    - Other details are taken from the authors' code, not compared with the paper's text.

Shapes: images (B, H, W, C) in [-1, 1], H and W multiples of 4; labels (B,), integers; codes and
latents (B, latent_dim) in (-1, 1); logits (B, 1).
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import (
    Conv2D,
    Conv2DTranspose,
    batch_normalization,
    replica_share,
    sample_latents,
)
from keras_gen.layers.checks import check_choice
from keras_gen.losses import (
    mean_absolute_difference,
    minimax_discriminator,
    non_saturating_generator,
    total_variation,
)
from keras_gen.models.base import (
    GenerativeModel,
    check_image_shape,
    check_positive,
    sampling_labels,
)
from keras_gen.models.gans.dcgan import doublings

ASKED = ("own", "random")
KERNEL_SIZE = 5
# Of batch normalization. Codes and images of a generator at its start are nearly alike, and less
# would blow up what rounding makes of them.
EPSILON = 1e-3


def signed_labels(labels, num_classes):
    """Labels `(B,)` as `(B, num_classes)`: 1 for the label's own class, -1 for the others."""
    return 2.0 * ops.one_hot(labels, num_classes) - 1.0


def label_planes(labels, num_classes, height, width):
    """The same as planes of one value each, `(B, height, width, num_classes)`."""
    planes = ops.reshape(signed_labels(labels, num_classes), (-1, 1, 1, num_classes))
    return ops.tile(planes, (1, height, width, 1))


def build_encoder(image_shape, latent_dim, filters):
    """Halves the image down to a small one and takes a code in (-1, 1) from it.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a code.
        filters: channels after the first layer; each later layer has twice as many.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, latent_dim)`.
    """
    count, _ = doublings(image_shape)
    images = keras.Input(image_shape, name="images")
    x = images
    for layer in range(count):
        x = keras.layers.Conv2D(
            filters * 2**layer,
            KERNEL_SIZE,
            2,
            "same",
            activation="relu",
            kernel_initializer="he_normal",
        )(x)
    x = keras.layers.Dense(latent_dim)(keras.layers.Flatten()(x))
    codes = keras.layers.Activation("tanh", dtype="float32", name="codes")(x)
    return keras.Model(images, codes, name="encoder")


def build_generator(image_shape, num_classes, latent_dim, filters):
    """Projects code and label to a small many-channelled image and doubles it up to full size.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        latent_dim: size of a code.
        filters: those of the encoder, a multiple of 4: the small image has as many channels as
            the encoder's last, each larger one half as many as the one before.

    Returns:
        A network from `[(B, latent_dim), (B,)]` to float32 `(B, H, W, C)` in [-1, 1].
    """
    count, (height, width) = doublings(image_shape)
    channels = filters * 2 ** (count - 1)

    def transposed(channels, strides, activation="relu"):
        return Conv2DTranspose(
            channels,
            KERNEL_SIZE,
            strides,
            "same",
            activation=activation,
            kernel_initializer="he_normal",
        )

    latents = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    repeats = max(1, latent_dim // num_classes)
    repeated = ops.tile(signed_labels(labels, num_classes), (1, repeats))
    x = keras.layers.Concatenate()([latents, repeated])
    x = keras.layers.Dense(
        height * width * channels, activation="relu", kernel_initializer="he_normal"
    )(x)
    x = keras.layers.Reshape((height, width, channels))(x)
    for _ in range(count):
        channels //= 2
        x = transposed(channels, 2)(x)
    x = transposed(channels // 2, 1)(x)  # (B, H, W, filters // 4)
    x = transposed(image_shape[-1], 1, activation=None)(x)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model([latents, labels], images, name="generator")


def build_code_discriminator(latent_dim):
    """Three normalized, rectified dense layers from a code to one logit.

    Args:
        latent_dim: size of a code.

    Returns:
        A network from `(B, latent_dim)` to float32 logits `(B, 1)`.
    """
    codes = keras.Input((latent_dim,), name="codes")
    x = codes
    for units in (64, 32, 16):
        x = keras.layers.Dense(units, use_bias=False, kernel_initializer="he_normal")(x)
        x = keras.layers.ReLU()(batch_normalization(epsilon=EPSILON)(x))
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(codes, logits, name="code_discriminator")


def build_image_discriminator(image_shape, num_classes, filters):
    """Four strided convolutions, the second of which also sees the label, to one logit.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: labels are 0 to num_classes - 1.
        filters: those of the encoder, a multiple of 4: the convolutions have a quarter, half, once
            and twice as many channels, the dense layer behind them 16 times as many units.

    Returns:
        A network from `[(B, H, W, C), (B,)]` to float32 logits `(B, 1)`.
    """
    images = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    x = images
    for layer in range(4):
        x = Conv2D(
            filters * 2**layer // 4,
            KERNEL_SIZE,
            2,
            "same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)
        x = keras.layers.ReLU()(batch_normalization(epsilon=EPSILON)(x))
        if layer == 0:
            planes = label_planes(labels, num_classes, *x.shape[1:3])
            x = keras.layers.Concatenate()([x, planes])
    x = keras.layers.Dense(16 * filters, kernel_initializer="he_normal")(keras.layers.Flatten()(x))
    x = keras.layers.LeakyReLU(0.2)(x)
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model([images, labels], logits, name="image_discriminator")


@keras.saving.register_keras_serializable(package="keras_gen")
class CAAE(GenerativeModel):
    """Conditional adversarial autoencoder on convolutional networks.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        num_classes: labels are 0 to num_classes - 1, the values of the attribute in their order.
        latent_dim: size of a code.
        filters: channels of the encoder's first layer, a multiple of 4; all others follow.
        image_weight: weight of `image_loss`.
        code_weight: weight of `code_loss`.
        variation_weight: weight of `variation_loss`.
        asked: the labels under which the image discriminator sees generated images: `"own"`, each
            image's own as in the paper, or `"random"`, any.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1702.08423.
    """

    value_range = (-1.0, 1.0)
    conditional = True
    latent_distribution = "uniform"

    def __init__(
        self,
        image_shape=(128, 128, 3),
        num_classes=10,
        latent_dim=50,
        filters=64,
        image_weight=1e-4,
        code_weight=1e-2,
        variation_weight=0.0,
        asked="own",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(num_classes=num_classes, latent_dim=latent_dim, filters=filters)
        if filters % 4:
            raise ValueError(f"filters={filters!r}: give a multiple of 4, such as 64.")
        weights = {
            "image_weight": image_weight,
            "code_weight": code_weight,
            "variation_weight": variation_weight,
        }
        for name, weight in weights.items():
            if not weight >= 0:
                raise ValueError(f"{name}={weight!r}: give a number of at least 0.")
        check_choice("asked", asked, ASKED)
        self.image_shape, self.num_classes = check_image_shape(image_shape), num_classes
        self.latent_dim, self.asked = latent_dim, asked
        self.image_weight, self.code_weight = image_weight, code_weight
        self.variation_weight = variation_weight
        self.encoder = build_encoder(self.image_shape, latent_dim, filters)
        self.generator = build_generator(self.image_shape, num_classes, latent_dim, filters)
        self.code_discriminator = build_code_discriminator(latent_dim)
        self.image_discriminator = build_image_discriminator(self.image_shape, num_classes, filters)
        (images,), (latents, labels) = self.encoder.inputs, self.generator.inputs
        self.networks = keras.Model(
            [images, latents, labels],
            [self.encoder(images), self.generator([latents, labels])],
            name="networks",
        )
        self.track(
            "reconstruction_loss",
            "variation_loss",
            "code_loss",
            "image_loss",
            "code_discriminator_loss",
            "image_discriminator_loss",
        )

    def compile(
        self,
        networks_optimizer=None,
        code_discriminator_optimizer=None,
        image_discriminator_optimizer=None,
        **kwargs,
    ):
        """Sets the optimizers, by default Adam(2e-4, beta_1 0.5) each.

        Args:
            networks_optimizer: a Keras optimizer for encoder and generator.
            code_discriminator_optimizer: another one.
            image_discriminator_optimizer: another one.
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """

        def adam():
            return keras.optimizers.Adam(2e-4, beta_1=0.5)

        self.set_optimizers(
            networks_optimizer=(networks_optimizer or adam(), self.networks),
            code_discriminator_optimizer=(
                code_discriminator_optimizer or adam(),
                self.code_discriminator,
            ),
            image_discriminator_optimizer=(
                image_discriminator_optimizer or adam(),
                self.image_discriminator,
            ),
            **kwargs,
        )

    def train_step(self, batch):
        """One step of all networks on `(images, labels)`."""
        images, labels = self.checked(batch)
        latents_seed, asked_seed = tf.unstack(self.next_seeds(2))
        latents = self.latents_for(images, latents_seed)
        asked = self.asked_for(labels, asked_seed)

        with tf.GradientTape() as networks_tape:
            codes = self.encoder(images, training=True)
            reconstructions = self.generator([codes, labels], training=True)
            fake_images = (
                reconstructions
                if self.asked == "own"
                else self.generator([codes, asked], training=True)
            )

        with tf.GradientTape() as tape:
            code_discriminator_loss = minimax_discriminator(
                self.code_discriminator(latents, training=True),
                self.code_discriminator(tf.stop_gradient(codes), training=True),
            )
        self.update(
            self.code_discriminator_optimizer,
            tape,
            code_discriminator_loss,
            self.code_discriminator,
        )

        with tf.GradientTape() as tape:
            image_discriminator_loss = minimax_discriminator(
                self.image_discriminator([images, labels], training=True),
                self.image_discriminator([tf.stop_gradient(fake_images), asked], training=True),
            )
        self.update(
            self.image_discriminator_optimizer,
            tape,
            image_discriminator_loss,
            self.image_discriminator,
        )

        with networks_tape:
            reconstruction_loss = mean_absolute_difference(images, reconstructions)
            variation_loss = total_variation(reconstructions)
            code_loss = non_saturating_generator(self.code_discriminator(codes, training=True))
            image_loss = non_saturating_generator(
                self.image_discriminator([fake_images, asked], training=True)
            )
            networks_loss = (
                reconstruction_loss
                + self.variation_weight * variation_loss
                + self.code_weight * code_loss
                + self.image_weight * image_loss
            )
        self.update(self.networks_optimizer, networks_tape, networks_loss, self.networks)

        return self.log(
            images,
            reconstruction_loss=reconstruction_loss,
            variation_loss=variation_loss,
            code_loss=code_loss,
            image_loss=image_loss,
            code_discriminator_loss=code_discriminator_loss,
            image_discriminator_loss=image_discriminator_loss,
        )

    def test_step(self, batch):
        """The losses on held-out `(images, labels)`, with nothing updated."""
        images, labels = self.checked(batch)
        latents_seed, asked_seed = tf.unstack(self.evaluation_seeds(2))
        asked = self.asked_for(labels, asked_seed)
        codes = self.encoder(images, training=False)
        reconstructions = self.generator([codes, labels], training=False)
        fake_images = self.generator([codes, asked], training=False)
        code_logits, latent_logits = (
            self.code_discriminator(each, training=False)
            for each in (codes, self.latents_for(images, latents_seed))
        )
        real_logits, fake_logits = (
            self.image_discriminator(each, training=False)
            for each in ([images, labels], [fake_images, asked])
        )
        return self.log(
            images,
            reconstruction_loss=mean_absolute_difference(images, reconstructions),
            variation_loss=total_variation(reconstructions),
            code_loss=non_saturating_generator(code_logits),
            image_loss=non_saturating_generator(fake_logits),
            code_discriminator_loss=minimax_discriminator(latent_logits, code_logits),
            image_discriminator_loss=minimax_discriminator(real_logits, fake_logits),
        )

    def latents_for(self, images, seed):
        """A latent from the prior for each image of a batch, none shared by replicas."""
        return replica_share(lambda count: self.draw_latents(count, seed), ops.shape(images)[0])

    def asked_for(self, labels, seed):
        """The labels under which generated images are judged, `(B,)`."""
        if self.asked == "own":
            return labels

        def draw(count):
            return tf.random.stateless_uniform((count,), seed, 0, self.num_classes, "int32")

        return replica_share(draw, ops.shape(labels)[0])

    def call(self, batch, training=False):
        """Reconstructions of the images of `(images, labels)`."""
        images, labels = batch
        codes = self.encoder(images, training=training)
        return self.generator([codes, labels], training=training)

    @tf.function(reduce_retracing=True)
    def encode(self, images):
        """Codes, float32 `(B, latent_dim)`, of images `(B, H, W, C)` in [-1, 1]: without a label.

        Args:
            images: `(B, H, W, C)`.
        """
        return self.encoder(tf.cast(images, "float32"), training=False)

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels):
        """Images of codes under labels, float32 `(B, H, W, C)` in [-1, 1].

        Args:
            latents: `(B, latent_dim)`.
            labels: integers `(B,)`, from 0 to num_classes - 1.
        """
        (labels,) = self.conditions(labels)
        return self.generator([tf.cast(latents, "float32"), labels], training=False)

    def reconstruct(self, images, labels):
        """Images `(B, H, W, C)` from their own codes: float32, of that shape.

        Args:
            images: `(B, H, W, C)`.
            labels: integers `(B,)`: the images' own; others give progressed images.
        """
        return self.decode(self.encode(images), labels)

    def progress(self, images, labels=None):
        """Each image at every value of the attribute, with its code kept.

        Args:
            images: `(B, H, W, C)`; what value they have need not be known.
            labels: integers `(K,)`: the values to show; None for all, in their order.

        Returns:
            float32 `(B, K, H, W, C)`.

        Raises:
            ValueError: labels that the model does not have.
        """
        values = np.asarray(range(self.num_classes) if labels is None else labels)
        if values.ndim != 1 or not len(values):
            raise ValueError(f"labels={labels!r}: give integers (K,), such as [0], or None.")
        values = sampling_labels(values, len(values), self.num_classes, seed=None)
        codes = self.encode(images)
        latents = tf.repeat(codes, len(values), axis=0)
        flat = self.sample_in_chunks(latents, tf.tile(values, [len(codes)]))
        return tf.reshape(flat, (len(codes), len(values), *self.image_shape))

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from U(-1, 1), float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return sample_latents("uniform", (num_images, self.latent_dim), seed, truncation)
