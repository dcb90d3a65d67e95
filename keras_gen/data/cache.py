"""Where decoded examples are kept: in memory, or memory-mapped from a file made once.

A set larger than the memory budget is decoded into `<cache>/<key>/examples.npy`, with its small
arrays beside it. A smaller one is kept there, too, where decoding it took longer than a second, and
read back at once the next time. `<cache>` is `KERAS_GEN_CACHE_DIR`, or `~/.cache/keras_gen/data`;
`<key>` is the SHA-256 of what the set was made from, so that a changed source is decoded anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_gen.data.errors import DataError

_SLOW = 1.0  # seconds of decoding from which on a set that fits into memory is kept as well
SPARE_BYTES = 64 * 2**20  # left free on the disk beside the set itself


@dataclass(frozen=True)
class Annotations:
    """What a decoder learns beside the examples.

    Attributes:
        arrays: name -> `(N,)` array.
        notes: what was converted, with counts.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def held_examples(
    shape: tuple[int, ...],
    decode: Callable[[np.ndarray], Annotations],
    *,
    source: dict,
    memory_budget_bytes: int,
) -> tuple[np.ndarray, Annotations]:
    """Decode a set of images into memory, or into the cache where the budget is too small.

    A set that was decoded before, and took long, is read instead.

    Args:
        shape: `(N, H, W, C)`.
        decode: fills a uint8 array of that shape and returns the annotations.
        source: what the set is made from, as JSON values: the cache key.
        memory_budget_bytes: the most that may be held in memory.

    Returns:
        The examples, an array or a read-only `np.memmap`, and the annotations: both the same
        whichever way they are held.

    Raises:
        DataError: the set goes to the cache and the disk has no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64))
    fits = size <= memory_budget_bytes
    folder = cache_root() / hashlib.sha256(_canonical(source, shape)).hexdigest()
    if _is_complete(folder, shape):
        examples, annotations = _open(folder)
        return (np.array(examples) if fits else examples), annotations
    if not fits:
        _make(folder, shape, size, decode)
        return _open(folder)
    examples = np.empty(shape, np.uint8)
    start = time.monotonic()
    annotations = decode(examples)
    if time.monotonic() - start > _SLOW:

        def copy(kept):
            kept[:] = examples
            return annotations

        with contextlib.suppress(OSError, DataError):  # it would only have saved time
            _make(folder, shape, size, copy)
    return examples, annotations


def cache_root() -> Path:
    """The folder of the cache, which need not exist yet."""
    named = os.environ.get("KERAS_GEN_CACHE_DIR")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "keras_gen" / "data"


def _canonical(source: dict, shape: tuple[int, ...]) -> bytes:
    return json.dumps({"source": source, "shape": shape}, sort_keys=True).encode()


def _make(folder: Path, shape, size: int, decode) -> None:
    root = folder.parent
    root.mkdir(parents=True, exist_ok=True)
    _check_room(root, size)
    # Built under another name: a folder with the final name is always whole.
    partial = Path(tempfile.mkdtemp(prefix=f"partial-{folder.name[:16]}-", dir=root))
    try:
        examples = np.lib.format.open_memmap(
            partial / "examples.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        annotations = decode(examples)
        examples.flush()
        for name, values in annotations.arrays.items():
            np.save(partial / _array_file(name), values)
        described = {"arrays": sorted(annotations.arrays), "notes": annotations.notes}
        (partial / "annotations.json").write_text(json.dumps(described), encoding="utf-8")
        _move_into_place(partial, folder, shape)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move_into_place(partial: Path, folder: Path, shape) -> None:
    if folder.exists() and not _is_complete(folder, shape):
        shutil.rmtree(folder)  # damaged since it was made
    try:
        partial.rename(folder)
    except OSError:
        # Another process may have finished the same set meanwhile; then its copy serves.
        if not _is_complete(folder, shape):
            raise


def _is_complete(folder: Path, shape) -> bool:
    try:
        examples, _ = _open(folder)
    except (OSError, ValueError):  # missing or cut short: NumPy and JSON raise either
        return False
    return examples.shape == tuple(shape) and examples.dtype == np.uint8


def _open(folder: Path) -> tuple[np.memmap, Annotations]:
    described = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(folder / _array_file(name)) for name in described["arrays"]}
    examples = np.load(folder / "examples.npy", mmap_mode="r")
    return examples, Annotations(arrays, tuple(described["notes"]))


def _array_file(name: str) -> str:
    return f"array-{hashlib.sha256(name.encode()).hexdigest()[:16]}.npy"


def _check_room(root: Path, size: int) -> None:
    free = shutil.disk_usage(root).free
    if free < size + SPARE_BYTES:
        raise DataError(
            f"The set takes {_gigabytes(size)} decoded, more than the memory budget, and the "
            f"cache folder {root} has only {_gigabytes(free)} free; point KERAS_GEN_CACHE_DIR "
            f"at a disk with room, give a smaller image_size, or raise memory_budget_bytes."
        )


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
