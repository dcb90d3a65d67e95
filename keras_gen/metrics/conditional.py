"""Models that take labels: whether they draw what was asked for, and their likelihoods."""

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.images import image_blocks
from keras_gen.metrics.likelihood import (
    elbo,
    importance_log_likelihood,
    mean_and_standard_error,
)
from keras_gen.metrics.likelihood_report import first_images

_BLOCK = 500  # images that the classifier sees at a time


def conditional_accuracy(model, extractor, num_images=10_000, seed=0):
    """Share of samples that a classifier takes for the class that was asked for.

    Args:
        model: has `sample` with labels, `num_classes` and `value_range`.
        extractor: a classifier, such as `get_extractor("mnist")`, of the same classes.
        num_images: how many samples, the classes in turn.
        seed: decides the samples.

    Returns:
        `(share, protocol)`.

    Raises:
        ValueError: the extractor has other classes than the model, or none.
    """
    if extractor.num_classes != model.num_classes:
        raise ValueError(
            f"extractor {extractor.name!r} has {extractor.num_classes} classes and the model "
            f"{model.num_classes}: give a classifier of the model's classes."
        )
    labels = np.arange(num_images) % model.num_classes
    answers = [
        extractor(block).probabilities.argmax(axis=1)
        for block in image_blocks(model, num_images, seed=seed, labels=labels, block_size=_BLOCK)
    ]
    share = np.mean(np.concatenate(answers) == labels)
    protocol = f"{num_images:,} samples, seed {seed}, classes in turn, {extractor.description}"
    return float(share), protocol


def conditional_likelihoods(model, data, importance_samples=200, seed=0):
    """Measures a conditional model with a bound on held-out images, given their labels.

    Args:
        model: has `log_weights` with labels.
        data: a labelled data set with `evaluation_batches`, `name`, `split` and `binarization`.
        importance_samples: draws of a latent per image for `nll_nats`.
        seed: a non-negative integer that decides the draws.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `nll_nats`, the negative of the
        importance-weighted estimate of log p(image | label), and `elbo_nats`, the evidence lower
        bound of it from one draw.
    """
    images, labels = first_images(data, len(data)), np.asarray(data.labels)
    estimate = importance_log_likelihood(model, images, importance_samples, seed, labels=labels)
    nll, nll_error = mean_and_standard_error(-estimate.log_likelihood_nats)
    bound, bound_error = mean_and_standard_error(elbo(model, images, seed=seed, labels=labels))
    protocol = f"{len(images):,} {data.name} {data.split} images given labels, {data.binarization}"
    return {
        "nll_nats": (
            nll,
            f"{protocol}, {importance_samples:,} importance samples an image, seed {seed}, "
            f"standard error over images {nll_error:.2f}",
        ),
        "elbo_nats": (
            bound,
            f"{protocol}, one draw an image, seed {seed}, standard error {bound_error:.2f}",
        ),
    }


def save_class_grid(model, path, label_names=None, columns=10, seed=0):
    """Draws a row of samples of each class, as PNG.

    With a model that decodes latents, all images of a column share their latent: rows differ in the
    class alone.

    Args:
        model: has `sample` with labels, `num_classes` and `value_range`.
        path: where to.
        label_names: names by label, or None.
        columns: images of each class.
        seed: decides the samples.
    """
    rows = [
        np.asarray(model.sample(columns, seed=seed, labels=np.full(columns, label)))
        for label in range(model.num_classes)
    ]
    names = list(map(str, label_names or range(model.num_classes)))
    save_labelled_grid(np.stack(rows), model.value_range, path, row_labels=names)
