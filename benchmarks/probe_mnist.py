"""Linear probes on MNIST: a network's features against k-means, PCA and pixels.

    python benchmarks/probe_mnist.py --model runs/dcgan_mnist/RUN --out probe_mnist.json

Radford et al. 2016, arXiv:1511.06434, section 5. Features are learned on the 60,000 training
images without labels; multinomial logistic regression is trained on the labels of 1,000 of them,
100 of each class, and on all; accuracy on the 10,000 test images, which nothing is chosen on. The
1,000 are drawn `--draws` times, as the accuracy depends on which they are.
"""

import pathlib

import keras
import tyro

import keras_gen.models  # noqa: F401  registers the models for keras.models.load_model
from keras_gen.artifacts import write_json
from keras_gen.data import load
from keras_gen.metrics.probes import probe_markdown, probe_table
from keras_gen.metrics.representations import (
    convolutional_features,
    kmeans_features,
    pca_features,
    pixel_features,
)

LABELS = 1000


def main(
    model: pathlib.Path | None = None,
    data: str = "mnist",
    centroids: int = 400,
    components: int = 100,
    draws: int = 3,
    seed: int = 0,
    out: pathlib.Path | None = None,
):
    """Prints a table and writes it as JSON.

    Args:
        model: a run folder or .keras file; its discriminator is added to the table.
        data: a named data set with labels, of the size that the model takes.
        centroids: of k-means.
        components: of PCA.
        draws: how often the 1,000 labels are drawn.
        seed: the first seed of the draws, and that of k-means.
        out: where to write the rows, or None.
    """
    train, test = (load(data, split=split) for split in ("train", "test"))
    images = train.examples, test.examples
    kinds = {
        "pixels": lambda: pixel_features(*images),
        f"PCA, {components} components": lambda: pca_features(*images, components),
        f"k-means, {centroids} centroids": lambda: kmeans_features(*images, centroids, seed=seed),
    }
    if model is not None:
        kinds["discriminator"] = lambda: discriminator_features(model, *images)
    rows = []
    seeds = tuple(range(seed, seed + draws))
    for row in probe_table(kinds, train.labels, test.labels, (LABELS, None), seeds):
        rows.append(row)
        print(f"{row['features']}, {row['labels']} labels: {row['accuracy']:.4f}", flush=True)
    print(f"\n{probe_markdown(rows)}\n\nseconds: features + one probe")
    if out is not None:
        write_json(out, {"data": data, "rows": rows})


def discriminator_features(path, *images):
    """Of uint8 images, those of the discriminator of a saved model."""
    model = keras.models.load_model(path / "model.keras" if path.is_dir() else path)
    return [convolutional_features(model.discriminator, part, model.value_range) for part in images]


if __name__ == "__main__":
    tyro.cli(main)
