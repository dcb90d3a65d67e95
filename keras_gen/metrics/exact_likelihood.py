"""What a recipe of a model with exact likelihoods reports: numbers, in-painting, a movie.

The models have `log_prob(images[, labels])`, nats per image; `inpaint(images, known, seed[,
labels])` for the pictures.
"""

import numpy as np

from keras_gen.artifacts import image_grid, save_frames, save_labelled_grid
from keras_gen.metrics.likelihood import bits_per_dim, mean_and_standard_error
from keras_gen.metrics.likelihood_report import first_images

_BATCH = 250  # images that are measured at a time


def exact_likelihood_metrics(model, data):
    """Measures a model's log-likelihood on held-out images; a conditional model's given the class.

    Args:
        model: has `log_prob`, and `conditional`: whether it takes labels.
        data: a data set with `evaluation_batches`, `name`, `split` and `binarization`.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `nll_nats` per image and
        `bits_per_dim`, which compares with those of 8-bit images only where pixels are not
        binarized.
    """
    values = []
    for batch in data.evaluation_batches(_BATCH, labels=model.conditional):
        images, *labels = batch if model.conditional else (batch,)
        values.append(np.asarray(model.log_prob(images, *labels), "float64"))
    values = np.concatenate(values)
    nll, error = mean_and_standard_error(-values)
    given = " given labels" if model.conditional else ""
    protocol = f"{len(values):,} {data.name} {data.split} images{given}, {data.binarization}, exact"
    return {
        "nll_nats": (nll, f"{protocol}, standard error over images {error:.2f}"),
        "bits_per_dim": (bits_per_dim(-nll, data.example_shape), protocol),
    }


def save_inpaintings(model, data, path, num_images=10, draws=3, seed=0):
    """Draws the lower halves of test images anew, given the upper ones, as PNG.

    Args:
        model: has `inpaint`, `value_range` and `conditional`.
        data: a data set with `evaluation_batches`.
        path: where to.
        num_images: how many of the first ones.
        draws: rows of completions.
        seed: of the first row.
    """
    images = first_images(data, num_images)
    known = np.arange(images.shape[1])[:, None] < images.shape[1] // 2
    known = np.broadcast_to(known, images.shape[1:3])
    options = {"labels": np.asarray(data.labels[:num_images])} if model.conditional else {}
    completions = [model.inpaint(images, known, seed + row, **options) for row in range(draws)]
    grey = np.mean(model.value_range)
    given = np.where(known[..., None], images, grey)
    labels = ["image", "given", *["drawn"] * draws]
    save_labelled_grid(
        np.stack([images, given, *completions]), model.value_range, path, row_labels=labels
    )


def save_drawing(images, value_range, path, frames=56):
    """Shows images as they are drawn, pixel after pixel in raster order, as GIF.

    Args:
        images: `(N, H, W, C)` in `value_range`; an autoregressive model never returns to a pixel,
            so its finished images hold all that came before.
        value_range: `(low, high)`.
        path: where to.
        frames: how many pictures.
    """
    images = np.asarray(images)
    height, width = images.shape[1:3]
    order = np.arange(height * width).reshape(height, width, 1)
    pictures = [
        image_grid(np.where(order < drawn, images, np.mean(value_range)), value_range)
        for drawn in np.linspace(0, height * width, frames).astype(int)
    ]
    save_frames(pictures, path)
