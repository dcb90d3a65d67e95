"""Cycle-consistent adversarial networks (CycleGAN).

Zhu, Park, Isola and Efros, 2017, Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks, arXiv:1703.10593.

Two sets of images, such as photographs and paintings, and no pairs: nobody knows what the painting
of a photograph looks like. One generator translates domain a to b, another b to a, and a
discriminator for each domain says whether translations look as if they belonged there. Any picture
of the domain would satisfy it. So a translation must also lead back: what comes of translating to
the other domain and back again is compared with the image itself. Discriminators judge overlapping
patches, not the whole image, which is to keep its content.

Objective (section 3, with the squares of section 4):

    fake_b = generator_b(images_a),   reconstructed_a = generator_a(fake_b)
    fake_a = generator_a(images_b),   reconstructed_b = generator_b(fake_a)

    generator_b_loss     = E[(discriminator_b(fake_b) - 1)^2]
    cycle_a_loss         = mean |reconstructed_a - images_a|
    discriminator_b_loss = E[(discriminator_b(images_b) - 1)^2] / 2
                           + E[discriminator_b(pooled_b)^2] / 2

    the same with a and b exchanged, and

    identity_loss   = mean |generator_a(images_a) - images_a|
                      + mean |generator_b(images_b) - images_b|
    generators_loss = generator_a_loss + generator_b_loss + cycle_weight
                      * (cycle_a_loss + cycle_b_loss + identity_weight * identity_loss)

where pooled_b are translations of this and of earlier steps, see `ImagePool`. The paper's G is
generator_b, its F generator_a; it has the identity loss, with a weight of 0.5, for paintings only.

Differences from the paper:
    - Convolutions before an instance normalization have no biases, which cancel in it. The authors'
      code has them: 5,248 of a generator's 11,378,179 numbers, 896 of a discriminator's 2,764,737.
    - In the generator's strided convolutions the one row of padding of an even side lies at the
      bottom and right; in the authors' code, at the top and left.
    - The learning rate falls with each step, in the authors' code with each epoch.
    - The networks see images as they come; the authors' code enlarges them by an eighth, cuts a
      random part out and mirrors half of them.
    - Domains have images of one shape.
    - One optimizer for both generators, one for both discriminators, as in the authors' newer code.

Shapes: images of either domain (B, H, W, C) in [-1, 1], H and W multiples of 4; a training batch
(2 B, H, W, C), images of a at its even places and of b at its odd ones; scores (B, h, w, 1).
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import Conv2D, ImagePool, instance_normalization
from keras_gen.layers.checks import check_choice
from keras_gen.losses import (
    least_squares_discriminator,
    least_squares_generator,
    mean_absolute_difference,
)
from keras_gen.models.base import (
    GenerativeModel,
    check_image_shape,
    check_positive,
    chosen_exemplars,
    sampling_seed,
)

DOMAINS = ("a", "b")
# Side of the patch that a score sees -> how many of the discriminator's layers halve the image.
PATCH_SIZES = {16: 1, 34: 2, 70: 3}
_PIXELS_AT_ONCE = 2**20  # in a call of `translate`: bounds its memory


def _weights():
    return keras.initializers.RandomNormal(stddev=0.02)


def reflect(images, size):
    """Images with `size` pixels of their own reflection on each side, the border not repeated."""
    return ops.pad(images, [[0, 0], [size, size], [size, size], [0, 0]], mode="reflect")


def build_generator(image_shape, filters, num_blocks, name="generator"):
    """Halves the image twice, changes it in residual blocks and doubles it twice.

    In the paper's words, with filters=64: c7s1-64, d128, d256, R256 times num_blocks, u128, u64,
    c7s1-3.

    Args:
        image_shape: `(H, W, C)`, H and W multiples of 4.
        filters: channels at full resolution.
        num_blocks: residual blocks at a quarter of it.
        name: the network's.

    Returns:
        A network from `(B, H, W, C)` to float32 `(B, H, W, C)` in [-1, 1].
    """

    def convolution(x, channels, kernel_size, strides=1, padding="valid"):
        layer = Conv2D(
            channels, kernel_size, strides, padding, use_bias=False, kernel_initializer=_weights()
        )
        return instance_normalization()(layer(x))

    images = keras.Input(image_shape, name="images")
    x = ops.relu(convolution(reflect(images, 3), filters, 7))
    for channels in (2 * filters, 4 * filters):
        x = ops.relu(convolution(x, channels, 3, 2, "same"))
    for _ in range(num_blocks):
        residual = ops.relu(convolution(reflect(x, 1), 4 * filters, 3))
        x = x + convolution(reflect(residual, 1), 4 * filters, 3)
    for channels in (2 * filters, filters):
        x = keras.layers.Conv2DTranspose(
            channels, 3, 2, "same", use_bias=False, kernel_initializer=_weights()
        )(x)
        x = ops.relu(instance_normalization()(x))
    x = Conv2D(image_shape[-1], 7, kernel_initializer=_weights())(reflect(x, 3))
    fakes = keras.layers.Activation("tanh", dtype="float32", name="fakes")(x)
    return keras.Model(images, fakes, name=name)


def build_discriminator(image_shape, filters, patch_size, name="discriminator"):
    """Convolutions with kernels of side 4, so that each score sees a patch of the image (PatchGAN).

    In the paper's words, with filters=64 and patch_size=70: C64-C128-C256-C512, the first without
    normalization, and one convolution to the scores. All but the last of these four halve the
    image. Smaller patches leave halving layers out.

    Args:
        image_shape: `(H, W, C)`.
        filters: channels of the first layer; each later one has twice as many.
        patch_size: one of `PATCH_SIZES`.
        name: the network's.

    Returns:
        A network from `(B, H, W, C)` to float32 scores `(B, h, w, 1)`.
    """
    halvings = PATCH_SIZES[patch_size]

    def convolution(x, channels, strides, **options):
        x = keras.layers.ZeroPadding2D(1)(x)
        return Conv2D(channels, 4, strides, kernel_initializer=_weights(), **options)(x)

    images = keras.Input(image_shape, name="images")
    x = keras.layers.LeakyReLU(0.2)(convolution(images, filters, 2))
    for layer in range(1, halvings + 1):
        strides = 2 if layer < halvings else 1
        x = convolution(x, filters * 2**layer, strides, use_bias=False)
        x = keras.layers.LeakyReLU(0.2)(instance_normalization()(x))
    scores = convolution(x, 1, 1, dtype="float32", name="scores")
    return keras.Model(images, scores, name=name)


@keras.saving.register_keras_serializable(package="keras_gen")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant in the first half of the training and then falls to 0.

    Args:
        learning_rate: the rate of the first half.
        steps: training steps in all.

    Raises:
        ValueError: fewer than two steps.

    Reference:
        arXiv:1703.10593, section 4: constant for 100 epochs, linear to 0 over the next 100.
    """

    def __init__(self, learning_rate, steps):
        super().__init__()
        if not steps >= 2:
            raise ValueError(f"steps={steps!r}: give an integer of at least 2.")
        self.learning_rate, self.steps = learning_rate, steps

    def __call__(self, step):
        """The rate of the step that comes after `step` others."""
        done = ops.cast(step, "float32") / self.steps
        return self.learning_rate * ops.clip(2.0 - 2.0 * done, 0.0, 1.0)

    def get_config(self):
        """The constructor's arguments."""
        return {"learning_rate": self.learning_rate, "steps": self.steps}


