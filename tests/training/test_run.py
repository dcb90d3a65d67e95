import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gen.models import DCGAN
from keras_gen.training import NonFiniteError, Run, RunError, RunOptions, checkpoints, environment
from keras_gen.training.config import command
from keras_gen.training.schedule import segments


class Images:
    """Random images in the shape of a `keras_gen.data.DataSet`."""

    name, split, fingerprint, notes = "noise", "train", "0" * 64, ()
    stand_in_for = binarization = None
    example_shape = (8, 8, 1)

    def __init__(self, count=23, poison=None):
        rng = np.random.default_rng(0)
        self.examples = rng.uniform(-1, 1, (count, 8, 8, 1)).astype("float32")
        self.poison = poison

    def __len__(self):
        return len(self.examples)

    def steps_per_epoch(self, batch_size):
        return len(self) // batch_size

    def batches(self, batch_size, *, seed, start_step=0, labels=False, num_shards=1, shard=0):
        def generate():
            step = start_step
            while True:
                epoch, within = divmod(step, self.steps_per_epoch(batch_size))
                order = np.random.default_rng([seed, epoch]).permutation(len(self))
                batch = self.examples[order[within * batch_size : (within + 1) * batch_size]]
                yield batch * (np.nan if step + 1 == self.poison else 1)
                step += 1

        shape = tf.TensorSpec((batch_size, *self.example_shape), "float32")
        return tf.data.Dataset.from_generator(generate, output_signature=shape)


ABOUT = {"family": "gans", "title": "Tiny", "paper": "arXiv:1511.06434"}


def start(out, *, steps=12, seed=3, filters=4, images=None, extra=(), **options):
    """Trains a tiny DCGAN as a recipe does; gives the run and the model."""
    options = RunOptions(
        **{"out": str(out), "checkpoint_every": 4, "sample_every": 6, "log_every": 5} | options
    )
    arguments = {"filters": filters, "seed": seed, "steps": steps, "options": options}
    run = Run("tiny", arguments, **ABOUT)
    with run.strategy.scope():
        model = DCGAN((8, 8, 1), 3, filters, ema_decay=0.9)
        model.compile()
    run.fit(model, images or Images(), batch_size=4, steps=steps, extra=extra)
    return run, model


def state(model):
    return {name: value.numpy() for name, value in checkpoints.state_variables(model).items()}


