"""Ending a run in good order on SIGTERM or SIGINT."""

import signal
import threading

EXIT_CODES = {signal.SIGTERM: 0, signal.SIGINT: 130}


class Interruption:
    """Turns a first SIGTERM or SIGINT into a request, honoured after the running training step.

    A second signal acts as it always does. Use as a context manager around the training.

    Attributes:
        requested: 0, or the number of the signal that came.
    """

    def __init__(self):
        self.requested = 0
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in EXIT_CODES:
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _request(self, number, frame):
        self.requested = number
        self.__exit__()
        print(
            f"\n{signal.Signals(number).name}: saving after this step; once more to stop at once.",
            flush=True,
        )
