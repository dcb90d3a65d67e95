"""Vanishing gradients: what a generator is told by a discriminator that has learnt its task.

Arjovsky and Bottou 2017, Towards Principled Methods for Training Generative Adversarial Networks,
arXiv:1701.04862. The generator stands still, the discriminator is trained on and on, and the
gradient that the generator would follow is measured (their figures 2 and 3).

In one dimension everything is known. Real x ~ N(0, scale^2), fake x = mean + scale z, and the best
discriminator D = p / (p + q) has the logit mean (mean / 2 - x) / scale^2. With the discriminator
held, the slopes in `mean` of the generator's losses are

    minimax          E[log(1 - D)]    mean / scale^2 * E[D]
    non-saturating   -E[log D]        mean / scale^2 * (1 - E[D])          -> mean / scale^2
    Wasserstein      -E[critic]       1, for the best critic is -x

all of them at x fake, and E[D] dies out with the overlap of the two: for a large mean

    mean / scale^2 * E[D]  ->  sqrt(pi / 2) / scale * exp(-mean^2 / (8 scale^2))
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.integrate import quad
from scipy.special import expit, ndtri

from keras_gen.artifacts import save_figure
from keras_gen.losses import (
    gradient_penalty,
    minimax_discriminator,
    minimax_generator,
    mixing_weights,
    non_saturating_generator,
    wasserstein_critic,
    wasserstein_generator,
)

GENERATOR_LOSSES = {
    "minimax": minimax_generator,
    "non_saturating": non_saturating_generator,
    "wasserstein": wasserstein_generator,
}
PENALTY_WEIGHT = 10.0  # arXiv:1704.00028

# ---------------------------------------------------------------------- two Gaussians


def best_logit(points, mean, scale):
    """The logit of p / (p + q), the best discriminator of N(0, scale^2) and N(mean, scale^2)."""
    return mean * (mean / 2 - points) / scale**2


def gaussian_slopes(mean, scale, count=200_000):
    """The slopes in `mean` of the three losses of `keras_gen.losses`, by automatic derivation.

    Args:
        mean: how far the fake points are from the real ones, positive.
        scale: the deviation of both.
        count: fake points, at equally probable quantiles instead of by chance.

    Returns:
        `{loss's name: slope}`.
    """
    z = tf.constant(ndtri((np.arange(count) + 0.5) / count), "float32")
    position = tf.Variable(float(mean))
    with tf.GradientTape(persistent=True) as tape:
        points = position + scale * z
        logits = best_logit(points, mean, scale)  # of a number: the discriminator is held
        losses = {
            "minimax": minimax_generator(logits),
            "non_saturating": non_saturating_generator(logits),
            "wasserstein": wasserstein_generator(-points),
        }
    return {name: float(tape.gradient(loss, position)) for name, loss in losses.items()}


def gaussian_slopes_by_quadrature(mean, scale):
    """The same slopes from the formulas above, E[D] by numerical integration."""

    def integrand(x):
        density = math.exp(-(((x - mean) / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
        return density * expit(best_logit(x, mean, scale))

    # The integrand peaks halfway; beyond twelve deviations nothing is left of it in float64.
    limits = (mean / 2 - 12 * scale, mean + 12 * scale)
    probability, _ = quad(integrand, *limits, points=[mean / 2], epsabs=0, epsrel=1e-10)
    return {
        "minimax": mean / scale**2 * probability,
        "non_saturating": mean / scale**2 * (1 - probability),
        "wasserstein": 1.0,
    }


def vanishing_asymptote(mean, scale):
    """What the minimax slope becomes for a large mean; `mean` may be an array."""
    return math.sqrt(math.pi / 2) / scale * np.exp(-(mean**2) / (8 * scale**2))


# ---------------------------------------------------------------------- a generator that stands


@dataclasses.dataclass(frozen=True)
class Reading:
    """What was measured after so many steps of the discriminator and the critic."""

    step: int
    discriminator_loss: float
    fake_probability: float
    norms: dict  # loss's name -> norm of the gradient over all of the generator's weights


def build_judge(image_shape, filters=16):
    """A network from `(B, H, W, C)` to one logit or score each: two strided convolutions.

    Without normalization, for it is critic (arXiv:1704.00028, section 4) and discriminator.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Conv2D(filters, 5, 2, "same", activation="leaky_relu")(images)
    x = keras.layers.Conv2D(2 * filters, 5, 2, "same", activation="leaky_relu")(x)
    return keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(x)), name="judge")


