"""The harness of the benchmarks, and that all ways of a comparison train the same thing."""

import importlib
import importlib.util
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import (
    all_reduce,
    harness,
    machine,
    operation_profile,
    pixel_sampling,
    run,
    start_up,
    tensorflow_ways,
)
from benchmarks.harness import Measurement
from benchmarks.workers import WayError, Workers
from keras_gen.training import speed_table
from keras_gen.training.speed_table import ratios, render_comparison, render_memory
from keras_gen.training.tables import tables_differ, update_tables

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed (extra bench)"
)


def test_a_ratio_is_the_median_of_the_rounds_not_of_the_rates():
    assert ratios((10.0, 20.0, 90.0), (5.0, 20.0, 30.0)) == (2.0, 1.0, 3.0)


@pytest.fixture
def sleeping(tmp_path, monkeypatch):
    """A comparison of programs that sleep, and what they logged: name, process, steps."""
    (tmp_path / "sleeping.py").write_text(
        "import os, time\n"
        "from benchmarks.harness import Program\n"
        f"log = {str(tmp_path / 'log')!r}\n"
        "def way(name, seconds):\n"
        "    def sleep(steps):\n"
        "        time.sleep(steps * seconds)\n"
        "        with open(log, 'a') as file:\n"
        "            file.write(f'{name} {os.getpid()} {steps}\\n')\n"
        "        if name == 'dies' and steps > 1:\n"
        "            os._exit(1)\n"
        "    counts = (lambda: (40, 7)) if name == 'a' else None\n"
        "    return lambda precision: Program(sleep, counts, alone=name != 'b')\n"
        "WAYS = {'keras_gen': way('a', 0.01), 'b': way('b', 0.02), 'dies': way('dies', 0.01)}\n"
        "WAYS['keras_gen, broken'] = lambda precision: 1 / 0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return lambda: [line.split() for line in (tmp_path / "log").read_text().splitlines()]


def test_programs_take_turns_in_processes_of_their_own(sleeping):
    comparison = {"module": "sleeping", "items": 10, "ways": ["keras_gen", "b"]}
    (a, b), failed = harness.compare(comparison, rounds=3, seconds=0.1, starts=2)
    turns = sleeping()
    # b does not run alone: nothing is timed of its first step, and it starts once.
    assert [turn[0] + turn[2] for turn in turns[:3]] == ["a1", "b1", "a1"]
    assert "".join(turn[0] for turn in turns[-6:]) == "ab" * 3
    tried = [int(turn[2]) for turn in turns[:-6] if turn[0] == "a"]
    assert tried[1:5] == [1, 2, 1, 2]  # a first step, a second, then more until they tell enough
    assert all(later == 2 * sooner for sooner, later in zip(tried[3:], tried[4:], strict=False))
    assert len({turn[1] for turn in turns[1:]}) == 2 and turns[0][1] != turns[2][1]
    assert 1.5 < ratios(a.rates, b.rates)[0] < 2.5
    assert all(200 < rate < 1000 for rate in a.rates)  # 10 items in at least 10 ms
    assert (a.flops, a.parameters, b.flops) == (4.0, 7, None)
    assert len(a.first_step_seconds) == 2 and a.peak_memory_mib > 5
    assert b.first_step_seconds is b.peak_memory_mib is None and not failed


def test_a_way_that_fails_leaves_the_others(sleeping):
    with Workers("sleeping", ["keras_gen, broken", "dies", "keras_gen", "b"]) as workers:
        workers._running["b"]._process.kill()  # between two turns: its pipe is broken
        workers._running["b"]._process.join()
        times = workers.turns(rounds=2, seconds=0.02)
    assert workers.failed == ["keras_gen, broken", "dies", "b"]
    assert list(times) == ["keras_gen"] and len(times["keras_gen"]) == 2


def test_a_comparison_without_ours_is_lost(sleeping):
    comparison = {"module": "sleeping", "items": 10, "ways": ["keras_gen, broken"]}
    with pytest.raises(WayError, match="none of ours is left, of keras_gen, broken that failed"):
        harness.compare(comparison, rounds=1, seconds=0.01)


@pytest.mark.parametrize("name", run.COMPARISONS)
def test_a_comparison_has_ours_first_and_two_textbook_ways(name):
    module = importlib.import_module(f"benchmarks.{name}")
    ways = list(module.WAYS)
    assert module.ITEMS > 0 and module.TITLE
    assert ways[0] in ("keras_gen", "keras_gen, alternating")  # the default
    assert [way.startswith("keras_gen") for way in ways] == sorted(
        (way.startswith("keras_gen") for way in ways), reverse=True
    )
    assert {"Keras, as tutorials", "tf.function loop"} <= set(ways)


@pytest.mark.slow
@pytest.mark.parametrize("name", run.COMPARISONS)
def test_every_way_takes_steps(name):
    comparison = machine.describe(name)
    for precision in harness.PRECISIONS:
        found, failed = harness.compare(comparison, precision, rounds=1, seconds=0.01)
        assert [each.way for each in found] == comparison["ways"] and not failed


def sizes(*networks):
    return sum(math.prod(w.shape) for net in networks for w in net.trainable_weights)


def test_both_sides_of_the_comparisons_have_the_same_parameters():
    from benchmarks import conditional_gan, dcgan, pixel_cnn, real_nvp, sn_gan, vae
    from keras_gen.models import VAE, PixelCNN, PointRealNVP

    ours = dcgan.TutorialGAN((28, 28, 1), 100)
    # 1,254,400 + 25,088 + 819,200 + 256 + 204,800 + 128 + 1,600 and 1,664 + 204,928 + 6,273
    assert (sizes(ours.generator), sizes(ours.discriminator)) == (2_305_472, 212_865)
    ours = conditional_gan.ExampleGAN((28, 28, 1), 10, 128)
    assert sizes(ours.generator, ours.discriminator) == sizes(*conditional_gan.networks())
    assert sizes(*sn_gan.networks()) == sizes(*sn_gan.with_keras_normalization())
    assert sizes(VAE((28, 28, 1), 40, (400,))) == sizes(vae.TextbookVAE())
    # A textbook's mask leaves weights that never count, and its couplings see both coordinates.
    textbook, ours = pixel_cnn.textbook_network(), PixelCNN((28, 28, 1), 128, 5, 128)
    hidden = 25 * 128 + 5 * 4 * 64 * 64  # of kernels 7 x 7 and 3 x 3
    assert sizes(textbook) - sizes(ours) == hidden
    ours = PointRealNVP(6, (256,) * 4)
    unseen = 6 * (256 + 2 * 257) - 4  # a second input and output each; ours normalizes first
    assert sizes(real_nvp.TextbookRealNVP()) - sizes(ours) == unseen


@needs_torch
def test_networks_written_in_pytorch_have_the_parameters_of_the_textbook():
    from benchmarks import pixel_cnn, real_nvp, vae

    def count(*networks):
        return sum(weight.numel() for net in networks for weight in net.parameters())

    assert count(*vae.torch_networks()) == sizes(vae.TextbookVAE())
    assert count(pixel_cnn.torch_network()) == sizes(pixel_cnn.textbook_network())
    assert count(real_nvp.torch_flow()) == sizes(real_nvp.TextbookRealNVP())


def test_the_textbook_vae_trains_in_bfloat16_on_a_cross_entropy_of_logits():
    from benchmarks import vae

    tensorflow_ways.use_precision("bfloat16")
    model = vae.TextbookVAE()
    model.compile(keras.optimizers.Adam(1e-4))
    model.optimizer.build(model.trainable_variables)
    (last,) = (each for each in model.decoder.layers[-3:] if isinstance(each, keras.layers.Dense))
    last.set_weights([np.zeros((400, 784)), np.full(784, 50.0)])
    losses = tf.function(model.train_step)(tf.zeros((2, 28, 28, 1)))
    # Of probabilities, which Keras clips at 1e-7, it would be 16.1 a pixel.
    assert float(losses["reconstruction_loss"]) == pytest.approx(784 * 50.0)


def test_textbook_batches_are_shuffled_anew_in_each_epoch():
    arrays = (np.arange(6.0)[:, None], np.arange(6))
    batches = iter(tensorflow_ways.gathered_batches(arrays, 3))
    epochs = []
    for _ in range(6):
        found = [next(batches) for _ in range(2)]
        for examples, labels in found:
            assert examples.shape == (3, 1) and (examples[:, 0].numpy() == labels.numpy()).all()
        epochs.append(tuple(np.concatenate([labels for _, labels in found])))
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs) and len(set(epochs)) > 1


