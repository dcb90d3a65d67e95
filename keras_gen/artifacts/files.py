"""Files that are either there whole or not at all."""

import json
import os
import pathlib
import tempfile

_UMASK = os.umask(0)  # it can only be read by setting it
os.umask(_UMASK)


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
        os.chmod(temporary, 0o666 & ~_UMASK)  # mkstemp makes files for their owner alone
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


def remove_temporaries(folder):
    """Removes what writes that were killed have left below a folder that nobody else writes to."""
    for path in pathlib.Path(folder).rglob(".*.*"):
        if path.is_file():
            path.unlink()


def write_json(path, value):
    """Writes `value` as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, default=str) + "\n")
