"""What all flows share: training by exact likelihood, and both directions of the map.

A flow is an invertible map f from images to latents z of as many values, whose distribution is
simple. The change of variables gives the density of an image, exactly (NICE, Dinh, Krueger and
Bengio 2015, arXiv:1410.8516, eq. 1):

    log p(x) = log p(z) + log |det dz/dx|,   z = f(x)      nats per image
    nll = -mean[log p(x)]                                  what training lowers

Pixels have 256 levels. A density of such data may be infinite; uniform noise spreads each level
over its share of [0, 1] (Uria, Murray and Larochelle 2013, arXiv:1306.0186; Theis, van den Oord
and Bethge 2016, arXiv:1511.01844, section 3.1), and

    x = (255 images + noise) / 256,   log P(images) >= E[log p(x)] - D log 256

bounds the log-probability of the levels: what is logged, in nats and in bits per dimension.

Shapes: images (B, H, W, C); labels (B,), of conditional models; latents (B, H * W * C); log_det
(B,).
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share, sample_latents
from keras_gen.models.base import (
    GenerativeModel,
    check_image_shape,
    check_positive,
    sampling_seed,
)

LEVELS = 256
_FIRST_IMAGES = 256  # of an array that weights are set from
LOG_DENSITIES = {
    "normal": lambda z: -0.5 * (z * z + math.log(2.0 * math.pi)),
    "logistic": lambda z: -ops.softplus(z) - ops.softplus(-z),
}


class Flow(GenerativeModel):
    """Base of models with `flow`, a `keras_gen.layers.Bijector` made by `build_flow`.

    Args:
        image_shape: `(H, W, C)`.

    Raises:
        ValueError: a shape that the flow cannot take.

    Attributes:
        latent_distribution: `"normal"` or `"logistic"`, of each value of a latent.
        num_levels: of a pixel, which noise spreads in training; None for values with a density.
    """

    value_range = (0.0, 1.0)
    latent_distribution = "normal"
    num_levels = LEVELS

    def __init__(self, image_shape, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        self.latent_dim = math.prod(self.image_shape)
        self.flow = self.build_flow()
        self.flow.build((None, *self.image_shape))
        # Whether the weights that depend on data were set: a weight, so that a resumed or loaded
        # model keeps what it has.
        self.initialized = self.add_weight(
            name="initialized",
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.track("nll_nats", *(["bits_per_dim"] if self.num_levels else []))

    def build_flow(self):
        """The bijector from images, `(B, H, W, C)`, to latents, `(B, H * W * C)`."""
        raise NotImplementedError

    def compile(self, flow_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            flow_optimizer: a Keras optimizer. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        optimizer = flow_optimizer or keras.optimizers.Adam(1e-3)
        self.set_optimizers(flow_optimizer=(optimizer, self.flow), **kwargs)

    # ------------------------------------------------------------------ training

    def fit(self, x=None, *args, **kwargs):
        """Trains as Keras does; first calls `initialize` with images if that was never done.

        They are the first batch of a data set, over all replicas and workers, or 256 of an array.

        Raises:
            ValueError: x is neither, such as a generator, and `initialize` was not called.
        """
        if not int(self.initialized.numpy()):
            self.initialize(self._first_images(x))
        return super().fit(x, *args, **kwargs)

    def _first_images(self, x):
        if isinstance(x, np.ndarray | tf.Tensor):
            return x[:: -(-len(x) // _FIRST_IMAGES)]  # from everywhere: arrays may be sorted
        if isinstance(x, keras.utils.PyDataset):
            batch = x[0]
        elif isinstance(x, tf.data.Dataset | tf.distribute.DistributedDataset):
            batch = next(iter(x))
        else:
            raise ValueError(
                f"x is a {type(x).__name__}: call initialize(images) with a batch before fit, or "
                "give a tf.data.Dataset or an array."
            )
        images = batch[0] if isinstance(batch, tuple | list) else batch
        if isinstance(images, tf.distribute.DistributedValues):
            images = self.distribute_strategy.gather(images, axis=0)
        return images

    def initialize(self, images):
        """Sets the weights that depend on data: see `ActNorm`. Called outside of replicas.

        Args:
            images: `(B, H, W, C)` in `value_range`, the more the better.

        Raises:
            ValueError: other images.
        """
        images = np.asarray(images, "float32")
        if images.shape[1:] != self.image_shape or not len(images):
            raise ValueError(f"images of shape {images.shape}: give (B, *{self.image_shape}).")
        low, high = images.min(), images.max()
        if self.num_levels is not None and not (low >= 0.0 and high <= 1.0):
            raise ValueError(f"images from {low} to {high}: give pixels in [0, 1].")
        with self.distribute_strategy.scope():
            noise = self._noise(len(images), self._seeds(0, 1, stream=2)[0])
            self.flow.initialize(self._spread(images, noise))
            self.initialized.assign(1)

    def dequantize(self, images, seed):
        """Spreads the levels of a batch's pixels over [0, 1) by noise, none shared by replicas."""
        noise = replica_share(lambda count: self._noise(count, seed), ops.shape(images)[0])
        return self._spread(images, noise)

    def _noise(self, count, seed):
        return tf.random.stateless_uniform((count, *self.image_shape), seed, dtype=self.flow.dtype)

    def _spread(self, images, noise):
        images = ops.cast(images, self.flow.dtype)
        if self.num_levels is None:
            return images
        # 8-bit images are on levels already but for rounding.
        return (ops.round(images * (self.num_levels - 1.0)) + noise) / self.num_levels

    def train_step(self, batch):
        """One step down the negative log-likelihood of images, or of `(images, labels)`."""
        images, conditions = self._split(batch)
        x = self.dequantize(images, self.next_seeds(1)[0])
        with tf.GradientTape() as tape:
            nll = -ops.mean(self._log_prob(x, conditions))
        self.update(self.flow_optimizer, tape, nll, self.flow)

        return self._log(images, nll)

    def test_step(self, batch):
        """The same on held-out images, with nothing updated."""
        images, conditions = self._split(batch)
        x = self.dequantize(images, self.evaluation_seeds(1)[0])
        return self._log(images, -ops.mean(self._log_prob(x, conditions)))

    def _split(self, batch):
        """The images and the checked labels, in a list, of a batch."""
        if isinstance(batch, tuple | list) and len(batch) == 1:
            (batch,) = batch  # Keras wraps arrays
        pair = isinstance(batch, tuple | list)
        if pair != self.conditional:
            needed = "(images, labels)" if self.conditional else "images alone"
            raise ValueError(f"{type(self).__name__} trains on batches of {needed}.")
        images, labels = batch if pair else (batch, None)
        return images, self.conditions(labels)

    def _log(self, images, nll):
        """Logs the bound for levels in both units, or where values have none their density."""
        if self.num_levels is None:
            return self.log(images, nll_nats=nll)
        nll = nll + self.latent_dim * math.log(self.num_levels)
        return self.log(images, nll_nats=nll, bits_per_dim=nll / (self.latent_dim * math.log(2.0)))

    # ------------------------------------------------------------------ both directions

    def _log_prob(self, x, conditions):
        latents, log_det = self.flow.forward(x, *conditions)
        log_density = LOG_DENSITIES[self.latent_distribution](latents)
        return ops.sum(log_density, axis=-1) + log_det

    def call(self, inputs, training=False):
        """Latents of images, or of `(images, labels)`."""
        images, conditions = self._split(inputs)
        return self.flow.forward(ops.cast(images, self.flow.dtype), *conditions)[0]

    @tf.function(reduce_retracing=True)
    def log_prob(self, images, labels=None):
        """Exact log-density of images as they are, without noise.

        Args:
            images: `(B, H, W, C)` in `value_range`.
            labels: integers `(B,)` of a conditional model: the density given the class.

        Returns:
            Nats per image, float32 `(B,)`.
        """
        return ops.cast(self._log_prob(*self._inputs(images, labels)), "float32")

    @tf.function(reduce_retracing=True)
    def log_prob_of_levels(self, images, seed, labels=None):
        """A bound of the log-probability of 8-bit images, by one draw of noise for each.

        Args:
            images: `(B, H, W, C)` in [0, 1], on 256 levels.
            seed: `(2,)` integers.
            labels: as for `log_prob`.

        Returns:
            Nats per image, float32 `(B,)`; without levels the log-density.
        """
        images, conditions = self._inputs(images, labels)
        x = self._spread(images, self._noise(ops.shape(images)[0], seed))
        log_prob = self._log_prob(x, conditions)
        return ops.cast(log_prob, "float32") - self.latent_dim * math.log(self.num_levels or 1)

    @tf.function(reduce_retracing=True)
    def inversion_error(self, images, labels=None):
        """Largest difference of each image and the inverse of its latent, float32 `(B,)`."""
        x, conditions = self._inputs(images, labels)
        latents, _ = self.flow.forward(x, *conditions)
        again, _ = self.flow.inverse(latents, *conditions)
        return ops.cast(ops.max(ops.abs(again - x), axis=(1, 2, 3)), "float32")

    @tf.function(reduce_retracing=True)
    def encode(self, images, labels=None):
        """Latents, float32 `(B, latent_dim)`, of images `(B, H, W, C)`: exact, one for each."""
        images, conditions = self._inputs(images, labels)
        return ops.cast(self.flow.forward(images, *conditions)[0], "float32")

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels=None):
        """Images, float32 `(B, H, W, C)`, of latents `(B, latent_dim)`: the inverse of `encode`.

        Pixels beyond `value_range`, which no data have, are clipped.
        """
        latents = tf.ensure_shape(ops.cast(latents, self.flow.dtype), (None, self.latent_dim))
        images, _ = self.flow.inverse(latents, *self.conditions(labels))
        images = ops.cast(images, "float32")
        return images if self.num_levels is None else ops.clip(images, *self.value_range)

    def _inputs(self, images, labels):
        images = tf.ensure_shape(ops.cast(images, self.flow.dtype), (None, *self.image_shape))
        return images, self.conditions(labels)

    # ------------------------------------------------------------------ sampling

    def draw_latents(self, num_images, seed, truncation=None):
        """Latents from the prior, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers.

        Args:
            num_images: how many.
            seed: `(2,)` integers.
            truncation: None, or a bound on the magnitude of their values.
        """
        shape = (num_images, self.latent_dim)
        if self.latent_distribution == "normal":
            return sample_latents("normal", shape, seed, truncation)
        if truncation is not None and not tf.is_tensor(truncation) and not truncation > 0:
            raise ValueError(f"truncation={truncation!r}: give a positive number, or None.")
        tail = 0.0 if truncation is None else tf.sigmoid(-tf.cast(truncation, "float64"))
        # In float64: float32's uniform numbers end at 1 - 2^-24, the logistic's value 16.6.
        uniform = tf.random.stateless_uniform(shape, seed, dtype="float64")
        uniform = tail + (1.0 - 2.0 * tail) * tf.maximum(uniform, 2.0**-54)
        return tf.cast(tf.math.log(uniform) - tf.math.log1p(-uniform), "float32")

    def sample(self, num_images, seed=None, labels=None, truncation=None, temperature=1.0):
        """Draws images, exactly from the model's distribution at temperature 1.

        Args:
            num_images: how many, N.
            seed: an integer for the same images each time; None for fresh ones.
            labels: integers `(N,)` of a conditional model: the class of each image; None to draw
                them uniformly. None of an unconditional one.
            truncation: None, or a bound on the magnitude of a latent's values.
            temperature: at least 0, multiplies the latents: below 1 likelier images are drawn
                (Glow, arXiv:1807.03039, section 6). With normal latents and a constant determinant
                that is the density to the power 1 / temperature^2, else it is close to it.

        Returns:
            float32 `(N, H, W, C)` in `value_range`; not on levels: floor(256 x) is the level.

        Raises:
            ValueError: an argument is none of the above.
        """
        check_positive(num_images=num_images)
        if not temperature >= 0.0:
            raise ValueError(f"temperature={temperature!r}: give a number of at least 0.")
        seed = sampling_seed(seed)
        conditions = self.sampling_conditions(labels, num_images, seed)
        latents = temperature * self.draw_latents(num_images, seed, truncation)
        return self.sample_in_chunks(latents, *conditions)


def check_halvings(image_shape, halvings, **argument):
    """Raises ValueError, by the argument's name, unless both sides can be halved so often."""
    height, width = image_shape[:2]
    step = 2**halvings
    if height % step or width % step:
        (name, value), *_ = argument.items()
        raise ValueError(
            f"image_shape={tuple(image_shape)!r}: with {name}={value} both sides must be "
            f"multiples of {step}."
        )
