"""Files that are either there whole or not at all."""

import json
import os
import pathlib
import tempfile


def write_atomic(path, content):
    """Writes a file so that a crash at any moment leaves the old one or the new one.

    Args:
        path: where to.
        content: bytes or str.
    """
    path = pathlib.Path(path)
    if isinstance(content, str):
        content = content.encode()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    # The rename itself must be on disk before the file counts as written.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path, value):
    """Writes `value` as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, default=str) + "\n")
