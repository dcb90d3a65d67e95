"""The command line: `python -m keras_gen COMMAND ...`; see `keras_gen.commands`."""

import os
import pathlib
import sys
import traceback

import tyro

from keras_gen.commands.evaluate import bias_curve, evaluate
from keras_gen.commands.explore import (
    arithmetic,
    interpolate,
    manifold,
    project,
    traverse,
    truncate,
)
from keras_gen.commands.filing import launch, record, tables
from keras_gen.commands.probe import probe, tsne
from keras_gen.commands.sample import sample

COMMANDS = {
    "sample": sample,
    "evaluate": evaluate,
    "bias-curve": bias_curve,
    "interpolate": interpolate,
    "traverse": traverse,
    "manifold": manifold,
    "arithmetic": arithmetic,
    "truncate": truncate,
    "project": project,
    "tsne": tsne,
    "probe": probe,
    "record": record,
    "tables": tables,
    "launch": launch,
}


def main(argv=None):
    """Runs a command.

    An error that this package raises on purpose, or that the file system reports, is shown as one
    line. Any other error is a defect and shows its traceback.

    Args:
        argv: the command and its flags; by default the program's own.

    Returns:
        The exit code: 0, 2 when the command could not be carried out, or that of the worker that
        failed first.

    Raises:
        SystemExit: help was asked for (code 0) or the flags are wrong (code 2).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        code = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m keras_gen",
            description="Draws from, measures and explores trained models; files results of runs.",
            args=argv,
        )
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and not _raised_here(error):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return code or 0


def _raised_here(error):
    package = pathlib.Path(__file__).resolve().parent
    last_frame = traceback.extract_tb(error.__traceback__)[-1]
    return package in pathlib.Path(last_frame.filename).resolve().parents


if __name__ == "__main__":
    sys.exit(main())
