"""The harness of the benchmarks, and that all ways of a comparison train the same thing."""

import importlib
import importlib.util
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import harness, run, tensorflow_ways
from benchmarks.harness import Measurement, ratios
from keras_gen.training.speed_table import render_memory, render_speeds

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed (extra bench)"
)


def measured(way, *rates):
    return Measurement(way, "float32", rates, 3.0, 500.0, 2e6 if way == "ours" else None)


def test_a_ratio_is_the_median_of_the_rounds_not_of_the_rates():
    ours, theirs = measured("ours", 10.0, 20.0, 90.0), measured("theirs", 5.0, 20.0, 30.0)
    assert ratios(ours, theirs) == (2.0, 1.0, 3.0)


def test_programs_take_turns_in_processes_of_their_own(tmp_path, monkeypatch):
    module = tmp_path / "sleeping.py"
    module.write_text(
        "import os, time\n"
        "from benchmarks.harness import Program\n"
        "TITLE, ITEMS = 'sleep', 10\n"
        f"log = {str(tmp_path / 'log')!r}\n"
        "def way(name, seconds):\n"
        "    def sleep(steps):\n"
        "        time.sleep(steps * seconds)\n"
        "        with open(log, 'a') as file:\n"
        "            file.write(f'{name} {os.getpid()} {steps}\\n')\n"
        "    return lambda precision: Program(sleep, (lambda: (40, 7)) if name == 'a' else None)\n"
        "WAYS = {'a': way('a', 0.01), 'b': way('b', 0.02)}\n"
    )
    comparison = {"module": "sleeping", "items": 10, "ways": ["a", "b"]}
    monkeypatch.syspath_prepend(tmp_path)
    a, b = harness.compare(comparison, rounds=3, seconds=0.1)
    turns = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    starts, rounds = turns[:-6], turns[-6:]
    assert "".join(turn[0] for turn in rounds) == "ab" * 3
    tried = [int(turn[2]) for turn in starts if turn[0] == "a"]
    assert tried[:4] == [1, 2, 1, 2]  # a first step, a second, then more until they tell enough
    assert all(later == 2 * sooner for sooner, later in zip(tried[2:], tried[3:], strict=False))
    assert len({turn[1] for turn in turns}) == 2
    assert 1.5 < ratios(a, b)[0] < 2.5
    assert 500 < a.rate < 1000  # 10 items in at least 10 ms
    assert (a.flops, a.parameters, b.flops) == (4.0, 7, None)
    assert a.peak_memory_mib > 5


@pytest.mark.parametrize("name", run.COMPARISONS)
def test_a_comparison_has_ours_first_and_two_textbook_ways(name):
    module = importlib.import_module(f"benchmarks.{name}")
    ways = list(module.WAYS)
    assert ways[0].startswith("keras_gen") and module.ITEMS > 0 and module.TITLE
    assert {"Keras, as tutorials", "tf.function loop"} <= set(ways)


@pytest.mark.slow
@pytest.mark.parametrize("name", run.COMPARISONS)
def test_every_way_takes_steps(name):
    comparison = harness.describe(name)
    for precision in harness.PRECISIONS:
        for each in harness.compare(comparison, precision, rounds=1, seconds=0.01):
            assert each.rate > 0.0


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
    hidden = 25 * 128 + 5 * 4 * 64 * 64 + (49 - 24) * 0
    assert sizes(textbook) - sizes(ours) == hidden
    ours = PointRealNVP(6, (256,) * 4)
    unseen = 6 * (256 + 2 * 257) - 4  # a second input and output each; ours normalizes first
    assert sizes(real_nvp.TextbookRealNVP()) - sizes(ours) == unseen


def test_operations_are_counted_by_tensorflow():
    kernel = tf.Variable(tf.zeros((3, 3, 2, 4)))

    def step(images):
        with tf.GradientTape() as tape:
            features = tf.nn.conv2d(images, kernel, 1, "SAME")
        gradients = tape.gradient(features, [images, kernel])  # that in images is not used
        return features, gradients[1]

    forwards = 2 * 5 * 8 * 8 * 3 * 3 * 2 * 4
    assert tensorflow_ways.count_flops(step, tf.TensorSpec((5, 8, 8, 2))) == 2 * forwards


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


def entry(name="dcgan", precision="float32"):
    ours, theirs = measured("ours", 200.0, 210.0), measured("theirs", 100.0, 100.0)
    return {
        "name": name,
        "title": f"The {name}",
        "precision": precision,
        "rounds": 2,
        "seconds": 3.0,
        "matmul_flops": 1e9,
        "machine": {"processor": "EPYC", "cores": 2},
        "versions": {"tensorflow": "2.21.0", "torch": "2.13.0"},
        "ways": [run.row(each, ours) for each in (ours, theirs)],
    }


def test_the_speed_table_has_ours_first_and_ratios_to_the_others():
    text = render_speeds({"comparisons": [entry()]})
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[2] == "| The dcgan, float32 | ours | 205 |  | 3 s | 500 MiB |"
    assert rows[3] == "|  | theirs | 100 | 2.05 (2.00, 2.10) | 3 s | 500 MiB |"
    assert "2 MFLOP for an image or point, 41% of the 1 GFLOP/s of matrix products" in text
    assert "ours / it  2.05 (2.00 to 2.10)" in run.table(entry())


def test_figures_replace_those_of_the_same_comparison_only(tmp_path):
    path = tmp_path / "benchmarks.json"
    for each in (entry("vae"), entry("dcgan"), entry("vae", "bfloat16"), entry("vae")):
        run.add(each, path)
    kept = json.loads(path.read_text())["comparisons"]
    found = [(each["name"], each["precision"]) for each in kept]
    assert found == [("dcgan", "float32"), ("vae", "float32"), ("vae", "bfloat16")]


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
