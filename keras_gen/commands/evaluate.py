"""`evaluate` and `bias-curve`: how good the samples of a model are."""

import json
import pathlib
import time
from typing import Annotated

import tyro

from keras_gen.commands.loading import (
    chosen_extractor,
    import_tensorflow,
    load_images,
    load_model,
)
from keras_gen.commands.output import check_files, say_written


def evaluate(
    model: Annotated[pathlib.Path, tyro.conf.Positional],
    data: str = "mnist",
    extractor: str | None = None,
    num_images: int = 10_000,
    seed: int = 0,
    split: str = "test",
    training_split: str | None = "train",
    out: pathlib.Path = pathlib.Path("evaluation.png"),
    overwrite: bool = False,
    add: bool = False,
):
    """Measures a model's samples against held-out images, and whether it only memorized.

    Frechet and kernel distance, precision, recall, density, coverage, sliced Wasserstein distance,
    share of memorized samples and, by a classifier, its score and the classes. Writes the numbers
    with their protocols as JSON, a histogram of classes and the samples nearest to training images.

    Args:
        model: a folder of saved_models/, a version in it, a run folder, a .keras file, an .npz
            file written by `sample`, or a folder of pictures.
        data: the data to measure against: a name or a folder of images.
        extractor: mnist, fashion_mnist, inception, pixels or the file of a trained classifier.
            Default: that of the data, else inception.
        num_images: how many samples, against as many held-out images.
        seed: of the samples and of all random choices.
        split: the split to measure against.
        training_split: the split that the model was trained on, for the memorization check; None
            for no check.
        out: the picture; the JSON and the other picture are named after it.
        overwrite: replace them.
        add: add the numbers to those of a finished run, from where `record` takes them.
    """
    files = check_files(out, (".png", ".json", "-nearest.png"), overwrite)
    if add and not (model / "metrics.json").is_file():
        raise ValueError(f"--add: {model} is not the folder of a finished run (no metrics.json).")
    import_tensorflow()
    from keras_gen.metrics.evaluation import evaluate_samples
    from keras_gen.metrics.evaluation_files import write_evaluation

    source, generated = _generated(model)
    held_out = load_images(data, split, generated)
    training = load_images(data, training_split, generated) if training_split else None
    start = time.perf_counter()
    result = evaluate_samples(
        getattr(generated, "images", generated),
        held_out,
        extractor=chosen_extractor(extractor, held_out.name),
        training=training,
        num_images=num_images,
        seed=seed,
        value_range=generated.value_range,
        progress=lambda part: print(f"{part} ...", flush=True),
    )
    seconds = time.perf_counter() - start
    result.details["model"] = str(source)
    paths = [files[ending] for ending in (".json", ".png", "-nearest.png")]
    written = write_evaluation(result, paths, training.examples if training else None)
    if add:
        _add_to_run(model / "metrics.json", result.as_dict()["metrics"])
    print(result)
    print(f"{seconds:.0f} s")
    say_written(written)


def bias_curve(
    model: Annotated[pathlib.Path, tyro.conf.Positional],
    data: str = "mnist",
    extractor: str | None = None,
    num_images: int = 10_000,
    sizes: tuple[int, ...] = (),
    repeats: int = 3,
    seed: int = 0,
    split: str = "test",
    out: pathlib.Path = pathlib.Path("bias_curve.png"),
    overwrite: bool = False,
):
    """Draws how a model's Frechet distance falls with the number of samples, and where to.

    Args:
        model: as for `evaluate`.
        data: the data to measure against: a name or a folder of images.
        extractor: as for `evaluate`.
        num_images: how many samples, against all images of the split.
        sizes: the numbers of samples to measure at. Default: 15 from a tenth to all.
        repeats: random subsets of each size.
        seed: of the samples and of the subsets.
        split: the split to measure against.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    import numpy as np

    from keras_gen.artifacts import write_json
    from keras_gen.metrics import (
        extrapolated_frechet_distance,
        frechet_bias_curve,
        image_blocks,
        save_bias_curve,
    )

    source, generated = _generated(model)
    held_out = load_images(data, split, generated)
    features = chosen_extractor(extractor, held_out.name)

    def extracted(images, count):
        blocks = image_blocks(images, count, value_range=generated.value_range, seed=seed)
        return np.concatenate([features(block).features for block in blocks])

    samples = extracted(getattr(generated, "images", generated), num_images)
    real = extracted(held_out, len(held_out))
    rows = frechet_bias_curve(real, samples, sizes or None, repeats, seed)
    limit, slope = extrapolated_frechet_distance(rows)
    name = f"FD[{features.name}]"
    protocol = f"against {len(real):,} of {held_out.name}/{split}, {features.description}"
    write_json(
        files[".json"],
        {"model": str(source), "name": name, "protocol": protocol, "seed": seed, "rows": rows}
        | {"at_infinity": limit, "slope": slope},
    )
    save_bias_curve(rows, files[".png"], name)
    for row in rows:
        print(f"{row['num_images']:>8,} {row['frechet_distance']:.4g} +- {row['std']:.2g}")
    print(f"{name} at infinity {limit:.4g} ({protocol})")
    say_written(files.values())


def _add_to_run(path, metrics):
    """Adds metrics to a run's `metrics.json`; those of the same names are measured anew."""
    from keras_gen.artifacts import write_json

    measured = json.loads(path.read_text(encoding="utf-8"))
    measured["metrics"] |= metrics
    write_json(path, measured)


class _Pictures:
    """Images from files, with what else is asked of a model."""

    def __init__(self, images, value_range):
        self.images, self.value_range, self.image_shape = images, value_range, images.shape[1:]


def _generated(path):
    """`(path, what to measure)`: a model, or images from an .npz file or a folder."""
    if path.suffix == ".npz" and path.is_file():
        import numpy as np

        with np.load(path) as stored:
            missing = {"images", "value_range"} - set(stored.files)
            if missing:
                raise ValueError(f"{path} has no {', '.join(sorted(missing))}: write it by sample.")
            return path, _Pictures(stored["images"], tuple(map(float, stored["value_range"])))
    pictures = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
    is_run = (path / "config.json").exists() or (path / "model.keras").exists()
    if path.is_dir() and not is_run and any(each.suffix in pictures for each in path.iterdir()):
        from keras_gen.data import load

        return path, _Pictures(load(path).examples, (0.0, 255.0))
    return load_model(path)
