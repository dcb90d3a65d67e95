"""How long a run trains, and in which calls of `fit`."""

from keras_gen.training.errors import RunError


def total_steps(steps, epochs, steps_per_epoch, default=None):
    """Training steps in all: the lesser of `steps` and of `epochs` passes through the data.

    Args:
        steps: an integer, or None for no such limit.
        epochs: an integer, or None for no such limit.
        steps_per_epoch: training steps of a pass through the data.
        default: steps where neither is given; None where one of them must be.

    Raises:
        RunError: one is below 1, or nothing says how long to train.
    """
    for name, value in (("--steps", steps), ("--epochs", epochs)):
        if value is not None and value < 1:
            raise RunError(f"{name} {value}: give an integer of at least 1.")
    limits = [limit for limit in (steps, epochs and epochs * steps_per_epoch) if limit]
    if not limits and default is None:
        raise RunError("Neither --steps nor --epochs is given: one must say how long to train.")
    return min(limits, default=default)


def segments(step, total, steps_per_epoch):
    """The calls of `fit` that train from `step` to `total`.

    Keras trains whole epochs of equal length. A resumed run starts within one and a number of
    steps may end within one: up to three calls, the middle one with whole epochs.

    Yields:
        `(first_epoch, last_epoch, steps_per_epoch)`, as `fit` takes them.
    """
    while step < total:
        epoch, within = divmod(step, steps_per_epoch)
        whole = (total - step) // steps_per_epoch
        if within == 0 and whole:
            yield epoch, epoch + whole, steps_per_epoch
            step += whole * steps_per_epoch
        else:
            steps_now = min(steps_per_epoch - within, total - step)
            yield epoch, epoch + 1, steps_now
            step += steps_now
