"""What all autoregressive models share: training by exact likelihood, and drawing pixel by pixel.

The probability of an image is a product over its pixels in raster order, each given those before:

    log p(images) = sum_i log p(images[i] | images[:i])          nats per image
    nll = -mean[log p(images)]                                   what training lowers

A model is a network that gives the parameters of every pixel's distribution at once, of which those
of pixel i depend on earlier pixels alone. Training takes one pass; drawing takes one for each
pixel, or with cached activations (see `drawing`) about one in all.

As latents such a model has the uniform noise that its pixels are drawn with: `decode` is a function
of noise and weights, and the same noise gives the same image.

Shapes: images (B, H, W, C) in [0, 1]; labels (B,), of conditional models; parameters (B, H, W,
num_parameters); latents (B, H * W * num_uniforms) in [0, 1).
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.models.autoregressive.drawing import call, draw_with_network
from keras_gen.models.autoregressive.pixels import PIXELS
from keras_gen.models.base import (
    GenerativeModel,
    check_image_shape,
    check_positive,
    sampling_seed,
)
from keras_gen.models.replicas import at_least_one


class AutoregressiveModel(GenerativeModel):
    """Base of models with `network`, made by `build_network`.

    Args:
        image_shape: `(H, W, C)`.
        likelihood: `"bernoulli"`, `"categorical"` or `"logistic_mixture"`: see `PIXELS`.

    Raises:
        ValueError: an argument is none of the above.
    """

    value_range = (0.0, 1.0)

    def __init__(self, image_shape, likelihood, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        height, width, channels = self.image_shape
        self.pixel = check_likelihood(likelihood)(channels)
        self.latent_dim = height * width * self.pixel.num_uniforms
        self.network = self.build_network()
        self.track("nll_nats", "bits_per_dim")
        self.drawing = self.build_drawing() or self.draw_with_network

    def build_network(self):
        """The network from images, or `[images, labels]`, to parameters."""
        raise NotImplementedError

    def build_drawing(self):
        """A `CachedDrawing`, or None where each pixel takes the whole network."""
        return None

    def compile(self, network_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            network_optimizer: a Keras optimizer. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        optimizer = network_optimizer or keras.optimizers.Adam(1e-3)
        self.set_optimizers(network_optimizer=(optimizer, self.network), **kwargs)

    def train_step(self, batch):
        """One step down the negative log-likelihood of images, or of `(images, labels)`."""
        self.train_steps.assign_add(1)
        images, labels = batch if self.conditional else (batch, None)
        with tf.GradientTape() as tape:
            parameters = call(self.network, images, *self.conditions(labels), training=True)
            nll = -ops.mean(self.pixel.log_likelihood(images, parameters))
        self.update(self.network_optimizer, tape, nll, self.network)

        return self.log_likelihoods(images, nll)

    def test_step(self, batch):
        """The same on held-out images, with nothing updated."""
        images, labels = batch if self.conditional else (batch, None)
        parameters = call(self.network, images, *self.conditions(labels), training=False)
        return self.log_likelihoods(
            images, -ops.mean(self.pixel.log_likelihood(images, parameters))
        )

    def log_likelihoods(self, images, nll):
        """Logs a mean negative log-likelihood in both units."""
        bits = nll / (math.prod(self.image_shape) * math.log(2.0))
        return self.log(images, nll_nats=nll, bits_per_dim=bits)

    def call(self, inputs, training=False):
        """Parameters of images, or of `(images, labels)`."""
        inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
        return call(self.network, *inputs, training=training)

    def draw_latents(self, num_images, seed):
        """Uniform noise, float32 `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        return tf.random.stateless_uniform((num_images, self.latent_dim), seed)

    @tf.function(reduce_retracing=True)
    def log_prob(self, images, labels=None):
        """Exact log-probability of images.

        Args:
            images: `(B, H, W, C)` in [0, 1], binarized or on 256 levels as the likelihood is.
            labels: integers `(B,)` of a conditional model: the probability given the class.

        Returns:
            Nats per image, float32 `(B,)`.
        """
        images = tf.ensure_shape(tf.cast(images, "float32"), (None, *self.image_shape))
        (images, conditions), added = at_least_one((images, self.conditions(labels)))
        parameters = call(self.network, images, *conditions, training=False)
        log_probs = self.pixel.log_likelihood(images, parameters)
        return log_probs[: tf.shape(images)[0] - added]

    @tf.function(reduce_retracing=True)
    def decode(self, latents, labels=None, temperature=1.0, given=None, known=None):
        """Images of latents: pixel after pixel.

        Args:
            latents: `(B, latent_dim)` in [0, 1).
            labels: integers `(B,)` of a conditional model.
            temperature: divides logits and multiplies scales.
            given: None, or images `(B, H, W, C)` of which some pixels are kept.
            known: which ones: 1 there and 0 elsewhere, `(B, H, W, 1)`.

        Returns:
            float32 `(B, H, W, C)`.
        """
        return self._decode(latents, labels, temperature, given, known)

    @tf.function(jit_compile=True)
    def decode_compiled(self, latents, labels=None, temperature=1.0):
        """The same, compiled by XLA for each number of latents anew."""
        return self._decode(latents, labels, temperature)

    def _decode(self, latents, labels, temperature, given=None, known=None):
        height, width, channels = self.image_shape
        latents = tf.ensure_shape(tf.cast(latents, "float32"), (None, self.latent_dim))
        uniforms = tf.reshape(latents, (-1, height, width, self.pixel.num_uniforms))
        if given is None:
            known = tf.zeros_like(uniforms[..., :1])
            given = tf.repeat(known, channels, axis=-1)
        return self.drawing(uniforms, temperature, given, known, self.conditions(labels))

    def draw_with_network(self, uniforms, temperature, given, known, labels=()):
        """The plain way, with the whole network for each pixel: see `drawing`."""
        return draw_with_network(
            self.network, self.pixel, uniforms, temperature, given, known, labels
        )

    def sample(
        self,
        num_images,
        seed=None,
        labels=None,
        truncation=None,
        temperature=1.0,
        jit_compile=False,
    ):
        """Draws images, exactly from the model's distribution at temperature 1.

        Args:
            num_images: how many, N.
            seed: an integer for the same images each time; None for fresh ones.
            labels: integers `(N,)` of a conditional model: the class of each image; None to draw
                them uniformly. None of an unconditional one.
            truncation: must be None: uniform noise has no tails to cut. See `temperature`.
            temperature: positive; below 1 likelier pixels are drawn, above 1 unlikelier ones.
            jit_compile: whether XLA compiles the drawing, for each number of images anew: seconds
                that pay where few images at a time are drawn many times.

        Returns:
            float32 `(N, H, W, C)` in `value_range`.

        Raises:
            ValueError: an argument is none of the above.
        """
        check_positive(num_images=num_images)
        _check_temperature(temperature)
        if truncation is not None:
            raise ValueError(
                f"truncation={truncation!r}: {type(self).__name__} takes none. For likelier images "
                "give a temperature below 1."
            )
        seed = sampling_seed(seed)
        conditions = self.sampling_conditions(labels, num_images, seed)
        latents = self.draw_latents(num_images, seed)
        decode = self.decode_compiled if jit_compile else self.decode
        temperature = tf.constant(temperature, "float32")
        return self.sample_in_chunks(
            latents,
            *conditions,
            decode=lambda z, y=None: decode(z, y, temperature),
        )

    def inpaint(self, images, known, seed=None, labels=None, temperature=1.0):
        """Draws the unknown pixels of images, given the known ones before them.

        A pixel depends on earlier ones alone: known pixels further on are kept, but what is drawn
        before them cannot be made to fit.

        Args:
            images: `(N, H, W, C)` in [0, 1].
            known: which pixels are kept, booleans `(H, W)` or `(N, H, W)`.
            seed: an integer for the same images each time; None for fresh ones.
            labels: integers `(N,)` of a conditional model, else None.
            temperature: as for `sample`.

        Returns:
            float32 `(N, H, W, C)`.

        Raises:
            ValueError: an argument is none of the above.
        """
        _check_temperature(temperature)
        images = np.asarray(images, "float32")
        if images.shape[1:] != self.image_shape or not len(images):
            raise ValueError(f"images of shape {images.shape}: give (N, *{self.image_shape}).")
        known = np.asarray(known)
        sizes = (self.image_shape[:2], images.shape[:3])
        if known.shape not in sizes or not np.isin(known, (0, 1)).all():
            raise ValueError(
                f"known of shape {known.shape} and type {known.dtype}: give booleans of shape "
                f"{sizes[0]} or {sizes[1]}."
            )
        known = np.broadcast_to(known[..., None] != 0, (*images.shape[:3], 1))
        images = np.where(known, images, 0.0)  # a hole may be marked by NaN
        if not ((images >= 0.0) & (images <= 1.0)).all():
            raise ValueError("images: known pixels must be in [0, 1].")
        seed = sampling_seed(seed)
        conditions = self.sampling_conditions(labels, len(images), seed)
        latents = self.draw_latents(len(images), seed)
        temperature = tf.constant(temperature, "float32")
        return self.sample_in_chunks(
            latents,
            tf.constant(images, "float32"),
            tf.constant(known, "float32"),
            *conditions,
            decode=lambda z, x, mask, y=None: self.decode(z, y, temperature, x, mask),
        )


def check_likelihood(likelihood):
    """Raises ValueError unless `likelihood` names one of `PIXELS`; gives it."""
    if not isinstance(likelihood, str) or likelihood not in PIXELS:
        raise ValueError(f"likelihood={likelihood!r}: give one of {', '.join(PIXELS)}.")
    return PIXELS[likelihood]


def check_groups(likelihood, image_shape, **channels):
    """Raises ValueError, by name, unless channels divide into the colours that masks order.

    Args:
        likelihood: a key of `PIXELS`.
        image_shape: `(H, W, C)`.
        **channels: `name=(value, parts)`: a multiple of `parts` times the number of colours.
    """
    colors = check_likelihood(likelihood)(check_image_shape(image_shape)[-1]).colors
    for name, (value, parts) in channels.items():
        check_positive(**{name: value})
        if value % (parts * colors):
            raise ValueError(
                f"{name}={value!r}: give a multiple of {parts * colors}, for {likelihood} pixels "
                f"of image_shape={tuple(image_shape)}."
            )


def _check_temperature(temperature):
    if not temperature > 0.0:
        raise ValueError(f"temperature={temperature!r}: give a positive number.")
