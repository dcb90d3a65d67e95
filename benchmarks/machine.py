"""What the benchmarks run on, asked in processes of their own: the answers need TensorFlow."""

import importlib
import importlib.metadata
import multiprocessing
import os
import time


def use_cpu_only():
    """Hides GPUs from the processes to come: all ways are made and tuned for a CPU."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def describe(name):
    """What a comparison says of itself.

    Args:
        name: such as `"dcgan"`.

    Returns:
        A dict of `name`, `module`, `title`, `note`, `items` and `ways`.
    """
    return _elsewhere(_describe, name)


def _describe(name):
    module = importlib.import_module(f"benchmarks.{name}")
    return {
        "name": name,
        "module": module.__name__,
        "title": module.TITLE,
        "note": getattr(module, "NOTE", ""),
        "items": module.ITEMS,
        "ways": list(module.WAYS),
    }


def surroundings():
    """What figures depend on beside the program, at this moment.

    Returns:
        A dict of `machine`, `versions`, `commit`, `bfloat16`: whether the processor has
        instructions for it, `load_average` over 1, 5 and 15 minutes, and `environment`: the
        variables that allocators, threads and TensorFlow read.
    """
    prefixes = ("MALLOC_", "OMP_", "TF_")
    variables = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(prefixes) and not value.startswith("/")  # files of other programs
    }
    load = {"load_average": list(os.getloadavg()), "environment": variables}
    return _elsewhere(_surroundings) | load


def _surroundings():
    from keras_gen.training import environment

    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = "not installed"
    return {
        "machine": environment.machine(),
        "versions": environment.versions() | {"torch": torch},
        "commit": environment.commit(),
        "bfloat16": environment.computes_bfloat16(),
    }


def images():
    """The name of what stands for MNIST: `"mnist"` where it can be had."""
    return _elsewhere(_images)


def _images():
    from benchmarks.tensorflow_ways import mnist

    return mnist().name


def matmul_peak(precision="float32", size=2048, rounds=9):
    """Floating-point operations a second of the machine, by products of matrices.

    Args:
        precision: of the matrices.
        size: of the square matrices.
        rounds: how many products are timed, of which the fastest counts.
    """
    return _elsewhere(_matmul_peak, precision, size, rounds)


def _matmul_peak(precision, size, rounds):
    import tensorflow as tf

    x = tf.cast(tf.random.normal((size, size)), precision)
    product = tf.function(lambda: tf.reduce_sum(x @ x))
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times[1:])


def _elsewhere(function, *arguments):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)
