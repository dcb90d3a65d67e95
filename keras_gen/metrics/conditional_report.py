"""What a conditional GAN's run folder shows of its classes, and of truncation."""

import pathlib

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure, save_labelled_grid, write_json
from keras_gen.metrics.classifier_score import classifier_score
from keras_gen.metrics.conditional import conditional_accuracy, save_class_grid
from keras_gen.metrics.evaluation_files import OWN_CLASSIFIERS
from keras_gen.metrics.extractors import get_extractor
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.images import DRAWN_AT_ONCE, draw_seed, to_bytes
from keras_gen.metrics.neighbours import precision_recall

THRESHOLDS = (None, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3)
REPORTED = 0.5  # the threshold whose values stand among a run's metrics
_COLUMNS = 12  # classes shown in the picture


def find_judge(data_name, num_classes, classifier=None):
    """The classifier that judges which class a sample is of. Call it before training.

    Args:
        data_name: name of the data set.
        num_classes: how many classes it has.
        classifier: the name or file of a classifier, see `get_extractor`; None for our own one of
            the data set.

    Returns:
        An extractor with classes; None, with a line that says so, where there is no own one.

    Raises:
        ValueError: no such classifier, or one of another number of classes.
        FileNotFoundError: no such file.
    """
    name = classifier or OWN_CLASSIFIERS.get(data_name)
    if name is None:
        print(
            f"No classifier of {data_name} comes with the package: classes will not be judged. "
            "Train one with scripts/train_classifier.py and give its file as --classifier."
        )
        return None
    judge = get_extractor(name)
    if judge.num_classes != num_classes:
        raise ValueError(
            f"classifier {name!r} has {judge.num_classes} classes and {data_name} {num_classes}: "
            "give a classifier of the data's classes."
        )
    return judge


def conditional_metrics_into(folder, model, real, judge, num_images=10_000, passes=100, seed=0):
    """Draws a trained model's classes and its truncation curve, and measures both.

    Args:
        folder: the run folder: gets `requested.png` and, with a judge, `truncation.json`,
            `truncation.png` and `truncation_curve.png`.
        model: has `sample` with labels and truncation, `num_classes` and `value_range`.
        real: held-out images, a data set.
        judge: what `find_judge` gave.
        num_images: samples that are judged; half as many at each point of the curve.
        passes: as in `measure_truncation`.
        seed: decides the samples.

    Returns:
        `{name: (value, protocol)}` for `Run.finish`: `conditional_accuracy`, and the values at the
        threshold 0.5 as `truncated_...`. Empty without a judge.
    """
    folder = pathlib.Path(folder)
    save_class_grid(model, folder / "requested.png", real.label_names)
    if judge is None:
        return {}
    metrics = {"conditional_accuracy": conditional_accuracy(model, judge, num_images, seed)}
    count = min(max(num_images // 2, 1), len(real))
    rows, images, protocol = measure_truncation(model, real, judge, THRESHOLDS, count, passes, seed)
    write_json(folder / "truncation.json", {"rows": rows, "protocol": protocol})
    save_curve(rows, judge.name, folder / "truncation_curve.png")
    names = ["no truncation" if each is None else f"|z| < {each:g}" for each in THRESHOLDS]
    save_labelled_grid(images, (0, 255), folder / "truncation.png", row_labels=names)
    (row,) = (row for row in rows if row["truncation"] == REPORTED)
    how = f"at the threshold {REPORTED}: {protocol}"
    return metrics | {
        f"truncated_{name}": (value, how) for name, value in row.items() if name != "truncation"
    }


def measure_truncation(
    model, real, judge, thresholds=THRESHOLDS, num_images=5000, passes=100, seed=0
):
    """Measures samples at each truncation of the latents: fidelity is bought with variety.

    Brock et al. 2019, arXiv:1809.11096, section 3.1. A model with
    `collect_statistics` is given the standing statistics of each threshold, as in the authors'
    published modules, and in the end those without truncation.

    Args:
        model: has `sample` with labels and truncation, `num_classes` and `value_range`.
        real: held-out images, a data set.
        judge: an extractor with classes.
        thresholds: positive numbers, or None for no truncation.
        num_images: samples at each, and real images, a random part of the set.
        passes: batches of the standing statistics.
        seed: of samples and of the choice of real images.

    Returns:
        `(rows, images, protocol)`: for each threshold a dictionary of `truncation`, `fd_<judge>`,
        `precision`, `recall`, `classifier_score` and `conditional_accuracy`; and a sample of each
        class, of 12 at most, uint8 `(thresholds, classes, H, W, C)`.
    """
    chosen = np.random.default_rng(seed).choice(len(real), num_images, replace=False)
    real_features = judge(np.asarray(real.examples)[np.sort(chosen)]).features
    labels = np.arange(num_images) % model.num_classes
    rows, shown = [], []
    for threshold in thresholds:
        _normalize_for(model, threshold, passes, seed)
        images = _sampled(model, labels, threshold, seed)
        shown.append(images[: min(model.num_classes, _COLUMNS)])
        features, probabilities = judge(images)
        precision, recall = precision_recall(real_features, features)
        rows.append(
            {
                "truncation": threshold,
                f"fd_{judge.name}": frechet_distance(real_features, features),
                "precision": precision,
                "recall": recall,
                "classifier_score": classifier_score(probabilities, min(10, num_images))[0],
                "conditional_accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
            }
        )
    _normalize_for(model, None, passes, seed)
    statistics = f", {passes} passes of statistics" if _has_statistics(model) else ""
    protocol = (
        f"{num_images:,} generated, classes in turn, against {num_images:,} of "
        f"{real.name}/{real.split}, {judge.description}, 3 neighbours{statistics}, seed {seed}"
    )
    return rows, np.stack(shown), protocol


def save_curve(rows, extractor_name, path):
    """Plots what `measure_truncation` gave: distance against score, and precision against recall.

    Args:
        rows: the rows.
        extractor_name: the judge's name.
        path: where to, PNG. Points carry their thresholds.
    """
    figure = Figure(figsize=(10.0, 4.5), layout="constrained")
    axes = figure.subplots(1, 2)
    pairs = (("classifier_score", f"fd_{extractor_name}"), ("recall", "precision"))
    for axis, (across, up) in zip(axes, pairs, strict=True):
        axis.plot([row[across] for row in rows], [row[up] for row in rows], marker="o")
        for row in rows:
            threshold = row["truncation"]
            text = "none" if threshold is None else f"{threshold:g}"
            point = (row[across], row[up])
            axis.annotate(text, point, xytext=(6, 6), textcoords="offset points")
        axis.set_xlabel(across)
        axis.set_ylabel(up)
        axis.margins(0.15)  # room for the labels
        axis.grid(alpha=0.3)
    figure.suptitle("Truncation", fontsize="medium")
    save_figure(figure, path)


def _has_statistics(model):
    return getattr(model, "collect_statistics", None) is not None


def _normalize_for(model, threshold, passes, seed):
    if _has_statistics(model):
        model.collect_statistics(passes, seed=seed, truncation=threshold)


def _sampled(model, labels, threshold, seed):
    """A sample of each label, uint8 `(N, H, W, C)`."""
    parts = []
    for number, start in enumerate(range(0, len(labels), DRAWN_AT_ONCE)):
        asked = labels[start : start + DRAWN_AT_ONCE]
        images = model.sample(
            len(asked), seed=draw_seed(seed, number), labels=asked, truncation=threshold
        )
        parts.append(to_bytes(images, model.value_range))
    return np.concatenate(parts)
