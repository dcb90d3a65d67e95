"""`config.json`: everything that a run's result depends on, and what must not change on resume."""

import pathlib
import shlex
import sys

from keras_gen.training import environment

# A resumed run may change these and stays the same run.
_FREE_ARGUMENTS = {"steps", "epochs"}
# What is kept of each session of a run that was resumed.
_SESSION = ("arguments", "options", "model", "replicas", "versions", "machine", "commit", "dirty")


def run_config(recipe, arguments, options, replicas, **labels):
    """What is known of a run before its model and data are made; a dict for JSON."""
    commit, dirty = environment.commit()
    return {
        "recipe": recipe,
        **labels,
        "command": command(recipe, sys.argv, arguments),
        "arguments": arguments,
        "options": vars(options),
        "replicas": replicas,
        "versions": environment.versions(),
        "machine": environment.machine(),
        "commit": commit,
        "dirty": dirty,
    }


def model_config(model):
    """The model's class, arguments, optimizers and number of trainable parameters."""
    return {
        "class": type(model).__name__,
        "config": model.get_config(),
        "optimizers": {
            name: optimizer.get_config() for name, optimizer in model.optimizers.items()
        },
        "parameters": sum(variable.shape.num_elements() for variable in model.trainable_variables),
    }


def data_config(data):
    """Which data were trained on."""
    return {
        "name": data.name,
        "split": data.split,
        "fingerprint": data.fingerprint,
        "num_examples": len(data),
        "example_shape": list(data.example_shape),
        "stand_in_for": data.stand_in_for,
        "binarization": data.binarization,
        "notes": list(data.notes),
    }


def earlier_sessions(before):
    """The sessions of a run before the one that now begins, from its `config.json`."""
    session = {name: before.get(name) for name in _SESSION}
    return [*before.get("earlier_sessions", []), session]


def differences(before, now):
    """What keeps a run from being continued as it was started, a phrase each."""
    differing = [
        f"{name} was {before['arguments'].get(name)!r} and is {now['arguments'].get(name)!r}"
        for name in sorted({*before["arguments"], *now["arguments"]} - _FREE_ARGUMENTS)
        if before["arguments"].get(name) != now["arguments"].get(name)
    ]
    policies = [config["options"]["mixed_precision"] for config in (before, now)]
    if policies[0] != policies[1]:
        differing.append(f"mixed_precision was {policies[0]!r} and is {policies[1]!r}")
    if not differing:  # what the arguments do not show: a changed recipe
        models = [dict(_flat(config["model"])) for config in (before, now)]
        differing += [
            f"{name} was {models[0].get(name)!r} and is {models[1].get(name)!r}"
            for name in sorted({*models[0], *models[1]})
            if models[0].get(name) != models[1].get(name)
        ]
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        differing.append("the data are not the same (fingerprint)")
    return differing


def _flat(value, path="model"):
    """`(dotted name, value)` of every leaf; object names, which Keras numbers, are left out."""
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        if name != "name":
            yield from _flat(inner, f"{path}.{name}")


def _as_flag(name, value):
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    values = value if isinstance(value, list | tuple) else [value]
    return [f"--{name}", *map(str, values)]


_OF_RESUMING = ("--resume", "--no-resume", "--allow-changes", "--no-allow-changes")


def command(recipe, argv, arguments):
    """The command that repeats the run: its flags, but those of resuming and of where files go.

    For a run from Python, with a flag for every argument.
    """
    kept = []
    if pathlib.Path(argv[0]).stem == recipe:
        flags = argv[1:]
    else:
        flags = []
        for name, value in arguments.items():
            kept += _as_flag(name.replace("_", "-"), value)
    while flags:
        flag = flags.pop(0)
        if flag in ("--out", "--export"):
            flags = flags[1:]
        elif flag not in _OF_RESUMING and not flag.startswith(("--out=", "--export=")):
            kept.append(flag)
    return shlex.join(["python", f"recipes/{recipe}.py", *kept])
