"""A run: one training from flags to files."""

import datetime
import json
import os
import pathlib
import shlex
import sys

import keras
import tensorflow as tf

from keras_gen.training import callbacks, checkpoints, environment
from keras_gen.training.artifacts import save_animation, save_curves
from keras_gen.training.errors import RunError
from keras_gen.training.files import write_json
from keras_gen.training.interruption import Interruption
from keras_gen.training.lock import FolderLock
from keras_gen.training.options import RunOptions
from keras_gen.training.schedule import segments, total_steps
from keras_gen.training.strategy import is_chief, is_multiworker, make_strategy

# A resumed run may change these and stays the same run.
_FREE_ARGUMENTS = {"steps", "epochs"}


class Run:
    """The folder, the strategy and the training loop of one run of a recipe.

    Making it sets the random seeds and the dtype policy, and picks the strategy: make it before
    anything else uses TensorFlow. Nothing that is on disk already is ever overwritten.

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
        is_chief: whether this process writes; with several workers only the first does.

    Raises:
        RunError: the folder holds a run already, there is none to resume, a folder cannot be
            written, or the devices are not there.
    """

    def __init__(self, recipe, arguments, *, family, title, paper):
        arguments = dict(arguments)
        self.options = arguments.pop("options", RunOptions())
        self.seed = arguments["seed"]
        self.strategy = make_strategy(self.options.strategy, self.options.replicas)
        self.is_chief = is_chief(self.strategy)
        keras.config.set_dtype_policy(self.options.mixed_precision)
        keras.utils.set_random_seed(self.seed)
        if self.options.deterministic:
            tf.config.experimental.enable_op_determinism()

        self.export_folder = pathlib.Path(self.options.export or f"saved_models/{recipe}")
        self.folder = self._find_folder(recipe)
        for flag, folder in (("--out", self.folder), ("--export", self.export_folder)):
            _check_writable(flag, folder)
        commit, dirty = environment.commit()
        self._config = {
            "recipe": recipe,
            "family": family,
            "title": title,
            "paper": paper,
            "command": _command(recipe, sys.argv),
            "arguments": arguments,
            "options": vars(self.options),
            "replicas": self.strategy.num_replicas_in_sync,
            "versions": environment.versions(),
            "machine": environment.machine(),
            "commit": commit,
            "dirty": dirty,
        }
        self._progress = self._lock = None

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
            RunError: nothing says how long to train; the run to resume does not fit; another
                process trains in the folder; or, with several workers, one of them is gone.
            NonFiniteError: a loss became NaN or infinite.
            SystemExit: SIGTERM (code 0) or SIGINT (130) came; the state is saved.
        """
        replicas = self.strategy.num_replicas_in_sync
        if batch_size % replicas:
            raise RunError(f"--batch-size {batch_size} cannot be split over {replicas} replicas.")
        images_per_step = batch_size * model.batches_per_step
        steps_per_epoch = data.steps_per_epoch(images_per_step)
        self._progress = progress = callbacks.Progress(
            total_steps(steps, epochs, steps_per_epoch), steps_per_epoch, images_per_step
        )
        self._describe(model, data)
        self._open_folder()
        try:
            if self.options.resume:
                self._restore(model)
            if self.is_chief:
                self._set_aside_old_metrics()
                write_json(self.folder / "config.json", self._config)
                print(self._headline(model, data), flush=True)
            with Interruption() as interruption:
                hooks = [*self._callbacks(interruption), *extra]
                for first, last, steps_each in segments(
                    progress.step, progress.total_steps, steps_per_epoch
                ):
                    model.fit(
                        self._batches(data, images_per_step, labels),
                        initial_epoch=first,
                        epochs=last,
                        steps_per_epoch=steps_each,
                        callbacks=hooks,
                        shuffle=False,  # the data come in their order already
                        verbose=0,
                    )
            # From every worker: the same line shows that they stayed in step.
            print(f"\nState after step {progress.step}: {checkpoints.digest(model)}", flush=True)
        except BaseException as error:
            self._unlock()
            if is_multiworker(self.strategy) and isinstance(error, tf.errors.OpError):
                raise RunError(
                    f"Another worker is gone, or cannot be reached ({type(error).__name__}). "
                    f"Start all workers again with --resume --out {self.folder}."
                ) from error
            raise

    def finish(self, model, metrics=None):
        """Writes what a finished run leaves: pictures, the model, and `metrics.json` last.

        Args:
            model: the trained model.
            metrics: `{name: (value, protocol)}`; names carry units, the protocol says on what
                and how the value was measured.
        """
        if not self.is_chief:
            return
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
                "images_per_second": progress.images_per_second,
                "peak_memory_mib": environment.peak_memory_mib(),
                "state_sha256": checkpoints.digest(model),
                "metrics": measured,
            },
        )
        self._unlock()
        print(f"\nRun folder: {folder}")
        for name, entry in measured.items():
            print(f"  {name}: {entry['value']:.4f} ({entry['protocol']})")

    # ------------------------------------------------------------------ training

    def _batches(self, data, images_per_step, labels):
        start = self._progress.step

        def pipeline(context):
            """This worker's share of each global batch, a replica's part at a time."""
            share = data.batches(
                images_per_step,
                seed=self.seed,
                start_step=start,
                labels=labels,
                num_shards=context.num_input_pipelines,
                shard=context.input_pipeline_id,
            )
            return share.rebatch(
                context.get_per_replica_batch_size(images_per_step), drop_remainder=True
            )

        if is_multiworker(self.strategy):
            return self.strategy.distribute_datasets_from_function(pipeline)
        return data.batches(images_per_step, seed=self.seed, start_step=start, labels=labels)

    def _callbacks(self, interruption):
        progress, options = self._progress, self.options
        keeper = callbacks.Checkpoints(
            progress, self._checkpoints, options.checkpoint_every, self.is_chief
        )
        hooks = [callbacks.StepCounter(progress), callbacks.NonFiniteGuard(progress)]
        if self.is_chief:
            hooks += [
                callbacks.History(progress, self.folder, options.log_every),
                callbacks.SampleGrids(
                    progress, self.folder / "samples", options.sample_every, self.seed
                ),
                callbacks.ProgressBar(progress),
            ]
        return [*hooks, keeper, callbacks.StopOnRequest(interruption, keeper, self.strategy)]

    # ------------------------------------------------------------------ the folder

    @property
    def _checkpoints(self):
        return self.folder / "checkpoints"

    def _find_folder(self, recipe):
        out = self.options.out and pathlib.Path(self.options.out)
        runs = pathlib.Path("runs") / recipe
        if is_multiworker(self.strategy) and not out:
            raise RunError("With several workers give --out: all of them must know the folder.")
        if self.options.resume:
            folder = out or _newest(runs)
            if not (folder / "config.json").exists():
                raise RunError(f"--resume: {folder} holds no run (no config.json).")
            return folder
        folder = out or runs / datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        if folder.exists() and not folder.is_dir():
            raise RunError(f"--out {folder}: this is a file; give a folder.")
        if self.is_chief and folder.exists() and any(_visible(folder)):
            raise RunError(
                f"--out {folder}: the folder is not empty. Continue the run in it with --resume, "
                "or give another folder."
            )
        return folder

    def _open_folder(self):
        """Only when training starts: arguments that are wrong leave no empty folder behind."""
        if self.is_chief:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder)

    def _unlock(self):
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _set_aside_old_metrics(self):
        """A finished run that trains on is not finished; its earlier metrics stay readable."""
        old = self.folder / "metrics.json"
        if old.exists():
            steps = json.loads(old.read_text())["steps"]
            old.rename(self.folder / f"metrics-{steps}.json")

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
        differing = _differences(before, json.loads(json.dumps(self._config, default=str)))
        if differing and not self.options.allow_changes:
            raise RunError(
                f"--resume: the run in {self.folder} was started otherwise: "
                f"{'; '.join(differing)}. Give the same arguments, start anew with another --out, "
                "or go on with the new ones with --allow-changes."
            )
        restored = checkpoints.restore_latest(self._checkpoints, model)
        if restored is None:
            self._say(f"No checkpoint in {self.folder} yet: starting from the first step.")
            return
        step, state = restored
        total, finished = self._progress.total_steps, (self.folder / "metrics.json").exists()
        if step > total or (step == total and finished):
            raise RunError(
                f"--resume: the run in {self.folder} has {step} steps already; raise --steps or "
                "--epochs to train on."
            )
        self._progress.restore(step, state)
        self._say(f"Resuming at step {step}.")
        for difference in differing:
            self._say(f"Changed: {difference}.")
        if before.get("replicas", 1) != self.strategy.num_replicas_in_sync:
            self._say(
                f"Started on {before.get('replicas', 1)} replicas, going on on "
                f"{self.strategy.num_replicas_in_sync}: data and noise stay those of the run, "
                "its numbers agree up to rounding only."
            )

    def _say(self, line):
        if self.is_chief:
            print(line, flush=True)

    def _headline(self, model, data):
        progress, replicas = self._progress, self.strategy.num_replicas_in_sync
        return (
            f"{type(model).__name__} with {self._config['model']['parameters']:,} parameters on "
            f"{data.name} ({len(data):,} x {'x'.join(map(str, data.example_shape))}): "
            f"{progress.total_steps - progress.step:,} steps of {progress.images_per_step} images, "
            f"{progress.total_steps / progress.steps_per_epoch:.1f} epochs in all, "
            f"{replicas} replica{'s' * (replicas > 1)}, into {self.folder}"
        )


def _differences(before, now):
    """What keeps a run from being continued as it was started, a phrase each."""
    differing = [
        f"{name} was {before['arguments'].get(name)!r} and is {now['arguments'].get(name)!r}"
        for name in sorted({*before["arguments"], *now["arguments"]} - _FREE_ARGUMENTS)
        if before["arguments"].get(name) != now["arguments"].get(name)
    ]
    policies = [config["options"]["mixed_precision"] for config in (before, now)]
    if policies[0] != policies[1]:
        differing.append(f"mixed_precision was {policies[0]!r} and is {policies[1]!r}")
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        differing.append("the data are not the same (fingerprint)")
    return differing


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


def _visible(folder):
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _check_writable(flag, folder):
    """Looks at the nearest folder that exists, so that nothing is made before it is needed."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        raise RunError(
            f"{flag} {folder}: {existing} cannot be written. Give a folder that this user may "
            "write, on a file system that is not read-only."
        )
