"""Where a run writes: found and checked before anything is trained."""

import datetime
import os
import pathlib

from keras_gen.training.errors import RunError


def find_folder(recipe, out, resume, new):
    """The run folder, which need not exist yet.

    Args:
        recipe: the recipe's name.
        out: the folder asked for, or None for `runs/<recipe>/<time>`.
        resume: whether the run in it goes on; without `out`, the newest one of the recipe.
        new: whether this process starts the run in the folder, and so must find it empty.

    Raises:
        RunError: there is no run to resume; or the folder is a file, or holds something.
    """
    out = out and pathlib.Path(out)
    runs = pathlib.Path("runs") / recipe
    if resume:
        folder = out or _newest(runs)
        if not (folder / "config.json").exists():
            raise RunError(f"--resume: {folder} holds no run (no config.json).")
        return folder
    folder = out or runs / datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out {folder}: this is a file; give a folder.")
    if new and folder.exists() and any(_visible(folder)):
        raise RunError(
            f"--out {folder}: the folder is not empty. Continue the run in it with --resume, "
            "or give another folder."
        )
    return folder


def check_writable(flag, folder):
    """Raises RunError unless a folder can be made or written; makes nothing.

    Args:
        flag: the option that named it, for the message.
        folder: a `pathlib.Path`; the nearest folder above it that exists decides.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise RunError(f"{flag} {folder}: {existing} is a file; give a folder.")
    if (existing / "saved_model.pb").exists():
        raise RunError(
            f"{flag} {folder}: {existing} is itself a SavedModel; give the folder of its versions."
        )
    if not os.access(existing, os.W_OK):
        raise RunError(
            f"{flag} {folder}: {existing} cannot be written. Give a folder that this user may "
            "write, on a file system that is not read-only."
        )


def _newest(runs):
    folders = sorted(path.parent for path in runs.glob("*/config.json"))
    if not folders:
        raise RunError(f"--resume: there is no run in {runs}; give its folder with --out.")
    return folders[-1]


def _visible(folder):
    return (path for path in folder.iterdir() if not path.name.startswith("."))
