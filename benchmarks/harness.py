"""Which of several programs trains faster: they take turns, each in a process of its own.

A comparison is a module of this package with

    TITLE       what is trained, in a line
    ITEMS       how many images or points a step takes
    WAYS        {name: function of a precision that gives a `Program`}; the first is ours

Every way runs in a process of its own, which tells the seconds from its start to the end of its
first step, and its peak of memory. Then all take turns, A B C A B C: what else the machine does
falls on all alike, and the ratio of two ways is taken within each round. A process that waits for
its turn sleeps.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
import multiprocessing
import statistics
import time
from collections.abc import Callable

PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Program:
    """One way to train, ready to run.

    Attributes:
        run: runs a number of steps and returns when the last one is done.
        counts: None, or a function that gives the floating-point operations of a step and the
            number of trainable parameters.
        alone: whether start and memory are the program's own. Those of PyTorch are not: their
            networks are made from Keras', which loads TensorFlow too.
    """

    run: Callable[[int], None]
    counts: Callable[[], tuple[int, int]] | None = None
    alone: bool = True


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What was measured of one way.

    Attributes:
        way: its name.
        precision: `"float32"` or `"bfloat16"`.
        rates: images or points a second in each round.
        first_step_seconds: from the start of the process to the end of the first step, imports,
            data and compilation included; None where the program does not run alone.
        peak_memory_mib: largest resident memory; likewise.
        flops: floating-point operations for an image, where our way counts them.
        parameters: trainable numbers; likewise.
    """

    way: str
    precision: str
    rates: tuple[float, ...]
    first_step_seconds: float | None
    peak_memory_mib: float | None
    flops: float | None = None
    parameters: int | None = None

    @property
    def rate(self):
        """The median of the rates."""
        return statistics.median(self.rates)


def ratios(ours, theirs):
    """How many times as fast ours was: `(median, least, most)` of the rounds' ratios."""
    each = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    return statistics.median(each), min(each), max(each)


def compare(comparison, precision="float32", rounds=5, seconds=3.0):
    """Lets the ways of a comparison take turns.

    Args:
        comparison: what `describe` gave.
        precision: of all ways.
        rounds: how often each has its turn.
        seconds: how long a turn lasts, about.

    Returns:
        A list of `Measurement`, ours first.

    Raises:
        ValueError: an unknown precision.
        RuntimeError: a way failed; its own error stands above.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: give one of {', '.join(PRECISIONS)}.")
    workers = []
    try:
        for way in comparison["ways"]:  # one after the other: their start is timed
            workers.append(Worker(comparison["module"], way, precision))
        items = comparison["items"]
        # The slowest way decides nothing for the others.
        steps = [steps_in(worker, seconds) for worker in workers]
        rates = [[] for _ in workers]
        for _ in range(rounds):
            for worker, count, found in zip(workers, steps, rates, strict=True):
                found.append(items * count / worker.time(count))
        return [
            Measurement(worker.way, precision, tuple(found), *worker.finish(items))
            for worker, found in zip(workers, rates, strict=True)
        ]
    finally:
        for worker in workers:
            worker.stop()


def steps_in(worker, seconds):
    """How many steps a worker takes in so many seconds.

    More and more are timed: a single one takes less than `fit` needs to begin.
    """
    worker.time(2)  # some are compiled again in their second step
    steps = 1
    while (taken := worker.time(steps)) < seconds / 4:
        steps *= 2
    return max(1, round(steps * seconds / taken))


class Worker:
    """A process that runs one way whenever it is asked to."""

    def __init__(self, module, way, precision):
        context = multiprocessing.get_context("spawn")
        self.way, (self._pipe, theirs) = way, context.Pipe()
        start = time.time()
        self._process = context.Process(
            target=_serve, args=(theirs, module, way, precision), daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()
        self.first_step = time.time() - start

    def time(self, steps):
        """The seconds that a number of steps take."""
        self._pipe.send(steps)
        return self._receive()

    def finish(self, items):
        """Ends the process, and gives what a `Measurement` has beside the rates."""
        self._pipe.send(0)
        peak, counts, alone = self._receive()
        self._process.join()
        flops, parameters = counts or (None, None)
        alone_only = (self.first_step, peak) if alone else (None, None)
        return *alone_only, flops and flops / items, parameters

    def stop(self):
        """Ends the process, whatever it does."""
        self._process.terminate()
        self._process.join()

    def _receive(self):
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self.way} failed; its error stands above.") from None


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


def matmul_peak(precision="float32", size=2048, rounds=9):
    """Floating-point operations a second of the machine, by products of matrices.

    Args:
        precision: of the matrices.
        size: of the square matrices.
        rounds: how many products are timed, of which the fastest counts.
    """
    with _pool() as pool:
        return pool.apply(_matmul_peak, (precision, size, rounds))


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


def _serve(pipe, module, way, precision):
    from keras_gen.training import environment

    program = importlib.import_module(module).WAYS[way](precision)
    program.run(1)
    pipe.send(None)
    while steps := pipe.recv():
        start = time.perf_counter()
        program.run(steps)
        pipe.send(time.perf_counter() - start)
    # The peak before operations are counted, which makes a graph of its own.
    peak = environment.peak_memory_mib()
    pipe.send((peak, program.counts and program.counts(), program.alone))


def describe(name):
    """What a comparison says of itself, and what it runs on.

    Asked in another process, because it imports TensorFlow.

    Args:
        name: such as `"dcgan"`.

    Returns:
        A dict of `name`, `module`, `title`, `items`, `ways`, `machine`, `versions`, `commit`,
        `bfloat16`: whether the machine computes in it, and `images`: what stands for MNIST.
    """
    with _pool() as pool:
        return pool.apply(_describe, (name,))


def _describe(name):
    from benchmarks.tensorflow_ways import mnist
    from keras_gen.training import environment

    module = importlib.import_module(f"benchmarks.{name}")
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = "not installed"
    return {
        "name": name,
        "module": f"benchmarks.{name}",
        "title": module.TITLE,
        "items": module.ITEMS,
        "ways": list(module.WAYS),
        "images": mnist().name,
        "machine": environment.machine(),
        "versions": environment.versions() | {"torch": torch},
        "commit": environment.commit(),
        "bfloat16": environment.computes_bfloat16(),
    }


def _pool():
    return multiprocessing.get_context("spawn").Pool(1)
