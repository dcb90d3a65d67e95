"""Two parallel lines: a distance that jumps and one that leads the way.

Arjovsky, Chintala and Bottou 2017, arXiv:1701.07875, example 1. With z ~ U[0, 1], real points are
(0, z) and fake ones (offset, z). Where offset is not 0 the two share no point, and

    Jensen-Shannon   JS = log 2, and 0 where offset = 0              its slope is 0
    earth mover      W1 = |offset|                                   its slope is sign(offset)

JS is what a discriminator of optimal loss has found, W1 what a critic has:

    JS = log 2 - minimax_discriminator(real_logits, fake_logits) / 2       (arXiv:1406.2661, th. 1)
    W1 = -wasserstein_critic(real_scores, fake_scores)       the largest over 1-Lipschitz critics

A gradient penalty holds the critic to slope 1 only by its price. Against a slope s it gains
s |offset| and pays weight (s - 1)^2, so that the best s is 1 + |offset| / (2 weight), and it finds

    |offset| + offset^2 / (2 weight)
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from keras_gen.artifacts import save_figure
from keras_gen.losses import (
    gradient_penalty,
    minimax_discriminator,
    minimax_generator,
    mixing_weights,
    wasserstein_critic,
    wasserstein_generator,
)


@dataclasses.dataclass(frozen=True)
class Distances:
    """What was found at one offset: three distances, each with its slope in the offset."""

    offset: float
    js: float
    js_slope: float
    critic: float
    critic_slope: float
    transport: float
    transport_slope: float


def build_judge(width=64):
    """A network from points `(B, 2)` to one logit or score each: two layers of `width` units."""
    points = keras.Input((2,), name="points")
    x = keras.layers.Dense(width, activation="leaky_relu", kernel_initializer="he_normal")(points)
    x = keras.layers.Dense(width, activation="leaky_relu", kernel_initializer="he_normal")(x)
    return keras.Model(points, keras.layers.Dense(1)(x), name="judge")


def line(offset, count, seed):
    """Points (offset, z) with z ~ U[0, 1], `(count, 2)`; `offset` may be a tensor to derive by."""
    z = tf.random.stateless_uniform((count,), seed)
    return tf.stack([tf.fill((count,), offset), z], axis=1)


def discriminator_loss(discriminator, real_points, fake_points, seed):
    """The minimax loss of a discriminator (arXiv:1406.2661)."""
    return minimax_discriminator(discriminator(real_points), discriminator(fake_points))


def critic_loss(penalty_weight):
    """A function like `discriminator_loss`: the loss of WGAN-GP's critic (arXiv:1704.00028)."""

    def loss(critic, real_points, fake_points, seed):
        mixing = mixing_weights(real_points.shape[0], seed)
        penalty = gradient_penalty(critic, real_points, fake_points, mixing)
        value = wasserstein_critic(critic(real_points), critic(fake_points))
        return value + penalty_weight * penalty

    return loss


def trained_judges(loss, offsets, steps, *, batch_size=256, learning_rate=2e-3, seed=0):
    """Trains a judge for each offset, all of them from the same weights.

    Args:
        loss: `discriminator_loss` or what `critic_loss` gives.
        offsets: where the fake line lies, one after the other.
        steps: of Adam, for each.
        batch_size: real and fake points a step, each.
        learning_rate: at first; it falls to zero by a cosine.
        seed: decides weights and points.

    Yields:
        The network for each offset: one object, whose weights change at the next.
    """
    keras.utils.set_random_seed(seed)
    judge = build_judge()
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.5, beta_2=0.9)
    optimizer.build(judge.trainable_variables)
    variables = [*judge.variables, *optimizer.variables]
    initial = [variable.numpy() for variable in variables]

    @tf.function
    def train(offset):
        for step in tf.range(tf.constant(steps, "int64")):  # seeds may exceed 32 bits
            real_points = line(0.0, batch_size, [seed, 3 * step])
            fake_points = line(offset, batch_size, [seed, 3 * step + 1])
            with tf.GradientTape() as tape:
                value = loss(judge, real_points, fake_points, [seed, 3 * step + 2])
            gradients = tape.gradient(value, judge.trainable_variables)
            optimizer.apply(gradients, judge.trainable_variables)

    for offset in offsets:
        for variable, value in zip(variables, initial, strict=True):
            variable.assign(value)
        train(tf.constant(offset, "float32"))
        yield judge


