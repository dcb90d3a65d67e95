"""Runs: options, strategy, checkpoints, callbacks and what a run leaves behind.

The names below load their modules when they are first used: a recipe that is asked for its flags
takes `command_line` from here and need not wait for TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "demonstration": ["Demonstration"],
        "errors": ["NonFiniteError", "RunError"],
        "options": ["Options", "RunOptions", "command_line"],
        "run": ["Run"],
        "schedule": ["total_steps", "warmed_cosine"],
        "stages": ["StageGrids"],
        "warm_up": ["WarmUp"],
    },
)
