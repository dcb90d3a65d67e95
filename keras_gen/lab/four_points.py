"""Four points: posteriors that are known exactly, and what two kinds of encoder make of them.

Mescheder, Nowozin and Geiger 2017, Adversarial Variational Bayes, arXiv:1701.04722, section 6.2.
The data are four images, each with one white pixel of four, and the latents have two coordinates.
A good decoder gives each image its own part of the plane, and the posterior of an image is the
prior cut down to that part: no Gaussian.

In two dimensions the sums over a fine grid give everything of a decoder:

    p(x) = sum p(x | z) p(z) cell,   p(z | x) = p(x | z) p(z) / p(x)

All means over the four images, in nats:

    evidence      E[log p(x)], at most -log 4, for no model predicts one of four better
    elbo          evidence - kl
    kl            E[KL(q(z | x) || p(z | x))]
    aggregate_kl  KL(mean of the q(z | x) || p(z))

A posterior that has no density is measured by a histogram of its draws against the exact
probabilities of its cells. That makes divergences too small by what happens within a cell, and too
large by about (occupied cells) / (2 draws).

Shapes: images (4, 1, 4, 1); latents (N, 2); over the grid (4, CELLS, CELLS), rows along y.
"""

import math

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp, rel_entr

from keras_gen.artifacts import save_figure
from keras_gen.metrics.annealed_report import pixel_logits

IMAGES = np.eye(4, dtype="float32").reshape(4, 1, 4, 1)
LIMIT = 6.0  # of the grid: the prior has 4e-9 outside
CELLS = 600  # along each side
BINS = 120  # of the histogram, along each side
_EDGE = 2 * LIMIT / CELLS
_CHUNK = 20_000  # latents that a network takes at a time


def grid():
    """The middles of the cells, float64 `(CELLS, CELLS, 2)`."""
    ticks = -LIMIT + _EDGE * (np.arange(CELLS) + 0.5)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1)


def log_prior(points):
    """log N(z; 0, I) of points `(..., 2)`."""
    return -0.5 * (points**2).sum(axis=-1) - math.log(2.0 * math.pi)


def exact(model):
    """Evidence and posteriors of a model's decoder, by sums over the grid.

    Args:
        model: what `keras_gen.metrics.pixel_logits` takes, of these images.

    Returns:
        `(log_evidence (4,), log_posteriors (4, CELLS, CELLS))`, the second of densities.
    """
    points = grid().reshape(-1, 2)
    log_joints = np.empty((4, len(points)))
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK]
        logits = np.asarray(pixel_logits(model, part.astype("float32")), "float64").reshape(-1, 4)
        # Image i has pixel i alone: sum of x l - softplus(l)
        log_joints[:, start : start + _CHUNK] = (
            logits.T - np.logaddexp(0.0, logits).sum(axis=1) + log_prior(part)
        )
    log_evidence = logsumexp(log_joints, axis=1) + 2 * math.log(_EDGE)
    return log_evidence, (log_joints - log_evidence[:, None]).reshape(4, CELLS, CELLS)


def gaussian_kl(means, log_variances, log_posteriors):
    """KL of Gaussians with independent coordinates from exact posteriors, over the grid.

    Args:
        means: `(4, 2)`.
        log_variances: likewise.
        log_posteriors: what `exact` gave.

    Returns:
        Nats, `(4,)`.
    """
    means, log_variances = (np.asarray(each, "float64") for each in (means, log_variances))
    squares = (grid() - means[:, None, None]) ** 2 / np.exp(log_variances)[:, None, None]
    log_q = -0.5 * (squares + log_variances[:, None, None] + math.log(2.0 * math.pi)).sum(axis=-1)
    return (np.exp(log_q) * (log_q - log_posteriors)).sum(axis=(1, 2)) * _EDGE**2


def histogram(points):
    """Shares of points `(N, 2)` in each bin, `(BINS, BINS)`; those outside count at the edge."""
    bins = np.floor((np.asarray(points) + LIMIT) * (BINS / (2 * LIMIT)))
    bins = bins.astype(int).clip(0, BINS - 1)
    counts = np.bincount(bins[:, 1] * BINS + bins[:, 0], minlength=BINS**2)
    return counts.reshape(BINS, BINS) / len(points)


def in_bins(log_densities):
    """The probabilities of the bins, `(..., BINS, BINS)`, of log-densities over the grid."""
    per_bin = CELLS // BINS
    shape = (*log_densities.shape[:-2], BINS, per_bin, BINS, per_bin)
    return np.exp(log_densities).reshape(shape).sum(axis=(-3, -1)) * _EDGE**2


