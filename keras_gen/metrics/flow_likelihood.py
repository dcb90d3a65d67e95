"""What a recipe of a flow reports: its likelihood, how exactly it inverts itself, samples.

The models have `log_prob_of_levels(images, seed[, labels])`, nats per image, and
`inversion_error(images[, labels])`.
"""

import numpy as np
import tensorflow as tf

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.likelihood import bits_per_dim, mean_and_standard_error

_BATCH = 250  # images that are measured at a time
_INVERTED = 1_000  # images that are taken there and back


def flow_metrics(model, data, seed=0):
    """Measures a flow on held-out images or points; a conditional one given the class.

    Args:
        model: a flow.
        data: a data set with `evaluation_batches`, `name` and `split`.
        seed: decides the dequantization, one draw for each image.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `nll_nats`; of 8-bit images an upper
        bound, and `bits_per_dim`; `inversion_error`, the largest difference of a value and the
        inverse of its latent.
    """
    values, errors = [], []
    for number, batch in enumerate(data.evaluation_batches(_BATCH, labels=model.conditional)):
        images, *labels = batch if model.conditional else (batch,)
        seeds = tf.constant([seed, number], "int64")
        log_prob = model.log_prob_of_levels(images, seeds, *labels)
        values.append(np.asarray(log_prob, "float64"))
        if number * _BATCH < _INVERTED:
            errors.append(np.asarray(model.inversion_error(images, *labels)))
    values = np.concatenate(values)
    nll, standard_error = mean_and_standard_error(-values)
    what = "points" if model.num_levels is None else "images"
    on = f"{len(values):,} {data.name} {data.split} {what}"
    on += " given labels" if model.conditional else ""
    errors = np.concatenate(errors)
    protocol = f"largest of {len(errors):,} {data.name} {data.split} {what}"
    report = {"inversion_error": (float(errors.max()), protocol)}
    if model.num_levels is None:
        protocol = f"{on}, exact density, standard error {standard_error:.3f}"
        return {"nll_nats": (nll, protocol), **report}
    protocol = f"{on}, 8 bits, uniform dequantization, one draw an image, seed {seed}"
    bits = bits_per_dim(-nll, data.example_shape)
    return {
        "bits_per_dim": (bits, protocol),
        "nll_nats": (nll, f"{protocol}, standard error over images {standard_error:.2f}"),
        **report,
    }


def save_temperatures(model, path, temperatures=(0.6, 0.8, 1.0), columns=12, seed=0):
    """Draws the same latents at several temperatures, two rows for each, as PNG.

    Args:
        model: has `sample` with `temperature`; of a conditional one the classes take turns.
        path: where to.
        temperatures: of the rows.
        columns: images in a row.
        seed: of the latents.
    """
    count = 2 * columns
    labels = np.arange(count) % model.num_classes if model.conditional else None
    images = [
        np.asarray(model.sample(count, seed=seed, labels=labels, temperature=temperature))
        for temperature in temperatures
    ]
    rows = np.reshape(images, (2 * len(temperatures), columns, *model.image_shape))
    names = [text for temperature in temperatures for text in (f"temperature {temperature}", "")]
    save_labelled_grid(rows, model.value_range, path, row_labels=names)
