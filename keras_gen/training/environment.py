"""What a run ran on: versions, machine, commit, memory."""

import importlib.metadata
import os
import pathlib
import platform
import resource
import subprocess
import sys

import tensorflow as tf


def versions():
    """Versions of Python and of the packages that decide a result."""
    packages = ("tensorflow", "keras", "numpy", "keras_gen")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine():
    """Processor, cores that this process may use, memory and GPUs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name") for gpu in gpus]
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "gpus": names,
    }


def computes_bfloat16():
    """Whether the GPUs, or without any the processor, have instructions for bfloat16.

    Others emulate it, many times slower than float32. GPUs have it from compute capability 8 on,
    processors of x86 with AVX512_BF16 or AMX.
    """
    details = tf.config.experimental.get_device_details
    gpus = [details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    if gpus:
        return all(gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in gpus)
    info = pathlib.Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.exists() else []
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def commit():
    """`(commit, dirty)` of the source tree that the package is imported from; None outside git."""
    root = pathlib.Path(__file__).resolve().parents[2]

    def git(*arguments):
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return None, False


def peak_memory_mib():
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _processor():
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