def judged(judge, distance, generator_loss, offset, count=10_000, seed=1):
    """What a judge says of fresh points: its distance, and the slope that a generator would see.

    Args:
        judge: a trained network.
        distance: `(real_logits, fake_logits)` to the distance.
        generator_loss: fake logits to the part of the distance that moves with the generator.
        offset: where the fake line lies.
        count: points of each line.
        seed: decides them.

    Returns:
        `(distance, slope)`.
    """
    position = tf.Variable(float(offset))
    real_logits = judge(line(0.0, count, [seed, 0]))
    with tf.GradientTape() as tape:
        fake_logits = judge(line(position, count, [seed, 1]))
        loss = generator_loss(fake_logits)
    return float(distance(real_logits, fake_logits)), float(tape.gradient(loss, position))


def js_distance(real_logits, fake_logits):
    """log 2 - discriminator_loss / 2: the Jensen-Shannon divergence, from below."""
    return math.log(2) - minimax_discriminator(real_logits, fake_logits) / 2


def js_generator(fake_logits):
    """The part of `js_distance` that moves with the generator: half the minimax loss."""
    return minimax_generator(fake_logits) / 2


def critic_distance(real_scores, fake_scores):
    """E[critic(real)] - E[critic(fake)]."""
    return -wasserstein_critic(real_scores, fake_scores)


def penalized_earth_mover(offset, penalty_weight):
    """What the best critic finds under a gradient penalty: |offset| + offset^2 / (2 weight)."""
    return abs(offset) + offset**2 / (2 * penalty_weight)


def exact_transport(offset, count=500, seed=0):
    """W1 between samples of the two lines, by the best assignment of points to points.

    Args:
        offset: where the fake line lies.
        count: points of each line.
        seed: decides them.

    Returns:
        `(distance, slope)`: the mean length of the ways, and what it gains by the offset.
    """
    rng = np.random.default_rng(seed)
    real, fake = (np.stack([np.full(count, x), rng.random(count)], 1) for x in (0.0, offset))
    ways = cdist(real, fake)
    lengths = ways[linear_sum_assignment(ways)]
    return float(lengths.mean()), float(np.mean(offset / np.maximum(lengths, 1e-12)))


def sampling_distance(count):
    """W1 of two samples of one line, on the average: sqrt(pi / count) / 4 for many points.

    It is the area between their distribution functions, whose difference at z is normal with the
    variance 2 z (1 - z) / count.
    """
    return math.sqrt(math.pi / count) / 4


def measure(offsets, steps, penalty_weight, seed):
    """Finds all distances at all offsets.

    Args:
        offsets: where the fake line lies.
        steps: training steps of each discriminator and critic.
        penalty_weight: of the critic's gradient penalty.
        seed: decides weights and points.

    Returns:
        A list of `Distances`.

    Raises:
        ValueError: offset 0 is not there once, or no other is; or a number is not positive.
    """
    if list(offsets).count(0) != 1 or len(offsets) < 2:
        raise ValueError(f"offsets={tuple(offsets)!r}: give 0 once, and others beside it.")
    if steps < 1:
        raise ValueError(f"steps={steps!r}: give an integer of at least 1.")
    if not penalty_weight > 0:
        raise ValueError(f"penalty_weight={penalty_weight!r}: give a positive number.")
    setting = {"offsets": offsets, "steps": steps, "seed": seed}
    discriminators = trained_judges(discriminator_loss, **setting)
    js = [
        judged(judge, js_distance, js_generator, offset)
        for offset, judge in zip(offsets, discriminators, strict=True)
    ]
    critics = trained_judges(critic_loss(penalty_weight), **setting)
    scores = [
        judged(judge, critic_distance, wasserstein_generator, offset)
        for offset, judge in zip(offsets, critics, strict=True)
    ]
    return [
        Distances(offset, *js_found, *critic_found, *exact_transport(offset, seed=seed))
        for offset, js_found, critic_found in zip(offsets, js, scores, strict=True)
    ]


