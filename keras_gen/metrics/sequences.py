"""How good sequences of symbols are whose grammar is known, and how that changes in training.

After the experiment of Kusner and Hernandez-Lobato, 2016, arXiv:1611.04051, who show samples over
the training; the numbers are ours. Of N sequences, with a recogniser of the grammar:

    grammatical_share  sequences that the recogniser accepts / N
    distinct_share     different sequences / N
    length_distance    sum_n |p(n) - q(n)| / 2, p and q the shares of the lengths n in both sets

The first alone says little: a generator that gives one short string for ever has 1. The second
depends on N and is below 1 for the data too, and the third is above 0 for the data's own draws:
measure real sequences, as many, beside the model's.

Shapes: tokens (N, length), integers.
"""

import json

import keras
import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure, write_atomic, write_json

SHOWN = 12  # samples of each stage that `SequenceProgress` keeps as text


def grammatical_share(tokens, is_grammatical):
    """Share of the sequences that a recogniser accepts.

    Args:
        tokens: `(N, length)`.
        is_grammatical: a function from tokens to bool `(N,)`.

    Returns:
        A number in [0, 1].
    """
    return float(np.mean(is_grammatical(_tokens(tokens))))


def distinct_share(tokens):
    """Number of different sequences among tokens `(N, length)`, over N."""
    return len(np.unique(_tokens(tokens), axis=0)) / len(tokens)


def length_distance(tokens, others, padding):
    """Total variation distance of two sets' lengths, in [0, 1].

    Args:
        tokens, others: `(N, length)` and `(M, length)`.
        padding: the symbol that fills a sequence up; a length counts all the others.
    """
    lengths = [(_tokens(each) != padding).sum(axis=1) for each in (tokens, others)]
    shares = [np.bincount(each, minlength=tokens.shape[1] + 1) / len(each) for each in lengths]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


class SequenceProgress(keras.callbacks.Callback):
    """Measures a model's samples every so many training steps, always with the same seed.

    It writes `<name>.json`, the measurements, and `<name>.txt`, some samples of each stage. Where
    the file is there already a run goes on with it, from its own step on.

    Args:
        path: where to, without an ending.
        real_images: `(N, length, num_symbols, 1)`: what samples are compared with; as many are
            drawn.
        language: has `to_tokens(images)`, `to_text(tokens)`, a list of strings,
            `is_grammatical(tokens)`, bool `(N,)`, and `PADDING`, the symbol that fills a sequence
            up: such as the module `keras_gen.data.grammar`.
        every: training steps between measurements.
        seed: the seed of the samples.

    Attributes:
        rows: a dict for each stage: `step`, the three shares and `samples`.

    Raises:
        ValueError: `every` is less than 1, or the images are no sequences of the language.
    """

    def __init__(self, path, real_images, language, every, seed):
        super().__init__()
        if every < 1:
            raise ValueError(f"every={every!r}: give an integer of at least 1.")
        self._path, self._language, self._every, self._seed = path, language, every, seed
        self._real = language.to_tokens(real_images)
        self._last_step = None

    @property
    def rows(self):
        """The measurements so far, from the file: a finished run that is resumed has them too."""
        path = self._path.with_suffix(".json")
        return json.loads(path.read_text()) if path.exists() else []

    def measure(self, model):
        """The three shares of as many samples as there are real sequences, and some as text."""
        language = self._language
        tokens = language.to_tokens(model.sample(len(self._real), seed=self._seed))
        return {
            "grammatical_share": grammatical_share(tokens, language.is_grammatical),
            "distinct_share": distinct_share(tokens),
            "length_distance": length_distance(tokens, self._real, language.PADDING),
            "samples": language.to_text(tokens[:SHOWN]),
        }

    def metrics(self, names=("grammatical_share", "distinct_share", "length_distance"), prefix=""):
        """The last measurements as `Run.finish` takes them, `{prefix + name: (value, protocol)}`.

        Args:
            names: which of them.
            prefix: what stands before each name.
        """
        protocol = (
            f"{len(self._real):,} samples, seed {self._seed}; as many real sequences: distinct "
            f"share {distinct_share(self._real):.3f}"
        )
        return {prefix + name: (self.rows[-1][name], protocol) for name in names}

    def on_train_begin(self, logs=None):
        """Measures the model as it starts."""
        self._measure_at(int(self.model.train_steps))

    def on_train_batch_end(self, batch, logs=None):
        """Measures when it is due."""
        step = int(self.model.train_steps)
        if step % self._every == 0:
            self._measure_at(step)

    def on_train_end(self, logs=None):
        """Measures the trained model."""
        self._measure_at(int(self.model.train_steps))

    def _measure_at(self, step):
        if step == self._last_step:
            return
        self._last_step = step
        # What lies behind this step is of another run, or of one that goes on from a checkpoint.
        rows = [row for row in self.rows if row["step"] < step]
        rows.append({"step": step, **self.measure(self.model)})
        write_json(self._path.with_suffix(".json"), rows)
        stages = (
            f"step {row['step']}, {100 * row['grammatical_share']:.1f} % grammatical\n"
            + "".join(f"    {text}\n" for text in row["samples"])
            for row in rows
        )
        write_atomic(self._path.with_suffix(".txt"), "\n".join(stages))


def save_sequence_curves(progress, path):
    """Draws the shares over the training steps, a panel each and a line for each model.

    Args:
        progress: `{label: SequenceProgress}`, each after its training.
        path: where to, PNG.
    """
    names = ("grammatical_share", "distinct_share", "length_distance")
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True)
    for axis, name in zip(axes, names, strict=True):
        for label, each in progress.items():
            steps = [row["step"] for row in each.rows]
            axis.plot(steps, [row[name] for row in each.rows], label=label)
        axis.set(ylabel=name.replace("_", " "), ylim=(-0.02, 1.02))
        axis.grid(alpha=0.3)
    axes[0].legend(loc="best", fontsize="small")
    axes[-1].set_xlabel("training step")
    save_figure(figure, path)


def _tokens(tokens):
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not len(tokens) or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(
            f"tokens of shape {tokens.shape} and type {tokens.dtype}: give integers (N, length)."
        )
    return tokens
