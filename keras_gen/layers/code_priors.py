"""Priors of codes that can be drawn in parts, with their densities.

The Gaussian, and two of the plane on which Makhzani et al. 2015, arXiv:1511.05644, section 2.2 and
2.3 show that an adversarial autoencoder needs no density of its prior: a mixture of Gaussians and a
swiss roll. A class of images may be given a part of its own: a component, or a stretch of the roll.

    draw(count, seed, truncation, parts)   latents `(count, latent_dim)`, a pure function of these
    part_log_densities(latents)            log p(z | part) in nats, float64 `(num_parts, N)`

`truncation` bounds the magnitudes of the normal numbers that draws are made of, `parts` are
integers `(count,)` that say which part each latent comes from, -1 for any.
"""

import math

import numpy as np
import tensorflow as tf

from keras_gen.layers.checks import check_choice, check_positive
from keras_gen.layers.priors import sample_latents

_NODES = 2000  # of the quadrature along the roll; at least a tenth of them on a stretch


class NormalPrior:
    """N(0, scale^2) in each coordinate; it has one part.

    Args:
        latent_dim: how many coordinates.
        scale: the standard deviation.
    """

    num_parts = 1

    def __init__(self, latent_dim, scale=1.0):
        self.latent_dim, self.scale = latent_dim, scale

    def draw(self, count, seed, truncation=None, parts=None):
        """Latents `(count, latent_dim)`; `parts` make no difference."""
        noise = sample_latents("normal", (count, self.latent_dim), seed, truncation)
        return self.scale * noise

    def part_log_densities(self, latents):
        """Of latents `(N, latent_dim)`, `(1, N)`."""
        squares = np.sum((np.asarray(latents, "float64") / self.scale) ** 2, axis=1)
        constant = self.latent_dim * math.log(self.scale * math.sqrt(2.0 * math.pi))
        return (-0.5 * squares - constant)[None]


class MixturePrior:
    """Gaussians around the origin like petals, each elongated towards it, equally probable.

    Args:
        num_parts: how many components.
        scale: multiplies the whole picture. At 1 the centres lie 4 from the origin, and deviations
            are 1 along the radius and 0.4 across.
    """

    latent_dim = 2

    def __init__(self, num_parts=10, scale=1.0):
        self.num_parts, self.scale = num_parts, scale
        self.radius, self.deviations = 4.0 * scale, (1.0 * scale, 0.4 * scale)

    def draw(self, count, seed, truncation=None, parts=None):
        """Latents `(count, 2)`."""
        noise_seed, part_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        parts = _drawn_parts(parts, count, self.num_parts, part_seed)
        noise = sample_latents("normal", (count, 2), noise_seed, truncation)
        along, across = tf.unstack(noise * tf.constant(self.deviations), axis=1)
        angles = 2.0 * math.pi / self.num_parts * tf.cast(parts, "float32")
        cos, sin, out = tf.cos(angles), tf.sin(angles), self.radius + along
        return tf.stack([cos * out - sin * across, sin * out + cos * across], axis=1)

    def part_log_densities(self, latents):
        """Of latents `(N, 2)`."""
        x, y = np.asarray(latents, "float64").T
        angles = 2.0 * np.pi / self.num_parts * np.arange(self.num_parts)[:, None]
        along = np.cos(angles) * x + np.sin(angles) * y - self.radius
        across = np.cos(angles) * y - np.sin(angles) * x
        first, second = self.deviations
        squares = (along / first) ** 2 + (across / second) ** 2
        return -0.5 * squares - math.log(2.0 * math.pi * first * second)


class SwissRollPrior:
    """A spiral of one and a half turns with Gaussian noise across it.

    At u in [0, 1) of the roll the angle is `3 pi sqrt(u)` and the radius half of it, so that
    stretches of equal probability are of about equal length.

    Args:
        num_parts: into how many equally probable stretches it is cut, from the middle outwards.
        scale: multiplies the whole picture. At 1 the roll ends 4.7 from the origin, its turns lie
            pi apart, and the noise has the deviation 0.2.
    """

    latent_dim = 2

    def __init__(self, num_parts=10, scale=1.0):
        self.num_parts, self.scale, self.deviation = num_parts, scale, 0.2 * scale

    def draw(self, count, seed, truncation=None, parts=None):
        """Latents `(count, 2)`."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        parts = tf.cast(_drawn_parts(parts, count, self.num_parts, seeds[0]), "float32")
        u = (parts + tf.random.stateless_uniform((count,), seeds[1])) / self.num_parts
        noise = sample_latents("normal", (count, 2), seeds[2], truncation)
        angles = 3.0 * math.pi * tf.sqrt(u)
        radii = 0.5 * self.scale * angles
        roll = tf.stack([radii * tf.cos(angles), radii * tf.sin(angles)], axis=1)
        return roll + self.deviation * noise

    def part_log_densities(self, latents):
        """Of latents `(N, 2)`: the noise's density, integrated along each stretch by midpoints."""
        latents = np.asarray(latents, "float64")
        nodes = max(_NODES // self.num_parts, _NODES // 10)
        u = (np.arange(self.num_parts * nodes) + 0.5) / (self.num_parts * nodes)
        angles = 3.0 * np.pi * np.sqrt(u)
        roll = 0.5 * self.scale * angles * np.stack([np.cos(angles), np.sin(angles)])
        squares = (latents[:, :1] - roll[0]) ** 2 + (latents[:, 1:] - roll[1]) ** 2
        log_terms = -0.5 * squares / self.deviation**2  # (N, num_parts * nodes)
        by_part = log_terms.reshape(len(latents), self.num_parts, nodes)
        constant = math.log(nodes * 2.0 * math.pi * self.deviation**2)
        return np.logaddexp.reduce(by_part, axis=2).T - constant


def log_density(prior, latents):
    """log p(z) in nats, float64 `(N,)`, of latents `(N, latent_dim)` under one of these priors."""
    parts = prior.part_log_densities(latents)
    return np.logaddexp.reduce(parts, axis=0) - math.log(len(parts))


def _drawn_parts(parts, count, num_parts, seed):
    """The parts asked for, and drawn ones where they are -1 or None."""
    drawn = tf.random.stateless_uniform((count,), seed, 0, num_parts, "int32")
    if parts is None:
        return drawn
    parts = tf.cast(parts, "int32")
    # The look-up fails where there is no such part; a label would else be taken for another class.
    return tf.gather(tf.range(num_parts), tf.where(parts < 0, drawn, parts))


CODE_PRIORS = ("normal", "mixture", "swiss_roll")


def code_prior(name, latent_dim, scale, num_parts=10):
    """The prior of that name.

    Args:
        name: `"normal"`, or of the plane `"mixture"` or `"swiss_roll"`.
        latent_dim: size of a latent.
        scale: standard deviation of the Gaussian, size of the others.
        num_parts: of the mixture and the roll.

    Raises:
        ValueError: no such prior, another latent_dim than 2 in the plane, or scale not positive.
    """
    check_choice("prior", name, CODE_PRIORS)
    check_positive(latent_dim=latent_dim)
    if not scale > 0.0:
        raise ValueError(f"prior_scale={scale!r}: give a positive number.")
    if name == "normal":
        return NormalPrior(latent_dim, scale)
    if latent_dim != 2:
        raise ValueError(f"latent_dim={latent_dim}: the prior {name} lies in the plane; give 2.")
    return {"mixture": MixturePrior, "swiss_roll": SwissRollPrior}[name](num_parts, scale)