def watch(generator, draw_latents, batches, steps, *, learning_rate=1e-3, seed=0, readings=40):
    """Trains a discriminator and a critic against a generator that stands still.

    Both have the same network, the same first weights and the same images; neither sees the
    other. Nothing of the generator changes, and it runs in inference mode.

    Args:
        generator: a network from latents to images `(B, H, W, C)`.
        draw_latents: `(count, seed)` to latents; `seed` is `(2,)` integers.
        batches: iterable of at least `steps` batches of real images.
        steps: of Adam, for each of the two.
        learning_rate: of both.
        seed: decides weights, latents and mixing.
        readings: how often to measure, at most; ever more rarely.

    Returns:
        A list of `Reading`, the first after one step and the last after all.

    Raises:
        ValueError: steps is not positive, or batches ended before.
    """
    if steps < 1:
        raise ValueError(f"steps={steps!r}: give an integer of at least 1.")
    keras.utils.set_random_seed(seed)
    shape = generator.output_shape[1:]
    discriminator, critic = build_judge(shape), build_judge(shape)
    critic.set_weights(discriminator.get_weights())
    train = _training_step(generator, draw_latents, discriminator, critic, learning_rate)
    read = _reading(generator, draw_latents, discriminator, critic)

    found = []
    wanted = set(np.unique(np.geomspace(1, steps, readings).round().astype(int)))
    for step, images in enumerate(batches, 1):
        seeds = tf.random.experimental.stateless_split(tf.constant([seed, step], "int64"), 3)
        train(images, seeds[0], seeds[1])
        if step in wanted:
            loss, probability, *norms = (float(value) for value in read(images, seeds[2]))
            found.append(
                Reading(step, loss, probability, dict(zip(GENERATOR_LOSSES, norms, strict=True)))
            )
        if step == steps:
            return found
    raise ValueError(f"batches: they ended before step {steps}; give at least as many.")


def _training_step(generator, draw_latents, discriminator, critic, learning_rate):
    adams = [keras.optimizers.Adam(learning_rate, beta_1=0.5) for _ in range(2)]
    for adam, network in zip(adams, (discriminator, critic), strict=True):
        adam.build(network.trainable_variables)

    @tf.function
    def train(real_images, latent_seed, mixing_seed):
        count = real_images.shape[0]
        fake_images = generator(draw_latents(count, latent_seed), training=False)
        with tf.GradientTape() as tape:
            loss = minimax_discriminator(discriminator(real_images), discriminator(fake_images))
        weights = discriminator.trainable_variables
        adams[0].apply(tape.gradient(loss, weights), weights)

        with tf.GradientTape() as tape:
            penalty = gradient_penalty(
                critic, real_images, fake_images, mixing_weights(count, mixing_seed)
            )
            loss = wasserstein_critic(critic(real_images), critic(fake_images))
            loss += PENALTY_WEIGHT * penalty
        weights = critic.trainable_variables
        adams[1].apply(tape.gradient(loss, weights), weights)

    return train


def _reading(generator, draw_latents, discriminator, critic, count=256):
    @tf.function
    def read(real_images, seed):
        latents = draw_latents(count, seed)
        with tf.GradientTape(persistent=True) as tape:
            fake_images = generator(latents, training=False)
            logits = discriminator(fake_images)
            judged = (logits, logits, critic(fake_images))
            losses = [
                loss(values) for loss, values in zip(GENERATOR_LOSSES.values(), judged, strict=True)
            ]
        norms = [
            tf.linalg.global_norm(tape.gradient(loss, generator.trainable_variables))
            for loss in losses
        ]
        value = minimax_discriminator(discriminator(real_images), logits)
        return value, tf.reduce_mean(tf.sigmoid(logits)), *norms

    return read


