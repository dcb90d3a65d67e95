"""`tsne` and `probe`: what a trained network has learned about images."""

import json
import pathlib
from typing import Annotated, Literal

import tyro

from keras_gen.commands.loading import import_tensorflow, load_images, load_model
from keras_gen.commands.output import check_files, say_written

Model = Annotated[pathlib.Path, tyro.conf.Positional]


def tsne(
    model: Model,
    data: str = "mnist",
    split: str = "test",
    num_images: int = 2000,
    method: Literal["tsne", "pca"] = "tsne",
    seed: int = 0,
    out: pathlib.Path = pathlib.Path("tsne.png"),
    overwrite: bool = False,
):
    """Draws the latents of labelled images in the plane, coloured by label.

    Of a model that cannot encode, the features of its discriminator are drawn.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        data: labelled images: a name, or a folder with a sub-folder for each class.
        split: the split.
        num_images: how many images, at most 5000; drawn at random.
        method: tsne keeps neighbours together; pca keeps the directions of most variance.
        seed: of the choice and of t-SNE.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    import numpy as np

    from keras_gen.artifacts import write_json
    from keras_gen.metrics import embedding_figure

    source, loaded = load_model(model)
    images = load_images(data, split, loaded)
    labels = _labels(images)
    count = min(num_images, len(images), 5000)
    chosen = np.sort(np.random.default_rng(seed).choice(len(images), count, replace=False))
    features, kind = _features(loaded, images.examples[chosen])
    embedding_figure(features, labels[chosen], files[".png"], method, images.label_names, seed)
    protocol = f"{kind}, {count:,} random images of {images.name}/{split}, {method}, seed {seed}"
    write_json(files[".json"], {"model": str(source), "protocol": protocol})
    print(protocol)
    say_written(files.values())


def probe(
    model: Model,
    data: str = "mnist",
    labels: tuple[int, ...] = (1000,),
    all_labels: bool = True,
    baselines: bool = True,
    num_images: int | None = None,
    draws: int = 3,
    seed: int = 0,
    out: pathlib.Path = pathlib.Path("probe.png"),
    overwrite: bool = False,
):
    """Tests what a linear classifier reads off a model's features.

    Features are the latents of a model that can encode, or the convolutions of its discriminator,
    pooled as in the DCGAN paper; beside them k-means features, principal components and pixels.
    With 60,000 images it takes some ten minutes, most of them for k-means.

    Args:
        model: a folder of saved_models/, a version in it, a run folder or a .keras file.
        data: labelled images: a name, or a folder with a sub-folder for each class.
        labels: numbers of training labels to try.
        all_labels: try all of them too.
        baselines: probe the other features too.
        num_images: training images to use, the first ones. Default: all.
        draws: how often each number of labels is drawn; the mean is shown.
        seed: of the first draw; those after it have the seeds that follow.
        out: the picture; the JSON is named after it.
        overwrite: replace them.
    """
    if draws < 1:
        raise ValueError(f"--draws {draws}: give an integer of at least 1.")
    files = check_files(out, (".png", ".json"), overwrite)
    import_tensorflow()
    from keras_gen.artifacts import write_json
    from keras_gen.metrics import kmeans_features, pca_features, pixel_features, probe_table

    source, loaded = load_model(model)
    train, test = load_images(data, "train", loaded), load_images(data, "test", loaded)
    train_labels, test_labels = _labels(train)[:num_images], _labels(test)
    pair = train.examples[:num_images], test.examples
    kind = _features(loaded, test.examples[:2])[1]
    features = {kind: lambda: tuple(_features(loaded, part)[0] for part in pair)}
    if baselines:
        features |= {
            "pixels": lambda: pixel_features(*pair),
            "PCA": lambda: pca_features(*pair),
            "k-means": lambda: kmeans_features(*pair, seed=seed),
        }
    rows, seeds = [], tuple(range(seed, seed + draws))
    counts = (*labels, *((None,) if all_labels else ()))
    for row in probe_table(features, train_labels, test_labels, counts, seeds):
        rows.append(row)
        print(
            f"{row['features']:30} {row['dimensions']:>7,} features {row['labels']:>7,} labels "
            f"{100 * row['accuracy']:6.2f} %",
            flush=True,
        )
    write_json(
        files[".json"], {"model": str(source), "data": train.name, "seed": seed, "rows": rows}
    )
    _save_bars(json.loads(files[".json"].read_text())["rows"], files[".png"], train.name)
    say_written(files.values())


def _labels(images):
    if images.labels is None:
        raise ValueError(f"{images.name} has no labels; a probe needs them. Give labelled data.")
    return images.labels


def _features(model, images):
    """Features `(N, D)` of uint8 images, and what they are."""
    from keras_gen.latent import encode_in_chunks
    from keras_gen.metrics import convolutional_features

    if getattr(model, "encode", None) is not None and "encode" in _signatures(model):
        return encode_in_chunks(model, images), "latents"
    if getattr(model, "discriminator", None) is None:
        raise ValueError(
            f"{type(model).__name__} has neither encode nor a discriminator. Give the run folder "
            "or .keras file of a model that has."
        )
    low, high = model.value_range
    scaled = images.astype("float32") / 255.0 * (high - low) + low
    return convolutional_features(model.discriminator, scaled), "discriminator"


def _signatures(model):
    """What an exported model can do; a Keras model can do all that it has methods for."""
    description = getattr(model, "description", None)
    return description["signatures"] if isinstance(description, dict) else ("encode",)


def _save_bars(rows, path, data_name):
    import numpy as np
    from matplotlib.figure import Figure

    from keras_gen.artifacts import save_figure

    names = list(dict.fromkeys(row["features"] for row in rows))
    counts = list(dict.fromkeys(row["labels"] for row in rows))
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(names) * len(counts)), layout="constrained")
    axis = figure.subplots()
    height = 0.8 / len(counts)
    for index, count in enumerate(counts):
        values = {
            name: np.mean(
                [r["accuracy"] for r in rows if (r["features"], r["labels"]) == (name, count)]
            )
            for name in names
        }
        places = [place + index * height for place in range(len(names))]
        bars = axis.barh(places, [100 * values[name] for name in names], height)
        axis.bar_label(bars, fmt="%.2f", fontsize="small")
        bars.set_label(f"{count:,} labels")
    axis.set_yticks([place + 0.4 - height / 2 for place in range(len(names))], names)
    axis.invert_yaxis()
    axis.set_xlim(0, 110)
    axis.set_xlabel("test accuracy of a linear classifier / %")
    axis.set_title(data_name)
    axis.legend(loc="lower left", fontsize="small")
    save_figure(figure, path)
