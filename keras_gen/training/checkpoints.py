"""Checkpoints: the complete state of a training, written atomically.

A checkpoint is two files: `step-00000500.npz` with every variable, and, written after it, the
manifest `step-00000500.json` with the file's SHA-256, the variables' names and the state of the
callbacks, and a SHA-256 of its own. A checkpoint without a manifest, or one of whose checksums is
wrong, does not count.
"""

import hashlib
import io
import json
import pathlib
import re

import keras
import numpy as np

from keras_gen.artifacts.files import write_atomic, write_json
from keras_gen.training.errors import NonFiniteError, RunError

KEEP = 2  # how many checkpoints stay on disk
_LOSS_SCALE = "_loss_scale"  # variables that only float16 has: a run may change its precision


def state_variables(model):
    """Every variable that the next training step depends on, by a unique name.

    Weights, moving averages, noise seeds and step counters, the state of seed generators, the
    optimizers' slots, loss scales and step counts, and the metrics.

    Args:
        model: a compiled model with `optimizers`, a dict by name.

    Returns:
        A dict from name to Keras variable, always in the same order for the same model.
    """
    groups = {"model": model.variables, "metrics": model.metrics_variables}
    for name, optimizer in model.optimizers.items():
        inner = optimizer
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            inner = optimizer.inner_optimizer
            shared = {id(variable) for variable in inner.variables}
            own = [variable for variable in optimizer.variables if id(variable) not in shared]
            groups[f"{name}{_LOSS_SCALE}"] = own
        groups[name] = inner.variables
    return {
        f"{group}/{index}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def save(folder, step, model, state, write=True):
    """Writes a checkpoint and removes all but the last two.

    Args:
        folder: the checkpoints' folder; made if it is not there.
        step: training steps done.
        model: the compiled model.
        state: what the callbacks keep; anything JSON takes.
        write: False for a worker that is not the chief. It takes part all the same: reading a
            metric sums it over all workers, which must read it together.

    Returns:
        The path of the `.npz` file.

    Raises:
        NonFiniteError: a variable is NaN or infinite; nothing is written.
    """
    variables = state_variables(model)
    arrays = {name: np.asarray(variable) for name, variable in variables.items()}
    path = pathlib.Path(folder) / f"step-{step:08d}.npz"
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise NonFiniteError(
                f"After step {step}, {variables[name].path} holds NaN or infinity; "
                "no checkpoint was written."
            )
    if not write:
        return path
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    content = buffer.getvalue()
    write_atomic(path, content)
    manifest = {
        "step": step,
        "sha256": hashlib.sha256(content).hexdigest(),
        "variables": _describe(variables),
        "state": state,
    }
    write_json(path.with_suffix(".json"), {"sha256": _json_digest(manifest), "manifest": manifest})
    for old in _steps(folder)[:-KEEP]:
        # The manifest goes first: half a removal must not look like a damaged checkpoint.
        _path(folder, old).with_suffix(".json").unlink(missing_ok=True)
        _path(folder, old).unlink(missing_ok=True)
    return path


def restore_latest(folder, model, warn=print):
    """Restores the newest checkpoint that is whole.

    Args:
        folder: the checkpoints' folder.
        model: the compiled model, built as it was when the checkpoint was written.
        warn: called with a line for each damaged checkpoint that is passed over.

    Returns:
        `(step, state)`, or None where there is no checkpoint.

    Raises:
        RunError: every checkpoint is damaged, or the model is not the one that was saved.
    """
    steps = _steps(folder)
    for step in reversed(steps):
        try:
            manifest, arrays = _read(_path(folder, step))
        except _DamagedError as damage:
            warn(f"Checkpoint of step {step} is damaged ({damage}); trying the one before it.")
            continue
        variables = state_variables(model)
        _check_same(manifest["variables"], _describe(variables), _path(folder, step))
        for name, variable in variables.items():
            if name in arrays:
                variable.assign(arrays[name])
        return step, manifest["state"]
    if steps:
        raise RunError(
            f"Every checkpoint in {folder} is damaged. Start anew in another --out folder."
        )
    return None


def latest_step(folder):
    """The step of the newest checkpoint, or None."""
    return max(_steps(folder), default=None)


def digest(model):
    """SHA-256 (hex) over every variable of `state_variables`, the metrics left out.

    Two trainings ended in the same bits exactly if it is the same.
    """
    sha = hashlib.sha256()
    for name, variable in state_variables(model).items():
        if not name.startswith("metrics/"):
            sha.update(name.encode() + np.asarray(variable).tobytes())
    return sha.hexdigest()


class _DamagedError(Exception):
    """A checkpoint that cannot be used."""


def _read(path):
    try:
        signed = json.loads(path.with_suffix(".json").read_text())
        content = path.read_bytes()
        manifest = signed["manifest"]
        sound = signed["sha256"] == _json_digest(manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _DamagedError(f"{type(error).__name__}: {error}") from error
    if not sound:
        raise _DamagedError("the checksum of its manifest is wrong")
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise _DamagedError("its checksum is wrong")
    with np.load(io.BytesIO(content)) as arrays:
        return manifest, dict(arrays)


def _json_digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _check_same(saved, built, path):
    saved, built = (
        {name: text for name, text in each.items() if f"{_LOSS_SCALE}/" not in name}
        for each in (saved, built)
    )
    if saved == built:
        return
    differing = [name for name in sorted({*saved, *built}) if saved.get(name) != built.get(name)]
    name = differing[0]
    raise RunError(
        f"{path} was written by another model: {len(differing)} variables differ, the first being "
        f"{name}: saved {saved.get(name)}, built {built.get(name)}. "
        "Resume with the arguments that the run was started with."
    )


def _describe(variables):
    return {
        name: f"{list(variable.shape)} {variable.dtype}" for name, variable in variables.items()
    }


def _steps(folder):
    names = (path.name for path in pathlib.Path(folder).glob("step-*.json"))
    matches = (re.fullmatch(r"step-(\d+)\.json", name) for name in names)
    return sorted(int(match[1]) for match in matches if match)


def _path(folder, step):
    return pathlib.Path(folder) / f"step-{step:08d}.npz"
