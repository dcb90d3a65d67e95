"""Where a step's time goes: the operations of one way of a comparison, on one core.

    python -m benchmarks.operation_profile dcgan "keras_gen, simultaneous" --precision bfloat16

On one core an operation's time is the processor's, and the times add up. What is missing from
100 % is between the operations: the loop, the pipeline and TensorFlow's executor.
"""

import collections
import importlib
import os
import pathlib
import re
import tempfile
import time
from typing import Literal

import tyro

from benchmarks import machine

_NODE = re.compile(r"^[^\s:]+:_?(?:MklNative|Mkl)?(\w+)$")  # its name and its type


def main(
    comparison: tyro.conf.Positional[str],
    way: tyro.conf.Positional[str] = "keras_gen",
    precision: Literal["float32", "bfloat16"] = "float32",
    steps: int = 8,
    rows: int = 12,
):
    """Prints a table of the types of operation that take the most.

    Args:
        comparison: a module of the benchmarks that has ways, such as dcgan.
        way: one of its ways that TensorFlow runs.
        precision: what the networks compute in.
        steps: training steps that are profiled, after as many that are not.
        rows: of the table; the last one is all others.
    """
    machine.use_cpu_only()
    ways = importlib.import_module(f"benchmarks.{comparison}").WAYS
    if way not in ways or "PyTorch" in way:
        known = ", ".join(repr(name) for name in ways if "PyTorch" not in name)
        raise SystemExit(f"{way!r} is no way of {comparison} that TensorFlow runs: give {known}.")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    program = ways[way](precision)
    program.run(3)
    start = time.process_time()
    taken = program.run(steps) or steps
    total = 1e3 * (time.process_time() - start) / taken
    times, counts = operation_times(program.run, steps)
    print(f"{comparison}, {way}, {precision}: {total:.1f} ms of one core a step")
    print("| operation | in a step | ms | share |")
    print("| --- " * 4 + "|")
    listed = times.most_common(rows - 1)
    for name, value in listed:
        print(f"| {name} | {counts[name]:.0f} | {value:.2f} | {value / total:.0%} |")
    others = sum(times.values()) - sum(value for _, value in listed)
    count = sum(counts.values()) - sum(counts[name] for name, _ in listed)
    print(f"| others | {count:.0f} | {others:.2f} | {others / total:.0%} |")


def operation_times(run, steps):
    """What TensorFlow's profiler says of some steps.

    Args:
        run: a function that runs a number of steps: see `Program`.
        steps: that number.

    Returns:
        Two counters by type of operation: milliseconds a step, and how many there are in a step.
    """
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        steps = run(steps) or steps
        tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    times, counts = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                found = _NODE.match(plane.event_metadata[event.metadata_id].name)
                if found:
                    times[found[1]] += event.duration_ps / 1e9 / steps
                    counts[found[1]] += 1 / steps
    return times, counts


if __name__ == "__main__":
    tyro.cli(main)