def assert_same_state(first, second):
    first, second = state(first), state(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


class StopAt(keras.callbacks.Callback):
    """Ends the process' part of a run as an interruption would."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "finished"
    run, model = start(out)
    run.finish(model, {"test_generator_loss": (0.5, "on nothing")})
    return run, model


def test_a_run_leaves_all_its_files(finished):
    run, model = finished
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*")}
    assert {
        "config.json",
        "history.csv",
        "metrics.json",
        "model.keras",
        "curves.png",
        "samples.gif",
        "samples/step-00000000.png",
        "samples/step-00000006.png",
        "samples/step-00000012.png",
        "checkpoints/step-00000008.npz",
        "checkpoints/step-00000012.npz",
        "checkpoints/step-00000012.json",
    } <= names
    assert any(name.startswith("tensorboard/events") for name in names)
    assert "checkpoints/step-00000004.npz" not in names  # only the last two are kept
    hidden = {name for name in names if "/." in name or name.startswith(".")}
    assert hidden == {".lock"}  # no temporary file stays


def test_config_names_everything_the_result_depends_on(finished):
    run, _ = finished
    config = json.loads((run.folder / "config.json").read_text())
    assert config["arguments"] == {"filters": 4, "seed": 3, "steps": 12}
    assert config["options"]["checkpoint_every"] == 4
    assert config["data"]["fingerprint"] == "0" * 64
    assert config["model"]["config"]["filters"] == 4
    assert config["model"]["optimizers"]["generator_optimizer"]["beta_1"] == 0.5
    assert set(config["versions"]) == {"python", "tensorflow", "keras", "numpy", "keras_gen"}
    assert {"processor", "cores", "memory_gib", "gpus"} == set(config["machine"])
    assert {"commit", "dirty", "command"} <= set(config)


def test_history_rows_are_means_over_their_steps(tmp_path):
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: seen.append(logs["discriminator_loss"])
    )
    run, _ = start(tmp_path / "run", extra=[record])
    with (run.folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 12]
    for row, part in zip(rows, (seen[:5], seen[5:10], seen[10:]), strict=True):
        assert float(row["discriminator_loss"]) == pytest.approx(np.mean(part), rel=1e-6)
        assert float(row["epoch"]) == pytest.approx(int(row["step"]) / 5)


def test_metrics_hold_value_and_protocol_and_are_written_last(finished):
    run, _ = finished
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["finished"] is True and metrics["steps"] == 12
    assert metrics["epochs"] == pytest.approx(12 / 5)
    assert metrics["images_per_second"] > 0 and metrics["peak_memory_mib"] > 100
    assert metrics["metrics"] == {"test_generator_loss": {"value": 0.5, "protocol": "on nothing"}}
    newest = max(run.folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "metrics.json"


def test_the_saved_model_draws_what_the_trained_one_draws(finished):
    run, model = finished
    loaded = keras.models.load_model(run.folder / "model.keras")
    np.testing.assert_array_equal(loaded.sample(3, seed=1), model.sample(3, seed=1))


def test_the_sample_grid_shows_the_models_samples(finished):
    run, model = finished
    with Image.open(run.folder / "samples/step-00000012.png") as picture:
        grid = np.asarray(picture)
    assert grid.shape == (8 * 9 - 1, 8 * 9 - 1)
    first = np.asarray(model.sample(64, seed=3))[0, :, :, 0]
    np.testing.assert_allclose(grid[:8, :8], (first + 1) / 2 * 255, atol=0.51)


def test_the_animation_has_a_frame_for_each_grid(finished):
    run, _ = finished
    with Image.open(run.folder / "samples.gif") as animation:
        assert animation.n_frames == 3


def test_the_same_seed_gives_the_same_bits_and_another_others(tmp_path):
    _, first = start(tmp_path / "a")
    _, second = start(tmp_path / "b")
    _, other = start(tmp_path / "c", seed=4)
    assert_same_state(first, second)
    assert checkpoints.digest(first) == checkpoints.digest(second) != checkpoints.digest(other)
    assert not np.array_equal(first.generator.get_weights()[0], other.generator.get_weights()[0])


def test_a_run_killed_after_its_last_step_can_still_be_finished(finished, tmp_path):
    start(tmp_path / "run")
    run, model = start(tmp_path / "run", resume=True)
    run.finish(model)
    assert_same_state(model, finished[1])
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["steps"] == 12 and metrics["images_per_second"] > 0
    with pytest.raises(RunError, match="12 steps already"):
        start(tmp_path / "run", resume=True)


def test_a_finished_run_that_trains_on_keeps_its_earlier_metrics_aside(tmp_path):
    run, model = start(tmp_path / "run", steps=8)
    run.finish(model)
    start(tmp_path / "run", steps=9, resume=True)
    names = {path.name for path in (tmp_path / "run").glob("metrics*")}
    assert names == {"metrics-8.json"}


def test_changed_arguments_are_allowed_when_asked_for(tmp_path, capsys):
    start(tmp_path / "run", steps=8)
    images = Images()
    images.fingerprint = "1" * 64
    start(tmp_path / "run", resume=True, allow_changes=True, images=images)
    assert "Changed: the data are not the same" in capsys.readouterr().out


@pytest.mark.parametrize("stop", [1, 4, 7, 10])
def test_an_interrupted_run_resumes_bit_for_bit(finished, tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", extra=[StopAt(stop)])
    keras.utils.set_random_seed(99)
    run, model = start(tmp_path / "run", resume=True)
    assert_same_state(model, finished[1])
    losses = [
        [row["discriminator_loss"] for row in csv.DictReader(path.open())]
        for path in (run.folder / "history.csv", finished[0].folder / "history.csv")
    ]
    assert losses[0] == losses[1]


def test_a_longer_run_equals_a_short_one_continued(finished, tmp_path):
    start(tmp_path / "run", steps=8)
    _, model = start(tmp_path / "run", steps=12, resume=True)
    assert_same_state(model, finished[1])


def test_any_flipped_bit_of_a_manifest_is_noticed(tmp_path):
    _, model = start(tmp_path / "run", steps=8)
    folder = tmp_path / "run/checkpoints"
    manifest = folder / "step-00000008.json"
    content = manifest.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        manifest.write_bytes(damaged)
        step, kept = checkpoints.restore_latest(folder, model, warn=lambda _: None)
        # Another way to write the same values, such as an e for an E, is no damage.
        assert step == 4 or kept == json.loads(content)["manifest"]["state"]


def test_a_changed_learning_rate_is_refused_and_used_when_allowed(tmp_path):
    def fit(rate, **options):
        options = RunOptions(out=str(tmp_path / "run"), checkpoint_every=4, **options)
        arguments = {"seed": 0, "options": options}
        run = Run("tiny", arguments, family="gans", title="", paper="")
        model = DCGAN((8, 8, 1), 3, 4)
        model.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate))
        run.fit(model, Images(), batch_size=4, steps=4 if rate == 0.1 else 5)
        return run, model

    fit(0.1)
    with pytest.raises(RunError, match="generator_optimizer.learning_rate was 0.1.* and is 0.2"):
        fit(0.2, resume=True)
    run, model = fit(0.2, resume=True, allow_changes=True)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(0.2)
    config = json.loads((run.folder / "config.json").read_text())
    (earlier,) = config["earlier_sessions"]
    rates = [
        each["model"]["optimizers"]["generator_optimizer"]["learning_rate"]
        for each in (earlier, config)
    ]
    assert rates == pytest.approx([0.1, 0.2])


def test_a_run_that_overflowed_in_float16_goes_on_in_float32(tmp_path):
    start(tmp_path / "run", steps=8, mixed_precision="mixed_float16")
    with pytest.raises(RunError, match="mixed_precision was 'mixed_float16' and is 'float32'"):
        start(tmp_path / "run", resume=True)
    _, model = start(tmp_path / "run", resume=True, allow_changes=True)
    assert int(model.train_steps.numpy()) == 12


@pytest.mark.parametrize(
    ("gpus", "flags", "policy"),
    [
        ([], "flags : sse avx512_bf16", "mixed_bfloat16"),
        ([], "flags : sse avx2", "float32"),
        ([(9, 0), (8, 0)], "flags : sse", "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "flags : sse amx_bf16", "float32"),
    ],
)
def test_auto_takes_bfloat16_where_all_devices_have_it(tmp_path, monkeypatch, gpus, flags, policy):
    details = {number: {"compute_capability": gpu} for number, gpu in enumerate(gpus)}
    config = environment.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: list(details))
    monkeypatch.setattr(config.experimental, "get_device_details", details.get)
    monkeypatch.setattr(environment.pathlib.Path, "exists", lambda path: True)
    monkeypatch.setattr(environment.pathlib.Path, "read_text", lambda path: flags)
    assert environment.computes_bfloat16() == (policy != "float32")


@pytest.mark.parametrize("has_it", [False, True])
def test_a_run_in_auto_says_what_it_took(tmp_path, monkeypatch, has_it):
    monkeypatch.setattr(environment, "computes_bfloat16", lambda: has_it)
    policy = "mixed_bfloat16" if has_it else "float32"
    run, _ = start(tmp_path / "run", mixed_precision="auto", steps=2)
    config = json.loads((run.folder / "config.json").read_text())
    assert config["options"]["mixed_precision"] == keras.config.dtype_policy().name == policy


def test_metrics_and_callbacks_go_on_in_the_middle_of_an_epoch(tmp_path):
    class Count(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.best, self.begun = 0.0, False

        def on_train_begin(self, logs=None):
            self.best, self.begun = 0.0, True  # as EarlyStopping does

        def on_train_batch_end(self, batch, logs=None):
            self.best += logs["generator_loss"]

    whole, resumed = Count(), Count()
    _, model = start(tmp_path / "whole", steps=9, extra=[whole])
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", steps=9, extra=[Count(), StopAt(8)], checkpoint_every=7)
    _, other = start(tmp_path / "run", steps=9, extra=[resumed], resume=True)
    assert_same_state(model, other)
    assert whole.best == resumed.best
    assert int(model.trackers["generator_loss"].count) == 4 * 4  # four steps of the second epoch


def test_a_callback_can_stop_the_whole_run(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = int(self.model.train_steps.numpy()) >= 3

    _, model = start(tmp_path / "run", extra=[Stop()])
    assert int(model.train_steps.numpy()) == 3


def test_a_run_stopped_before_its_first_row_can_be_finished(tmp_path):
    start(tmp_path / "run", steps=4, log_every=50, checkpoint_every=2)
    (tmp_path / "run/history.csv").unlink()
    checkpoint = tmp_path / "run/checkpoints/step-00000004.npz"
    checkpoint.unlink()
    checkpoint.with_suffix(".json").unlink()
    run, model = start(tmp_path / "run", steps=2, resume=True)
    run.finish(model)
    assert len((tmp_path / "run/history.csv").read_text().splitlines()) == 2


def test_what_killed_writes_left_behind_is_removed(tmp_path):
    start(tmp_path / "run", steps=8)
    left = tmp_path / "run/checkpoints/.step-00000009.npz.ur67kf3k"
    left.write_bytes(b"half")
    start(tmp_path / "run", resume=True)
    assert not left.exists()


def test_several_steps_in_a_call_are_refused(tmp_path):
    run = Run("tiny", {"seed": 0, "options": RunOptions(out=str(tmp_path / "run"))}, **ABOUT)
    model = DCGAN((8, 8, 1), 3, 4)
    model.compile(steps_per_execution=2)
    with pytest.raises(RunError, match="steps_per_execution=2"):
        run.fit(model, Images(), batch_size=4, steps=2)


@pytest.mark.parametrize("seed", [-1, 2**40])
def test_a_seed_out_of_range_is_refused(tmp_path, seed):
    with pytest.raises(RunError, match=f"--seed {seed}"):
        start(tmp_path / "run", seed=seed)


def test_an_export_folder_that_cannot_be_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="--export .*file: .* is a file"):
        start(tmp_path / "run", export=str(tmp_path / "file"))
    (tmp_path / "1").mkdir()
    (tmp_path / "1/saved_model.pb").write_text("")
    with pytest.raises(RunError, match="is itself a SavedModel"):
        start(tmp_path / "run", export=str(tmp_path / "1"))


def test_nan_on_one_of_two_mirrored_replicas_stops_the_run(tmp_path):
    images = Images()
    images.examples = np.full_like(images.examples, np.nan)[:4]
    images.examples[:3] = 0.0  # the last image, and so one replica only
    with pytest.raises(NonFiniteError, match="Step 1"):
        start(tmp_path / "run", images=images, strategy="mirrored", replicas=2)


def test_a_damaged_checkpoint_is_reported_and_the_one_before_used(finished, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", extra=[StopAt(10)])
    newest = tmp_path / "run/checkpoints/step-00000008.npz"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    _, model = start(tmp_path / "run", resume=True)
    printed = capsys.readouterr().out
    assert "Checkpoint of step 8 is damaged" in printed and "Resuming at step 4" in printed
    assert_same_state(model, finished[1])


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(tmp_path):
    start(tmp_path / "run", steps=8)
    for path in (tmp_path / "run/checkpoints").glob("*.npz"):
        path.write_bytes(b"")
    with pytest.raises(RunError, match="Every checkpoint"):
        start(tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filters": 8}, "filters was 4 and is 8"),
        ({"seed": 4}, "seed was 3 and is 4"),
        ({"images": "other"}, "the data are not the same"),
        ({"steps": 6}, "8 steps already"),
    ],
)
def test_a_resume_that_does_not_fit_is_refused_by_name(tmp_path, change, message):
    start(tmp_path / "run", steps=8)
    if "images" in change:
        change = {"images": Images()}
        change["images"].fingerprint = "1" * 64
    with pytest.raises(RunError, match=message):
        start(tmp_path / "run", resume=True, **{"steps": 12} | change)


def test_nan_stops_the_run_with_step_and_remedy_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(NonFiniteError) as caught:
        start(tmp_path / "run", images=Images(poison=7))
    message = str(caught.value)
    for part in ("Step 7", "discriminator_loss is nan", "in the", "lower the learning rates"):
        assert part in message
    assert [p.name for p in (tmp_path / "run/checkpoints").glob("*.npz")] == ["step-00000004.npz"]


def test_weights_that_are_not_finite_are_never_written(tmp_path):
    _, model = start(tmp_path / "run", steps=1)
    model.generator.trainable_variables[0].assign_add(
        np.full(model.generator.trainable_variables[0].shape, np.inf)
    )
    with pytest.raises(NonFiniteError, match="After step 5"):
        checkpoints.save(tmp_path / "checkpoints", 5, model, {})
    assert not (tmp_path / "checkpoints").exists()


def test_a_folder_that_holds_something_is_never_trained_into(tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(RunError, match="not empty. Continue the run in it with --resume"):
        start(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_resuming_nothing_is_refused(tmp_path, monkeypatch):
    with pytest.raises(RunError, match="holds no run"):
        start(tmp_path / "empty", resume=True)
    monkeypatch.chdir(tmp_path)
    options = RunOptions(resume=True)
    with pytest.raises(RunError, match="there is no run in"):
        Run("tiny", {"seed": 0, "options": options}, family="gans", title="", paper="")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [({}, "Neither --steps nor --epochs"), ({"steps": 0}, "--steps 0"), ({"epochs": -1}, "-1")],
)
def test_a_length_that_makes_no_sense_is_refused(tmp_path, lengths, message):
    run = Run(
        "tiny",
        {"seed": 0, "options": RunOptions(out=str(tmp_path / "run"))},
        family="gans",
        title="",
        paper="",
    )
    model = DCGAN((8, 8, 1), 3, 4)
    model.compile()
    with pytest.raises(RunError, match=message):
        run.fit(model, Images(), batch_size=4, **lengths)


@pytest.mark.parametrize("field", ["checkpoint_every", "sample_every", "log_every", "replicas"])
def test_options_refuse_numbers_below_one(field):
    with pytest.raises(ValueError, match=f"--{field.replace('_', '-')} 0"):
        dataclasses.replace(RunOptions(), **{field: 0})


@pytest.mark.parametrize("per_epoch", [1, 3, 5])
def test_segments_cover_every_step_once_in_order(per_epoch):
    for start_step in range(12):
        for total in range(start_step + 1, 17):
            step = start_step
            for first, last, steps in segments(start_step, total, per_epoch):
                assert first == step // per_epoch and last > first
                if last - first > 1:
                    assert steps == per_epoch and step % per_epoch == 0
                step += (last - first) * steps
                assert (step - 1) // per_epoch == last - 1  # no call trains beyond its epoch
            assert step == total


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/x/recipes/tiny.py"], "python recipes/tiny.py"),
        (
            ["tiny.py", "--out", "a b", "--steps", "5", "--resume", "--allow-changes"],
            "python recipes/tiny.py --steps 5",
        ),
        (
            ["tiny.py", "--export=e", "--data", "my images"],
            "python recipes/tiny.py --data 'my images'",
        ),
        (
            ["pytest", "-q"],
            "python recipes/tiny.py --seed 3 --data 'my images' --units 4 2 --no-informed",
        ),
    ],
)
def test_the_recorded_command_repeats_the_run(argv, expected):
    arguments = {"seed": 3, "data": "my images", "epochs": None, "units": (4, 2)}
    arguments["informed"] = False
    assert command("tiny", argv, arguments) == expected


def test_two_replicas_train_through_a_run(tmp_path):
    run, model = start(tmp_path / "run", strategy="mirrored", replicas=2)
    assert run.strategy.num_replicas_in_sync == 2
    assert int(model.train_steps.numpy()) == 12


def test_replicas_without_a_strategy_are_refused(tmp_path):
    with pytest.raises(RunError, match="needs --strategy mirrored"):
        start(tmp_path / "run", strategy="none", replicas=2)


def test_discriminator_steps_take_their_share_of_the_data(tmp_path):
    options = RunOptions(out=str(tmp_path / "run"))
    run = Run("tiny", {"seed": 0, "options": options}, family="gans", title="", paper="")
    model = DCGAN((8, 8, 1), 3, 4, discriminator_steps=2)
    model.compile()
    run.fit(model, Images(), batch_size=4, epochs=1)
    assert int(model.train_steps.numpy()) == 23 // 8
