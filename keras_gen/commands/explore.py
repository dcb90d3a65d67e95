"""Commands that move through a model's latent space and draw what they meet."""

import pathlib
from typing import Annotated, Literal

import tyro

from keras_gen.commands.loading import (
    chosen_extractor,
    import_tensorflow,
    load_images,
    load_model,
    progress_bar,
)
from keras_gen.commands.output import check_files, say_written

Model = Annotated[pathlib.Path, tyro.conf.Positional]


def interpolate(
    model: Model,
    pairs: int = 6,
    steps: int = 31,
    method: Literal["spherical", "linear"] = "spherical",
    seed: int = 0,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("interpolation.png"),
    overwrite: bool = False,
):
    """Draws the way from one random latent to another, as a picture and as a GIF.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        pairs: how many ways.
        steps: latents on each, both ends included.
        method: spherical keeps the norm that the prior's latents have; linear cuts through.
        seed: decides the latents.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the GIF and the JSON are named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".gif", ".json"), overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    _check_at_least_one(pairs=pairs)
    latents = latent.draw_latents(loaded, 2 * pairs, seed)
    result = latent.interpolate(loaded, latents[:pairs], latents[pairs:], steps, method)
    title = f"{method} interpolation"
    latent.save_interpolation(result, loaded.value_range, files[".png"], files[".gif"], title)
    _finish(files, source, method=method, seed=seed, latents=result.latents)


def traverse(
    model: Model,
    coordinates: tuple[int, ...] = (0, 1, 2, 3, 4, 5),
    values: tuple[float, ...] = (),
    seed: int = 0,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("traversal.png"),
    overwrite: bool = False,
):
    """Draws what changes as one latent coordinate moves and the others stay.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        coordinates: indices of the coordinates, a row each.
        values: what the coordinate takes. Default: quantiles of the prior from 0.02 to 0.98.
        seed: decides the latent to start from.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the GIF and the JSON are named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".gif", ".json"), overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    result = latent.traverse(loaded, coordinates, values or None, seed=seed)
    latent.save_traversal(result, loaded.value_range, files[".png"], files[".gif"])
    _finish(files, source, coordinates=coordinates, values=result.values, seed=seed)


def manifold(
    model: Model,
    side: int = 20,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("manifold.png"),
    overwrite: bool = False,
):
    """Draws the whole latent space of a model with two latent coordinates.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        side: images in a row and in a column.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    result = latent.draw_manifold(loaded, side)
    latent.save_manifold(result, loaded.value_range, files[".png"])
    _finish(files, source, values=result.values)


def arithmetic(
    model: Model,
    plus: tuple[str, ...],
    minus: tuple[str, ...],
    base: tuple[str, ...],
    data: str | None = None,
    seed: int = 0,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("arithmetic.png"),
    overwrite: bool = False,
):
    """Adds a feature: mean(plus) - mean(minus) + mean(base), in the latent space.

    Examples are numbers of the model's samples, as `sample --num-images 256 --seed SEED` draws
    them, row by row from 0: `--plus 3 17 40 --minus 5 8 61 --base 2 30 77`. Or one folder of images
    for each, if the model can encode: `--plus with --minus without --base others`. Or, with --data
    mnist, one class of the test images: `--plus class:7 --minus class:1 --base class:9`.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        plus: examples that have the feature.
        minus: examples that are alike but lack it.
        base: examples that are to get it.
        data: the data whose classes are meant, if they are.
        seed: of the samples, and of the noise that makes the result's neighbours.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    named = {"plus": plus, "minus": minus, "base": base}
    examples = [_examples(loaded, *each, data, seed) for each in named.items()]
    result = latent.latent_arithmetic(loaded, *examples, seed=seed)
    latent.save_arithmetic(result, loaded.value_range, files[".png"])
    _finish(files, source, **named, data=data, seed=seed, latents=result.latents)