def test_all_ways_of_drawing_draw_the_same_images():
    from keras_gen.models import PixelCNN

    model = PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    latents = model.draw_latents(3, [0, 1])
    expected = model.decode(latents).numpy()
    for draw in (
        pixel_sampling.whole_network(model, latents, 16),
        pixel_sampling.whole_network(model, latents, 16, jit_compile=True),
        pixel_sampling.predict(model, latents, 16),
    ):
        np.testing.assert_array_equal(draw(), expected)


def test_operations_are_counted_by_tensorflow():
    kernel = tf.Variable(tf.zeros((3, 3, 2, 4)))

    def step(images):
        with tf.GradientTape() as tape:
            features = tf.nn.conv2d(images, kernel, 1, "SAME")
        gradients = tape.gradient(features, [images, kernel])  # that in images is not used
        return features, gradients[1]

    forwards = 2 * 5 * 8 * 8 * 3 * 3 * 2 * 4
    assert tensorflow_ways.count_flops(step, tf.TensorSpec((5, 8, 8, 2))) == 2 * forwards


def test_opponents_have_keras_layers_of_the_same_functions():
    from keras_gen.models import DCGAN

    ours = DCGAN((28, 28, 1), 16, 8).generator
    theirs = tensorflow_ways.with_keras_layers(ours)
    theirs.set_weights(ours.get_weights())
    kinds = [type(layer).__module__.split(".")[0] for layer in theirs.layers]
    assert set(kinds) == {"keras"}
    assert any(type(layer).__module__.startswith("keras_gen") for layer in ours.layers)
    latents = np.random.default_rng(0).normal(size=(5, 16)).astype("float32")
    np.testing.assert_allclose(
        theirs(latents, training=True), ours(latents, training=True), atol=1e-5
    )


