"""What happens beside the training steps of a run, each concern in a Keras callback of its own.

They share a `Progress`, because Keras counts batches from 0 in each epoch and a resumed run starts
in the middle of one.
"""

import contextlib
import math
import signal
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from keras_gen.artifacts.pictures import image_grid, point_cloud, save_image
from keras_gen.training import checkpoints
from keras_gen.training.errors import NonFiniteError
from keras_gen.training.interruption import EXIT_CODES
from keras_gen.training.progress import write_history
from keras_gen.training.strategy import is_multiworker


class StepCounter(keras.callbacks.Callback):
    """Counts steps and time. Comes first, so that the others see this step's count."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self._before = None
        self._first = True

    def on_train_begin(self, logs=None):
        """Starts the clock; a run's later calls of `fit` leave it running."""
        self._before = self._before or time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        now = time.perf_counter()
        elapsed, self._before = now - self._before, now
        self.progress.step += 1
        self.progress.seconds += elapsed
        if not self._first:
            self.progress.timed_steps += 1
            self.progress.timed_seconds += elapsed
        self._first = False


class NonFiniteGuard(keras.callbacks.Callback):
    """Stops the run at the first step with a NaN or infinite loss."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress

    def on_train_batch_end(self, batch, logs=None):
        """Raises NonFiniteError where a logged value is not finite."""
        broken = {name: value for name, value in logs.items() if not math.isfinite(value)}
        if broken:
            values = ", ".join(f"{name} is {value}" for name, value in broken.items())
            raise NonFiniteError(f"Step {self.progress.step}: {values}. {self._where()} {_ADVICE}")

    def _where(self):
        networks = [layer for layer in self.model.layers if isinstance(layer, keras.Model)]
        broken = {  # a moving average bears its network's name: once is enough
            network.name: None
            for network in networks
            if not all(np.isfinite(weight).all() for weight in network.get_weights())
        }
        if broken:
            return f"Weights that are not finite: in the {' and the '.join(broken)}."
        return "All weights were still finite after this step."


_ADVICE = (
    "What helps: look for NaN in the data; where the recipe compiles the model, lower the learning "
    "rates or clip the gradients (clipnorm=1.0); --mixed-precision float32. No checkpoint was "
    "written since: go on from the last one, where there is one, with --resume --allow-changes."
)


@contextlib.contextmanager
def tolerated(what):
    """Says that something could not be written and lets the training go on.

    A full disk must not cost the hours that a run has behind it.
    """
    try:
        yield
    except (OSError, tf.errors.ResourceExhaustedError, tf.errors.UnknownError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        print(f"\nwarning: {what} could not be written ({reason}); training goes on.", flush=True)


class History(keras.callbacks.Callback):
    """Averages the logs over `every` steps into `history.csv` and TensorBoard events."""

    def __init__(self, progress, folder, every):
        super().__init__()
        self.progress, self.every = progress, every
        self.path = folder / "history.csv"
        self.writer = tf.summary.create_file_writer(str(folder / "tensorboard"))

    def on_train_batch_end(self, batch, logs=None):
        """Adds this step's values; writes a row when it is due."""
        progress = self.progress
        for name, value in logs.items():
            total = progress.pending.setdefault(name, [0.0, 0])
            total[0] += float(value)
            total[1] += 1
        if progress.step % self.every and progress.step != progress.total_steps:
            return
        row = progress.add_row()
        with tolerated(self.path):
            write_history(progress.rows, self.path)
        with tolerated("TensorBoard events"), self.writer.as_default(step=progress.step):
            for name, value in row.items():
                if name != "step":
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs=None):
        """Flushes the TensorBoard events."""
        with tolerated("TensorBoard events"):
            self.writer.flush()


