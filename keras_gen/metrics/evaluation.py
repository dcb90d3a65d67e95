"""All sample metrics of a generator at once, each with the protocol that its value depends on."""

import contextlib
import time

import numpy as np

from keras_gen.metrics.classifier_score import classifier_score
from keras_gen.metrics.extraction import conversion_note
from keras_gen.metrics.extractors import get_extractor
from keras_gen.metrics.frechet import frechet_distance
from keras_gen.metrics.images import image_blocks, is_model
from keras_gen.metrics.kernel import kernel_distance
from keras_gen.metrics.memorization import memorization
from keras_gen.metrics.neighbours import prdc
from keras_gen.metrics.report import Evaluation
from keras_gen.metrics.sliced_wasserstein import sliced_wasserstein

_SUBSETS, _SUBSET_SIZE = 100, 1000  # of the kernel distance
_NEIGHBOURS = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}
_SCORE_PARTS = 10
_DIRECTIONS = 512
_MOST_FEATURES = 4096  # a Frechet distance takes time in their cube
_MOST_PIXELS = 2**26  # of a set, for the sliced Wasserstein distance: 512 MiB in float64


def evaluate_samples(
    generated,
    real,
    *,
    extractor,
    training=None,
    num_images=10_000,
    seed=0,
    value_range=None,
    labels=None,
    progress=None,
):
    """Measures generated images against real ones.

    Metrics: `fd_<extractor>`, `kd_<extractor>`, `precision`, `recall`, `density`, `coverage`,
    `sliced_wasserstein` (of pixels), and with an extractor that has classes `classifier_score` and
    `class_entropy_nats` (of their histogram); with training images `memorization_share`. Values by
    another extractor, another real set or other numbers of images cannot be compared.

    Args:
        generated: a model, or any other source that `image_blocks` takes.
        real: a data set of held-out images, or another such source.
        extractor: a feature extractor, or its name or path for `get_extractor`.
        training: the images that the model was trained on, as a data set or array, or None.
        num_images: how many of each; a smaller stored set is taken whole. Of a larger stored set a
            random part is taken, of a stream the first.
        seed: of a model's noise and of all random choices; an integer of at least 0.
        value_range: `(low, high)` of float images; by default a model's own.
        labels: for conditional models, as in `image_blocks`.
        progress: None, or a callable that is given the name of each part when it begins.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: images of different sizes, a real set that is the training set, more features
            than a Frechet distance can take, or what `image_blocks` and the metrics raise.
    """
    if not callable(extractor):
        extractor = get_extractor(extractor)
    _check_held_out(real, training)
    clock = _Clock(progress)
    with clock("real images"):
        real_images, real_part = _collect(real, num_images, seed, value_range, None)
    with clock("generated images"):
        images, part = _collect(generated, num_images, seed, value_range, labels)
    _check_comparable(images, real_images, extractor)
    with clock("features of generated images"):
        found = extractor(images)
    with clock("features of real images"):
        real_found = extractor(real_images)

    conversion = conversion_note(images.shape[1:], extractor.image_shape)
    sets = (
        f"{len(images):,} generated{part} against {len(real_images):,} of {_label(real)}{real_part}"
    )
    details = {
        "generated": _label(generated),
        "real": _label(real),
        "sets": sets,
        "num_generated": len(images),
        "num_real": len(real_images),
        "extractor": extractor.description,
        "conversion": conversion,
        "seed": seed,
        "seconds": clock.seconds,
    }
    # name -> (value, what its protocol adds to the common one)
    measured = _compare_features(details, clock, extractor.name, found, real_found, seed)
    measured |= _compare_pixels(clock, images, real_images, seed)
    if found.probabilities is not None:
        measured |= _judge_classes(details, clock, extractor, found, real_found, seed)
    result = None
    if training is not None:
        result, more = _check_memorization(
            clock, extractor, found, real_found, training, value_range
        )
        details["memorization"] = result.numbers()
        measured |= more
    protocol = f"{sets}, {extractor.description}, {conversion}, seed {seed}"
    metrics = {name: (value, protocol + how) for name, (value, how) in measured.items()}
    return Evaluation(metrics, details, images, result)


class _Clock:
    """Seconds by part."""

    def __init__(self, progress):
        self.seconds, self._progress = {}, progress

    @contextlib.contextmanager
    def __call__(self, part):
        if self._progress:
            self._progress(part)
        start = time.perf_counter()
        yield
        self.seconds[part] = round(time.perf_counter() - start, 3)


# ---------------------------------------------------------------------- images


def _collect(source, num_images, seed, value_range, labels):
    """Images of a source, uint8 `(N, H, W, C)`, and a note where they are not all of it."""
    note = ""
    stored = getattr(source, "examples", source)
    if not is_model(source) and hasattr(stored, "shape"):
        total = len(stored)
        if num_images < total:
            chosen = np.random.default_rng(seed).choice(total, num_images, replace=False)
            # In stored order, which a memory-mapped set is read fastest in.
            stored = np.asarray(stored)[np.sort(chosen)]
            note = f" (a random part of {total:,})"
        source, num_images = stored, min(num_images, total)
    blocks = image_blocks(source, num_images, value_range=value_range, seed=seed, labels=labels)
    return np.concatenate(list(blocks)), note


