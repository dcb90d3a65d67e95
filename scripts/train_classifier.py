r"""Trains the small classifiers whose activations are the features of the sample metrics.

    python scripts/train_classifier.py mnist --out mnist.npz
    python scripts/train_classifier.py fashion_mnist --flip --rotation 5 --scale 0.05 --shift 0.05 \
        --out fashion_mnist.npz
    python scripts/train_classifier.py usps --epochs 10 --batch-size 64 --out usps.npz
    python scripts/train_classifier.py path/to/your/images --image-size 64 --out mine.npz

The first three commands made the files in keras_gen/metrics/weights; each file holds its settings
and its test accuracy. `keras_gen.metrics.extractors.get_extractor` takes any of them.

Training sees the train split only, and the test split is measured once, at the end. To choose
settings use `--hold-out 5000`, which trains without the last 5,000 train images and measures on
these instead. (With it the digits' settings gave 99.54 %. Clothes are upright and centred, so they
are moved less.)
"""

import dataclasses
import pathlib
import tempfile
import time
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
import tyro

from keras_gen.data import load
from keras_gen.metrics.classifiers import ClassifierExtractor, build_classifier, save_classifier


def main(
    data: Annotated[str, tyro.conf.Positional],
    out: pathlib.Path,
    image_size: int | None = None,
    factor: str | None = None,
    epochs: int = 16,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.02,
    rotation: float = 10.0,
    scale: float = 0.1,
    shift: float = 0.1,
    flip: bool = False,
    hold_out: int = 0,
    seed: int = 0,
):
    """Trains a classifier, measures it on the test split and writes its file.

    Args:
        data: a labelled set: a TFDS name, a folder with one sub-folder for each class, digits.
        out: the .npz to write; it must not exist.
        image_size: side of the images; by default their own.
        factor: learn this factor of variation, for sets that have factors instead of labels.
        epochs: passes through the data.
        batch_size: images in a batch.
        learning_rate: the highest, of AdamW; it rises for an epoch, then falls to 0 as a cosine.
        weight_decay: of AdamW, times the learning rate.
        rotation: images are rotated by up to so many degrees,
        scale: scaled by up to this share,
        shift: and shifted by up to this share of a side.
        flip: mirror half of the images left to right.
        hold_out: leave out the last so many train images and measure on these instead of test.
        seed: decides weights, noise and the order of the data.
    """
    settings = {name: value for name, value in locals().items() if name not in ("data", "out")}
    if out.exists():
        raise SystemExit(f"--out {out} exists; nothing is overwritten. Give another path.")
    keras.utils.set_random_seed(seed)
    load_split = lambda split: _labelled(  # noqa: E731
        load(data, split=split, image_size=image_size, value_range=(0.0, 1.0)), factor
    )
    train = load_split("train")
    test = _part(train, slice(-hold_out, None)) if hold_out else load_split("test")
    train = _part(train, slice(None, -hold_out)) if hold_out else train

    start = time.perf_counter()
    network = build_classifier(train.example_shape, train.num_classes, seed)
    steps_per_epoch = train.steps_per_epoch(batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, (epochs - 1) * steps_per_epoch),
        warmup_target=learning_rate,
        warmup_steps=steps_per_epoch,
    )
    trainer = keras.Model(network.inputs, network.outputs[1])
    trainer.compile(
        keras.optimizers.AdamW(rate, weight_decay=weight_decay),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    augmented = (
        train.batches(batch_size, seed=seed, labels=True)
        .enumerate()
        .map(
            lambda step, batch: (
                _augment(batch[0], (seed, step), rotation, scale, shift, flip),
                batch[1],
            )
        )
    )
    trainer.fit(augmented, epochs=epochs, steps_per_epoch=steps_per_epoch, shuffle=False, verbose=2)

    metadata = {
        "name": pathlib.Path(train.name).name,
        "class_names": [str(name) for name in train.label_names or range(train.num_classes)],
        "image_shape": train.example_shape,
        "test_accuracy": None,
        "num_test_images": len(test),
        "num_train_images": len(train),
        "train_fingerprint": train.fingerprint,
        "test_fingerprint": test.fingerprint,
        "settings": settings,
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    metadata["test_accuracy"] = _stored_accuracy(network, metadata, test)
    save_classifier(out, network, metadata)
    where = f"the {hold_out} held-out train images" if hold_out else "the test split"
    print(
        f"{out}: {metadata['test_accuracy']:.2%} on {where}, {out.stat().st_size / 1e6:.2f} MB, "
        f"{time.perf_counter() - start:.0f} s"
    )


def _stored_accuracy(network, metadata, test):
    """The accuracy of what a file holds, whose kernels have 16 bits."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "classifier.npz"
        save_classifier(path, network, metadata)
        probabilities = ClassifierExtractor.load(path)(test.examples).probabilities
    return float(np.mean(probabilities.argmax(axis=1) == test.labels))


def _labelled(data, factor):
    if factor is None:
        return data
    if factor not in data.factors:
        raise SystemExit(f"--factor {factor}: {data.name} has {', '.join(data.factors) or 'none'}.")
    names = data.factor_names.get(factor)
    return dataclasses.replace(data, labels=data.factors[factor], label_names=names)


def _part(data, rows):
    """Some of the examples, with their labels."""
    return dataclasses.replace(
        data, examples=data.examples[rows], labels=data.labels[rows], factors={}
    )


def _augment(images, seed, rotation, scale, shift, flip):
    """Moves each image by its own random rotation, scale and shift, as a function of the seed."""
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draws = tf.random.stateless_uniform((5, count), seed, -1.0, 1.0)
    angle = draws[0] * (rotation * np.pi / 180.0)
    zoom = 1.0 + draws[1] * scale
    mirror = tf.where(draws[4] < 0.0, -1.0, 1.0) if flip else tf.ones((count,))
    # Where in the input each output pixel is taken from: x' = a x + b y + c, y' = d x + e y + f,
    # about the image's centre.
    a, b = mirror * tf.cos(angle) * zoom, -mirror * tf.sin(angle) * zoom
    d, e = tf.sin(angle) * zoom, tf.cos(angle) * zoom
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    c = middle_x - a * middle_x - b * middle_y + draws[2] * (shift * width)
    f = middle_y - d * middle_x - e * middle_y + draws[3] * (shift * height)
    zeros = tf.zeros((count,))
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, d, e, f, zeros, zeros], axis=1),
        output_shape=(height, width),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


if __name__ == "__main__":
    tyro.cli(main)
