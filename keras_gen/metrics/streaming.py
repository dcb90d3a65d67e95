"""What the streaming metrics share: sets of rows that arrive in batches of any size.

Floating-point sums depend on how the rows are grouped, and so do the features of a network. Rows
are therefore regrouped into blocks of `BLOCK_ROWS` before anything is computed from them: however
they were batched, a set gives the same blocks, hence the same bits, as when it is given at once.
(On one machine: another number of threads groups the sums inside a block in another way.)

Shapes: rows `(N, D)`; images uint8 `(N, H, W, C)`.
"""

import numpy as np

BLOCK_ROWS = 512


def check_rows(name, rows, width=None, minimum=0):
    """Gives a set of rows as a contiguous array, or says what is wrong with it.

    Args:
        name: what the rows are called in errors.
        rows: `(N, D)`, real numbers.
        width: the D that they must have, or None for any.
        minimum: the least N.

    Returns:
        `(N, D)`, float32 where `rows` is, else float64.

    Raises:
        ValueError: not such rows, too few of them, or NaN or infinity among them.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "fiub":
        raise ValueError(
            f"{name}: shape {rows.shape}, {rows.dtype}: give real numbers of shape (N, D)."
        )
    if width is not None and rows.shape[1] != width:
        raise ValueError(f"{name}: rows of {rows.shape[1]} values beside rows of {width}.")
    if len(rows) < minimum:
        raise ValueError(f"{name}: {len(rows)} rows: give at least {minimum}.")
    rows = np.ascontiguousarray(rows, "float32" if rows.dtype == "float32" else "float64")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name}: {np.sum(~finite)} of {len(rows)} rows hold NaN or infinity, the first is row "
            f"{np.argmin(finite)}: find where they arise, they are not left out."
        )
    return rows


def check_two_sets(first_name, first, second_name, second, minimum=1):
    """Both sets as float64 `(N, D)` and `(M, D)`; raises ValueError as `check_rows` does."""
    first = check_rows(first_name, first, minimum=minimum)
    second = check_rows(second_name, second, first.shape[1], minimum)
    return first.astype("float64", copy=False), second.astype("float64", copy=False)


def check_images(name, images):
    """Gives images as a uint8 array `(N, H, W, C)`; raises ValueError for anything else."""
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            f"{name}: shape {images.shape}, {images.dtype}: an extractor takes uint8 images of "
            "shape (N, H, W, C)."
        )
    return np.ascontiguousarray(images)


class BlockedRows:
    """A set of rows that arrives in batches and is taken in blocks of `BLOCK_ROWS`.

    Args:
        name: what the set is called in errors.
        extractor: None where batches are rows; else a callable that takes uint8 images
            `(N, H, W, C)` and gives an object whose `output` attribute is their rows.
        output: `"features"` or `"probabilities"`.
    """

    def __init__(self, name, extractor=None, output="features"):
        self.name, self.extractor, self.output = name, extractor, output
        self.count = 0
        self._waiting = None  # what does not fill a block yet, as it arrived
        self._width = None

    def add(self, batch):
        """Takes a batch and gives the list of blocks `(BLOCK_ROWS, D)` that it completes."""
        if self.extractor is None:
            batch = check_rows(self.name, batch, self._width)
            self._width = batch.shape[1]
        else:
            batch = check_images(self.name, batch)
        self.count += len(batch)
        if self._waiting is not None:
            batch = np.concatenate([self._waiting, batch])
        whole = len(batch) - len(batch) % BLOCK_ROWS
        # A copy: the caller may write into the batch's memory, and this must not keep it alive.
        self._waiting = batch[whole:].copy()
        return [self._rows(batch[at : at + BLOCK_ROWS]) for at in range(0, whole, BLOCK_ROWS)]

    def rest(self):
        """The rows that fill no block, as a list of none or one block; more may be added after."""
        return (
            [] if self._waiting is None or not len(self._waiting) else [self._rows(self._waiting)]
        )

    def _rows(self, block):
        if self.extractor is None:
            return block.copy()
        rows = getattr(self.extractor(block), self.output)
        if rows is None:
            raise ValueError(f"{self.name}: the extractor gives no {self.output}; take another.")
        rows = check_rows(self.name, rows, self._width)
        self._width = rows.shape[1]
        return rows


class KeptRows(BlockedRows):
    """A set of rows of which all are needed at the end: N x D numbers in memory."""

    def __init__(self, name, extractor=None, output="features"):
        super().__init__(name, extractor, output)
        self._blocks = []

    def add(self, batch):
        """Takes a batch."""
        self._blocks += super().add(batch)

    def rows(self):
        """All rows so far, `(N, D)`; raises ValueError where there is none."""
        blocks = self._blocks + self.rest()
        if not blocks:
            raise ValueError(f"{self.name}: no batch was added.")
        return np.concatenate(blocks)


class KeptSets:
    """Real and generated rows, kept: what the metrics of two whole sets inherit.

    Args:
        extractor: None where batches are features; else as in `BlockedRows`.
    """

    def __init__(self, extractor=None):
        self._real = KeptRows("real", extractor)
        self._generated = KeptRows("generated", extractor)

    def update_real(self, batch):
        """Takes real features `(N, D)`, or uint8 images `(N, H, W, C)` with an extractor."""
        self._real.add(batch)

    def update_generated(self, batch):
        """Takes generated features `(N, D)`, or uint8 images `(N, H, W, C)` with an extractor."""
        self._generated.add(batch)
