"""Images from arrays, pipelines, data sets and models become the same blocks of bytes."""

import io
import itertools
import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_gen.artifacts import save_image
from keras_gen.artifacts.pictures import image_grid
from keras_gen.metrics.images import DRAWN_AT_ONCE, draw_seed, image_blocks, to_bytes

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (100, 4, 5, 3), "uint8")
FLOATS = RANDOM.uniform(-1.3, 1.3, (100, 4, 5, 3)).astype("float32")


class Model:
    """Draws noise that depends on the seed, and remembers how it was asked."""

    value_range = (-1.0, 1.0)

    def __init__(self):
        self.calls = []

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        self.calls.append((num_images, seed, labels))
        images = tf.random.stateless_uniform((num_images, 3, 3, 1), [seed, 0], -1.0, 1.0)
        return images if labels is None else tf.reshape(labels / 10, (-1, 1, 1, 1))


def joined(blocks):
    return np.concatenate(list(blocks))


def test_bytes_are_those_of_a_saved_picture(tmp_path):
    ours = to_bytes(FLOATS[:1], (-1.0, 1.0))
    save_image(image_grid(FLOATS[:1], (-1.0, 1.0)), tmp_path / "one.png")
    with Image.open(io.BytesIO((tmp_path / "one.png").read_bytes())) as picture:
        np.testing.assert_array_equal(ours[0], np.asarray(picture))


def test_floats_are_scaled_clipped_and_rounded():
    values = np.array([-7.0, 0.0, 0.001, 0.0021, 0.5, 1.0, 3.0], "float32")
    ours = to_bytes(values.reshape(1, 1, -1, 1), (0.0, 1.0)).ravel()
    assert ours.tolist() == [0, 0, 0, 1, 128, 255, 255]
    assert to_bytes(np.full((1, 1, 1, 1), 5.0), (2.0, 12.0)).item() == round(0.3 * 255)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_every_source_gives_the_same_blocks(dtype):
    images = BYTES if dtype == "uint8" else (BYTES / 255.0).astype(dtype)
    value_range = None if dtype == "uint8" else (0.0, 1.0)
    labels = np.arange(100)
    sources = [
        images,
        tf.constant(images),
        tf.data.Dataset.from_tensor_slices(images).batch(7),
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(64),
        types.SimpleNamespace(examples=images),
    ]
    for source in sources:
        blocks = list(image_blocks(source, 90, value_range=value_range, block_size=32))
        assert [len(block) for block in blocks] == [32, 32, 26]
        np.testing.assert_array_equal(np.concatenate(blocks), BYTES[:90])


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 120),
    block=st.integers(1, 120),
    count=st.none() | st.integers(1, 100),
)
def test_blocks_hold_every_image_once_in_order(batch, block, count):
    stream = tf.data.Dataset.from_tensor_slices(BYTES).batch(batch)
    blocks = list(image_blocks(stream, count, block_size=block))
    assert {len(each) for each in blocks[:-1]} <= {block} and 1 <= len(blocks[-1]) <= block
    np.testing.assert_array_equal(np.concatenate(blocks), BYTES[:count])


def test_a_models_images_are_its_own_draws_with_the_documented_seeds():
    model = Model()
    drawn = [model.sample(DRAWN_AT_ONCE, seed=draw_seed(5, number)) for number in range(3)]
    expected = to_bytes(np.concatenate(drawn)[:600], (-1.0, 1.0))
    np.testing.assert_array_equal(joined(image_blocks(model, 600, seed=5)), expected)
    state = np.random.SeedSequence(5, spawn_key=(2,)).generate_state(1, "uint64")[0]
    assert draw_seed(5, 2) == int(state) // 2 < 2**63


@pytest.mark.parametrize("block_size", [1, 100, 256, 1000])
def test_a_models_first_images_depend_on_the_seed_alone(block_size):
    more = joined(image_blocks(Model(), 700, seed=1))
    fewer = joined(image_blocks(Model(), 300, seed=1, block_size=block_size))
    np.testing.assert_array_equal(fewer, more[:300])
    assert not np.array_equal(fewer, joined(image_blocks(Model(), 300, seed=2)))


def test_draws_of_different_seeds_never_coincide():
    pairs = itertools.product([0, 1, 5, 2**32 + 5, 2**64 + 5], range(50))
    assert len({draw_seed(seed, number) for seed, number in pairs}) == 250


def test_a_model_draws_only_when_a_block_is_asked_for():
    model = Model()
    blocks = image_blocks(model, 10**9)
    assert not model.calls
    next(blocks)
    assert len(model.calls) == 1


def test_a_conditional_model_gets_each_images_label():
    labels = np.arange(300) % 10
    images = joined(image_blocks(Model(), 300, value_range=(0.0, 1.0), labels=labels))
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.round(labels / 10 * 255))
    model = Model()
    assert (joined(image_blocks(model, 10, value_range=(0.0, 1.0), labels=7)) == 178).all()
    assert model.calls[0][2].shape == (DRAWN_AT_ONCE,)


@pytest.mark.parametrize(
    ("source", "arguments", "says"),
    [
        (FLOATS, {}, "value_range=None"),
        (FLOATS, {"value_range": (1.0, -1.0)}, "low < high"),
        (BYTES, {"num_images": 101}, "has 100 images"),
        (BYTES, {"num_images": 0}, "num_images=0"),
        (BYTES, {"num_images": 2.5}, "num_images=2.5"),
        (BYTES, {"block_size": 0}, "block_size=0"),
        (BYTES, {"labels": 3}, "labels"),
        (BYTES[0], {}, r"\(N, H, W, C\)"),
        (BYTES.astype("int64"), {}, "int64"),
        (np.where(FLOATS > 1.2, np.nan, FLOATS), {"value_range": (-1, 1)}, "NaN"),
        (np.where(FLOATS > 1.2, np.inf, FLOATS), {"value_range": (-1, 1)}, "infinity"),
        (Model(), {}, "num_images=None"),
        (Model(), {"num_images": 3, "seed": -1}, "seed=-1"),
        (Model(), {"num_images": 3, "labels": [1, 2]}, "labels of shape"),
        (Model(), {"num_images": 3, "labels": 0.5}, "labels of shape"),
        ("mnist", {}, "source of type str"),
        ([BYTES], {}, "source of type list"),
        (tf.data.Dataset.from_tensors(BYTES), {"num_images": 101}, "gave 100 images"),
        (tf.data.Dataset.from_tensors(BYTES[0]), {}, r"\(N, H, W, C\)"),
    ],
)
def test_wrong_sources_and_arguments_are_named(source, arguments, says):
    with pytest.raises(ValueError, match=says):
        list(image_blocks(source, **arguments))


def test_a_stream_of_mixed_sizes_is_refused():
    mixed = tf.data.Dataset.from_generator(
        lambda: iter([BYTES[:3], BYTES[:3, :2]]),
        output_signature=tf.TensorSpec((None, None, None, 3), tf.uint8),
    )
    with pytest.raises(ValueError, match="one size"):
        list(image_blocks(mixed))
