"""Small convolutional classifiers as feature extractors: their network, their files, their use.

`scripts/train_classifier.py` trains them. Those for MNIST, Fashion-MNIST and USPS come with the
package, in `weights/`; a file trained on other data serves in the same way.
"""

import hashlib
import io
import json
import pathlib
import zipfile

import keras
import numpy as np

from keras_gen.artifacts import write_atomic
from keras_gen.metrics.extraction import NetworkExtractor

_BATCH = 256
_LAST_FILTERS = 128
_SMALLEST_SIDE = 8  # images are halved until their smaller side is at most this
_FORMAT = "keras_gen classifier 1"
_METADATA = ("name", "class_names", "image_shape", "test_accuracy", "num_test_images")


def build_classifier(image_shape, num_classes, seed=0):
    """The network of the small classifiers: 3x3 convolutions, halved sides, doubled filters.

    There are as many stages as bring the smaller side to 8 or less, at least two; the first has
    one convolution, the others two, and filters double from stage to stage up to 128. Each
    convolution goes through batch normalization and ReLU. The features are the means of the last
    activations over the image: nonnegative, and what the one dense layer reads.

    Args:
        image_shape: `(H, W, C)`.
        num_classes: K.
        seed: of the initial weights and of dropout.

    Returns:
        A functional model, float32 under any dtype policy, from images `(B, H, W, C)` in [0, 1]
        to `(features, probabilities)`: `(B, 128)` and `(B, K)`.
    """
    stages = 2
    while min(image_shape[:2]) / 2 ** (stages - 1) > _SMALLEST_SIDE:
        stages += 1
    images = keras.Input(image_shape, name="images", dtype="float32")
    x = images
    for stage in range(stages):
        filters = max(8, _LAST_FILTERS >> (stages - 1 - stage))
        if stage:
            x = keras.layers.MaxPooling2D(padding="same", dtype="float32", name=f"pool{stage}")(x)
        for number in range(2 if stage else 1):
            x = keras.layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=keras.initializers.HeNormal(seed + 10 * stage + number),
                dtype="float32",
                name=f"stage{stage}_conv{number}",
            )(x)
            x = keras.layers.BatchNormalization(
                momentum=0.97, dtype="float32", name=f"stage{stage}_norm{number}"
            )(x)
            x = keras.layers.ReLU(dtype="float32", name=f"stage{stage}_relu{number}")(x)
    features = keras.layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    x = keras.layers.Dropout(0.3, seed=seed, dtype="float32", name="dropout")(features)
    probabilities = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype="float32",
        name="probabilities",
    )(x)
    return keras.Model(images, (features, probabilities), name="classifier")


def save_classifier(path, network, metadata):
    """Writes a trained classifier: kernels in float16, the rest in float32, metadata as JSON.

    The same weights and metadata give the same bytes.

    Args:
        path: where to, `.npz`; atomically.
        network: what `build_classifier` gave.
        metadata: a JSON-able dict with `name` (of the data set), `class_names`, `image_shape`,
            `test_accuracy` (or None), `num_test_images` and whatever else tells how it was trained.

    Raises:
        ValueError: the metadata lack one of these.
    """
    missing = [name for name in _METADATA if name not in metadata]
    if missing:
        raise ValueError(f"metadata: {', '.join(missing)} missing.")
    arrays = {name: np.asarray(value) for name, value in _named_weights(network).items()}
    arrays = {
        name: value.astype("float16") if value.ndim > 1 else value for name, value in arrays.items()
    }
    header = json.dumps({"format": _FORMAT, **metadata}, sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=np.frombuffer(header.encode(), "uint8"), **arrays)
    write_atomic(path, buffer.getvalue())


def _named_weights(network):
    return {
        f"{layer.name}.{weight.name}": weight
        for layer in network.layers
        for weight in layer.weights
        if "seed_generator" not in weight.path
    }


class ClassifierExtractor(NetworkExtractor):
    """Features and class probabilities by a small classifier; see `keras_gen.metrics.extraction`.

    Features are the 128 mean activations that the classifier's dense layer reads. Distances in
    them say how much sets differ in what tells this data set's classes apart: two classifiers of
    the same data give other numbers, so a value goes with the `digest` of the file.

    Args:
        network: what `build_classifier` gave, with trained weights.
        metadata: as in `save_classifier`.
        digest: first 16 hex digits of the SHA-256 of the weights file.

    Attributes:
        metadata: how the classifier was trained.
    """

    def __init__(self, network, metadata, digest):
        super().__init__(network, metadata["image_shape"], _BATCH)
        self.name, self.metadata, self.digest = metadata["name"], metadata, digest
        self.class_names = tuple(metadata["class_names"])
        self.test_accuracy = metadata["test_accuracy"]
        shape = "x".join(map(str, self.image_shape))
        accuracy = "" if self.test_accuracy is None else f"{self.test_accuracy:.2%} on test, "
        self.description = (
            f"{self.name} classifier {digest} ({accuracy}{self.num_features} features, {shape})"
        )

    @classmethod
    def load(cls, path):
        """Loads a file that `save_classifier` wrote.

        Args:
            path: the `.npz`.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged, or something else.
        """
        path = pathlib.Path(path)
        content = path.read_bytes()
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            metadata = json.loads(bytes(arrays.pop("metadata")).decode())
            if metadata.pop("format") != _FORMAT:
                raise ValueError("another format")
            network = build_classifier(metadata["image_shape"], len(metadata["class_names"]))
            weights = _named_weights(network)
            if set(weights) != set(arrays):
                raise ValueError("other layers than build_classifier makes")
            for name, weight in weights.items():
                weight.assign(arrays[name].astype("float32"))
            digest = hashlib.sha256(content).hexdigest()[:16]
            return cls(network, metadata, digest)
        except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as e:
            raise ValueError(
                f"{path} is no classifier of scripts/train_classifier.py, or it is damaged "
                f"({e}). Train it again, or copy it again."
            ) from e