def _label(source):
    """What protocols call a source: "mnist/test" for a data set, a model by its class."""
    name, split = getattr(source, "name", None), getattr(source, "split", None)
    if hasattr(source, "examples") and name and split:
        # The examples of a dynamic binarization are the grey images.
        dynamic = getattr(source, "dynamic_seed", None) is not None
        binarization = None if dynamic else getattr(source, "binarization", None)
        return f"{name}/{split}" + (f" ({binarization})" if binarization else "")
    if not is_model(source):
        return "the images given"
    exported = getattr(source, "description", None)  # of an ExportedModel, which names its model
    return exported["model"] if isinstance(exported, dict) else type(source).__name__


def _check_held_out(real, training):
    if training is None:
        return
    same_name = hasattr(real, "examples") and _label(real) == _label(training)
    if real is training or same_name:
        raise ValueError(
            f"training: {_label(training)} is the real set too, and memorization shows against "
            "held-out images only. Give the test split as real, or training=None."
        )


def _check_comparable(images, real_images, extractor):
    shape, real_shape = images.shape[1:], real_images.shape[1:]
    if shape != real_shape:
        raise ValueError(
            f"generated images of {shape} against real ones of {real_shape}: load the real set "
            "in the size of the generated images (image_size)."
        )
    num_features = extractor.num_features or int(np.prod(shape))
    if num_features > _MOST_FEATURES:
        raise ValueError(
            f"extractor {extractor.name}: {num_features} features, and a Frechet distance takes "
            f"{_MOST_FEATURES} at most. Take another extractor or smaller images."
        )


# ---------------------------------------------------------------------- parts


def _compare_features(details, clock, name, found, real_found, seed):
    real, generated = real_found.features, found.features
    with clock("Frechet distance"):
        frechet = frechet_distance(real, generated)
    with clock("kernel distance"):
        kernel, details["kd_std"] = kernel_distance(real, generated, _SUBSETS, _SUBSET_SIZE, seed)
    with clock("precision, recall, density, coverage"):
        # A ball to the third neighbour is the smaller, the more samples there are: both sets must
        # have as many.
        count = min(len(real), len(generated))
        shares = prdc(
            *(_random_part(each, count, seed) for each in (real, generated)),
            _NEIGHBOURS["precision"],
            _NEIGHBOURS["density"],
        )
    part = f", {count:,} of each" if len(real) != len(generated) else ""
    size = min(_SUBSET_SIZE, len(real), len(generated))
    return {
        f"fd_{name}": (frechet, ""),
        f"kd_{name}": (kernel, f", mean over {_SUBSETS} subsets of {size:,}"),
        **{each: (shares[each], f"{part}, {k} neighbours") for each, k in _NEIGHBOURS.items()},
    }


def _random_part(features, count, seed):
    if len(features) == count:
        return features
    return features[np.random.default_rng(seed).choice(len(features), count, replace=False)]


def _compare_pixels(clock, images, real_images, seed):
    most = _MOST_PIXELS // int(np.prod(images.shape[1:]))
    with clock("sliced Wasserstein distance"):
        real, generated = (
            each[:most].reshape(len(each[:most]), -1).astype("float32") / np.float32(255.0)
            for each in (real_images, images)
        )
        distance = sliced_wasserstein(real, generated, _DIRECTIONS, order=2, seed=seed)
    part = f" of the first {most:,}" if most < max(len(images), len(real_images)) else ""
    how = f", of order 2 on pixels in [0, 1]{part}, {_DIRECTIONS} directions"
    return {"sliced_wasserstein": (distance, how)}


def _judge_classes(details, clock, extractor, found, real_found, seed):
    parts = min(_SCORE_PARTS, len(found.probabilities))
    with clock("classifier score"):
        # Generated images may come sorted by class, which the parts must not be.
        order = np.random.default_rng(seed).permutation(len(found.probabilities))
        score, spread = classifier_score(found.probabilities[order], parts)
    counts = {
        kind: np.bincount(each.probabilities.argmax(axis=1), minlength=extractor.num_classes)
        for kind, each in (("generated", found), ("real", real_found))
    }
    entropies = {kind: _entropy(each) for kind, each in counts.items()}
    names = extractor.class_names or range(extractor.num_classes)
    details |= {
        "classifier_score_std": spread,
        "class_names": [str(name) for name in names],
        "class_counts": {kind: each.tolist() for kind, each in counts.items()},
        "class_entropy_nats": entropies,
    }
    how = f", of the most probable classes, at most ln {extractor.num_classes}"
    return {
        "classifier_score": (score, f", mean over {parts} parts"),
        "class_entropy_nats": (entropies["generated"], how),
    }


def _entropy(counts):
    shares = counts[counts > 0] / counts.sum()
    return float(-np.sum(shares * np.log(shares)))


def _check_memorization(clock, extractor, found, real_found, training, value_range):
    with clock("features of training images"):
        blocks = image_blocks(training, value_range=value_range)
        features = np.concatenate([extractor(block).features for block in blocks])
    with clock("memorization"):
        result = memorization(found.features, features, real_found.features)
    how = (
        f", share as near to the {len(features):,} of {_label(training)} as the nearest "
        f"{result.percentile:g} % of the real ones"
    )
    return result, {"memorization_share": (result.share_nearer, how)}
