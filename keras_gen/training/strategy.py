"""The distribution strategy that an option names."""

import functools
import json
import os

import tensorflow as tf

from keras_gen.training.errors import RunError


def make_strategy(name, replicas=None):
    """Gives the `tf.distribute` strategy of `--strategy` and `--replicas`.

    Args:
        name: `"none"`; `"mirrored"`, over the GPUs of this machine; `"multiworker"`, over the
            machines of TF_CONFIG; or `"auto"`: multiworker where TF_CONFIG names several workers,
            mirrored where there are several GPUs, else none.
        replicas: with `"mirrored"`, how many GPUs to use; without GPUs, into how many
            logical devices to split the CPU, so that data parallelism can be tried anywhere.

    Returns:
        A `tf.distribute.Strategy`; for `"none"` TensorFlow's default one.

    Raises:
        RunError: the devices are not there, TensorFlow has started and cannot be split, or
            TF_CONFIG is missing or damaged.
    """
    # Physical devices: asking for logical ones would start TensorFlow before the CPU is split.
    gpus = tf.config.list_physical_devices("GPU")
    workers = _workers_of_tf_config()
    if name == "auto":
        if workers > 1:
            name = "multiworker"
        else:
            name = "mirrored" if len(gpus) > 1 or (replicas or 1) > 1 else "none"
    if replicas not in (None, 1) and name != "mirrored":
        raise RunError(f"--replicas {replicas} needs --strategy mirrored.")
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "multiworker":
        if not workers:
            raise RunError(
                "--strategy multiworker: the environment variable TF_CONFIG names no workers. Set "
                "it on each machine, or try `python -m keras_gen launch --workers 2 -- RECIPE`."
            )
        return _multiworker()
    if not gpus:
        return _mirrored(_logical_cpus(replicas or 1))
    if replicas and replicas > len(gpus):
        raise RunError(f"--replicas {replicas}: there are only {len(gpus)} GPUs.")
    return _mirrored(tuple(f"GPU:{index}" for index in range(replicas or len(gpus))))


def is_chief(strategy):
    """Whether this process is the one that writes: the only one, or the first worker."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs
    )


def is_multiworker(strategy):
    """Whether other processes take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


# One strategy for the same devices: TensorFlow numbers collective operations per strategy, and
# two strategies in one process would mix theirs up.
@functools.cache
def _mirrored(devices):
    return tf.distribute.MirroredStrategy(list(devices))


@functools.cache
def _multiworker():
    return tf.distribute.MultiWorkerMirroredStrategy()


def _workers_of_tf_config():
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 0
    try:
        cluster = json.loads(text).get("cluster", {})
        return len(cluster.get("worker", [])) + len(cluster.get("chief", []))
    except (ValueError, AttributeError, TypeError) as error:
        raise RunError(f"TF_CONFIG={text!r} is no JSON object with a cluster: {error}") from error


def _logical_cpus(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    split = tf.config.get_logical_device_configuration(cpu)
    if len(split or [None]) < count:
        try:
            tf.config.set_logical_device_configuration(
                cpu, [tf.config.LogicalDeviceConfiguration()] * count
            )
        except RuntimeError as error:
            raise RunError(
                f"--replicas {count}: TensorFlow has started already and can no longer split the "
                "CPU. Make the run before anything else uses TensorFlow."
            ) from error
    return tuple(f"CPU:{index}" for index in range(count))
