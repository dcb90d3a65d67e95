"""Completions of images that are seen in part: the nearest-neighbour baseline, and likelihoods."""

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.likelihood import elbo, importance_log_likelihood
from keras_gen.metrics.likelihood_report import first_images

_AT_ONCE = 500  # images whose neighbours are looked for at a time


def neighbour_completions(train_images, images, seen, count=1):
    """Completes images by what their nearest training images show where they are not seen.

    Distances are Euclidean, between seen pixels.

    Args:
        train_images: `(N, H, W, C)`, uint8 or in [0, 1].
        images: `(M, H, W, C)`, the same type; what is not seen of them is not looked at.
        seen: bool `(H, W, C)`.
        count: neighbours of each image, k, whose mean is taken.

    Returns:
        float32 `(M, H, W, C)` in [0, 1]: the seen pixels as they are, and in place of the others
        the mean of the neighbours'.

    Raises:
        ValueError: arguments that do not fit together.
    """
    from sklearn.neighbors import NearestNeighbors

    if train_images.dtype != images.dtype or not 1 <= count <= len(train_images):
        raise ValueError(
            f"count={count}, {len(train_images)} train_images of type {train_images.dtype} and "
            f"images of type {images.dtype}: give at least {count} of one type."
        )
    if seen.shape != images.shape[1:] or seen.dtype != bool or seen.all() or not seen.any():
        raise ValueError(
            f"seen of type {seen.dtype} and shape {seen.shape}: give a bool for each pixel of "
            f"{images.shape[1:]}, some True and some False."
        )
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    train_seen, images_seen = (
        (each[:, seen] / scale).astype("float32") for each in (train_images, images)
    )
    index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(train_seen)
    missing = (train_images[:, ~seen] / scale).astype("float32")
    completions = np.empty(images.shape, "float32")
    completions[:, seen] = images_seen
    for start in range(0, len(images), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        neighbours = index.kneighbors(images_seen[block], return_distance=False)
        completions[block, ~seen] = missing[neighbours].mean(axis=1)
    return completions


def completion_nll_nats(images, completions, seen, draws=np.inf):
    """Cross-entropy of the pixels that are not seen, in nats per image.

    `-sum [x log p + (1 - x) log(1 - p)]`, p the completion's pixel. A mean of k pictures may be
    black or white for certain and be wrong: given `draws`, k, p becomes `(k p + 1/2) / (k + 1)`,
    the estimate of a Bernoulli probability from k draws under Jeffreys' prior.

    Args:
        images: `(N, H, W, C)` in [0, 1].
        completions: the same.
        seen: bool `(H, W, C)`.
        draws: k, or infinity for completions that are probabilities themselves.

    Returns:
        float64 `(N,)`.
    """
    x = images[:, ~seen].astype("float64")
    p = completions[:, ~seen].astype("float64")
    if np.isfinite(draws):
        p = (draws * p + 0.5) / (draws + 1.0)
    p = np.clip(p, 1e-7, 1.0 - 1e-7)
    return -np.sum(x * np.log(p) + (1.0 - x) * np.log1p(-p), axis=1)


def completion_metrics(model, train, test, neighbours=20, importance_samples=100, seed=0):
    """Measures a model that completes images, beside its baseline and nearest neighbours.

    Args:
        model: has `log_weights` of what is missing given what is seen, `guess` and `seen`.
        train: the data set that it was trained on, where the neighbours come from.
        test: held-out images in the value range (0, 1), a data set.
        neighbours: how many of each image's are averaged.
        importance_samples: draws per image for `nll_nats`; a tenth of them for `elbo_nats`.
        seed: a non-negative integer that decides the draws.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `nll_nats`, the negative of the
        importance-weighted estimate of log p(missing | seen), `elbo_nats`, the lower bound of it,
        `baseline_nll_nats` of the one guess and `neighbours_nll_nats` of the mean of neighbours.
    """
    images = first_images(test, len(test))
    estimate = importance_log_likelihood(model, images, importance_samples, seed)
    draws = max(1, importance_samples // 10)
    near = neighbour_completions(train.examples, test.examples, model.seen, neighbours)
    guesses = np.asarray(model.guess(images))
    protocol = f"missing pixels of {len(test):,} {test.name} {test.split} images, grey, "
    protocol += f"{model.seen.mean():.0%} of the pixels seen"
    return {
        "nll_nats": (
            -estimate.log_likelihood_nats.mean(),
            f"{protocol}, {importance_samples:,} importance samples an image, seed {seed}",
        ),
        "elbo_nats": (
            elbo(model, images, draws, seed).mean(),
            f"{protocol}, {draws:,} draws an image, seed {seed}",
        ),
        "baseline_nll_nats": (completion_nll_nats(images, guesses, model.seen).mean(), protocol),
        "neighbours_nll_nats": (
            completion_nll_nats(images, near, model.seen, neighbours).mean(),
            f"{protocol}, mean of {neighbours} training images, Jeffreys' prior",
        ),
    }


def save_completions(model, train, test, path, neighbours=20, num_images=10, num_draws=5):
    """Draws images, what is seen of them, and their completions, as PNG.

    Args:
        model: has `guess`, `complete` and `seen`.
        train: the data set that neighbours come from.
        test: a data set whose first images are completed.
        path: where to.
        neighbours: how many of each image's are averaged.
        num_images: how many images, a column each.
        num_draws: how many completions of each by the model.
    """
    images = first_images(test, num_images)
    grey = np.mean(model.value_range)
    rows = {
        "seen": np.where(model.seen, images, grey),
        "image": images,
        f"{neighbours} neighbours": neighbour_completions(
            train.examples, test.examples[:num_images], model.seen, neighbours
        ),
        "one guess": model.guess(images),
    }
    rows |= {f"draw {number}": model.complete(images, number) for number in range(num_draws)}
    pictures = np.stack([np.asarray(row) for row in rows.values()])
    save_labelled_grid(pictures, model.value_range, path, row_labels=list(rows))
