"""How long a run trains, and in which calls of `fit`."""

import keras

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


def warmed_cosine(peak, steps, warm_up=200):
    """A learning rate that rises in a line to its peak and falls to 0 along a cosine.

    Adam's first steps are as long as its rate allows, however small the gradient: at a rate that is
    right later they may throw a network far off.

    Args:
        peak: the largest rate.
        steps: training steps in all.
        warm_up: how many of them the rate rises; of a short training a tenth at most.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`.
    """
    cosine = keras.optimizers.schedules.CosineDecay
    warm_up = min(warm_up, steps // 10)
    if not warm_up:
        return cosine(peak, steps)
    return cosine(0.0, steps - warm_up, warmup_target=peak, warmup_steps=warm_up)