def draw_posteriors(model, draws, seed):
    """Draws from each image's posterior, `(4, draws, 2)`.

    Args:
        model: has `draw_codes(images, seed)`.
        draws: how many for each image.
        seed: a non-negative integer.
    """
    parts = []
    for start in range(0, draws, _CHUNK):
        images = np.tile(IMAGES, (min(_CHUNK, draws - start), 1, 1, 1))
        codes = np.asarray(model.draw_codes(images, np.array([seed, start], "int64")))
        parts.append(codes.reshape(-1, 4, 2).swapaxes(0, 1))
    return np.concatenate(parts, axis=1)


def compare(models, draws=500_000, seed=0):
    """Measures models of the four images beside what their decoders have exactly.

    Args:
        models: `{name: model}`, each with `decoder`, `draw_codes` and `elbo`; one whose encoder
            gives means and logarithms of variances is a Gaussian and has an exact divergence too.
        draws: of each posterior, for histograms; the model's own `elbo` takes a 25th of them.
        seed: a non-negative integer that decides them.

    Returns:
        `(metrics, clouds)`: `{name: (value, exact value or None, protocol)}` as
        `Demonstration.finish` takes it; and `{name: (draws (4, draws, 2), log-posteriors over the
        grid)}` for the picture.
    """
    metrics, clouds, bounds = {}, {}, -(-draws // 25)
    log_priors = log_prior(grid())
    by_histogram = f"histogram of {draws:,} draws per image in cells of {2 * LIMIT / BINS:.1f}"
    for name, model in models.items():
        log_evidence, log_posteriors = exact(model)
        codes = draw_posteriors(model, draws, seed)
        shares = np.stack([histogram(each) for each in codes])
        kl = rel_entr(shares, in_bins(log_posteriors)).sum(axis=(1, 2)).mean()
        aggregate_kl = rel_entr(shares.mean(axis=0), in_bins(log_priors)).sum()
        evidence, exact_kl = log_evidence.mean(), None
        if hasattr(model, "log_weights"):  # its q has a density
            parameters = np.asarray(model.encoder(IMAGES))
            exact_kl = gaussian_kl(*np.split(parameters, 2, axis=1), log_posteriors).mean()
        known = "integral over the grid" if exact_kl is not None else "evidence less that kl_nats"
        bound = np.mean(model.elbo(np.repeat(IMAGES, bounds, axis=0), seed=seed))
        metrics |= {
            f"{name}_evidence_nats": (
                evidence,
                -math.log(4.0),
                f"integral over a grid of {CELLS} x {CELLS}; beside it -log 4, the most there is",
            ),
            f"{name}_elbo_nats": (
                bound,
                evidence - (kl if exact_kl is None else exact_kl),
                f"the model's own, {bounds:,} draws per image; beside it {known}",
            ),
            f"{name}_kl_nats": (
                kl,
                exact_kl,
                f"KL of the encoder's from the exact posterior, {by_histogram}",
            ),
            f"{name}_aggregate_kl_nats": (
                aggregate_kl,
                0.0,
                f"KL of all posteriors together from the prior, {by_histogram}",
            ),
        }
        clouds[name] = (codes, log_posteriors)
    return metrics, clouds


def save_posteriors(clouds, path, shown=1500, seed=0):
    """Draws each model's posteriors beside the exact ones of its decoder, as PNG.

    Args:
        clouds: what `compare` gave.
        path: where to.
        shown: points of each posterior.
        seed: of the draws from the exact ones.
    """
    rng = np.random.default_rng(seed)
    figure = Figure(figsize=(7.2, 3.6 * len(clouds)), layout="constrained")
    axes = figure.subplots(len(clouds), 2, squeeze=False)
    for row, (name, (codes, log_posteriors)) in zip(axes, clouds.items(), strict=True):
        truth = [_draw_from_grid(each, shown, rng) for each in log_posteriors]
        titles = (f"{name}: encoder's posteriors", f"{name}: exact posteriors of its decoder")
        for axis, points, title in zip(row, (codes[:, :shown], truth), titles, strict=True):
            for each in points:
                axis.scatter(*each.T, s=2, linewidths=0, alpha=0.6)
            axis.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
            axis.set_aspect("equal")
            axis.set_title(title, fontsize="medium")
    save_figure(figure, path)


def _draw_from_grid(log_density, count, rng):
    """Points `(count, 2)` from a density over the grid, uniform within a cell."""
    share = np.exp(log_density).ravel()
    cells = rng.choice(share.size, size=count, p=share / share.sum())
    return grid().reshape(-1, 2)[cells] + _EDGE * (rng.uniform(size=(count, 2)) - 0.5)
