"""Progressive growing: what ProGAN and StyleGAN share beside their networks and losses.

Karras, Aila, Laine and Lehtinen, 2018, arXiv:1710.10196, section 2 and appendix A.

All weights exist from the start. Which stage trains is a function of the number of images seen, and
that is a weight: a checkpoint of any stage goes on where it stopped. With P = phase_images,

    images seen      0 .. P      P .. 2P      2P .. 3P      3P .. 4P      ...
    stage            first       first + 1    first + 1     first + 2
    share of it      1           0 .. 1       1             0 .. 1

until the last stage is reached. Every step is a graph of its own stage only, which computes nothing
at higher resolutions and moves no weight of layers that are not in use.

When a phase begins, both optimizers start anew, as in the authors' code: moments and step counts
become zero, learning rates stay. Else Adam's correction for the start of its averages, long gone,
would be missing for the new layers, and their first steps be ten times as long.

The generator's moving average starts anew with each stage. It would else hold the new layers near
their first weights for thousands of steps, which is nothing in phases of the paper's length, and
all of a short one.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import downsample, fade, replica_share, upsample
from keras_gen.models.base import (
    GenerativeModel,
    check_image_shape,
    check_positive,
)

# preset -> channels at a side: the first number divided by the side, but at most the second
_WIDTHS = {"paper": (16_384, 512), "small": (1024, 64)}


class GrowingGAN(GenerativeModel):
    """A GAN whose networks grow; the plumbing, and no loss.

    A subclass makes `generator` and `discriminator`, each with `layers_at(stage)`, and its
    `train_step` ends in `count_images`. Train it with `fit`: a `train_step` that is called directly
    is that of the stage at which it is traced, and does not reset the optimizers.

    Args:
        image_shape: `(S, S, C)`, S a power of two.
        filters: channels at each resolution from 4x4 to SxS.
        phase_images: images in each phase, of growing or of training at one size; 0 for no growing,
            that is for the last stage from the start.
        first_stage: the stage to start with: 0 for images of 4x4, 1 for 8x8.
    """

    def __init__(self, image_shape, filters, phase_images, first_stage, **kwargs):
        sides = _sides(image_shape)
        _check_filters(filters, sides)
        super().__init__(**kwargs)
        self.image_shape, self.filters, self.sides = tuple(image_shape), tuple(filters), sides
        if not isinstance(phase_images, int | np.integer) or phase_images < 0:
            raise ValueError(
                f"phase_images={phase_images!r}: give the images of a phase, or 0 for no growing."
            )
        self.phase_images = phase_images
        self.first_stage = min(first_stage, len(sides) - 1)
        self.images_seen = self._counter("images_seen")
        self.optimizers_phase = self._counter("optimizers_phase")

    @classmethod
    def from_preset(cls, preset, image_shape, **arguments):
        """Makes the model in one of two sizes.

        Args:
            preset: `"paper"`: 16 channels at 1024x1024, twice as many at each smaller side, up to
                512. `"small"`: 16 at 64x64, up to 64, latents of 64 numbers and phases of 16,000
                images, which two cores train on 64x64 in less than an hour.
            image_shape: as in the constructor.
            **arguments: further ones of the constructor; they replace the preset's.

        Raises:
            ValueError: no such preset, or an argument that is wrong.
        """
        if preset not in cls.presets:
            raise ValueError(f"preset={preset!r}: give one of {', '.join(cls.presets)}.")
        divided, most = _WIDTHS[preset]
        filters = tuple(min(divided // side, most) for side in _sides(image_shape))
        return cls(image_shape, **({"filters": filters} | cls.presets[preset] | arguments))

    def _counter(self, name):
        return self.add_weight(
            name=name,
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def compile(self, discriminator_optimizer=None, generator_optimizer=None, **kwargs):
        """Sets the optimizers.

        Args:
            discriminator_optimizer: a Keras optimizer. Default: Adam(1e-3, beta_1 0, beta_2 0.99,
                epsilon 1e-8). It starts anew in each phase; so does a learning rate's schedule.
            generator_optimizer: likewise.
            **kwargs: `jit_compile` and `run_eagerly`, as in Keras.

        Raises:
            ValueError: `steps_per_execution` above 1: the steps of a call are all of one stage.
        """
        steps = kwargs.get("steps_per_execution", 1)
        if steps != 1:
            raise ValueError(
                f"steps_per_execution={steps!r}: give 1. Between two steps the networks may grow."
            )

        def adam():
            return keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99, epsilon=1e-8)

        self.set_optimizers(
            discriminator_optimizer=(discriminator_optimizer or adam(), self.discriminator),
            generator_optimizer=(generator_optimizer or adam(), self.generator),
            **kwargs,
        )

    # ------------------------------------------------------------------ the schedule

    @property
    def phase(self):
        """How many phases are over; at most that of the last stage, which does not end."""
        last = 2 * (len(self.sides) - 1 - self.first_stage)
        if not self.phase_images:
            return last
        with tf.init_scope():  # the number itself, also while a graph is traced
            seen = int(self.images_seen.numpy())
        return min(seen // self.phase_images, last)

    @property
    def stage(self):
        """The stage that trains now: on images of side `sides[stage]`, 4 for stage 0."""
        return self.first_stage + (self.phase + 1) // 2

    def share(self, stage):
        """How much of a stage's own layers is faded in, a scalar tensor in [0, 1]."""
        if not self._fades_in(stage):
            return tf.constant(1.0)
        seen = tf.cast(self._seen_in(stage), "float32")
        return tf.clip_by_value(seen / self.phase_images, 0.0, 1.0)

    def _seen_in(self, stage):
        """The number of images seen since a stage began to be faded in."""
        start = max(2 * (stage - self.first_stage) - 1, 0) * self.phase_images
        return tf.convert_to_tensor(self.images_seen.value) - start

    def _fades_in(self, stage):
        return self.phase_images > 0 and stage > self.first_stage

    def count_images(self, images):
        """Counts this replica's images `(B, ...)` and those of the others."""
        count = _over_replicas(images)
        self.images_seen.assign(tf.convert_to_tensor(self.images_seen.value) + count)

    def average_weights(self, images, stage):
        """Updates the generator's moving average, before the images of the step are counted.

        Args:
            images: this replica's `(B, ...)`.
            stage: the stage, with whose first step the average starts anew.
        """
        self.ema.update(self._seen_in(stage) // _over_replicas(images) + 1)

    def make_train_function(self, force=False):
        """Keras' function of a step, one for each stage; when a phase begins, resets optimizers."""
        if self.train_function is not None and not force:
            return

        def make():
            super(GrowingGAN, self).make_train_function(force=True)
            return self.train_function

        step = self._by_stage(make)

        def train_function(iterator):
            self._begin_phase()
            return step(iterator)

        self.train_function = train_function

    def make_test_function(self, force=False):
        """Keras' function of an evaluation step, one for each stage."""
        if self.test_function is not None and not force:
            return

        def make():
            super(GrowingGAN, self).make_test_function(force=True)
            return self.test_function

        self.test_function = self._by_stage(make)

    def _by_stage(self, make):
        """A function that is made anew, and so traced anew, when the stage has changed."""
        made = {}

        def function(iterator):
            stage = self.stage
            if stage not in made:
                kept = self.train_function, self.test_function
                made.clear()
                made[stage] = make()
                self.train_function, self.test_function = kept
            return made[stage](iterator)

        return function

    def _begin_phase(self):
        phase = self.phase
        if phase == int(self.optimizers_phase.numpy()):
            return
        self.optimizers_phase.assign(phase)
        for optimizer in self.optimizers.values():
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                optimizer = optimizer.inner_optimizer  # the scale stays
            for variable in optimizer.variables:
                if variable.name != "learning_rate":
                    variable.assign(ops.zeros_like(variable))

    # ------------------------------------------------------------------ steps

    def update_stage(self, optimizer, tape, loss, network, stage):
        """As `update`, for the layers of a network that a stage uses."""
        self.update(optimizer, tape, loss, network.at(stage))

    def real_images(self, images, stage):
        """Images `(B, S, S, C)` at a stage's size; while it is faded in, so are their details."""
        images = downsample(images, self.image_shape[0] // self.sides[stage])
        if not self._fades_in(stage):
            return images
        return fade(upsample(downsample(images)), images, self.share(stage))

    def latents_for(self, images, seed):
        """A draw of N(0, 1) for each image, `(B, latent_dim)`, none shared by replicas."""

        def draw(count):
            return tf.random.stateless_normal((count, self.latent_dim), seed)

        return replica_share(draw, ops.shape(images)[0])

    # ------------------------------------------------------------------ images

    def call(self, latents, training=False):
        """Images `(B, S, S, C)` of latents `(B, latent_dim)`."""
        return self.decode(latents)

    def decode(self, latents):
        """Images of latents, by the moving average of the generator where there is one.

        Before the last stage, images are small ones whose pixels are enlarged.

        Args:
            latents: `(B, latent_dim)`.

        Returns:
            float32 `(B, S, S, C)`, clipped to `value_range`.
        """
        return self._decode(latents, self.stage)

    @tf.function(reduce_retracing=True)
    def _decode(self, latents, stage):
        return self.full_size(self.stage_images(tf.cast(latents, "float32"), stage), stage)

    def full_size(self, images, stage):
        """A stage's images enlarged to `(B, S, S, C)` and clipped to `value_range`."""
        images = ops.clip(ops.cast(images, "float32"), *self.value_range)
        return upsample(images, self.image_shape[0] // self.sides[stage])


def _over_replicas(images):
    """How many images all replicas have, if each has as many as this one."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return tf.cast(ops.shape(images)[0] * replicas, "int64")


class GrowingNetwork(keras.Model):
    """A network of which each stage uses some layers.

    It is no functional model, for a stage's layers are another graph. All layers are built by the
    subclass, which says in `layers_at(stage)` which ones a stage uses.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def at(self, stage):
        """The layers that a stage uses, as one object with `trainable_variables`."""
        return _Layers(self.layers_at(stage))


class _Layers:
    def __init__(self, layers):
        self.trainable_variables = [v for layer in layers for v in layer.trainable_variables]


def _sides(image_shape):
    """The sides from 4 to that of the images; ValueError unless that is a power of two."""
    side, width, _ = check_image_shape(image_shape)
    if side != width or side < 4 or side & (side - 1):
        raise ValueError(
            f"image_shape={tuple(image_shape)!r}: height and width must be one power of two of at "
            "least 4, such as 64. Load the images with such an image_size."
        )
    return [2**power for power in range(2, side.bit_length())]


def _check_filters(filters, sides):
    if not isinstance(filters, list | tuple) or len(filters) != len(sides):
        raise ValueError(
            f"filters={filters!r}: images of side {sides[-1]} take {len(sides)} numbers, the "
            f"channels at the sides {', '.join(map(str, sides))}."
        )
    for number in filters:
        check_positive(filters=number)
