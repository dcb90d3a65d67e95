"""A lock on a run folder, which the operating system drops when its process dies."""

import contextlib
import fcntl
import os
import socket

from keras_gen.training.errors import RunError


class FolderLock:
    """Keeps a second process from training into the same folder.

    Args:
        folder: an existing `pathlib.Path`.

    Raises:
        RunError: another process holds the lock, or the folder cannot be written.
    """

    def __init__(self, folder):
        try:
            # Appending: the text of the process that holds the lock must survive our attempt.
            self._file = open(folder / ".lock", "a+")  # noqa: SIM115
        except OSError as error:
            raise RunError(
                f"--out {folder}: cannot be written ({error.strerror}). Give another folder."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise RunError(
                f"--out {folder}: {holder} is training this run. Wait for it, stop it, or give "
                "another folder."
            ) from None
        with contextlib.suppress(OSError):  # the text is a courtesy; a full disk has no room for it
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
            self._file.flush()

    def release(self):
        """Gives the lock back; the file stays, since removing it would race with others."""
        self._file.close()