def test_a_profile_has_the_operations_of_a_step_and_their_time():
    x = tf.random.normal((500, 500))
    product = tf.function(lambda: tf.reduce_sum(tf.sin(x @ x) @ x))
    product()

    def run(steps):
        for _ in range(steps):
            product().numpy()

    times, counts = operation_profile.operation_times(run, 3)
    assert counts["MatMul"] == pytest.approx(2) and counts["Sum"] == pytest.approx(1)
    assert times["MatMul"] > 0.0


def test_several_steps_a_call_are_counted_as_they_were_taken():
    from keras_gen.models import VAE

    model = VAE((4, 4, 1), 2, (3,))
    model.compile(steps_per_execution=4)
    batches = tf.data.Dataset.from_tensors(tf.zeros((2, 4, 4, 1))).repeat()
    program = tensorflow_ways.through_fit(model, batches)
    assert [program.run(steps) for steps in (4, 5)] == [4, 8]


def test_a_profile_names_the_ways_that_there_are():
    with pytest.raises(SystemExit, match="'tf.function loop'"):
        operation_profile.main("dcgan", "PyTorch")


@needs_torch
def test_a_converted_network_gives_what_the_keras_network_gives():
    import torch

    from benchmarks import torch_ways

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4 * 4 * 3),
            layers.LeakyReLU(0.1),
            layers.Reshape((4, 4, 3)),
            layers.Conv2DTranspose(5, 4, 2, "same"),
            layers.ReLU(),
            layers.Conv2D(2, 3, padding="same", activation="tanh"),
            layers.GlobalMaxPooling2D(),
        ]
    )
    converted = torch_ways.as_torch(network)
    orders = {2: (1, 0), 1: (0,)}
    with torch.no_grad():
        for ours, theirs in zip(network.weights, converted.parameters(), strict=True):
            value = ours.numpy()
            # Keras has (in, out) and (h, w, in, out); transposed convolutions (h, w, out, in).
            value = value.transpose(orders[value.ndim]) if value.ndim < 3 else value
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
            if value.shape == (48, 6):  # Keras reshapes to (h, w, c), PyTorch to (c, h, w)
                value = value.reshape(4, 4, 3, 6).transpose(2, 0, 1, 3).reshape(48, 6)
            theirs.copy_(torch.from_numpy(value.copy()))
    inputs = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    expected = network(inputs).numpy()
    np.testing.assert_allclose(converted(torch.from_numpy(inputs)).detach(), expected, atol=1e-5)


