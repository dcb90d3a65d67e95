"""DataSet: examples held ready, what is known about them, and the batches made of them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from keras_gen.data import pipeline
from keras_gen.data.arguments import checked_count, checked_seed, checked_value_range
from keras_gen.data.errors import DataError

HASHED_AT_ONCE = 2**24  # bytes: a memory-mapped set is never read into memory as a whole


@dataclass(frozen=True, eq=False, repr=False)
class DataSet:
    """One split of a data set.

    Attributes:
        name: the set's name, or the folder it was read from.
        split: the split's name.
        examples: images uint8 `(N, H, W, C)`, or points float32 `(N, 2)`; read-only, in memory
            or memory-mapped.
        labels: int64 `(N,)`, or None.
        label_names: the class names by label, or None.
        factors: named factors of variation, each int64 or float32 `(N,)`; may be empty.
        factor_names: for the factors that have them, the names of the values.
        value_range: `(low, high)`: the float value of the bytes 0 and 255 in batches of images.
            Points are never rescaled.
        notes: what loading converted or left out, with counts.
        stand_in_for: the name that was asked for, where this set merely stands in; else None.
        binarization: what `binarize` did, in a line for protocols; None where it was not asked.
        dynamic_seed: the seed of a dynamic binarization, else None.
    """

    name: str
    split: str
    examples: np.ndarray
    labels: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    factor_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    value_range: tuple[float, float] = (-1.0, 1.0)
    notes: tuple[str, ...] = ()
    stand_in_for: str | None = None
    binarization: str | None = None
    dynamic_seed: int | None = None

    def __post_init__(self):
        """Check that the parts fit together.

        Raises:
            DataError: no examples, another shape or dtype than images or points have, or
                labels or factors of another length than the examples.
        """
        object.__setattr__(self, "value_range", checked_value_range(self.value_range))
        examples = self.examples
        images = examples.dtype == np.uint8 and examples.ndim == 4
        as_points = examples.ndim == 2 or examples.shape[1:] == (1, 1, 2)
        points = examples.dtype == np.float32 and as_points
        if not (images or points) or 0 in examples.shape:
            raise DataError(
                f"examples of {self.name} must be images, uint8 (N, H, W, C), or points, float32 "
                f"(N, 2) or (N, 1, 1, 2), at least one; not {examples.dtype} {examples.shape}."
            )
        for kind, values in self._annotations():
            if values.shape != (len(examples),):
                raise DataError(
                    f"{kind} of {self.name} must have the shape ({len(examples)},), one value an "
                    f"example, not {values.shape}."
                )
        # Batches and the fingerprint rely on fixed values; views leave the caller's own as is.
        object.__setattr__(self, "examples", _read_only(examples))
        if self.labels is not None:
            object.__setattr__(self, "labels", _read_only(self.labels))
        factors = {name: _read_only(values) for name, values in self.factors.items()}
        object.__setattr__(self, "factors", factors)

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.examples)

    def __repr__(self) -> str:
        """Name, split, size and shape on one line."""
        shape = " x ".join(str(side) for side in self.example_shape)
        return f"<{type(self).__name__} {self.name}/{self.split}: {len(self):,} of {shape}>"

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example: `(H, W, C)`, or `(2,)`."""
        return tuple(self.examples.shape[1:])

    @property
    def num_classes(self) -> int:
        """The number of classes.

        Raises:
            DataError: the set has no labels.
        """
        labels = self._labels_or_error()
        return len(self.label_names) if self.label_names else int(labels.max()) + 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over shape, dtype and bytes of the examples, labels and factors.

        The same value whether the examples lie in memory or are memory-mapped; `value_range`
        and the names have no part in it. Reads every byte at the first call.
        """
        digest = hashlib.sha256()
        for name, values in (("examples", self.examples), *self._annotations()):
            digest.update(f"{name} {values.dtype.str} {values.shape};".encode())
            rows = max(1, HASHED_AT_ONCE // max(1, values[:1].nbytes))
            for start in range(0, len(values), rows):
                digest.update(np.ascontiguousarray(values[start : start + rows]))
        return digest.hexdigest()

    def steps_per_epoch(self, batch_size: int) -> int:
        """The number of full batches in an epoch: `N // batch_size`.

        Raises:
            DataError: `batch_size` is no positive int, or larger than the set.
        """
        batch_size = checked_count("batch_size", batch_size, least=1)
        if batch_size > len(self):
            raise DataError(
                f"batch_size={batch_size} is more than the {len(self)} examples of {self.name} "
                f"({self.split}): not one full batch; lower --batch-size to {len(self)} or less."
            )
        return len(self) // batch_size

    def batches(
        self,
        batch_size: int,
        *,
        seed: int,
        start_step: int = 0,
        labels: bool = False,
        num_shards: int = 1,
        shard: int = 0,
    ):
        """Shuffled batches without end, from `start_step` on, for training.

        Which examples make up step s is a pure function of (seed, s): a pipeline started at s
        gives exactly what one started at 0 gives from its step s on. No batch crosses an epoch;
        every epoch has another order and leaves out another remainder of N % batch_size.

        Args:
            batch_size: the global batch size, over all shards.
            seed: the seed of the order, in [0, 2**63).
            start_step: the first step to give.
            labels: give `(examples, labels)` instead of examples.
            num_shards: into how many equal contiguous slices each global batch is cut.
            shard: which of the slices to give, in [0, num_shards).

        Returns:
            An infinite `tf.data.Dataset` of float32 `(batch_size // num_shards, H, W, C)` in
            `value_range` (points: `(..., 2)`, as they are), with labels int64 if asked for.

        Raises:
            DataError: a batch larger than the set, a batch that the shards do not divide, labels
                asked of a set without labels, or a number out of its range.
        """
        steps = self.steps_per_epoch(batch_size)
        num_shards = checked_count("num_shards", num_shards, least=1)
        shard = checked_count("shard", shard, least=0)
        if batch_size % num_shards:
            raise DataError(
                f"batch_size={batch_size} is the global batch and must divide evenly among "
                f"num_shards={num_shards}; give a multiple of {num_shards}."
            )
        if shard >= num_shards:
            raise DataError(f"shard={shard} must be less than num_shards={num_shards}.")
        local = batch_size // num_shards
        indices = pipeline.shuffled_indices(
            num_examples=len(self),
            batch_size=batch_size,
            steps_per_epoch=steps,
            seed=checked_seed(seed),
            start_step=checked_count("start_step", start_step, least=0),
            columns=slice(shard * local, (shard + 1) * local),
        )
        draws = None
        if self.dynamic_seed is not None:
            draws = pipeline.Draws(
                seed=self.dynamic_seed,
                start_step=start_step,
                shape=(batch_size, *self.example_shape),
                columns=slice(shard * local, (shard + 1) * local),
            )
        return pipeline.read_batches(indices, self._reader(labels), draws)

    def evaluation_batches(self, batch_size: int, *, labels: bool = False):
        """All examples once, in stored order, the last batch as small as it must be.

        Args:
            batch_size: the size of all batches but the last.
            labels: give `(examples, labels)` instead of examples.

        Returns:
            A finite `tf.data.Dataset` of float32 `(<= batch_size, H, W, C)` in `value_range`
            (points: `(..., 2)`, as they are), with labels int64 if asked for.

        Raises:
            DataError: `batch_size` is no positive int, or labels asked of a set without labels.
        """
        batch_size = checked_count("batch_size", batch_size, least=1)
        indices = pipeline.stored_indices(len(self), batch_size)
        if self.dynamic_seed is None:
            return pipeline.read_batches(indices, self._reader(labels))
        drawn = pipeline.fetcher(static_draw(self.examples, self.split, self.dynamic_seed))
        return pipeline.read_batches(indices, self._reader(labels)._replace(fetch=drawn))

    def _reader(self, labels: bool) -> pipeline.Reader:
        return pipeline.Reader(
            fetch=self._fetch,
            labels=self._labels_or_error() if labels else None,
            value_range=self.value_range if self.examples.dtype == np.uint8 else None,
        )

    @cached_property
    def _fetch(self):
        # Kept, so that many pipelines over one set share one tensor.
        return pipeline.fetcher(self.examples)

    def _annotations(self) -> list[tuple[str, np.ndarray]]:
        labels = [] if self.labels is None else [("labels", self.labels)]
        return labels + [(f"factor {name}", self.factors[name]) for name in sorted(self.factors)]

    def _labels_or_error(self) -> np.ndarray:
        if self.labels is None:
            hint = f"; its factors are {', '.join(self.factors)}" if self.factors else ""
            raise DataError(
                f"labels were asked of {self.name} ({self.split}), which has none{hint}; choose "
                f"a labelled set such as digits, or a folder with one sub-folder for each class."
            )
        return self.labels


def static_draw(examples: np.ndarray, split: str, seed: int) -> np.ndarray:
    """One Bernoulli(b / 255) draw of every byte b, fixed by the seed and the split's name.

    Returns:
        uint8 of 0 and 255 in the examples' shape.
    """
    generator = np.random.default_rng([seed, zlib.crc32(split.encode())])
    white = np.empty(examples.shape, np.uint8)
    for start in range(0, len(examples), 4096):  # bounds what is held beside the set itself
        rows = examples[start : start + 4096]
        # One of 255 equally likely numbers is below b with probability b / 255, exactly.
        white[start : start + 4096] = (
            generator.integers(255, size=rows.shape, dtype=np.uint8) < rows
        )
    return white * np.uint8(255)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
