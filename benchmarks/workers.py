"""Processes that take turns, one for each way to do something.

The ways are those of a module's `WAYS`, {name: function of a precision that gives a
`harness.Program`}. A process that waits for its turn sleeps.
"""

import importlib
import multiprocessing
import time


class WayError(RuntimeError):
    """The process of a way has ended; its own error stands above."""


class Workers:
    """A process for each way; one that fails is dropped, and the others go on.

    Args:
        module: the name of the comparison's module.
        ways: keys of its `WAYS`.
        precision: of all ways.
        starts: how often each is started; the last of its processes stays.

    Attributes:
        first_steps: for each way, seconds from the start to the end of the first step.
        failed: the names of the ways that failed.
    """

    def __init__(self, module, ways, precision="float32", starts=1):
        self.first_steps, self.failed, self._running = {way: [] for way in ways}, [], {}
        for start in range(starts):
            for way in ways:  # one after the other: their start is timed
                if way in self.failed or way in self._running:
                    continue
                self._running[way] = worker = Worker(module, way, precision)
                taken = self._ask(way, Worker.first_step)
                self.first_steps[way] += [taken] if taken else []
                if worker.alone and start < starts - 1:
                    self._running.pop(way, worker).stop()
        self._running = {way: self._running[way] for way in ways if way in self._running}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self._running.values():
            worker.stop()

    def each(self, action):
        """`{way: action(worker)}`, one after the other, of those that do not fail."""
        found = {way: self._ask(way, action) for way in list(self._running)}
        return {way: found[way] for way in self._running}

    def turns(self, rounds, seconds):
        """Lets them take turns.

        Args:
            rounds: how often each has its turn.
            seconds: how long a turn lasts, about.

        Returns:
            `{way: seconds of a step in each round}` of those that do not fail.
        """
        steps = self.each(lambda worker: worker.steps_in(seconds))
        times = {way: [] for way in steps}
        for _ in range(rounds):
            for way, taken in self.each(lambda worker: worker.time(steps[worker.way])).items():
                times[way].append(taken / steps[way])
        return {way: times[way] for way in self._running}

    def _ask(self, way, action):
        try:
            return action(self._running[way])
        except WayError:
            self.failed.append(way)
            self._running.pop(way).stop()


class Worker:
    """A process that runs one way whenever it is asked to; `WayError` where it has ended."""

    def __init__(self, module, way, precision):
        context = multiprocessing.get_context("spawn")
        self.way, self.alone, (self._pipe, theirs) = way, True, context.Pipe()
        self._start = time.time()
        arguments = (theirs, module, way, precision)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def first_step(self):
        """Waits for the first step; the seconds from the start to its end."""
        self.alone = self._receive()
        return time.time() - self._start

    def steps_in(self, seconds):
        """How many steps take so many seconds, at least 1.

        More and more are timed: a single one takes less than `fit` needs to begin.
        """
        self.time(2)  # some are compiled again in their second step
        steps = 1
        while (taken := self.time(steps)) < seconds / 4:
            steps *= 2
        return max(1, round(steps * seconds / taken))

    def time(self, steps):
        """The seconds that a number of steps take."""
        self._send(steps)
        return self._receive()

    def finish(self):
        """Peak memory in MiB, `(operations of a step, parameters)`, and whether it ran alone."""
        self._send(0)
        return *self._receive(), self.alone

    def stop(self):
        """Ends the process, whatever it does."""
        self._process.kill()  # tf.distribute catches what asks
        self._process.join()

    def _send(self, steps):
        try:
            self._pipe.send(steps)
        except OSError:  # a broken pipe
            raise WayError(self.way) from None

    def _receive(self):
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise WayError(self.way) from None


def _serve(pipe, module, way, precision):
    program = importlib.import_module(module).WAYS[way](precision)
    program.run(1)
    pipe.send(program.alone)
    while steps := pipe.recv():
        start = time.perf_counter()
        taken = program.run(steps) or steps
        pipe.send((time.perf_counter() - start) * steps / taken)
    from keras_gen.training import environment  # not before: TensorFlow's start is the program's

    # The peak before operations are counted, which makes a graph of its own.
    peak = environment.peak_memory_mib()
    pipe.send((peak, program.counts() if program.counts else (None, None)))