def compare(rows, penalty_weight):
    """What was found, next to what is true.

    Args:
        rows: a list of `Distances`, offset 0 among them.
        penalty_weight: that of the critics.

    Returns:
        `{name: (value, analytic value, protocol)}`.
    """
    apart = [row for row in rows if row.offset != 0]
    (together,) = [row for row in rows if row.offset == 0]
    nearest = min(apart, key=lambda row: abs(row.offset))
    farthest = max(apart, key=lambda row: row.offset)
    everywhere = f"over offsets {', '.join(f'{row.offset:g}' for row in apart)}"
    return {
        "js_together": (together.js, 0.0, "nats, discriminator, offset 0, 10,000 fresh points"),
        "js_nearest": (
            nearest.js,
            math.log(2),
            f"nats, discriminator, offset {nearest.offset:g}, 10,000 fresh points",
        ),
        "js_farthest": (
            farthest.js,
            math.log(2),
            f"nats, discriminator, offset {farthest.offset:g}, 10,000 fresh points",
        ),
        "js_largest_slope": (
            max(abs(row.js_slope) for row in apart),
            0.0,
            f"nats per unit of offset, largest {everywhere}",
        ),
        "critic_together": (together.critic, 0.0, "critic, offset 0, 10,000 fresh points"),
        "critic_farthest": (
            farthest.critic,
            penalized_earth_mover(farthest.offset, penalty_weight),
            f"critic, offset {farthest.offset:g}; analytic with the penalty's price, without it "
            f"{abs(farthest.offset):g}",
        ),
        "critic_largest_error": (
            max(abs(r.critic - penalized_earth_mover(r.offset, penalty_weight)) for r in apart),
            0.0,
            f"|critic - analytic|, largest {everywhere}",
        ),
        "critic_smallest_slope": (
            min(row.critic_slope * np.sign(row.offset) for row in apart),
            1.0,
            f"towards the real line, smallest {everywhere}; analytic at offset 0",
        ),
        "transport_together": (
            np.mean([exact_transport(0.0, seed=draw)[0] for draw in range(20)]),
            sampling_distance(500),
            "exact transport of 500 points, offset 0, mean of 20 draws",
        ),
        "transport_largest_error": (
            max(row.transport - abs(row.offset) for row in apart),
            0.0,
            f"exact transport of 500 points - |offset|, largest {everywhere}",
        ),
    }


def save_distances(rows, penalty_weight, picture):
    """Draws distances and slopes over the offset, beside the analytic curves.

    Args:
        rows: a list of `Distances`.
        penalty_weight: that of the critics.
        picture: where to, PNG.
    """
    offsets = np.array([row.offset for row in rows])
    fine = np.linspace(offsets.min(), offsets.max(), 400)
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    (js, earth), (js_slope, earth_slope) = axes

    js.axhline(math.log(2), color="k", ls=":", label="analytic: log 2, and 0 at 0")
    js.plot(0, 0, "ko", mfc="none", ms=9)
    js.plot(offsets, [row.js for row in rows], "C0o", ms=5, label="trained discriminator")
    js.set(title="Jensen-Shannon divergence", ylabel="distance", ylim=(-0.05, 1.0))
    earth.plot(fine, abs(fine), "k:", label="analytic: |offset|")
    earth.plot(
        fine,
        [penalized_earth_mover(offset, penalty_weight) for offset in fine],
        "C1--",
        lw=1,
        label="analytic, with the penalty's price",
    )
    earth.plot(offsets, [row.critic for row in rows], "C1o", ms=5, label="trained critic")
    earth.plot(offsets, [row.transport for row in rows], "C2x", label="exact transport, samples")
    earth.set(title="Earth mover's distance", ylim=(-0.05, 1.45 * offsets.max()))

    apart = [row for row in rows if row.offset != 0]
    places = [row.offset for row in apart]
    js_slope.axhline(0, color="k", ls=":", label="analytic: 0")
    js_slope.plot(places, [row.js_slope for row in apart], "C0o", ms=5)
    limit = 1.3 * max(1.0, *(abs(row.critic_slope) for row in apart))
    js_slope.set(ylabel="slope that a generator sees", ylim=(-limit, limit))
    for side in (fine[fine < 0], fine[fine > 0]):
        earth_slope.plot(side, np.sign(side), "k:")
        earth_slope.plot(side, np.sign(side) + side / penalty_weight / 2, "C1--", lw=1)
    earth_slope.plot([], [], "k:", label="analytic: sign(offset)")
    earth_slope.plot(places, [row.critic_slope for row in apart], "C1o", ms=5)
    earth_slope.plot(places, [row.transport_slope for row in apart], "C2x")
    earth_slope.set(ylim=(-limit, limit))
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small", loc="upper center" if axis in (js, earth) else "upper left")
    for axis in axes[1]:
        axis.set_xlabel("offset of the fake line")
    save_figure(figure, picture)
