"""Runs as processes: several workers, signals, kills, locks and full disks."""

import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).parent / "tiny_run.py"


def command(folder, *flags):
    out = ["--out", folder / "run", "--states", folder, "--export", folder / "exported"]
    return [sys.executable, SCRIPT, *out, *flags]


def start(folder, *flags):
    """Starts a tiny run; its output goes to a pipe."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        list(map(str, command(folder, *flags))),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
    )


def finish(process, code=0, timeout=180):
    output, _ = process.communicate(timeout=timeout)
    assert process.returncode == code, output
    return output


def train(folder, *flags, code=0):
    return finish(start(folder, *flags), code)


def launch(folder, *flags, code=0, workers=2, timeout=240):
    folder.mkdir(exist_ok=True)
    script = list(map(str, command(folder, *flags)))[1:]
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_gen", "launch", "--workers", str(workers), "--", *script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
    )
    return finish(process, code, timeout)


def state(folder, worker=0):
    with np.load(folder / f"state-{worker}.npz") as arrays:
        return dict(arrays)


def digest(folder):
    sha = hashlib.sha256()
    for name, value in state(folder).items():
        sha.update(name.encode() + value.tobytes())
    return sha.hexdigest()


def relative_difference(first, second):
    assert [name.split()[0] for name in first] == [name.split()[0] for name in second]
    return max(
        np.abs(a - b).max() / max(np.abs(a).max(), 1e-2)
        for a, b in zip(first.values(), second.values(), strict=True)
        if a.dtype.kind == "f"
    )


def wait_for(path, process, timeout=120):
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(folder, "--checkpoint-every", "4")
    return folder


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """The same by two workers: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("two_workers")
    return folder, launch(folder, "--checkpoint-every", "4")


def check_alike(single, mirrored, workers, tolerance):
    worker, other = (state(workers, number) for number in (0, 1))
    differences = [relative_difference(state(single), each) for each in (state(mirrored), worker)]
    print(f"mirrored {differences[0]:.1e}, workers {differences[1]:.1e}")
    assert max(differences) <= tolerance
    # Slots of the optimizers, weights and seeds: all the same bits on both workers.
    assert all(np.array_equal(worker[name], other[name]) for name in worker)


def test_one_device_two_replicas_and_two_workers_train_alike(uninterrupted, two_workers, tmp_path):
    train(tmp_path, "--strategy", "mirrored", "--replicas", "2")
    workers, output = two_workers
    check_alike(uninterrupted, tmp_path, workers, tolerance=1e-4)
    assert "[worker 0] " in output


@pytest.mark.slow  # the contract test has plain gradients under two replicas for every model
def test_they_train_alike_with_plain_gradients(tmp_path):
    flags = ("--steps", "5", "--optimizer", "sgd")
    single, mirrored, workers = (tmp_path / name for name in ("single", "mirrored", "workers"))
    train(single, *flags)
    train(mirrored, *flags, "--strategy", "mirrored", "--replicas", "2")
    launch(workers, *flags)
    check_alike(single, mirrored, workers, tolerance=1e-5)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_replicas(uninterrupted, tmp_path):
    train(tmp_path, "--steps", "8", "--checkpoint-every", "4")
    output = train(tmp_path, "--resume", "--strategy", "mirrored", "--replicas", "2")
    assert "Started on 1 replicas, going on on 2" in output
    assert "agree up to rounding only" in output
    assert relative_difference(state(uninterrupted), state(tmp_path)) <= 1e-4


@pytest.mark.slow
def test_deterministic_runs_end_in_the_same_bits(tmp_path):
    for name in ("first", "second"):
        train(tmp_path / name, "--deterministic")
    assert digest(tmp_path / "first") == digest(tmp_path / "second")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_how_to_go_on(uninterrupted, tmp_path, number, code):
    process = start(tmp_path, "--checkpoint-every", "4", "--slow", "0.3")
    wait_for(tmp_path / "run/checkpoints/step-00000004.json", process)
    time.sleep(0.5)
    process.send_signal(number)
    output = finish(process, code)
    assert f"{number.name}: saving after this step" in output
    assert "Saved at step" in output and f"--resume --out {tmp_path / 'run'}" in output
    assert "Traceback" not in output
    train(tmp_path, "--resume")
    assert digest(tmp_path) == digest(uninterrupted)


def test_a_second_process_on_the_same_run_is_refused_and_a_dead_one_holds_no_lock(tmp_path):
    process = start(tmp_path, "--checkpoint-every", "1", "--slow", "0.5", "--steps", "200")
    wait_for(tmp_path / "run/checkpoints/step-00000001.json", process)
    output = train(tmp_path, "--resume", "--steps", "200", code=2)
    assert f"process {process.pid} on" in output and "is training this run" in output
    process.kill()
    process.wait()
    assert "Resuming at step" in train(tmp_path, "--resume", "--steps", "201")


