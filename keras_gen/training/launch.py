"""A local cluster: several workers of one command on this machine, for trying it out."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from keras_gen.training.errors import RunError

_NOTICE_SECONDS = 10  # how long the others may take to notice on their own that one has failed
_GRACE_SECONDS = 90  # and how long to save and end after SIGTERM


def launch(command, workers):
    """Runs a recipe as several workers of a MultiWorkerMirroredStrategy and waits for them.

    Each worker gets its TF_CONFIG and its share of the processor's cores. Their output is
    printed line by line behind `[worker 0]`, `[worker 1]`, ... When one fails, the others get
    SIGTERM, and SIGKILL if they do not end in time. Ctrl-C and SIGTERM go to all of them.

    Args:
        command: the recipe's path and its flags.
        workers: how many, at least 1.

    Returns:
        The exit code: 0, or that of the worker which failed first.

    Raises:
        RunError: `workers` is below 1, or the recipe does not exist.
    """
    if workers < 1:
        raise RunError(f"--workers {workers}: give an integer of at least 1.")
    if not command or not pathlib.Path(command[0]).is_file():
        given = command[0] if command else "nothing"
        raise RunError(f"launch: {given} is no recipe. Put it behind --, with its flags.")
    addresses = [f"localhost:{port}" for port in free_ports(workers)]
    processes = [_start(command, addresses, index) for index in range(workers)]
    readers = [
        threading.Thread(target=_echo, args=(process.stdout, f"[worker {index}] "), daemon=True)
        for index, process in enumerate(processes)
    ]
    for reader in readers:
        reader.start()
    previous = signal.signal(signal.SIGTERM, _exit)
    try:
        code = _wait(processes)
    except KeyboardInterrupt:
        # The terminal sent SIGINT to the workers too: they save and end on their own, and a second
        # signal would cut that short.
        _wait_all(processes, _GRACE_SECONDS)
        code = 130
    finally:
        _end(processes)
        signal.signal(signal.SIGTERM, previous)
    for reader in readers:
        reader.join(timeout=5)
    return code


def _start(command, addresses, index):
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    environment = os.environ | {"TF_CONFIG": json.dumps(cluster), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        # Workers that each use all cores would only get in each other's way.
        share = cores[index :: len(addresses)] or cores
        os.sched_setaffinity(process.pid, share)
    return process


def _wait(processes):
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed:
            _wait_all(processes, _NOTICE_SECONDS)
            return failed[0]
        if all(code == 0 for code in codes):
            return 0
        time.sleep(0.2)


def _end(processes):
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    _wait_all(processes, _GRACE_SECONDS)
    for process in processes:
        process.kill()  # does nothing to one that has ended
        process.wait()


def _wait_all(processes, seconds):
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(0.1)


def _exit(number, frame):
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # once is enough: the workers must not be orphaned
    raise SystemExit(0)  # workers that save on SIGTERM end well, and so does this


def _echo(stream, prefix):
    for line in stream:
        # One write a line, so that the workers' lines do not run into each other.
        sys.stdout.write(prefix + line)
        sys.stdout.flush()


def free_ports(count):
    """Ports of this machine that nothing listens on, as integers."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