def truncate(
    model: Model,
    thresholds: tuple[float, ...] = (),
    num_images: int = 2000,
    data: str | None = None,
    extractor: str | None = None,
    split: str = "test",
    seed: int = 0,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("truncation.png"),
    overwrite: bool = False,
):
    """Draws samples at ever narrower priors and, with data, the curve of fidelity and diversity.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        thresholds: bounds on the latents' magnitude, of a StyleGAN factors towards their mean; no
            truncation comes first in any case. Default: 2 1 0.5 0.04, and 0.7 0.5 0.3 0.1.
        num_images: samples at each point of the curve.
        data: the data to measure precision and recall against. Default: no curve.
        extractor: as for `evaluate`.
        split: the split to measure against.
        seed: decides the latents.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the curve and the JSON are named after it.
        overwrite: replace them.
    """
    endings = (".png", ".json", "-curve.png") if data else (".png", ".json")
    files = check_files(out, endings, overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    thresholds = (None, *(thresholds or latent.default_thresholds(loaded)))
    result = latent.sample_truncated(loaded, thresholds, num_images=12, seed=seed)
    latent.save_truncation(result, loaded.value_range, files[".png"])
    if data is None:
        _finish(files, source, thresholds=thresholds, seed=seed)
        return
    measure, protocol = _fidelity_and_diversity(loaded, data, split, extractor, num_images, seed)
    rows = latent.truncation_curve(loaded, measure, thresholds, num_images, seed, progress_bar())
    latent.save_truncation_curve(rows, files["-curve.png"])
    for row in rows:
        print("  ".join(f"{name} {_short(value)}" for name, value in row.items()))
    _finish(files, source, rows=rows, protocol=protocol, seed=seed)


def project(
    model: Model,
    data: str = "mnist",
    split: str = "test",
    num_images: int = 8,
    steps: int = 300,
    restarts: int = 4,
    learning_rate: float = 0.1,
    prior_weight: float = 0.0,
    seed: int = 0,
    label: int | None = None,
    out: pathlib.Path = pathlib.Path("projection.png"),
    overwrite: bool = False,
):
    """Finds the latents whose images come closest to given ones, by gradient descent.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        data: where the images are from: a name or a folder; its first ones are taken.
        split: the split.
        num_images: how many.
        steps: steps of Adam.
        restarts: latents to start from; the best one counts.
        learning_rate: of Adam.
        prior_weight: weight of the penalty for leaving the prior.
        seed: decides the starts.
        label: the class that all images are of; a conditional model needs it.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    from keras_gen import latent

    source, loaded = load_model(model, label)
    targets = load_images(data, split, loaded, num_images).examples[:num_images]
    result = latent.project(
        loaded,
        targets,
        steps=steps,
        learning_rate=learning_rate,
        restarts=restarts,
        prior_weight=prior_weight,
        seed=seed,
        progress=progress_bar(),
    )
    latent.save_projection(result, loaded.value_range, files[".png"])
    print(f"mean squared error {result.errors.mean():.4g}")
    _finish(
        files,
        source,
        data=data,
        errors=result.errors,
        restart_errors=result.restart_errors,
        latents=result.latents,
        seed=seed,
    )


# ---------------------------------------------------------------------- parts

_DRAWN = 256  # samples that numbers on the command line count in


def _examples(model, name, texts, data, seed):
    """Latents of numbered samples, or images of a folder or of a class."""
    from keras_gen import latent

    if all(text.isdecimal() for text in texts):
        numbers = [int(text) for text in texts]
        if max(numbers) >= _DRAWN:
            raise ValueError(f"--{name} {max(numbers)}: give numbers below {_DRAWN}.")
        return latent.draw_latents(model, _DRAWN, seed)[numbers]
    if len(texts) > 1:
        raise ValueError(f"--{name} {' '.join(texts)}: give numbers, one folder or one class:NAME.")
    if not texts[0].startswith("class:"):
        return load_images(texts[0], "train", model).examples
    if data is None:
        raise ValueError(f"--{name} {texts[0]}: say with --data whose class that is.")
    images, wanted = load_images(data, "test", model), texts[0].removeprefix("class:")
    if images.labels is None:
        raise ValueError(f"--data {data}: it has no classes.")
    names = list(images.label_names or map(str, range(images.num_classes)))
    if wanted not in names:
        raise ValueError(f"--{name} {texts[0]}: the classes are {', '.join(names)}.")
    return images.examples[images.labels == names.index(wanted)]


def _fidelity_and_diversity(model, data, split, extractor, num_images, seed):
    """A function from images to precision and recall, and how it measures."""
    import numpy as np

    from keras_gen.metrics import image_blocks, precision_recall

    held_out = load_images(data, split, model, num_images)
    extract = chosen_extractor(extractor, held_out.name)
    chosen = np.random.default_rng(seed).choice(len(held_out), num_images, replace=False)
    real = extract(held_out.examples[np.sort(chosen)]).features

    def measure(images):
        blocks = image_blocks(images, value_range=model.value_range)
        features = np.concatenate([extract(block).features for block in blocks])
        precision, recall = precision_recall(real, features)
        return {"precision": precision, "recall": recall}

    protocol = (
        f"{num_images:,} generated against {num_images:,} of {held_out.name}/{split}, "
        f"{extract.description}, 3 neighbours, seed {seed}"
    )
    return measure, protocol


def _check_at_least_one(**values):
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"--{name} {value}: give an integer of at least 1.")


def _short(value):
    return value if value is None else f"{value:.4g}"


def _finish(files, source, **values):
    """Writes the JSON beside the pictures and says what there is."""
    import numpy as np

    from keras_gen.artifacts import write_json

    values = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    write_json(files[".json"], {"model": str(source), **values})
    say_written(files.values())
