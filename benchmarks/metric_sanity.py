"""What the sample metrics say of images whose quality is known: their floor, noise, missing modes.

    python benchmarks/metric_sanity.py
    python benchmarks/metric_sanity.py --data fashion_mnist --out sanity.json

Each row takes a changed part of the train split for generated images and measures it against the
test split. The first row, real against real, is the floor: no generator can be expected below it.
"""

import pathlib

import numpy as np
import tyro

from keras_gen.artifacts import write_json
from keras_gen.data import load
from keras_gen.metrics.evaluation import evaluate_samples
from keras_gen.metrics.report import printed_name

COLUMNS = ("precision", "recall", "density", "coverage", "classifier_score", "sliced_wasserstein")


def main(
    data: str = "mnist",
    extractor: str | None = None,
    num_images: int = 10_000,
    noise_share: float = 0.1,
    label: int = 3,
    seed: int = 0,
    out: pathlib.Path | None = None,
):
    """Prints a table of the metrics, one row for each changed set.

    Args:
        data: a labelled data set with a train and a test split.
        extractor: feature extractor; by default the one of the data set's name.
        num_images: images of each set, or all where there are fewer.
        noise_share: share of the pixels that uniform noise replaces in the second row.
        label: the class that is left alone in the third row.
        seed: of all random choices.
        out: write the evaluations to this JSON file; it must not exist.
    """
    if out is not None and out.exists():
        raise SystemExit(f"--out {out} exists; nothing is overwritten. Give another path.")
    train, test = load(data, split="train"), load(data, split="test")
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(train))[:num_images]
    images = train.examples[chosen]
    noise = random.integers(0, 256, images.shape, "uint8")
    name = train.label_names[label] if train.label_names else label
    sets = {
        "train as it is": images,
        f"train, {noise_share:.0%} of the pixels noise": np.where(
            random.random(images.shape) < noise_share, noise, images
        ),
        f"train, class {name} only": train.examples[train.labels == label][:num_images],
        "uniform noise": noise,
    }
    results = {}
    for description, generated in sets.items():
        result = evaluate_samples(
            generated, test, extractor=extractor or data, num_images=num_images, seed=seed
        )
        if not results:
            _print_head(result, test)
        results[description] = result.as_dict()
        _print_row(description, result)
    if out is not None:
        write_json(out, results)


def _print_head(result, test):
    print(f"against {result.details['num_real']:,} of {test.name}/{test.split}")
    print(f"{result.details['extractor']}, {result.details['conversion']}\n")
    distances = [printed_name(name) for name in list(result.metrics)[:2]]
    names = ["generated", "images", *distances, *(printed_name(name) for name in COLUMNS)]
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}", flush=True)


def _print_row(description, result):
    metrics = {name: value for name, (value, _) in result.metrics.items()}
    frechet, kernel = list(metrics.values())[:2]
    cells = [
        description,
        f"{result.details['num_generated']:,}",
        f"{frechet:.4g}",
        f"{kernel:.3g} +- {result.details['kd_std']:.2g}",
        *(f"{metrics[name]:.3f}" for name in COLUMNS),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