# ---------------------------------------------------------------------- numbers and pictures


def compare(readings, means, scale):
    """What was measured, next to what is true where that is known.

    Args:
        readings: what `watch` gave.
        means: distances of the two Gaussians.
        scale: their deviation.

    Returns:
        `{name: (value, analytic value or None, protocol)}`.
    """
    mean = max(means)
    slopes = gaussian_slopes(mean, scale)
    expected = gaussian_slopes_by_quadrature(mean, scale)
    gaussians = f"slope in the mean, N(0, {scale:g}^2) against N({mean:g}, {scale:g}^2)"
    metrics = {
        f"gaussian_{name}_slope": (slopes[name], expected[name], f"{gaussians}, by our losses")
        for name in GENERATOR_LOSSES
    }
    metrics["gaussian_minimax_over_asymptote"] = (
        slopes["minimax"] / vanishing_asymptote(mean, scale),
        1.0,
        f"the minimax slope over its asymptote at mean {mean:g}; analytic for large means",
    )
    last = readings[-1]
    trained = f"{last.step} steps of the discriminator, generator fixed"
    metrics["discriminator_loss"] = (last.discriminator_loss, 0.0, f"after {trained}")
    metrics["fake_probability"] = (last.fake_probability, 0.0, f"mean D(fake) after {trained}")
    for name in GENERATOR_LOSSES:
        metrics[f"{name}_gradient"] = (
            last.norms[name] / max(reading.norms[name] for reading in readings),
            0.0 if name == "minimax" else None,
            f"norm of the generator's gradient after {trained}, over the largest on the way",
        )
    return metrics


def save_slopes(means, scale, picture):
    """Draws the slopes for two Gaussians over their distance: our losses, and the closed forms.

    Args:
        means: distances.
        scale: the deviation of both.
        picture: where to, PNG.
    """
    fine = np.linspace(max(means) / 200, max(means), 200)
    known = [gaussian_slopes_by_quadrature(mean, scale) for mean in fine]
    ours = [gaussian_slopes(mean, scale) for mean in means]
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    for color, name in zip(("C0", "C2", "C1"), GENERATOR_LOSSES, strict=True):
        axis.semilogy(fine, [each[name] for each in known], color, lw=1)
        axis.semilogy(means, [each[name] for each in ours], f"{color}o", ms=5, label=_title(name))
    axis.semilogy(fine, vanishing_asymptote(fine, scale), "k:", label="sqrt(pi/2)/s exp(-m²/8s²)")
    axis.plot([], [], "k-", lw=1, label="by quadrature")
    axis.set(xlabel="distance m of the two Gaussians", ylabel="slope that the generator sees")
    axis.set_title("Against the best discriminator, in closed form", fontsize="medium")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    save_figure(figure, picture)


def save_gradients(readings, picture):
    """Draws the norms of the generator's gradients over the discriminator's steps.

    Args:
        readings: what `watch` gave.
        picture: where to, PNG.
    """
    steps = [reading.step for reading in readings]
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axis = figure.subplots()
    for color, name in zip(("C0", "C2", "C1"), GENERATOR_LOSSES, strict=True):
        norms = [reading.norms[name] for reading in readings]
        axis.loglog(steps, norms, f"{color}o-", ms=3, label=_title(name))
    losses = [reading.discriminator_loss for reading in readings]
    axis.loglog(steps, losses, "k:", label="the discriminator's loss")
    axis.set(xlabel="steps of discriminator and critic", ylabel="norm of the generator's gradient")
    axis.set_title("A generator that stands still", fontsize="medium")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    save_figure(figure, picture)


def _title(name):
    return name.replace("_", "-").replace("wasserstein", "Wasserstein")
