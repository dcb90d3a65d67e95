"""Features by a classifier of factors: an extractor for data with factors instead of classes."""

import hashlib

import keras
import numpy as np

from keras_gen.metrics.extraction import NetworkExtractor
from keras_gen.metrics.factors import factor_accuracy

_BATCH = 64


class FactorExtractor(NetworkExtractor):
    """The last activations of a factor classifier, their mean over the image; no classes.

    See `keras_gen.metrics.extraction`. Two classifiers of the same data give other numbers, so a
    value goes with the `digest` of the weights.

    Args:
        classifier: what `train_factor_classifier` gave.
        data: a held-out labelled set, of which the accuracy is stated and whose value range the
            classifier was trained on.
    """

    name = "factors"
    class_names = None

    def __init__(self, classifier, data):
        low, high = data.value_range
        images = keras.Input(classifier.input_shape[1:], name="images", dtype="float32")
        maps = _last_maps(classifier)(low + images * (high - low))
        features = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
        super().__init__(keras.Model(images, features), classifier.input_shape[1:], _BATCH)
        weights = b"".join(np.asarray(weight).tobytes() for weight in classifier.weights)
        self.digest = hashlib.sha256(weights).hexdigest()[:16]
        self.test_accuracy = float(np.mean(list(factor_accuracy(classifier, data).values())))
        shape = "x".join(map(str, self.image_shape))
        self.description = (
            f"{data.name} factor classifier {self.digest} ({self.test_accuracy:.2%} on "
            f"{data.split}, {self.num_features} features, {shape})"
        )


def _last_maps(classifier):
    """The classifier up to its last activations, `(B, h, w, D)`."""
    last = [layer for layer in classifier.layers if isinstance(layer, keras.layers.ReLU)][-1]
    return keras.Model(classifier.input, last.output)
