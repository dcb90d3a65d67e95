"""Whether translations between two domains keep the class of an image, and lead back to it.

Two classifiers judge, each trained on real images of its own domain: a translation is shown to that
of the domain it was translated to. What it says of images that were not translated is the number to
compare with.

Shapes: images (N, H, W, C) of either domain, in the model's value range.
"""

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.extractors import SHIPPED, get_extractor
from keras_gen.metrics.images import to_bytes
from keras_gen.metrics.likelihood_report import first_images


def translation_metrics(model, test, judges=None):
    """Measures a model that translates, on held-out images of both domains.

    Args:
        model: has `translate`, with the name of the domain to translate to, and `value_range`.
        test: held-out images: `a` and `b` are data sets.
        judges: classifiers as `get_extractor` gives them, of a and of b. By default those that come
            with the package, as far as there are some for sets of these names.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `cycle_a_loss` and `cycle_b_loss`,
        the mean absolute difference of an image and its reconstruction; and, where both domains
        have the same classes and there is a classifier, `kept_class_a_to_b`, the share of images of
        a in whose translations the classifier of b reads their class, the same with
        `_untranslated` for the images themselves, and both from b to a.

    Raises:
        ValueError: a judge of other classes than the images have.
    """
    judge_a, judge_b = judges or (shipped_classifier(test.a), shipped_classifier(test.b))
    return {
        **_one_way(model, test.a, test.b, judge_b, "a", "b"),
        **_one_way(model, test.b, test.a, judge_a, "b", "a"),
    }


def shipped_classifier(data):
    """The classifier that comes with the package for a data set, by its name, or None."""
    return get_extractor(data.name) if data.name in SHIPPED else None


def same_classes(first, second):
    """Whether both sets are labelled with the same classes."""
    if first.labels is None or second.labels is None:
        return False
    return (first.num_classes, first.label_names) == (second.num_classes, second.label_names)


def _one_way(model, data, target, judge, domain, to):
    images = first_images(data, len(data))
    translations = np.asarray(model.translate(images, to=to))
    back = np.asarray(model.translate(translations, to=domain))
    low, high = model.value_range
    what = f"{len(images):,} {data.name}/{data.split} images"
    metrics = {
        f"cycle_{domain}_loss": (
            float(np.abs(back - images).mean()),
            f"mean absolute difference of {what} and their reconstructions by way of {to}, pixels "
            f"in [{low:g}, {high:g}]",
        )
    }
    if judge is None or not same_classes(data, target):
        return metrics
    if judge.num_classes != data.num_classes:
        raise ValueError(
            f"judge {judge.name!r} has {judge.num_classes} classes and {data.name} "
            f"{data.num_classes}: give a classifier of the images' classes."
        )
    own = _share_read(judge, target.examples, target.labels)
    protocol = (
        f"share of {what}, {{}}, whose class is read by {judge.description}, which reads {own:.2%} "
        f"of {target.name}/{target.split} at this size"
    )
    name, shown = f"kept_class_{domain}_to_{to}", to_bytes(translations, model.value_range)
    return metrics | {
        name: (_share_read(judge, shown, data.labels), protocol.format("translated")),
        f"{name}_untranslated": (
            _share_read(judge, data.examples, data.labels),
            protocol.format("as they are"),
        ),
    }


def _share_read(judge, images, labels):
    """The share of images `(N, H, W, C)`, uint8, that a classifier reads right."""
    return float(np.mean(judge(images).probabilities.argmax(axis=1) == labels))


def save_translations(model, test, path, columns=10):
    """Draws images of both domains, each above its translation and its reconstruction, as PNG.

    Args:
        model: as in `translation_metrics`.
        test: as in `translation_metrics`; the first images of each domain are shown.
        path: where to.
        columns: images of each domain.
    """
    columns = min(columns, len(test.a), len(test.b))
    rows = []
    for data, domain, other in ((test.a, "a", "b"), (test.b, "b", "a")):
        images = first_images(data, columns)
        translations = model.translate(images, to=other)
        rows += [images, translations, model.translate(translations, to=domain)]
    labels = ["a", "a to b", "and back", "b", "b to a", "and back"]
    save_labelled_grid(np.stack(rows), model.value_range, path, row_labels=labels)
