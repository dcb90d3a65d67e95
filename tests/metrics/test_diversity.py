"""On generators that collapse on purpose, on healthy ones, and against distances by definition."""

import os
import pathlib
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from keras_gen.data import load
from keras_gen.metrics.diversity import DiversityWarning
from keras_gen.metrics.extractors import get_extractor
from keras_gen.models import GAN, GenerativeModel
from keras_gen.training import Run, RunOptions


class Shrinking(GenerativeModel):
    """A GAN in all but its training, which multiplies the generator's last weights by a factor."""

    value_range = (0.0, 1.0)

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor
        self.network = GAN((8, 8, 1), latent_dim=8)
        last = self.network.generator.layers[-3]
        last.kernel.assign(keras.random.normal(last.kernel.shape, stddev=2.0, seed=1))
        self.kernel = last.kernel
        self.track("generator_loss")

    def train_step(self, images):
        self.kernel.assign(self.kernel * self.factor)
        self.train_steps.assign_add(1)
        return self.log(images, generator_loss=0.0)

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        return self.network.sample(num_images, seed)


def real_images(count=200):
    """What the untouched generator draws, as 8-bit images."""
    return np.round(Shrinking().sample(count, seed=99).numpy() * 255).astype("uint8")


def train(model, callback, epochs=2, steps=20):
    model.compile(optimizer=None)
    images = np.zeros((4 * steps, 8, 8, 1), "float32")
    return model.fit(images, batch_size=4, epochs=epochs, callbacks=[callback], verbose=0)


def test_a_healthy_generator_is_as_diverse_as_its_data_and_raises_no_warning():
    callback = DiversityWarning(real_images(), every=5, warm_up=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = train(Shrinking(), callback)
    assert [step for step, *_ in callback.measurements] == list(range(5, 41, 5))
    ratios = np.array([ratios for _, *ratios in callback.measurements])
    np.testing.assert_allclose(ratios, 1.0, atol=0.1)
    np.testing.assert_array_equal(ratios[1:], ratios[:-1])  # the same latents each time
    np.testing.assert_allclose(history.history["diversity"], callback.diversity)


def test_a_collapsing_generator_is_warned_of_once_with_the_numbers():
    callback = DiversityWarning(real_images(), every=5, warm_up=1)
    with pytest.warns(RuntimeWarning, match="may have collapsed") as caught:
        train(Shrinking(factor=0.8), callback)
    assert len(caught) == 1
    step, spread, nearest = next(m for m in callback.measurements if min(m[1:]) < 0.5)
    assert 5 < step < 40
    text = str(caught[0].message)
    assert text.startswith(f"Step {step}: the samples are ")
    assert f"{100 * min(spread, nearest):.0f} % of real data's" in text
    assert "64 samples" in text and "below 50 %" in text and "learning rates" in text
    falling = [min(measured[1:]) for measured in callback.measurements]
    assert falling == sorted(falling, reverse=True) and falling[-1] < 0.01
    assert callback.warned


def test_the_warning_comes_again_after_a_recovery():
    callback = DiversityWarning(real_images(), every=1, warm_up=1)
    model = Shrinking()
    callback.set_model(model)
    kernel, caught = model.kernel.numpy(), []
    for scale in (1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0):
        model.kernel.assign(scale * kernel)
        with warnings.catch_warnings(record=True) as new:
            warnings.simplefilter("always")
            callback.on_train_batch_end(0, {})
        caught.append(len(new))
    assert caught == [0, 1, 0, 0, 0, 1, 0]


def test_nothing_is_said_of_untrained_generators_before_the_warm_up():
    callback = DiversityWarning(real_images(), every=5, warm_up=30)
    with pytest.warns(RuntimeWarning, match="Step 30: ") as caught:
        train(Shrinking(factor=0.0), callback)
    assert len(caught) == 1


def one_measurement(samples, real, value_range=(0.0, 1.0), **arguments):
    arguments = {"every": 1, "warm_up": 1, "num_samples": len(samples)} | arguments
    callback = DiversityWarning(real, **arguments)
    callback.set_model(SimpleNamespace(sample=lambda count, seed: samples, value_range=value_range))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callback.on_train_batch_end(0, {})
    return callback.measurements[0][1:], [str(warning.message) for warning in caught]


def test_the_ratios_are_those_of_distances_by_definition():
    generator = np.random.default_rng(0)
    real = generator.integers(0, 256, size=(20, 4, 4, 3), dtype="uint8")
    samples = generator.integers(100, 180, size=(20, 4, 4, 3)).astype("float32") / 127.5 - 1.0
    (spread, nearest), _ = one_measurement(samples, real, (-1.0, 1.0))
    distances = []
    for rows in (np.round((samples + 1) * 127.5), real.astype("float64")):
        table = cdist(rows.reshape(20, -1), rows.reshape(20, -1))
        pairs = table[np.triu_indices(20, 1)]
        distances.append((pairs.mean(), (table + 1e9 * np.eye(20)).min(axis=1).mean()))
    np.testing.assert_allclose(spread, distances[0][0] / distances[1][0], rtol=1e-12)
    np.testing.assert_allclose(nearest, distances[0][1] / distances[1][1], rtol=1e-12)


def test_copies_of_a_few_different_images_are_noticed():
    """Ten different images: the mean distance hardly falls, but every sample has a double."""
    real = real_images(64)
    (spread, nearest), texts = one_measurement(real[np.arange(64) % 10] / 255.0, real)
    assert spread > 0.8
    assert nearest == 0.0
    assert len(texts) == 1 and "near-identical copies of a few images" in texts[0]


def test_samples_around_one_image_are_noticed():
    points = np.random.default_rng(0).normal(size=(50, 2))
    (spread, nearest), texts = one_measurement(points * 0.3 + 5.0, points)
    np.testing.assert_allclose([spread, nearest], 0.3)
    assert len(texts) == 1


def test_features_decide_where_they_are_given():
    """The pixels of one image in random orders: diverse, but all of one brightness."""
    real = real_images(64)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(64), (64, 1)), axis=1)
    samples = real[0].ravel()[order].reshape(real.shape) / 255.0
    _, texts = one_measurement(samples, real)
    assert not texts
    seen = []

    def brightness(images):
        seen.append(images.dtype)
        return images.astype("float64").mean(axis=(1, 2))

    (spread, _), texts = one_measurement(samples, real, features=brightness)
    assert set(seen) == {np.dtype("uint8")}
    assert spread < 1e-9 and len(texts) == 1


