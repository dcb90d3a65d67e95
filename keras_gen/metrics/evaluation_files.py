"""An evaluation as files: numbers with protocols, the classes, and the samples nearest to training.

The command line and the recipes end in the same function.
"""

import pathlib

from keras_gen.artifacts import write_json
from keras_gen.metrics.evaluation import evaluate_samples
from keras_gen.metrics.extractors import get_extractor
from keras_gen.metrics.memorization import save_memorization_grid
from keras_gen.metrics.report import save_class_histogram

OWN_CLASSIFIERS = {"mnist": "mnist", "digits": "mnist", "fashion_mnist": "fashion_mnist"}


def extractor_for(data_name):
    """The feature extractor that fits a data set: our own classifier of it, else Inception.

    Raises:
        FileNotFoundError: there is none of our own, and Inception's weights cannot be fetched.
    """
    return get_extractor(OWN_CLASSIFIERS.get(data_name, "inception"))


def write_evaluation(evaluation, paths, training=None):
    """Writes what an evaluation found.

    Args:
        evaluation: an `Evaluation`.
        paths: three: of the numbers (JSON), of the histogram of classes (PNG), which is left out
            where the extractor has none, and of the samples nearest to training images (PNG),
            left out without `training`.
        training: the training images, uint8 `(N, H, W, C)`, or None.

    Returns:
        The paths that were written.
    """
    numbers, classes, nearest = paths
    write_json(numbers, evaluation.as_dict())
    written = [numbers]
    if "class_counts" in evaluation.details:
        save_class_histogram(evaluation, classes)
        written.append(classes)
    if training is not None:
        save_memorization_grid(evaluation.memorization, evaluation.images, training, nearest)
        written.append(nearest)
    return written


def evaluate_into(folder, model, real, training, *, extractor=None, num_images=10_000, seed=0):
    """Evaluates a trained model's samples and leaves the files in its run folder.

    Args:
        folder: the run folder: gets `evaluation.json`, `classes.png`, `nearest_training.png`.
        model: the trained model.
        real: the held-out images, a data set.
        training: the training images, a data set.
        extractor: a feature extractor, or None for the one that fits the data.
        num_images: how many samples and held-out images, at most.
        seed: of the samples and of all random choices.

    Returns:
        `{name: (value, protocol)}` for `Run.finish`; empty, with a line that says why, where no
        feature extractor can be had for such images.
    """
    try:
        extractor = extractor or extractor_for(real.name)
    except OSError as error:
        print(f"\nNo metrics of the samples: {error}")
        return {}
    evaluation = evaluate_samples(
        model, real, extractor=extractor, training=training, num_images=num_images, seed=seed
    )
    names = ("evaluation.json", "classes.png", "nearest_training.png")
    paths = [pathlib.Path(folder) / name for name in names]
    write_evaluation(evaluation, paths, training.examples)
    print(f"\n{evaluation}")
    return evaluation.metrics