class KeptState(keras.callbacks.Callback):
    """Carries what `fit` resets over to its next call, and over a resume.

    That is the epoch's metrics, and the numbers that the user's callbacks keep (the best value, how
    long it was waited for): every public attribute that is a plain number. Comes last.

    Args:
        extra: the user's callbacks.
        metrics: arrays of the metrics in the checkpoint that the run goes on from, or None.
        numbers: what `state` gave for that checkpoint, or None.
    """

    def __init__(self, extra, metrics=None, numbers=None):
        super().__init__()
        self.extra, self._metrics, self._numbers = list(extra), metrics, numbers

    def state(self):
        """The numbers of each callback, for JSON."""
        return [
            {
                name: float(value) if isinstance(value, np.floating) else value
                for name, value in vars(callback).items()
                if not name.startswith("_") and isinstance(value, bool | int | float | np.floating)
            }
            for callback in self.extra
        ]

    def on_train_begin(self, logs=None):
        """Sets the callbacks' numbers again, which their own `on_train_begin` reset."""
        for callback, numbers in zip(self.extra, self._numbers or [], strict=False):
            for name, value in numbers.items():
                setattr(callback, name, value)

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the metrics of a resumed epoch again, which `fit` reset."""
        for variable, value in zip(self.model.metrics_variables, self._metrics or [], strict=False):
            variable.assign(value)
        self._metrics = None

    def on_train_end(self, logs=None):
        """Keeps the numbers for the next call of `fit`."""
        self._numbers = self.state()


class Checkpoints(keras.callbacks.Callback):
    """Writes a checkpoint every `every` steps and at the end; with several workers the chief does.

    One that cannot be written is reported, the ones before it stay, and training goes on.
    """

    def __init__(self, progress, kept, folder, every, is_chief):
        super().__init__()
        self.progress, self.kept, self.folder, self.every = progress, kept, folder, every
        self.is_chief = is_chief

    def on_train_batch_end(self, batch, logs=None):
        """Writes a checkpoint when it is due."""
        progress = self.progress
        if progress.step % self.every == 0 or progress.step == progress.total_steps:
            self.save()

    def save(self):
        """Writes a checkpoint now, if the disk lets it."""
        step = self.progress.step
        state = self.progress.state() | {"callbacks": self.kept.state()}
        with tolerated(f"The checkpoint of step {step}"):
            checkpoints.save(self.folder, step, self.model, state, write=self.is_chief)


class StopOnRequest(keras.callbacks.Callback):
    """Saves and exits when a signal asked for it, all workers after the same step."""

    def __init__(self, interruption, keeper, strategy):
        super().__init__()
        self.interruption, self.keeper, self.strategy = interruption, keeper, strategy

        @tf.function(autograph=False)
        def total(number):
            return strategy.reduce("SUM", strategy.run(tf.identity, (number,)), axis=None)

        self._total = total

    def on_train_batch_end(self, batch, logs=None):
        """Raises SystemExit when a signal came, to this worker or to another."""
        number = self._agreed()
        if number:
            self.keeper.save()
            self.stop(number)

    def stop(self, number):
        """Says how to go on and raises SystemExit with the signal's exit code."""
        if self.keeper.is_chief:
            step = checkpoints.latest_step(self.keeper.folder)
            saved = "Nothing could be saved" if step is None else f"Saved at step {step}"
            print(
                f"\n{saved}. Go on with the same command and "
                f"--resume --out {self.keeper.folder.parent}",
                flush=True,
            )
        raise SystemExit(EXIT_CODES[number])

    def _agreed(self):
        number = self.interruption.requested
        if not is_multiworker(self.strategy):
            return number
        # A worker that stopped alone would leave the others waiting for it. The number goes in as
        # a tensor: traced anew for each value, the workers' collective operations would not match.
        total = float(self._total(tf.constant(number, "float32")))
        return number or (signal.SIGTERM if total else 0)


class SampleGrids(keras.callbacks.Callback):
    """Draws the same latents every `every` steps, so that one sees the model learn."""

    def __init__(self, progress, folder, every, seed, num_images=64):
        super().__init__()
        self.progress, self.folder, self.every = progress, folder, every
        self.seed, self.num_images = seed, num_images

    def on_train_begin(self, logs=None):
        """Draws the untrained model."""
        if self.progress.step == 0:
            self._draw()

    def on_train_batch_end(self, batch, logs=None):
        """Draws when it is due."""
        progress = self.progress
        if progress.step % self.every == 0 or progress.step == progress.total_steps:
            self._draw()

    def _draw(self):
        value_range = self.model.value_range
        # Points in the plane have no picture each: a cloud of many shows them.
        if getattr(self.model, "image_shape", None) == (1, 1, 2):
            points = np.reshape(self.model.sample(_POINTS, seed=self.seed), (-1, 2))
            picture = point_cloud(points, value_range)
        else:
            picture = image_grid(self.model.sample(self.num_images, seed=self.seed), value_range)
        path = self.folder / f"step-{self.progress.step:08d}.png"
        with tolerated(path):
            self.folder.mkdir(exist_ok=True)
            save_image(picture, path)


_POINTS = 2_500  # of a cloud
_SHOWN = ("_loss", "_nats", "_per_pixel")  # what the bar has room for


class ProgressBar(keras.callbacks.Callback):
    """Keras' progress bar over the whole run: step, time left, epoch, losses, images/s."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self._start = progress.step
        self._bar = None

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar on."""
        if self._bar is None:
            # A log file gets a line now and then, a terminal a bar that moves.
            interval = 0.5 if sys.stdout.isatty() else 15.0
            steps = self.progress.total_steps - self._start
            self._bar = keras.utils.Progbar(steps, width=20, interval=interval, unit_name="step")
        recent = self.progress.recent
        values = [("epoch", self.progress.epoch)]
        values += [(name, recent[name]) for name in logs if name.endswith(_SHOWN)]
        values += [("images/s", self.progress.images_per_second)]
        self._bar.stateful_metrics = {name for name, _ in values}  # shown as they are
        self._bar.update(self.progress.step - self._start, values)