REAL_DATA = os.environ.get("TFDS_DATA_DIR", "")


@pytest.mark.skipif(
    not REAL_DATA or not (pathlib.Path(REAL_DATA) / "mnist").is_dir(),
    reason="TFDS_DATA_DIR holds no prepared mnist",
)
def test_one_class_only_is_noticed_in_the_features_of_a_classifier():
    digits = load("mnist", split="test")
    classifier = get_extractor("mnist")
    arguments = {"features": lambda images: classifier(images).features}
    real = digits.examples[:256]
    for label in (1, 2, 4):  # the least and the most diverse
        images = digits.examples[digits.labels == label][:64] / 255.0
        (spread, _), texts = one_measurement(images, real, **arguments)
        assert spread < 0.5
        assert len(texts) == 1 and "samples are alike" in texts[0]
    _, texts = one_measurement(digits.examples[1000:1064] / 255.0, real, **arguments)
    assert not texts


def test_real_data_in_the_order_of_their_labels_give_the_same_reference():
    points = np.random.default_rng(0).normal(size=(4000, 2))
    by_label = points[np.argsort(points[:, 0])]
    ratios = [one_measurement(points[:64], real)[0] for real in (points, by_label)]
    np.testing.assert_allclose(*ratios, rtol=0.1)


def test_arguments_out_of_range_are_named():
    real = np.zeros((5, 2))
    with pytest.raises(ValueError, match="num_samples=64 with 5 real"):
        DiversityWarning(real)
    with pytest.raises(ValueError, match=r"share=1\.5"):
        DiversityWarning(real, num_samples=3, share=1.5)
    with pytest.raises(ValueError, match="all examples are equal"):
        DiversityWarning(real, num_samples=3)


def test_it_goes_on_where_it_was_when_a_run_is_resumed(tmp_path):
    digits = load("digits", image_size=8, value_range=(0.0, 1.0))

    def run(name, steps, every=4, **options):
        options = RunOptions(out=str(tmp_path / name), checkpoint_every=100, **options)
        arguments = {"seed": 0, "options": options}
        this = Run("tiny", arguments, family="gans", title="Tiny", paper="arXiv:1406.2661")
        model = GAN(digits.example_shape, latent_dim=4)
        model.compile()
        callback = DiversityWarning(digits.examples, every=every, warm_up=6)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            this.fit(model, digits, batch_size=300, steps=steps, extra=[callback])
        caught = [each for each in caught if "may have collapsed" in str(each.message)]
        return callback, len(caught), model

    # 1,797 digits are five steps: the resume is in the middle of an epoch.
    whole, warned, model = run("whole", 16)
    assert warned == 1  # an untrained GAN: grey for every latent
    first, warned, _ = run("parts", 9)
    assert (warned, first.steps, first.warned) == (1, 9, True)
    second, warned, resumed = run("parts", 16, resume=True, every=2)
    assert (warned, second.steps, second.warned) == (0, 16, True)
    assert [step for step, *_ in second.measurements] == [10, 12, 14, 16]
    assert second.measurements[-1] == whole.measurements[-1]
    for weight, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