@keras.saving.register_keras_serializable(package="keras_gen")
class CycleGAN(GenerativeModel):
    """Translation between two domains of images, learned without pairs.

    The defaults are the paper's network for 256x256 pixels; see also `from_preset`. Both domains'
    images come in one training batch, in turn: see `keras_gen.data.load_unpaired`.

    A translation is a function of its source alone: there is no noise, and nothing to sample from.
    `sample` stands for it where one is asked for: it translates exemplars, images of domain a that
    the model keeps.

    Args:
        image_shape: `(H, W, C)`, of both domains, H and W multiples of 4.
        filters: channels of the first layers; all others follow.
        num_blocks: residual blocks of a generator.
        patch_size: side of the patch that a discriminator's score sees: 16, 34 or 70.
        cycle_weight: of the cycle losses, the paper's lambda.
        identity_weight: of the identity loss, as a share of `cycle_weight`; 0 for none.
        pool_size: how many translations of each domain are kept for the discriminators: one pool
            for all replicas. 0 for none, so that they see those of the step alone.
        num_exemplars: how many images the model keeps; see `keep_exemplars`.

    Attributes:
        generator_a: the network from domain b to domain a; `generator_b` likewise.
        discriminator_a: that of domain a; `discriminator_b` likewise.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1703.10593, sections 3, 4 and 7.
    """

    value_range = (-1.0, 1.0)
    batches_per_step = 2  # one of each domain

    def __init__(
        self,
        image_shape=(256, 256, 3),
        filters=64,
        num_blocks=9,
        patch_size=70,
        cycle_weight=10.0,
        identity_weight=0.0,
        pool_size=50,
        num_exemplars=64,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(filters=filters, num_blocks=num_blocks, num_exemplars=num_exemplars)
        for name, weight in (("cycle_weight", cycle_weight), ("identity_weight", identity_weight)):
            if not weight >= 0:
                raise ValueError(f"{name}={weight!r}: give a number of at least 0.")
        if not isinstance(pool_size, int | np.integer) or pool_size < 0:
            raise ValueError(f"pool_size={pool_size!r}: give an integer of at least 0.")
        self.image_shape = _check_sizes(image_shape, patch_size)
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.generator_a, self.generator_b = (
            build_generator(self.image_shape, filters, num_blocks, f"generator_{domain}")
            for domain in DOMAINS
        )
        self.discriminator_a, self.discriminator_b = (
            build_discriminator(self.image_shape, filters, patch_size, f"discriminator_{domain}")
            for domain in DOMAINS
        )
        self.generators = _beside(self.generator_a, self.generator_b, "generators")
        self.discriminators = _beside(self.discriminator_a, self.discriminator_b, "discriminators")
        self.pool_a = self.pool_b = None
        if pool_size:
            self.pool_a, self.pool_b = (ImagePool(pool_size, self.image_shape) for _ in DOMAINS)
        self.exemplars = self.add_weight(
            name="exemplars",
            shape=(num_exemplars, *self.image_shape),
            dtype="float32",
            initializer=keras.initializers.RandomUniform(-1.0, 1.0),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.track("generator_a_loss", "generator_b_loss", "cycle_a_loss", "cycle_b_loss")
        if identity_weight:
            self.track("identity_loss")
        self.track("discriminator_a_loss", "discriminator_b_loss")

    @classmethod
    def from_preset(cls, preset, image_shape, **arguments):
        """The model of a named size.

        Args:
            preset: `"paper"`: 64 filters, patches of 70 pixels, and 9 residual blocks from 256
                pixels on, 6 below (section 7.2). `"small"`, which two cores train within an hour: 3
                blocks; 16 filters and patches of 70 pixels, below 64 pixels 32 filters and patches
                of 34.
            image_shape: as in the constructor.
            **arguments: further ones of the constructor; they replace the preset's.

        Raises:
            ValueError: no such preset, or an argument that is wrong.
        """
        side = min(check_image_shape(image_shape)[:2])
        presets = {
            "paper": {"filters": 64, "num_blocks": 9 if side >= 256 else 6, "patch_size": 70},
            "small": {
                "filters": 16 if side >= 64 else 32,
                "num_blocks": 3,
                "patch_size": 70 if side >= 64 else 34,
            },
        }
        check_choice("preset", preset, presets)
        return cls(image_shape, **(presets[preset] | arguments))

    def compile(self, generators_optimizer=None, discriminators_optimizer=None, **kwargs):
        """Sets the optimizers, by default Adam(2e-4, beta_1 0.5) both.

        The paper's rate falls in the second half of the training: `Adam(LinearDecay(2e-4, steps),
        beta_1=0.5)`.

        Args:
            generators_optimizer: a Keras optimizer for both generators.
            discriminators_optimizer: another one for both discriminators.
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        adam = keras.optimizers.Adam
        self.set_optimizers(
            generators_optimizer=(generators_optimizer or adam(2e-4, beta_1=0.5), self.generators),
            discriminators_optimizer=(
                discriminators_optimizer or adam(2e-4, beta_1=0.5),
                self.discriminators,
            ),
            **kwargs,
        )

    def keep_exemplars(self, images):
        """Keeps images of domain a, `(N, H, W, C)` in [-1, 1], for `sample` to translate.

        The first `num_exemplars` of them; fewer are repeated. Before, the exemplars are noise.

        Raises:
            ValueError: as `chosen_exemplars`.
        """
        count = self.exemplars.shape[0]
        chosen = chosen_exemplars(images, count, self.image_shape, self.value_range)
        self.exemplars.assign(chosen)

    def train_step(self, images):
        """One step of all networks on images of both domains in turn, `(2 B, H, W, C)`."""
        images_a, images_b = self.split_batches(images)
        pool_seeds = self.next_seeds(2)

        with tf.GradientTape() as tape:
            losses, fake_a, fake_b = self.generator_losses(images_a, images_b, training=True)
            generators_loss = self.weighted(losses)
        self.update(self.generators_optimizer, tape, generators_loss, self.generators)

        pooled_a, pooled_b = fake_a, fake_b
        if self.pool_a is not None:
            pooled_a = self.pool_a.query(fake_a, pool_seeds[0])
            pooled_b = self.pool_b.query(fake_b, pool_seeds[1])

        with tf.GradientTape() as tape:
            discriminator_a_loss = least_squares_discriminator(
                self.discriminator_a(images_a, training=True),
                self.discriminator_a(tf.stop_gradient(pooled_a), training=True),
            )
            discriminator_b_loss = least_squares_discriminator(
                self.discriminator_b(images_b, training=True),
                self.discriminator_b(tf.stop_gradient(pooled_b), training=True),
            )
            discriminators_loss = discriminator_a_loss + discriminator_b_loss
        self.update(self.discriminators_optimizer, tape, discriminators_loss, self.discriminators)

        return self.log(
            images_a,
            **losses,
            discriminator_a_loss=discriminator_a_loss,
            discriminator_b_loss=discriminator_b_loss,
        )

    def test_step(self, images):
        """The losses on held-out images in turn, without pools, with nothing updated."""
        images_a, images_b = self.split_batches(images)
        losses, fake_a, fake_b = self.generator_losses(images_a, images_b, training=False)
        return self.log(
            images_a,
            **losses,
            discriminator_a_loss=least_squares_discriminator(
                self.discriminator_a(images_a, training=False),
                self.discriminator_a(fake_a, training=False),
            ),
            discriminator_b_loss=least_squares_discriminator(
                self.discriminator_b(images_b, training=False),
                self.discriminator_b(fake_b, training=False),
            ),
        )

    def generator_losses(self, images_a, images_b, training):
        """The terms of `generators_loss` by name, and the translations.

        Args:
            images_a: `(B, H, W, C)`.
            images_b: `(B, H, W, C)`.
            training: whether in training.

        Returns:
            `(losses, fake_a, fake_b)`.
        """
        fake_b = self.generator_b(images_a, training=training)
        reconstructed_a = self.generator_a(fake_b, training=training)
        fake_a = self.generator_a(images_b, training=training)
        reconstructed_b = self.generator_b(fake_a, training=training)
        losses = {
            # The losses of LSGAN have a factor 1/2, which the paper has for discriminators alone.
            "generator_a_loss": 2.0
            * least_squares_generator(self.discriminator_a(fake_a, training=training)),
            "generator_b_loss": 2.0
            * least_squares_generator(self.discriminator_b(fake_b, training=training)),
            "cycle_a_loss": mean_absolute_difference(reconstructed_a, images_a),
            "cycle_b_loss": mean_absolute_difference(reconstructed_b, images_b),
        }
        if self.identity_weight:
            losses["identity_loss"] = mean_absolute_difference(
                self.generator_a(images_a, training=training), images_a
            ) + mean_absolute_difference(self.generator_b(images_b, training=training), images_b)
        return losses, fake_a, fake_b

    def weighted(self, losses):
        """`generators_loss` of its terms."""
        kept = losses["cycle_a_loss"] + losses["cycle_b_loss"]
        if self.identity_weight:
            kept += self.identity_weight * losses["identity_loss"]
        adversarial = losses["generator_a_loss"] + losses["generator_b_loss"]
        return adversarial + self.cycle_weight * kept

    # ------------------------------------------------------------------ translation

    def call(self, images, training=False):
        """Translations of images of domain a `(B, H, W, C)` to b."""
        return self.generator_b(images, training=training)

    @tf.function(reduce_retracing=True)
    def translate_to_a(self, images):
        """Translations to domain a, float32 `(B, H, W, C)`, of images of b `(B, H, W, C)`."""
        return self.generator_a(tf.cast(images, "float32"), training=False)

    @tf.function(reduce_retracing=True)
    def translate_to_b(self, images):
        """Translations to domain b, float32 `(B, H, W, C)`, of images of a `(B, H, W, C)`."""
        return self.generator_b(tf.cast(images, "float32"), training=False)

    def translate(self, images, to="b"):
        """Translates images to one domain, a bounded number at a time.

        Args:
            images: `(N, H, W, C)` in [-1, 1], of the other domain.
            to: `"a"` or `"b"`.

        Returns:
            float32 `(N, H, W, C)` in [-1, 1].

        Raises:
            ValueError: no such domain, or images of another shape.
        """
        if to not in DOMAINS:
            raise ValueError(f"to={to!r}: give 'a' or 'b'.")
        images = tf.convert_to_tensor(images)
        if images.shape.rank != 4 or tuple(images.shape[1:]) != self.image_shape:
            shape = ", ".join(map(str, self.image_shape))
            raise ValueError(f"images of shape {tuple(images.shape)}: give (N, {shape}).")
        translate = self.translate_to_a if to == "a" else self.translate_to_b
        at_once = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
        chunks = range(0, max(1, len(images)), at_once)
        return tf.concat([translate(images[first : first + at_once]) for first in chunks], axis=0)

    def there_and_back(self, images, via="b"):
        """Images translated to the domain `via` and back again: their reconstructions.

        Args:
            images: `(N, H, W, C)` in [-1, 1], of the other domain.
            via: `"a"` or `"b"`.

        Returns:
            float32 `(N, H, W, C)` in [-1, 1].

        Raises:
            ValueError: as `translate`.
        """
        fakes = self.translate(images, to=via)
        return self.translate(fakes, to="a" if via == "b" else "b")

    @tf.function(reduce_retracing=True)
    def draw_images(self, num_images, seed):
        """`sample` with `seed` as `(2,)` integers."""
        shuffle = tf.random.experimental.stateless_shuffle
        order = shuffle(tf.range(self.exemplars.shape[0]), seed, alg="philox")[:num_images]
        chosen = tf.gather(self.exemplars.value, order)
        # One at a time, as exemplars may be large.
        fakes = tf.map_fn(lambda image: self.translate_to_b(image[None])[0], chosen)
        return tf.gather(fakes, tf.range(num_images) % tf.size(order))

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        """Draws exemplars without replacement, all over again where they run out, to translate.

        Args:
            num_images: how many, N. There are no more different ones than exemplars.
            seed: an integer for the same images each time; None for fresh ones.
            labels: must be None: this model takes no labels.
            truncation: must be None: this model has no latents.

        Returns:
            float32 `(N, H, W, C)` in `value_range`, of domain b.

        Raises:
            ValueError: an argument is none of the above.
        """
        check_positive(num_images=num_images)
        self.conditions(labels)
        if truncation is not None:
            raise ValueError(f"truncation={truncation!r}: {type(self).__name__} has no latents.")
        return self.draw_images(tf.constant(num_images), sampling_seed(seed))


def _beside(network_a, network_b, name):
    """Two networks as one, for the optimizer of both."""
    inputs = [keras.Input(network.input.shape[1:]) for network in (network_a, network_b)]
    return keras.Model(inputs, [network_a(inputs[0]), network_b(inputs[1])], name=name)


def _check_sizes(image_shape, patch_size):
    """The image shape, if generators and discriminators can take it."""
    shape = check_image_shape(image_shape)
    if patch_size not in PATCH_SIZES:
        choices = ", ".join(map(str, PATCH_SIZES))
        raise ValueError(f"patch_size={patch_size!r}: give one of {choices}.")
    height, width, _ = shape
    if height % 4 or width % 4 or min(height, width) < 8:
        raise ValueError(
            f"image_shape={shape!r}: height and width must be multiples of 4, at least 8, such as "
            "32, 128 or 256. Load the images with such an image_size."
        )
    least = 3 * 2 ** PATCH_SIZES[patch_size]
    if min(height, width) < least:
        raise ValueError(
            f"patch_size={patch_size!r}: images of {height}x{width} would be halved to nothing; it "
            f"needs sides of {least} or more. Give a smaller patch_size."
        )
    return shape
