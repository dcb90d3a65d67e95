"""A run: one training from flags to files."""

import datetime
import json
import pathlib
import shlex
import sys

import keras

from keras_gen.training import callbacks, checkpoints, environment
from keras_gen.training.artifacts import save_animation, save_curves
from keras_gen.training.errors import RunError
from keras_gen.training.files import write_json
from keras_gen.training.options import RunOptions
from keras_gen.training.strategy import make_strategy

# A resumed run may change these and stays the same run.
_FREE_ARGUMENTS = {"steps", "epochs"}


class Run:
    """The folder, the strategy and the training loop of one run of a recipe.

    Making it sets the random seeds and the dtype policy, picks the strategy and opens the run
    folder: nothing that is there is ever overwritten.

    Args:
        recipe: the recipe's name, as in `recipes/<recipe>.py`.
        arguments: the arguments of the recipe's `main`, as `locals()` gives them on its first
            line: every hyperparameter, `seed`, and `options`, a `RunOptions`.
        family: the family of models, under which the result is listed.
        title: the model's name in tables.
        paper: its citation, such as `"arXiv:1511.06434"`.

    Attributes:
        folder: the run folder.
        export_folder: where the SavedModel goes.
        strategy: make and compile the model in `with run.strategy.scope():`.

    Raises:
        RunError: the folder holds a run already, or there is none to resume, or it was started
            with other arguments.
    """

    def __init__(self, recipe, arguments, *, family, title, paper):
        arguments = dict(arguments)
        self.options = arguments.pop("options", RunOptions())
        self.seed = arguments["seed"]
        self.strategy = make_strategy(self.options.strategy, self.options.replicas)
        keras.config.set_dtype_policy(self.options.mixed_precision)
        keras.utils.set_random_seed(self.seed)

        self.export_folder = pathlib.Path(self.options.export or f"saved_models/{recipe}")
        self.folder = self._open_folder(recipe)
        commit, dirty = environment.commit()
        self._config = {
            "recipe": recipe,
            "family": family,
            "title": title,
            "paper": paper,
            "command": _command(recipe, sys.argv),
            "arguments": arguments,
            "options": vars(self.options),
            "versions": environment.versions(),
            "machine": environment.machine(),
            "commit": commit,
            "dirty": dirty,
        }
        self._progress = None
        self._counter = None

    def fit(self, model, data, *, batch_size, steps=None, epochs=None, labels=False, extra=()):
        """Trains until `steps` training steps or `epochs` passes are done, whichever is less.

        Args:
            model: a compiled `GenerativeModel`.
            data: a `keras_gen.data.DataSet`; training takes its `batches`.
            batch_size: images in a batch, over all replicas.
            steps: training steps in all, those before a resume included.
            epochs: passes through the data in all.
            labels: whether the model takes `(images, labels)`.
            extra: further Keras callbacks.

        Raises:
            RunError: nothing says how long to train; or the run to resume does not fit.
            NonFiniteError: a loss became NaN or infinite.
        """
        images_per_step = batch_size * model.batches_per_step
        steps_per_epoch = data.steps_per_epoch(images_per_step)
        total_steps = _total_steps(steps, epochs, steps_per_epoch)
        self._progress = progress = callbacks.Progress(
            total_steps, steps_per_epoch, images_per_step
        )
        self._describe(model, data)
        if self.options.resume:
            self._restore(model)
        # Only now: arguments that turn out to be wrong leave no empty folder behind.
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config.json", self._config)
        print(self._headline(model, data), flush=True)

        self._counter = callbacks.StepCounter(progress)
        options = self.options
        hooks = [
            self._counter,
            callbacks.NonFiniteGuard(progress),
            callbacks.History(progress, self._counter, self.folder, options.log_every),
            callbacks.SampleGrids(
                progress, self.folder / "samples", options.sample_every, self.seed
            ),
            callbacks.Checkpoints(progress, self._checkpoints, options.checkpoint_every),
            callbacks.ProgressBar(progress, self._counter),
            *extra,
        ]
        # Keras trains whole epochs of equal length. A resumed run starts within one and a
        # number of steps may end within one: up to three calls, the middle one with whole epochs.
        for first, last, steps_each in _segments(progress.step, total_steps, steps_per_epoch):
            batches = data.batches(
                images_per_step, seed=self.seed, start_step=progress.step, labels=labels
            )
            model.fit(
                batches,
                initial_epoch=first,
                epochs=last,
                steps_per_epoch=steps_each,
                callbacks=hooks,
                shuffle=False,  # the data come in their order already
                verbose=0,
            )

    def finish(self, model, metrics=None):
        """Writes what a finished run leaves: pictures, the model, and `metrics.json` last.

        Args:
            model: the trained model.
            metrics: `{name: (value, protocol)}`; names carry units, the protocol says on what
                and how the value was measured.
        """
        progress, folder = self._progress, self.folder
        frames = sorted((folder / "samples").glob("step-*.png"))
        save_animation(frames, folder / "samples.gif")
        save_curves(progress.rows, folder / "curves.png", self._config["title"])
        model.save(folder / "model.keras")
        measured = {
            name: {"value": float(value), "protocol": protocol}
            for name, (value, protocol) in (metrics or {}).items()
        }
        write_json(
            folder / "metrics.json",
            {
                "finished": True,
                "steps": progress.step,
                "epochs": progress.epoch,
                "seconds": progress.seconds,
                "images_per_second": self._counter.images_per_second,
                "peak_memory_mib": environment.peak_memory_mib(),
                "metrics": measured,
            },
        )
        print(f"\nRun folder: {folder}")
        for name, entry in measured.items():
            print(f"  {name}: {entry['value']:.4f} ({entry['protocol']})")

    # ------------------------------------------------------------------ the folder

    @property
    def _checkpoints(self):
        return self.folder / "checkpoints"

    def _open_folder(self, recipe):
        runs = pathlib.Path("runs") / recipe
        if self.options.resume:
            folder = pathlib.Path(self.options.out) if self.options.out else _newest(runs)
            if not (folder / "config.json").exists():
                raise RunError(f"--resume: {folder} holds no run (no config.json).")
            return folder
        time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = pathlib.Path(self.options.out) if self.options.out else runs / time
        if folder.exists() and not folder.is_dir():
            raise RunError(f"--out {folder}: this is a file; give a folder.")
        if folder.exists() and any(folder.iterdir()):
            raise RunError(
                f"--out {folder}: the folder is not empty. Continue the run in it with --resume, "
                "or give another folder."
            )
        return folder

    def _describe(self, model, data):
        self._config["model"] = {
            "class": type(model).__name__,
            "config": model.get_config(),
            "optimizers": {
                name: optimizer.get_config() for name, optimizer in model.optimizers.items()
            },
            "parameters": sum(
                variable.shape.num_elements() for variable in model.trainable_variables
            ),
        }
        self._config["data"] = {
            "name": data.name,
            "split": data.split,
            "fingerprint": data.fingerprint,
            "num_examples": len(data),
            "example_shape": list(data.example_shape),
            "stand_in_for": data.stand_in_for,
            "notes": list(data.notes),
        }

    def _restore(self, model):
        before = json.loads((self.folder / "config.json").read_text())
        now = json.loads(json.dumps(self._config, default=str))
        differing = [
            f"{name} was {before['arguments'].get(name)!r} and is {now['arguments'].get(name)!r}"
            for name in sorted({*before["arguments"], *now["arguments"]})
            if name not in _FREE_ARGUMENTS
            and before["arguments"].get(name) != now["arguments"].get(name)
        ]
        if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
            differing.append("the data are not the same (fingerprint)")
        if differing:
            raise RunError(
                f"--resume: the run in {self.folder} was started otherwise: "
                f"{'; '.join(differing)}. Give the same arguments, or start anew with "
                "another --out."
            )
        restored = checkpoints.restore_latest(self._checkpoints, model)
        if restored is None:
            print(f"No checkpoint in {self.folder} yet: starting from the first step.")
            return
        step, state = restored
        if step >= self._progress.total_steps:
            raise RunError(
                f"--resume: the run in {self.folder} has {step} steps already; raise --steps or "
                "--epochs to train on."
            )
        self._progress.restore(step, state)
        print(f"Resuming at step {step}.")

    def _headline(self, model, data):
        progress, replicas = self._progress, self.strategy.num_replicas_in_sync
        return (
            f"{type(model).__name__} with {self._config['model']['parameters']:,} parameters on "
            f"{data.name} ({len(data):,} x {'x'.join(map(str, data.example_shape))}): "
            f"{progress.total_steps - progress.step:,} steps of {progress.images_per_step} images, "
            f"{progress.total_steps / progress.steps_per_epoch:.1f} epochs in all, "
            f"{replicas} replica{'s' * (replicas > 1)}, into {self.folder}"
        )


