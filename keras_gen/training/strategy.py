"""The distribution strategy that an option names."""

import functools

import tensorflow as tf

from keras_gen.training.errors import RunError


def make_strategy(name, replicas=None):
    """Gives the `tf.distribute` strategy of `--strategy` and `--replicas`.

    Args:
        name: `"auto"` (mirrored where there are several GPUs, else none), `"none"` or
            `"mirrored"`.
        replicas: with `"mirrored"`, how many GPUs to use; without GPUs, into how many
            logical devices to split the CPU, so that data parallelism can be tried anywhere.

    Returns:
        A `tf.distribute.Strategy`; for `"none"` TensorFlow's default one.

    Raises:
        RunError: the devices are not there, or TensorFlow has started and cannot be split.
    """
    # Physical devices: asking for logical ones would start TensorFlow before the CPU is split.
    gpus = tf.config.list_physical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 or (replicas or 1) > 1 else "none"
    if name == "none":
        if replicas not in (None, 1):
            raise RunError(f"--replicas {replicas} needs --strategy mirrored.")
        return tf.distribute.get_strategy()
    if not gpus:
        return _mirrored(_logical_cpus(replicas or 1))
    if replicas and replicas > len(gpus):
        raise RunError(f"--replicas {replicas}: there are only {len(gpus)} GPUs.")
    return _mirrored(tuple(f"GPU:{index}" for index in range(replicas or len(gpus))))


@functools.cache
def _mirrored(devices):
    # One strategy for the same devices: TensorFlow numbers collective operations per strategy, and
    # two strategies in one process would mix theirs up.
    return tf.distribute.MirroredStrategy(list(devices))


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
