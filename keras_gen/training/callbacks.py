"""What happens beside the training steps of a run, each concern in a Keras callback of its own.

They share a `Progress`, because Keras counts batches from 0 in each epoch and a resumed run starts
in the middle of one.
"""

import contextlib
import csv
import dataclasses
import io
import math
import signal
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from keras_gen.training import checkpoints
from keras_gen.training.artifacts import image_grid, save_image
from keras_gen.training.errors import NonFiniteError
from keras_gen.training.files import write_atomic
from keras_gen.training.interruption import EXIT_CODES
from keras_gen.training.strategy import is_multiworker


@dataclasses.dataclass
class Progress:
    """How far a run has come.

    Attributes:
        total_steps: training steps that the run shall have in the end.
        steps_per_epoch: training steps that pass once through the data.
        images_per_step: images used by one training step.
        step: training steps done, earlier sessions included.
        seconds: seconds trained, earlier sessions included.
        timed_steps: steps that count for the speed: all but the first of each session.
        timed_seconds: how long those took.
        rows: the history, one dict for each row of `history.csv`.
        pending: per name `[sum, count]` of the values logged since the last row.
    """

    total_steps: int
    steps_per_epoch: int
    images_per_step: int
    step: int = 0
    seconds: float = 0.0
    timed_steps: int = 0
    timed_seconds: float = 0.0
    rows: list = dataclasses.field(default_factory=list)
    pending: dict = dataclasses.field(default_factory=dict)

    @property
    def epoch(self):
        """Passes through the data, a fraction in the middle of one."""
        return self.step / self.steps_per_epoch

    @property
    def images_per_second(self):
        """Mean over the timed steps, callbacks included; 0 before there are any.

        Everything that a user waits for is in it: data, training, sample grids, checkpoints. The
        first step of a session, which traces and compiles, is not.
        """
        return self.timed_steps * self.images_per_step / max(self.timed_seconds, 1e-9)

    def state(self):
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(self, step, state):
        """Goes back to a checkpoint."""
        self.step = step
        for name in _KEPT:
            setattr(self, name, state[name])


_KEPT = ("seconds", "timed_steps", "timed_seconds", "rows", "pending")


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
    "What helps, in this order: look for NaN in your data; lower the learning rates; clip the "
    "gradients (clipnorm=1.0 in the optimizers); --mixed-precision float32. The last good "
    "checkpoint is kept: --resume goes on from it."
)


@contextlib.contextmanager
def _tolerated(what):
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
        row = {"step": progress.step, "epoch": progress.epoch, "seconds": progress.seconds}
        row |= {name: total / count for name, (total, count) in progress.pending.items()}
        row["images_per_second"] = progress.images_per_second
        progress.rows.append(row)
        progress.pending.clear()
        with _tolerated(self.path):
            self._write()
        with _tolerated("TensorBoard events"), self.writer.as_default(step=progress.step):
            for name, value in row.items():
                if name != "step":
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs=None):
        """Flushes the TensorBoard events."""
        with _tolerated("TensorBoard events"):
            self.writer.flush()

    def _write(self):
        text = io.StringIO()
        table = csv.DictWriter(text, fieldnames=list(self.progress.rows[0]))
        table.writeheader()
        table.writerows(self.progress.rows)
        write_atomic(self.path, text.getvalue())


class Checkpoints(keras.callbacks.Callback):
    """Writes a checkpoint every `every` steps and at the end; with several workers the chief does.

    One that cannot be written is reported, the ones before it stay, and training goes on.
    """

    def __init__(self, progress, folder, every, is_chief):
        super().__init__()
        self.progress, self.folder, self.every = progress, folder, every
        self.is_chief = is_chief

    def on_train_batch_end(self, batch, logs=None):
        """Writes a checkpoint when it is due."""
        progress = self.progress
        if progress.step % self.every == 0 or progress.step == progress.total_steps:
            with _tolerated(f"The checkpoint of step {progress.step}"):
                self.save()

    def save(self):
        """Writes a checkpoint now."""
        progress = self.progress
        checkpoints.save(
            self.folder, progress.step, self.model, progress.state(), write=self.is_chief
        )


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
            if self.keeper.is_chief:
                step, folder = self.keeper.progress.step, self.keeper.folder.parent
                print(
                    f"\nSaved at step {step}. Go on with the same command and "
                    f"--resume --out {folder}",
                    flush=True,
                )
            raise SystemExit(EXIT_CODES.get(number, 0))

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
        images = self.model.sample(self.num_images, seed=self.seed)
        path = self.folder / f"step-{self.progress.step:08d}.png"
        with _tolerated(path):
            self.folder.mkdir(exist_ok=True)
            save_image(image_grid(images, self.model.value_range), path)


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
            self._bar.stateful_metrics = {"epoch", "images/s"}
        values = [("epoch", self.progress.epoch)]
        values += [(name, value) for name, value in logs.items() if name.endswith("_loss")]
        values += [("images/s", self.progress.images_per_second)]
        self._bar.update(self.progress.step - self._start, values)
