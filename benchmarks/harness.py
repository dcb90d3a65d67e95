"""Which of several programs trains faster: they take turns, each in a process of its own.

A comparison is a module of this package with

    TITLE       what is trained, in a line
    ITEMS       how many images or points a step takes
    NOTE        in what the ways differ, where they do
    WAYS        {name: function of a precision that gives a `Program`}; those of ours come first,
                the default one before the others, and are called keras_gen

Every way runs in a process of its own (see `benchmarks.workers`), which tells the seconds from its
start to the end of its first step, and its peak of memory. Then all take turns, A B C A B C: what
else the machine does falls on all alike, and the ratio of two ways is taken within each round.
"""

import dataclasses
import functools
import importlib.util
from collections.abc import Callable

from benchmarks.workers import WayError, Worker, Workers

PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Program:
    """One way to train, ready to run.

    Attributes:
        run: runs a number of steps, or more where several make a call, and returns when the last
            one is done: how many they were, or None where they are as many as asked for.
        counts: None, or a function that gives the floating-point operations of a step and the
            number of trainable parameters.
        alone: whether start and memory are the program's own. Those of PyTorch are not: their
            networks are made from Keras', which loads TensorFlow too.
    """

    run: Callable[[int], int | None]
    counts: Callable[[], tuple[int, int]] | None = None
    alone: bool = True


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What was measured of one way.

    Attributes:
        way: its name.
        rates: images or points a second in each round.
        first_step_seconds: from the start of the process to the end of the first step, imports,
            data and compilation included, for each start; None where the program does not run
            alone.
        peak_memory_mib: largest resident memory; likewise.
        flops: floating-point operations for an image, where our way counts them.
        parameters: trainable numbers; likewise.
    """

    way: str
    rates: tuple[float, ...]
    first_step_seconds: tuple[float, ...] | None
    peak_memory_mib: float | None
    flops: float | None = None
    parameters: int | None = None


def compare(comparison, precision="float32", rounds=5, seconds=3.0, starts=1):
    """Lets the ways of a comparison take turns.

    Args:
        comparison: what `machine.describe` gave.
        precision: of all ways.
        rounds: how often each has its turn.
        seconds: how long a turn lasts, about.
        starts: how often each is started, in turns too, for the time of its first step.

    Returns:
        A list of `Measurement`, ours first, and the names of the ways that failed; their errors
        stand above.

    Raises:
        ValueError: an unknown precision.
        WayError: none of ours is left to compare with.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: give one of {', '.join(PRECISIONS)}.")
    items = comparison["items"]
    with Workers(comparison["module"], comparison["ways"], precision, starts) as workers:
        times = workers.turns(rounds, seconds)
        ends = workers.each(Worker.finish)
    measurements = []
    for way, (peak, (flops, parameters), alone) in ends.items():
        rates = tuple(items / each for each in times[way])
        own = (tuple(workers.first_steps[way]), peak) if alone else (None, None)
        measurements.append(Measurement(way, rates, *own, flops and flops / items, parameters))
    if not any(each.way.startswith("keras_gen") for each in measurements):
        raise WayError(f"none of ours is left, of {', '.join(workers.failed)} that failed")
    return measurements, workers.failed


def torch_modes(make):
    """Ways of PyTorch: eager, with channels last, and that compiled.

    Args:
        make: a function of `(precision, channels_last, compiled)` that gives a `Program`.

    Returns:
        `{name: way}`; empty where PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        return {}
    modes = {
        "PyTorch": {"channels_last": False, "compiled": False},
        "PyTorch, channels last": {"channels_last": True, "compiled": False},
        "PyTorch, compiled": {"channels_last": True, "compiled": True},
    }
    return {name: functools.partial(make, **mode) for name, mode in modes.items()}
