"""Runs: options, strategy, checkpoints, callbacks and what a run leaves behind."""

from keras_gen.training.demonstration import Demonstration
from keras_gen.training.errors import NonFiniteError, RunError
from keras_gen.training.options import Options, RunOptions, command_line
from keras_gen.training.run import Run
from keras_gen.training.schedule import total_steps
from keras_gen.training.stages import StageGrids
from keras_gen.training.warm_up import WarmUp

__all__ = [
    "Demonstration",
    "NonFiniteError",
    "Options",
    "Run",
    "RunError",
    "RunOptions",
    "StageGrids",
    "WarmUp",
    "command_line",
    "total_steps",
]