@needs_torch
def test_a_layer_without_counterpart_is_named():
    from benchmarks import torch_ways

    network = keras.Sequential([keras.Input((4,)), keras.layers.LayerNormalization(name="norm")])
    with pytest.raises(ValueError, match="norm: LayerNormalization has no counterpart"):
        torch_ways.as_torch(network)


WHERE = {
    "machine": {"processor": "EPYC", "cores": 2},
    "versions": {"tensorflow": "2.21.0", "torch": "2.13.0"},
    "load_average": [0.25, 0.5, 0.5],
}


def way(name, *rates, starts=None, flops=None):
    alone = {"first_step_seconds": starts, "peak_memory_mib": starts and 500.0}
    return {"way": name, "rates": rates, **alone, "flops": flops, "parameters": flops and 1234}


def entry(name="dcgan", precision="float32"):
    return WHERE | {
        "name": name,
        "title": f"The {name}",
        "note": "It differs.",
        "items": 100,
        "precision": precision,
        "rounds": 2,
        "seconds": 3.0,
        "matmul_flops": 1e9,
        "failed": ["PyTorch, compiled"],
        "ways": [
            way("keras_gen", 200.0, 210.0, starts=(3.0, 4.0, 8.0), flops=2e6),
            way("keras_gen, XLA", 300.0, 400.0, starts=(6.0, 6.0, 6.0), flops=2e6),
            way("tf.function loop", 100.0, 100.0, starts=(2.0, 4.0, 4.0)),
            way("PyTorch", 50.0, 70.0),
        ],
    }


def test_the_speed_table_has_ratios_of_each_of_ours_to_each_opponent():
    lines = render_comparison(entry()).splitlines()
    assert lines[0] == "**The dcgan, float32**"
    assert lines[2].endswith("| of the matmul peak | keras_gen / it | keras_gen, XLA / it |")
    assert lines[4:8] == [
        "| keras_gen | 205 | 4.0 s | 1.50 | 500 MiB | 1,234 | 2 | 41% |  |  |",
        "| keras_gen, XLA | 350 | 6.0 s | 1.50 | 500 MiB | 1,234 | 2 | 70% |  |  |",
        "| tf.function loop | 100 | 4.0 s |  | 500 MiB |  |  |  "
        "| 2.05 (2.00 to 2.10) | 3.50 (3.00 to 4.00) |",
        "| PyTorch | 60 |  |  |  |  |  |  | 3.50 (3.00 to 4.00) | 5.86 (5.71 to 6.00) |",
    ]
    assert lines[9:] == [
        "It differs. 2 rounds, turns of about 3 s; first steps: medians of 3; 1 GFLOP/s of matrix "
        "products; 2 cores of EPYC, TensorFlow 2.21.0, load 0.2 before, PyTorch 2.13.0. "
        "Failed: PyTorch, compiled."
    ]


