"""The options that every recipe has, and the command line made from a recipe's `main`."""

import dataclasses
import pathlib
import sys
import traceback
from typing import Annotated, Literal

import tyro

from keras_gen.training.errors import RunError


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What every recipe takes beside its own hyperparameters."""

    out: str | None = None
    """Run folder. Default: runs/RECIPE/TIME."""
    export: str | None = None
    """Where the SavedModel goes, below it the version. Default: saved_models/RECIPE."""
    resume: bool = False
    """Go on with the run in --out, or with the newest one of this recipe."""
    checkpoint_every: int = 500
    """Training steps between checkpoints."""
    sample_every: int = 250
    """Training steps between sample grids."""
    log_every: int = 50
    """Training steps that one row of history.csv averages."""
    strategy: Literal["auto", "none", "mirrored", "multiworker"] = "auto"
    """Data parallelism. auto: multiworker with TF_CONFIG, mirrored with several GPUs, else none."""
    replicas: int | None = None
    """With mirrored: number of GPUs to use, or of parts to split the CPU into."""
    mixed_precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    """Keras dtype policy. auto: mixed_bfloat16 where all devices compute in it, else float32."""
    deterministic: bool = False
    """Use TensorFlow's deterministic operations only: slower, the same bits on the same GPU."""
    allow_changes: bool = False
    """With --resume: go on although arguments or data differ from those the run started with."""
    strict_data: bool = False
    """Stop where the data set cannot be had, instead of going on with a small embedded one."""

    def __post_init__(self):
        """Raises ValueError for a number that is not positive."""
        for name in ("checkpoint_every", "sample_every", "log_every", "replicas"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(
                    f"--{name.replace('_', '-')} {value}: give an integer of at least 1."
                )


Options = Annotated[RunOptions, tyro.conf.OmitArgPrefixes]


def command_line(main, argv=None):
    """Runs a recipe's `main` with flags derived from its signature.

    A `RunError`, one that this package raises on purpose or one of the file system is shown as a
    line; exit code 2. Any other error is a defect and shows its traceback.

    Args:
        main: the function; its keyword defaults are the flags' defaults.
        argv: the flags; by default the program's own.
    """
    try:
        # Flag values are checked while they are parsed, so the parsing is inside the try too.
        tyro.cli(main, args=argv)
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and not _raised_on_purpose(error):
            raise
        # On a line of its own: the progress bar has not ended its line.
        print(f"\nerror: {error}", file=sys.stderr)
        sys.exit(2)


def _raised_on_purpose(error):
    if isinstance(error, RunError):  # a recipe's own, too
        return True
    package = pathlib.Path(__file__).resolve().parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    return package in pathlib.Path(frames[-1].filename).resolve().parents
