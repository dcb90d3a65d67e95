"""A run: one training from flags to files."""

import dataclasses
import json
import pathlib

import keras
import tensorflow as tf

from keras_gen.artifacts.files import remove_temporaries, write_json
from keras_gen.artifacts.pictures import save_animation, save_curves
from keras_gen.training import callbacks, checkpoints, config, environment
from keras_gen.training.errors import RunError
from keras_gen.training.folders import check_writable, find_folder
from keras_gen.training.interruption import Interruption
from keras_gen.training.lock import FolderLock
from keras_gen.training.options import RunOptions
from keras_gen.training.progress import Progress, write_history
from keras_gen.training.schedule import segments, total_steps
from keras_gen.training.strategy import is_chief, is_multiworker, make_strategy


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
        if not 0 <= self.seed < 2**32:
            raise RunError(f"--seed {self.seed}: give an integer from 0 to 2**32 - 1.")
        self.strategy = make_strategy(self.options.strategy, self.options.replicas)
        self.is_chief = is_chief(self.strategy)
        if self.options.mixed_precision == "auto":  # a resume compares what it stood for
            policy = "mixed_bfloat16" if environment.computes_bfloat16() else "float32"
            self.options = dataclasses.replace(self.options, mixed_precision=policy)
        keras.config.set_dtype_policy(self.options.mixed_precision)
        keras.utils.set_random_seed(self.seed)
        if self.options.deterministic:
            tf.config.experimental.enable_op_determinism()

        self.export_folder = pathlib.Path(self.options.export or f"saved_models/{recipe}")
        if is_multiworker(self.strategy) and not self.options.out:
            raise RunError("With several workers give --out: all of them must know the folder.")
        self.folder = find_folder(recipe, self.options.out, self.options.resume, self.is_chief)
        for flag, folder in (("--out", self.folder), ("--export", self.export_folder)):
            check_writable(flag, folder)
        self._config = config.run_config(
            recipe,
            arguments,
            self.options,
            self.strategy.num_replicas_in_sync,
            family=family,
            title=title,
            paper=paper,
        )
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
        if model.steps_per_execution != 1:
            raise RunError(
                f"The model was compiled with steps_per_execution={model.steps_per_execution}: "
                "give 1. A run looks at every step."
            )
        if batch_size % replicas:
            raise RunError(f"--batch-size {batch_size} cannot be split over {replicas} replicas.")
        images_per_step = batch_size * model.batches_per_step
        if images_per_step > len(data):
            raise RunError(
                f"--batch-size {batch_size}: a training step takes {images_per_step} images and "
                f"{data.name} has {len(data)}; give at most {len(data) // model.batches_per_step}."
            )
        steps_per_epoch = data.steps_per_epoch(images_per_step)
        self._progress = progress = Progress(
            total_steps(steps, epochs, steps_per_epoch), steps_per_epoch, images_per_step
        )
        self._config |= {"model": config.model_config(model), "data": config.data_config(data)}
        self._open_folder()
        kept = callbacks.KeptState(extra)
        try:
            if self.options.resume:
                kept = self._restore(model, extra)
            if self.is_chief:
                self._set_aside_old_metrics()
                write_json(self.folder / "config.json", self._config)
                print(self._headline(model, data), flush=True)
            with Interruption() as interruption:
                hooks, stopper = self._callbacks(interruption, kept)
                model.stop_training = False
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
                    if model.stop_training:
                        stopper.keeper.save()
                        break
                if interruption.requested:  # after the last step: its checkpoint is written
                    stopper.stop(interruption.requested)
            # From every worker: the same line shows that they stayed in step.
            print(f"\nState after step {progress.step}: {checkpoints.digest(model)}", flush=True)
        except tf.errors.OpError as error:
            if not is_multiworker(self.strategy):
                raise
            raise RunError(
                f"Another worker is gone, or cannot be reached ({type(error).__name__}). "
                f"Start all workers again with --resume --out {self.folder}."
            ) from error
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None

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
        if progress.pending:  # a run that was stopped and then shortened to that step
            progress.add_row()
            write_history(progress.rows, folder / "history.csv")
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

    def _callbacks(self, interruption, kept):
        """All callbacks in their order, and the one that ends the run on a signal."""
        progress, options = self._progress, self.options
        keeper = callbacks.Checkpoints(
            progress, kept, self._checkpoints, options.checkpoint_every, self.is_chief
        )
        stopper = callbacks.StopOnRequest(interruption, keeper, self.strategy)
        hooks = [callbacks.StepCounter(progress), callbacks.NonFiniteGuard(progress)]
        if self.is_chief:
            hooks += [
                callbacks.History(progress, self.folder, options.log_every),
                callbacks.SampleGrids(
                    progress, self.folder / "samples", options.sample_every, self.seed
                ),
                callbacks.ProgressBar(progress),
            ]
        return [*hooks, *kept.extra, kept, keeper, stopper], stopper

    # ------------------------------------------------------------------ the folder

    @property
    def _checkpoints(self):
        return self.folder / "checkpoints"

    def _open_folder(self):
        """Only when training starts: arguments that are wrong leave no empty folder behind."""
        if self.is_chief:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder)
            remove_temporaries(self.folder)

    def _set_aside_old_metrics(self):
        """A finished run that trains on is not finished; its earlier metrics stay readable."""
        old = self.folder / "metrics.json"
        if old.exists():
            steps = json.loads(old.read_text())["steps"]
            old.rename(self.folder / f"metrics-{steps}.json")

    def _restore(self, model, extra):
        """Goes back to the last checkpoint; gives the `KeptState` to go on with."""
        before = json.loads((self.folder / "config.json").read_text())
        self._config["earlier_sessions"] = config.earlier_sessions(before)
        rates = {
            name: float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            for name, optimizer in model.optimizers.items()
        }
        differing = config.differences(before, json.loads(json.dumps(self._config, default=str)))
        if differing and not self.options.allow_changes:
            raise RunError(
                f"--resume: the run in {self.folder} was started otherwise: "
                f"{'; '.join(differing)}. Give the same arguments, start anew with another --out, "
                "or go on with the new ones with --allow-changes."
            )
        restored = checkpoints.restore_latest(self._checkpoints, model)
        if restored is None:
            self._say(f"No checkpoint in {self.folder} yet: starting from the first step.")
            return callbacks.KeptState(extra)
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
        for name, optimizer in model.optimizers.items():
            configs = [each["model"]["optimizers"].get(name) for each in (before, self._config)]
            changed = json.dumps(configs[0], default=str) != json.dumps(configs[1], default=str)
            if changed and not isinstance(configs[1]["learning_rate"], dict):
                # The new rate, not the checkpoint's. A schedule has no rate to set.
                optimizer.learning_rate = rates[name]
        if before.get("replicas", 1) != self.strategy.num_replicas_in_sync:
            self._say(
                f"Started on {before.get('replicas', 1)} replicas, going on on "
                f"{self.strategy.num_replicas_in_sync}: data and noise stay those of the run, "
                "its numbers agree up to rounding only."
            )
        metrics = [variable.numpy() for variable in model.metrics_variables]
        within_epoch = step % self._progress.steps_per_epoch
        return callbacks.KeptState(extra, metrics if within_epoch else None, state["callbacks"])

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