def test_tables_of_other_benchmarks_are_made_by_the_tables_command(tmp_path):
    (tmp_path / "results").mkdir()
    turns = WHERE | {"rounds": 2, "seconds": 3.0}
    batch = {"title": "16", "ways": [way("cached", 30.0, 50.0), way("predict", 0.1, 0.2)]}
    drawing = {"opponents": ["predict"], "chunk": 64, "pixels": 4, "comparisons": [batch]}
    uses = [way("1 replica", 100.0, 200.0), way("2 replicas", 50.0, 50.0)]
    sides = [{"way": "28", "items": 64, "rates": [128.0, 320.0, 320.0]}]
    values = {"float32": [90.0, 92.0], "bfloat16": [90.0, 95.0]}
    judged = {"recipe": "dcgan_mnist", "steps": 20, "metric": "fd_mnist", "values": values}
    written = {
        "speed": {"comparisons": [entry()]},
        "pixel_sampling": drawing,
        "replicas": {"comparisons": [{"title": "VAE", "ways": uses}]},
        "scaling": {"comparisons": [{"title": "image size", "ways": sides}]},
        "precision": {"seeds": [0, 1], "comparisons": [judged]},
    }
    for family, found in written.items():
        content = json.dumps(turns | {"recipe": family, "family": family} | found)
        (tmp_path / "results" / f"{family}.json").write_text(content)
    tables = speed_table.SPEED_TABLES
    markers = "".join(f"<!-- results:{each} -->\n<!-- /results -->\n" for each in tables)
    page = tmp_path / "README.md"
    page.write_text(markers)
    assert update_tables(tmp_path) == [page] and tables_differ(tmp_path) == []
    text = page.read_text()
    assert render_comparison(entry()) in text
    assert "| Images | cached | predict |\n| --- | --- | --- |\n| 16 | 40 | 0.15 |" in text
    assert "| 16 | cached | 275 (250 to 300) |" in text
    assert "| VAE | 1 replica | 150 (100 to 200) |  |" in text
    assert "| VAE | 2 replicas | 50 (50 to 50) | 0.38 (0.25 to 0.50) |" in text
    assert "| image size | 28 | 200 | 320 |" in text
    assert "| `dcgan_mnist.py --steps 20` | FD[mnist] | 90, 92 | 90, 95 | +1.5 | 5 |" in text
    assert set(tables) == {*written, "speed_brief"}


def test_the_brief_speed_table_is_our_default_way_over_the_fastest_of_each_opponent():
    compared = entry()
    compared["ways"].append(way("PyTorch, channels last", 100.0, 140.0))
    lines = speed_table.render_speeds_brief({"comparisons": [compared]}).splitlines()
    over = "| 2.05 (2.00 to 2.10) | 1.75 (1.50 to 2.00) |"
    assert lines[2] == f"| The dcgan | float32 | 205 |  {over}"


def test_figures_replace_those_of_the_same_comparison_only(tmp_path):
    path = tmp_path / "benchmarks.json"
    for each in (entry("vae"), entry("dcgan"), entry("vae", "bfloat16"), entry("vae")):
        run.add(each, path)
    kept = json.loads(path.read_text())["comparisons"]
    found = [(each["name"], each["precision"]) for each in kept]
    assert found == [("dcgan", "float32"), ("vae", "float32"), ("vae", "bfloat16")]


def test_a_run_keeps_what_it_measured_and_ends_with_what_failed(tmp_path, monkeypatch):
    def compare(comparison, precision, rounds, seconds, starts):
        if comparison["name"] == "vae":
            raise WayError("none of ours is left")
        return [Measurement("keras_gen", (1.0,), (2.0,), 3.0, 4.0, 5)], ["PyTorch"]

    for name, found in {
        "use_cpu_only": None,
        "images": "mnist",
        "surroundings": WHERE | {"commit": ["abc", False], "bfloat16": False},
        "matmul_peak": 1e9,
    }.items():
        monkeypatch.setattr(machine, name, lambda *_, found=found: found)
    about = {"title": "T", "note": "", "items": 1, "ways": ["keras_gen", "PyTorch"]}
    monkeypatch.setattr(machine, "describe", lambda name: {"name": name} | about)
    monkeypatch.setattr(run, "compare", compare)
    out = tmp_path / "benchmarks.json"
    with pytest.raises(SystemExit) as stop:
        run.main(("dcgan", "vae"), out=out)
    assert str(stop.value).splitlines()[1:] == [
        "dcgan, float32: PyTorch",
        "vae, float32: none of ours is left",
    ]
    (kept,) = json.loads(out.read_text())["comparisons"]
    assert (kept["name"], kept["failed"], kept["commit"]) == ("dcgan", ["PyTorch"], ["abc", False])
    assert len(kept["load_average"]) == 3 and kept["ways"][0]["rates"] == [1.0]


