"""Set-up shared by all tests."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Threads of NumPy's and scikit-learn's libraries wait by spinning: on few cores, beside
# TensorFlow's own, tests take many times as long with them. TensorFlow's are not affected.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import keras
import pytest
import tensorflow as tf

from keras_gen.metrics import evaluate_into
from keras_gen.training.strategy import make_strategy

# Two logical devices, so that data parallelism is tested on any machine. This must come before
# TensorFlow starts; a single device is used wherever no strategy is named.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_modifyitems(items):
    # What takes longest first, so that the two processes that `make test` runs end together.
    items.sort(key=lambda item: item.path.name != "test_processes.py")


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def few_samples(monkeypatch):
    """Recipes measure a few of a model's samples, not ten thousand."""
    monkeypatch.setitem(evaluate_into.__kwdefaults__, "num_images", 200)


@pytest.fixture(scope="session")
def mirrored():
    """A strategy with two replicas.

    One for all tests: TensorFlow numbers collective operations per strategy, and two strategies in
    one process would mix theirs up.
    """
    return make_strategy("mirrored", 2)