@pytest.mark.slow
def test_a_killed_worker_ends_the_other_with_a_message_and_both_resume(two_workers, tmp_path):
    flags, folder = ("--checkpoint-every", "4"), tmp_path
    script = list(map(str, command(folder, *flags, "--slow", "0.4")))[1:]
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_gen", "launch", "--workers", "2", "--", *script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
    )
    wait_for(folder / "run/checkpoints/step-00000004.json", process)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(children[1]), signal.SIGKILL)
    began = time.monotonic()
    output, _ = process.communicate(timeout=180)
    seconds = time.monotonic() - began
    print(f"the other worker ended after {seconds:.0f} s")
    assert process.returncode != 0 and seconds < 120
    assert "Another worker is gone" in output or "Saved at step" in output
    launch(folder, *flags, "--resume")
    for worker in (0, 1):
        whole, resumed = state(two_workers[0], worker), state(folder, worker)
        assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_nan_in_one_worker_stops_both_at_the_same_step(tmp_path):
    output = launch(tmp_path, "--poison", "6", "--checkpoint-every", "4", code=2)
    for worker in (0, 1):
        lines = [
            line for line in output.splitlines() if line.startswith(f"[worker {worker}] error")
        ]
        assert len(lines) == 1 and "Step 6" in lines[0], output
    names = sorted(path.name for path in (tmp_path / "run/checkpoints").glob("*.npz"))
    assert names == ["step-00000004.npz"]


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_the_uninterrupted_weights(tmp_path):
    """Kill times come from a seed; with a checkpoint every step, many fall into a write."""
    flags = ("--steps", "600", "--checkpoint-every", "1", "--sample-every", "20", "--filters", "64")
    train(tmp_path / "whole", *flags)
    expected = digest(tmp_path / "whole")
    rng = np.random.default_rng(0)
    inside_a_write = equal = 0
    for number in range(20):
        folder = tmp_path / f"kill-{number}"
        process = start(folder, *flags)
        wait_for(folder / "run/config.json", process)
        time.sleep(rng.uniform(1.0, 4.5))  # tracing comes first, then some hundred steps a second
        assert process.poll() is None, "the run ended before it was killed"
        process.kill()
        process.wait()
        checkpoints = folder / "run/checkpoints"
        manifests = {path.stem for path in checkpoints.glob("step-*.json")}
        partial = [
            path.name
            for path in (checkpoints.iterdir() if checkpoints.exists() else ())
            if path.name.startswith(".") or (path.suffix == ".npz" and path.stem not in manifests)
        ]
        inside_a_write += bool(partial)
        output = train(folder, *flags, "--resume")
        equal += digest(folder) == expected
        resumed = [
            line for line in output.splitlines() if line.startswith(("Resuming", "No check"))
        ]
        print(f"kill {number}: {resumed}, left behind {partial}, equal so far {equal}")
    print(f"{equal} of 20 equal, {inside_a_write} killed inside a checkpoint's write")
    assert equal == 20 and inside_a_write > 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
class TestFullDisk:
    """On a real file system of a few hundred KiB."""

    @pytest.fixture
    def disk(self, tmp_path):
        mount = tmp_path / "disk"
        mount.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", mount], capture_output=True
        )
        if made.returncode:
            pytest.skip(f"mount is not permitted here: {made.stderr.decode().strip()}")
        yield mount
        subprocess.run(["umount", mount], check=True)

    def test_a_full_disk_is_reported_and_training_goes_on(self, disk, tmp_path, uninterrupted):
        flags = ["--checkpoint-every", "4", "--sample-every", "4", "--filters", "4"]
        script = [*command(tmp_path, *flags)]
        script[script.index("--out") + 1] = disk / "run"
        (disk / "ballast").write_bytes(bytes(330 * 1024))
        run = {"capture_output": True, "text": True, "cwd": tmp_path}
        result = subprocess.run(list(map(str, script)), **run)
        assert "could not be written (No space left on device); training goes on" in result.stdout
        assert "Traceback" not in result.stderr
        assert result.returncode == 2 and "No space left" in result.stderr
        # The training itself was not lost: its state reached the end.
        assert digest(tmp_path) == digest(uninterrupted)
        (disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        result = subprocess.run([*map(str, script), "--resume"], **run)
        assert result.returncode == 0, result.stdout + result.stderr
        assert digest(tmp_path) == digest(uninterrupted)

    def test_a_read_only_folder_is_refused_before_training(self, disk, tmp_path):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        script = [*command(tmp_path)]
        script[script.index("--out") + 1] = disk / "run"
        result = subprocess.run(list(map(str, script)), capture_output=True, text=True)
        assert result.returncode == 2
        assert f"--out {disk / 'run'}: {disk} cannot be written" in result.stderr