def _command(recipe, argv):
    """The command that repeats the run: with its flags, but those that say where files go."""
    flags = argv[1:] if pathlib.Path(argv[0]).stem == recipe else []
    kept = []
    while flags:
        flag = flags.pop(0)
        if flag in ("--out", "--export"):
            flags = flags[1:]
        elif flag != "--resume" and not flag.startswith(("--out=", "--export=")):
            kept.append(flag)
    return shlex.join(["python", f"recipes/{recipe}.py", *kept])


def _newest(runs):
    folders = sorted(path.parent for path in runs.glob("*/config.json"))
    if not folders:
        raise RunError(f"--resume: there is no run in {runs}; give its folder with --out.")
    return folders[-1]


def _total_steps(steps, epochs, steps_per_epoch):
    for name, value in (("--steps", steps), ("--epochs", epochs)):
        if value is not None and value < 1:
            raise RunError(f"{name} {value}: give an integer of at least 1.")
    limits = [limit for limit in (steps, epochs and epochs * steps_per_epoch) if limit]
    if not limits:
        raise RunError("Neither --steps nor --epochs is given: one must say how long to train.")
    return min(limits)


def _segments(step, total, steps_per_epoch):
    """`(first_epoch, last_epoch, steps_per_epoch)` of the `fit` calls from `step` to `total`."""
    while step < total:
        epoch, within = divmod(step, steps_per_epoch)
        whole = (total - step) // steps_per_epoch
        if within == 0 and whole:
            yield epoch, epoch + whole, steps_per_epoch
            step += whole * steps_per_epoch
        else:
            steps_now = min(steps_per_epoch - within, total - step)
            yield epoch, epoch + 1, steps_now
            step += steps_now
