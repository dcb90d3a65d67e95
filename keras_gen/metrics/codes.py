"""What codes are like: whether they fill the prior, and what a linear classifier reads from them.

The squared maximum mean discrepancy (MMD) of the aggregated posterior from the prior (Gretton et
al. 2012, JMLR 13; with this kernel Tolstikhin et al. 2018, arXiv:1711.01558, section 4):

    kernel(x, y) = C / (C + |x - y|^2),   C = E|z - z'|^2 of two latents from the prior
    MMD = mean kernel of different codes + mean kernel of different latents
          - 2 mean kernel of a code and a latent

0 for equal distributions, unbiased, so it may fall below zero; the kernel lies in (0, 1] and does
not change with the prior's scale.

Shapes: codes and latents (N, D).
"""

import math

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics.pairwise import euclidean_distances

from keras_gen.artifacts import save_figure
from keras_gen.metrics.likelihood import reconstruction_error
from keras_gen.metrics.likelihood_report import first_images
from keras_gen.metrics.probes import linear_probe

_BATCH = 250


def prior_mmd(codes, latents):
    """The squared maximum mean discrepancy of codes from latents of the prior.

    Args:
        codes: `(N, D)`, N at least 2: draws from posteriors of images.
        latents: `(M, D)`, M at least 2: draws from the prior.

    Returns:
        A float, at most 2.

    Raises:
        ValueError: other shapes, or fewer rows.
    """
    codes, latents = np.asarray(codes, "float64"), np.asarray(latents, "float64")
    if not (codes.ndim == latents.ndim == 2 and codes.shape[1] == latents.shape[1]):
        raise ValueError(
            f"codes of shape {codes.shape}, latents of shape {latents.shape}: give (N, D) and "
            "(M, D)."
        )
    if min(len(codes), len(latents)) < 2:
        raise ValueError(f"{len(codes)} codes and {len(latents)} latents: give at least 2 of each.")
    scale = 2.0 * np.var(latents, axis=0, ddof=1).sum()

    def kernel_mean(first, second, same):
        kernel = scale / (scale + euclidean_distances(first, second, squared=True))
        if not same:
            return kernel.mean()
        count = len(first)
        return (kernel.sum() - np.trace(kernel)) / (count * (count - 1))

    return float(
        kernel_mean(codes, codes, True)
        + kernel_mean(latents, latents, True)
        - 2.0 * kernel_mean(codes, latents, False)
    )


def code_metrics(model, train, test, seed=0, num_codes=10_000, targets=None):
    """Measures reconstructions and codes of held-out images.

    Args:
        model: has `encode`, `reconstruct` and `draw_latents`; and `draw_codes(images, seed)`, a
            draw from each posterior, where it is more than `encode` gives.
        train: the training images, a data set; with labels, for the probe.
        test: held-out images, likewise.
        seed: a non-negative integer.
        num_codes: images of each split, and latents, at most.
        targets: what reconstructions of `test` are compared with, a data set in its order: for
            binarized images those before that. None for `test` itself.

    Returns:
        `{name: (value, protocol)}`: what `reconstruction_error` gives, `prior_mmd`, and with
        labels `probe_accuracy`, of `linear_probe` on `encode`.
    """
    images = first_images(test, num_codes)
    protocol = f"{len(images):,} {test.name} {test.split} images"
    compared = None if targets is None else first_images(targets, num_codes)
    errors = reconstruction_error(model, images, targets=compared)
    suffix = "" if targets is None else ", reconstructions compared with the images before that"
    metrics = {name: (error, protocol + suffix) for name, error in errors.items()}
    codes = _aggregated_posterior(model, images, seed)
    latents = np.asarray(model.draw_latents(len(codes), np.array([seed, 0], "int64")))
    metrics["prior_mmd"] = (
        prior_mmd(codes, latents),
        f"codes of {protocol} against as many latents, inverse multiquadratic kernel, seed {seed}",
    )
    if train.labels is not None and test.labels is not None:
        kept = first_images(train, num_codes)
        probe = linear_probe(
            _in_batches(model.encode, kept),
            train.labels[: len(kept)],
            _in_batches(model.encode, images),
            test.labels[: len(images)],
            seed=seed,
        )
        metrics["probe_accuracy"] = (
            probe.accuracy,
            f"logistic regression on codes of {len(kept):,} {train.split} images, {protocol}",
        )
    return metrics


def _aggregated_posterior(model, images, seed):
    """A code from each image's posterior, `(N, D)`; none has the noise of a latent drawn above."""
    draw = getattr(model, "draw_codes", None)
    if draw is None:
        return _in_batches(model.encode, images)
    starts = range(0, len(images), _BATCH)
    seeds = [np.array([seed, at + 1], "int64") for at in starts]
    parts = [images[at : at + _BATCH] for at in starts]
    return np.concatenate([np.asarray(draw(*each)) for each in zip(parts, seeds, strict=True)])


def _in_batches(function, images):
    """A function's results for images, `(N, D)`, a bounded number at a time."""
    starts = range(0, len(images), _BATCH)
    return np.concatenate([np.asarray(function(images[at : at + _BATCH])) for at in starts])


def classification_error(model, test, num_labels):
    """The share of held-out images that a semi-supervised model puts into a wrong class.

    Args:
        model: has `classify`, probabilities `(B, num_classes)` of images.
        test: held-out images with labels, a data set.
        num_labels: how many labels it was trained with, for the protocol.

    Returns:
        `{"classification_error": (value, protocol)}`.
    """
    images = first_images(test, len(test))
    wrong = _in_batches(model.classify, images).argmax(axis=1) != test.labels
    protocol = f"{len(images):,} {test.name} {test.split} images, {num_labels:,} training labels"
    error = math.sqrt(wrong.var() / len(wrong))
    how = f"{protocol}, standard error {error:.4f}"
    return {"classification_error": (wrong.mean(), how)}


def save_code_space(model, data, path, num_codes=5000, seed=0):
    """Draws codes in the plane, by class, beside latents of the prior, as PNG.

    Args:
        model: has `encode` and `draw_latents` with two numbers each.
        data: a data set, whose labels give the colours where there are some.
        path: where to.
        num_codes: points of each kind.
        seed: of the latents.
    """
    images = first_images(data, num_codes)
    codes = _in_batches(model.encode, images)
    latents = np.asarray(model.draw_latents(len(codes), np.array([seed, 0], "int64")))
    figure = Figure(figsize=(11, 5), layout="constrained")
    prior, posterior = figure.subplots(1, 2)
    prior.scatter(*latents.T, s=2, color="grey")
    prior.set_title("prior")
    colours = None if data.labels is None else data.labels[: len(codes)]
    points = posterior.scatter(*codes.T, s=2, c=colours, cmap="tab10")
    posterior.set_title(f"codes of {len(codes):,} {data.split} images")
    if colours is not None:
        figure.colorbar(points, ax=posterior, label="class")
    low, high = np.quantile(latents, [0, 1])
    for axis in (prior, posterior):
        axis.set(aspect="equal", xlim=(1.2 * low, 1.2 * high), ylim=(1.2 * low, 1.2 * high))
    save_figure(figure, path)
