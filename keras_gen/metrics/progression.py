"""Whether images progressed to other values of an attribute show it, and what else changed.

A classifier of all factors, which was trained on real images, reads each test image and what the
model makes of it at every other value of the attribute.

Shapes: images (B, H, W, C); progressed images (B, K, H, W, C), K values of the attribute.
"""

import keras
import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.factors import factor_accuracy, factor_sizes
from keras_gen.metrics.likelihood_report import first_images

_BATCH = 64  # images progressed at a time: K times as many are held


def progression_metrics(model, judge, data, num_images=2000):
    """Measures how well a model's `progress` shows what is asked for and keeps the rest.

    Of each image all values are asked for but the one that it has, by its label. What is read in
    the progressed image is compared with what was asked for and, for the other factors, with what
    is read in the image itself.

    Args:
        model: has `progress(images)`, which gives `(B, num_classes, H, W, C)`, `reconstruct` with
            labels, and `value_range`.
        judge: a network from images to `{factor: logits (B, K)}`, as `train_factor_classifier`
            gives it, trained on other images than these.
        data: held-out images whose labels are one of their factors.
        num_images: how many of the first images at most.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `progressed_accuracy`, the share of
        progressed images in which the value asked for is read; `kept_<name>` for each other
        factor, the share in which the same value is read as in the image;
        `factor_accuracy`, how often the judge reads the images themselves right, the mean over all
        factors; and `reconstruction_mse`, the squared error per pixel, the value range taken as
        [0, 1], of the images under their own labels.

    Raises:
        ValueError: the labels are none of the set's factors, or the model knows a single value.
    """
    factor = labelled_factor(data)
    images, labels = first_images(data, num_images), np.asarray(data.labels)[:num_images]
    low, high = model.value_range
    shown, squares = 0, 0.0
    kept = {name: 0 for name in data.factors if name != factor}
    for start in range(0, len(images), _BATCH):
        batch, own = images[start : start + _BATCH], labels[start : start + _BATCH]
        progressed = np.asarray(model.progress(batch))  # (B, K, H, W, C)
        count, values = progressed.shape[:2]
        if values < 2:
            raise ValueError(f"model knows one value of {factor}: there is no other to ask for.")
        before, after = (
            _read(judge, each) for each in (batch, progressed.reshape(-1, *batch.shape[1:]))
        )
        others = np.arange(values) != own[:, None]  # (B, K)
        after = {name: each.reshape(count, values) for name, each in after.items()}
        shown += int(((after[factor] == np.arange(values)) & others).sum())
        for name in kept:
            kept[name] += int(((after[name] == before[name][:, None]) & others).sum())
        means = np.asarray(model.reconstruct(batch, own), "float64")
        squares += (((means - batch) / (high - low)) ** 2).sum()
    total = len(images) * (values - 1)
    accuracy = factor_accuracy(judge, data)
    what = f"{len(images):,} {data.name} {data.split} images"
    asked = f"{total:,} progressions of {what} to each other of {values} values of {factor}"
    return {
        "progressed_accuracy": (
            shown / total,
            f"share in which a classifier reads the value asked for, of {asked}",
        ),
        "factor_accuracy": (
            sum(accuracy.values()) / len(accuracy),
            f"mean of {', '.join(accuracy)} on {len(data):,} {data.name} {data.split} images",
        ),
        "reconstruction_mse": (squares / images.size, f"{what}, {factor} given"),
    } | {
        f"kept_{name}": (
            number / total,
            f"share in which a classifier reads the same {name} as before, of {asked}",
        )
        for name, number in kept.items()
    }


def labelled_factor(data):
    """The name of the factor that the labels of a data set are.

    Raises:
        ValueError: they are none.
    """
    for name in factor_sizes(data):
        if np.array_equal(data.labels, data.factors[name]):
            return name
    raise ValueError(
        f"The labels of {data.name} are none of its factors {', '.join(data.factors)}: label it by "
        "one, with keras_gen.data.label_by_factor."
    )


def save_progression(model, data, path, num_images=10):
    """Draws images, each followed by what it becomes at every value of the attribute, as PNG.

    Args:
        model: has `progress(images)` and `value_range`.
        data: held-out images; with `label_names`, the columns carry them.
        path: where to.
        num_images: rows: the first images of the set.
    """
    images = first_images(data, num_images)
    progressed = np.asarray(model.progress(images))
    rows = np.concatenate([images[:, None], progressed], axis=1)
    names = list(map(str, data.label_names or range(progressed.shape[1])))
    save_labelled_grid(rows, model.value_range, path, column_labels=["image", *names])


def _read(judge, images):
    """What a classifier reads in images: `{factor: integers (B,)}`."""
    logits = judge(images)
    return {
        name: np.argmax(keras.ops.convert_to_numpy(each), axis=-1) for name, each in logits.items()
    }
