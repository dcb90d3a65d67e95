"""How far a run has come, and its history."""

import csv
import dataclasses
import io

from keras_gen.artifacts.files import write_atomic

# What of a `Progress` a checkpoint keeps, beside the step.
_KEPT = ("seconds", "timed_steps", "timed_seconds", "rows", "pending")


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

    @property
    def recent(self):
        """Means of the logged values since the last row of the history, or in it."""
        if self.pending:
            return {name: total / count for name, (total, count) in self.pending.items()}
        return self.rows[-1] if self.rows else {}

    def add_row(self):
        """Makes a row of the history from what was logged since the last one."""
        row = {"step": self.step, "epoch": self.epoch, "seconds": self.seconds}
        row |= self.recent | {"images_per_second": self.images_per_second}
        self.rows.append(row)
        self.pending.clear()
        return row

    def state(self):
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(self, step, state):
        """Goes back to a checkpoint."""
        self.step = step
        for name in _KEPT:
            setattr(self, name, state[name])


def write_history(rows, path):
    """Writes the rows of a `Progress`, at least one, as CSV."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    write_atomic(path, text.getvalue())
