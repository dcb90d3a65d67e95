"""Errors of a run."""


class RunError(ValueError):
    """A run cannot start or go on; the message says why and what to do."""


class NonFiniteError(RunError):
    """A loss or a weight became NaN or infinite."""
