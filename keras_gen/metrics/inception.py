"""The Inception-v3 of Keras as a feature extractor: FID[keras-inception]."""

import hashlib
import os
import pathlib
import threading
import urllib.error
import urllib.request

import keras

from keras_gen.metrics.extraction import NetworkExtractor

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{_FILE}"
_PATIENCE_SECONDS = 5.0
_BATCH = 32


class InceptionExtractor(NetworkExtractor):
    """Features and ImageNet class probabilities by Keras' Inception-v3.

    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 2015, arXiv:1512.00567. The features are the 2048
    averages of the last feature maps. Frechet distances in them are printed as
    `FID[keras-inception]`, for they are NOT the FID of Heusel et al. (arXiv:1706.08500), and must
    not be compared with published FIDs. What differs from the network of the original code, the
    graph of TensorFlow's archive inception-2015-12-05:

        - other weights: Keras' classify into 1,000 classes, those into 1,008;
        - the last Inception block: in that graph its pooling branch takes the maximum, here the
          average, as the paper has it;
        - resizing to 299x299: bilinear in both, but that graph has TensorFlow 1's resizing, without
          antialiasing where an image gets smaller and with its corner, not its pixels' centres,
          as the origin.

    The file of weights (96 MB) is taken from `~/.keras/models` (or `$KERAS_HOME/models`), or
    downloaded to it. Takes about 0.05 s an image on two CPU cores.

    Args:
        network: None for the ImageNet weights; else a `keras.applications.InceptionV3` with its
            top, with any weights. Features of random weights measure nothing.

    Raises:
        FileNotFoundError: the weights are neither there nor can be downloaded now.
        ValueError: the file of weights is damaged.
    """

    name = "inception"
    test_accuracy = None
    class_names = None

    def __init__(self, network=None):
        self.digest = None
        if network is None:
            path = _weights_file()
            self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            try:
                network = _build(path)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"{path} cannot be read ({error}). Remove it; it will be fetched again."
                ) from error
        images = keras.Input((299, 299, 3), name="images", dtype="float32")
        scaled = keras.layers.Rescaling(2.0, -1.0, dtype="float32")(images)
        outputs = keras.Model(
            network.input, (network.get_layer("avg_pool").output, network.outputs[0])
        )
        super().__init__(keras.Model(images, outputs(scaled)), (299, 299, 3), _BATCH)
        self.description = (
            f"Keras' Inception-v3 {self.digest or 'without its weights'} (2048 features, "
            "299x299x3; not the network of the original FID)"
        )


def _build(weights):
    """Keras' network, in float32 whatever the global policy is."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return keras.applications.InceptionV3(weights=None if weights is None else str(weights))
    finally:
        keras.config.set_dtype_policy(policy)


def _weights_file():
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = home / "models" / _FILE
    if path.is_file():
        return path
    trouble = _network_trouble()
    if trouble is None:
        try:
            return pathlib.Path(
                keras.utils.get_file(
                    _FILE,
                    _URL,
                    cache_dir=str(home),
                    cache_subdir="models",
                    file_hash="9a0d58056eeedaa3f26cb7ebd46da564",
                )
            )
        except Exception as error:  # Keras raises bare Exceptions
            trouble = f"{type(error).__name__}: {error}"
    raise FileNotFoundError(
        f"Keras' Inception-v3 weights cannot be fetched from {_URL} ({trouble}). Download that "
        f"file where there is a network and put it at {path}, or take another extractor, such as "
        "--extractor mnist."
    )


def _network_trouble():
    """Why the weights cannot be downloaded now, or None where their host answers."""
    answers = []

    def ask():
        try:
            request = urllib.request.Request(_URL, method="HEAD")
            urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS).close()
            answers.append(None)
        except OSError as error:  # URLError, HTTPError and timeouts are OSErrors
            answers.append(f"{type(error).__name__}: {error}")

    # In a thread, because a name lookup takes no time limit, and Keras would wait for minutes.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    return answers[0] if answers else f"no answer in {_PATIENCE_SECONDS:g} s"
