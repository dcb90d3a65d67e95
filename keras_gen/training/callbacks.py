"""What happens beside the training steps of a run, each concern in a Keras callback of its own.

They share a `Progress`, because Keras counts batches from 0 in each epoch and a resumed run starts
in the middle of one.
"""

import csv
import dataclasses
import io
import math
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from keras_gen.training import checkpoints
from keras_gen.training.artifacts import image_grid, save_image
from keras_gen.training.errors import NonFiniteError
from keras_gen.training.files import write_atomic


@dataclasses.dataclass
class Progress:
    """How far a run has come.

    Attributes:
        total_steps: training steps that the run shall have in the end.
        steps_per_epoch: training steps that pass once through the data.
        images_per_step: images used by one training step.
        step: training steps done, earlier sessions included.
        seconds: seconds trained, earlier sessions included.
        rows: the history, one dict for each row of `history.csv`.
        pending: per name `[sum, count]` of the values logged since the last row.
    """

    total_steps: int
    steps_per_epoch: int
    images_per_step: int
    step: int = 0
    seconds: float = 0.0
    rows: list = dataclasses.field(default_factory=list)
    pending: dict = dataclasses.field(default_factory=dict)

    @property
    def epoch(self):
        """Passes through the data, a fraction in the middle of one."""
        return self.step / self.steps_per_epoch

    def state(self):
        """What a checkpoint keeps."""
        return {"seconds": self.seconds, "rows": self.rows, "pending": self.pending}

    def restore(self, step, state):
        """Goes back to a checkpoint."""
        self.step = step
        self.seconds, self.rows, self.pending = state["seconds"], state["rows"], state["pending"]


class StepCounter(keras.callbacks.Callback):
    """Counts steps and time. Comes first, so that the others see this step's count."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self._before = None
        self._measured_from = None

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._before = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        now = time.perf_counter()
        self.progress.step += 1
        self.progress.seconds += now - self._before
        self._before = now
        # The first step traces and compiles; the rate is that of the steps after it.
        self._measured_from = self._measured_from or (now, self.progress.step)

    @property
    def images_per_second(self):
        """Mean since the first step of this session, callbacks included; None until there is one.

        Everything that a user waits for is in it: data, training, sample grids, checkpoints.
        """
        if self._measured_from is None or self._before <= self._measured_from[0]:
            return None
        since, step = self._measured_from
        steps = self.progress.step - step
        return steps * self.progress.images_per_step / (self._before - since)


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
        broken = [
            network.name
            for network in networks
            if not all(np.isfinite(weight).all() for weight in network.get_weights())
        ]
        if broken:
            return f"Weights that are not finite: in the {' and the '.join(broken)}."
        return "All weights were still finite after this step."


_ADVICE = (
    "What helps, in this order: look for NaN in your data; lower the learning rates; clip the "
    "gradients (clipnorm=1.0 in the optimizers); --mixed-precision float32. The last good "
    "checkpoint is kept: --resume goes on from it."
)


class History(keras.callbacks.Callback):
    """Averages the logs over `every` steps into `history.csv` and TensorBoard events."""

    def __init__(self, progress, counter, folder, every):
        super().__init__()
        self.progress, self.counter, self.every = progress, counter, every
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
        row["images_per_second"] = self.counter.images_per_second or 0.0
        progress.rows.append(row)
        progress.pending.clear()
        self._write()
        with self.writer.as_default(step=progress.step):
            for name, value in row.items():
                if name != "step":
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs=None):
        """Flushes the TensorBoard events."""
        self.writer.flush()

    def _write(self):
        text = io.StringIO()
        table = csv.DictWriter(text, fieldnames=list(self.progress.rows[0]))
        table.writeheader()
        table.writerows(self.progress.rows)
        write_atomic(self.path, text.getvalue())


class Checkpoints(keras.callbacks.Callback):
    """Writes a checkpoint every `every` steps and at the end."""

    def __init__(self, progress, folder, every):
        super().__init__()
        self.progress, self.folder, self.every = progress, folder, every

    def on_train_batch_end(self, batch, logs=None):
        """Writes a checkpoint when it is due."""
        progress = self.progress
        if progress.step % self.every == 0 or progress.step == progress.total_steps:
            checkpoints.save(self.folder, progress.step, self.model, progress.state())


class SampleGrids(keras.callbacks.Callback):
    """Draws the same latents every `every` steps, so that one sees the model learn."""

    def __init__(self, progress, folder, every, seed, num_images=64):
        super().__init__()
        self.progress, self.folder, self.every = progress, folder, every
        self.seed, self.num_images = seed, num_images

    def on_train_begin(self, logs=None):
        """Draws the untrained model."""
        self.folder.mkdir(exist_ok=True)
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
        save_image(image_grid(images, self.model.value_range), path)


class ProgressBar(keras.callbacks.Callback):
    """Keras' progress bar over the whole run: step, time left, epoch, losses, images/s."""

    def __init__(self, progress, counter):
        super().__init__()
        self.progress, self.counter = progress, counter
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
        values += [("images/s", self.counter.images_per_second or 0.0)]
        self._bar.update(self.progress.step - self._start, values)