def test_variables_of_allocators_and_threads_are_kept(monkeypatch):
    monkeypatch.setattr(machine, "_elsewhere", lambda function: {})
    monkeypatch.setenv("MALLOC_TOP_PAD_", "7")
    monkeypatch.setenv("TF_OF_ANOTHER_PROGRAM", "/home/someone/file")
    found = machine.surroundings()["environment"]
    assert found["MALLOC_TOP_PAD_"] == "7"
    assert all(name.startswith(("MALLOC_", "OMP_", "TF_")) for name in found)
    assert "TF_OF_ANOTHER_PROGRAM" not in found


def test_a_plan_counts_what_each_optimizer_sends_and_waits_for():
    ours = {"way": "keras_gen", "flops": 1e9, "parameters": 1_000_000}
    planned = {"name": "dcgan", "items": 100, "ways": [{"flops": None}, ours]}
    step, reduce = all_reduce.plan(planned, 4, device_flops=1e12, bandwidth=1e9, latency=1e-5)
    assert step == pytest.approx(0.1)
    assert reduce == pytest.approx(2 * 3 / 4 * 4e-3 + 2 * 3 * 1e-5 * 2)  # two optimizers


def test_a_plan_names_what_makes_its_figures(tmp_path):
    with pytest.raises(SystemExit, match="python -m benchmarks.run"):
        all_reduce.main(tmp_path / "benchmarks.json")


def test_a_plan_says_the_efficiency_and_the_batch_that_pays(tmp_path, capsys):
    ours = {"flops": 1e9, "parameters": 1_000_000}
    planned = {"name": "vae", "title": "VAE, 784", "precision": "float32", "items": 100}
    path = tmp_path / "benchmarks.json"
    path.write_text(json.dumps({"comparisons": [planned | {"ways": [ours]}]}))
    all_reduce.main(path, 1e13, 0.1, links=(0.08,), latency=0.0, replicas=5)
    # A step of 0.1 s, 2 x 4 / 5 x 4 MB at 80 MB/s
    row = "| VAE | 100 | 0.08 GB/s | 100 ms | 80 ms | 56% | 80 | 720 |"
    assert capsys.readouterr().out.splitlines()[2:] == [row]


def test_images_of_the_scaling_benchmark_have_the_same_depth():
    from benchmarks.scaling import AXES, BASE
    from keras_gen.models.gans.dcgan import doublings

    assert BASE["image_size"] in AXES["image_size"]
    assert {doublings((side, side, 3))[0] for side in AXES["image_size"]} == {2}


def test_a_folder_without_recipes_is_named(tmp_path):
    with pytest.raises(SystemExit, match="--recipes .*: there are none"):
        start_up.main(1, tmp_path)


@pytest.mark.slow
def test_two_workers_take_the_steps_that_are_asked_for():
    from benchmarks.replicas import SETTINGS

    with Workers("benchmarks.replicas", [f"VAE, {setting}" for setting in SETTINGS]) as workers:
        assert len(workers.turns(rounds=1, seconds=0.01)) == 3
    assert not workers.failed


def test_the_memory_table_is_sorted_by_the_peak():
    def result(name, peak, **more):
        arguments = {"batch_size": 64}
        return {"recipe": name, "peak_memory_mib": peak, "arguments": arguments} | more

    text = render_memory(
        [
            result("small", 100.0, parameters=10),
            result("large", 2000.0, parameters=3000, variant="k5"),
            result("demonstration", 5.0),
        ]
    )
    assert text.splitlines()[2:] == [
        "| large, k5 | 64 | 3,000 | 2,000 MiB |",
        "| small | 64 | 10 | 100 MiB |",
    ]


def test_an_unknown_comparison_is_named():
    with pytest.raises(SystemExit, match="--comparisons nothing: give some of dcgan"):
        run.main(("nothing",))
