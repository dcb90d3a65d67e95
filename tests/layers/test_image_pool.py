import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.layers import ImagePool

SHAPE = (1, 1, 1)


def numbers(first, count):
    return np.arange(first, first + count, dtype="float32").reshape(-1, *SHAPE)


class OneByOne:
    """The pool of the authors' code: one image after the other."""

    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, image, swapped, place):
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if not swapped:
            return image
        old, self.images[place] = self.images[place], image
        return old


def draws(pool, count, seed):
    seeds = tf.random.experimental.stateless_split(seed, 2)
    swapped = tf.random.stateless_uniform((count,), seeds[0]) > 0.5
    places = tf.random.stateless_uniform((count,), seeds[1], 0, pool.size, "int32")
    return np.asarray(swapped), np.asarray(places)


def test_a_batch_goes_through_as_its_images_one_by_one_would():
    pool, one_by_one, given = ImagePool(4, SHAPE), OneByOne(4), 0
    for step in range(60):
        count = (1, 2, 3, 9)[step % 4]  # more than the pool holds, too: places are taken twice
        images, seed = numbers(given, count), tf.constant([7, step])
        given += count
        swapped, places = draws(pool, count, seed)
        expected = [
            one_by_one.query(*each) for each in zip(images.ravel(), swapped, places, strict=True)
        ]
        np.testing.assert_array_equal(np.ravel(pool.query(tf.constant(images), seed)), expected)
        stored = np.ravel(pool.images)[: len(one_by_one.images)]
        np.testing.assert_array_equal(stored, one_by_one.images)
        assert int(pool.count) == len(one_by_one.images)


def test_the_first_fifty_pass_through_and_then_every_other_is_swapped_for_any_of_them():
    pool = ImagePool(50, SHAPE)
    first = numbers(0, 50)
    np.testing.assert_array_equal(pool.query(tf.constant(first), tf.constant([0, 0])), first)
    np.testing.assert_array_equal(pool.images, first)
    ages, own = [], 0
    query = tf.function(pool.query, reduce_retracing=True)
    for step in range(1, 201):
        images = numbers(50 + 20 * (step - 1), 20)
        taken = np.ravel(query(tf.constant(images), tf.constant([0, step])))
        own += np.sum(taken == images.ravel())
        ages += list((images.ravel() - taken)[taken != images.ravel()])
    total = 20 * 200
    assert abs(own / total - 0.5) < 4 * np.sqrt(0.25 / total)
    # A place is renewed once in 100 images, so that is how old its image is on average.
    assert np.mean(ages) == pytest.approx(100, rel=4 / np.sqrt(total / 2))
    assert len(set(np.ravel(pool.images))) == 50


def test_no_gradient_flows_through():
    pool, images = ImagePool(2, SHAPE), tf.constant(numbers(0, 2))
    with tf.GradientTape() as tape:
        tape.watch(images)
        taken = pool.query(images, tf.constant([0, 0]))
    assert tape.gradient(taken, images) is None


def test_replicas_share_one_pool_and_do_what_one_device_would(mirrored):
    alone = ImagePool(3, SHAPE)
    with mirrored.scope():
        shared = ImagePool(3, SHAPE)

    @tf.function
    def query(images, seed):
        return mirrored.run(shared.query, (images, seed))

    for step in range(8):
        images, seed = numbers(4 * step, 4), tf.constant([3, step])
        spread = mirrored.experimental_distribute_values_from_function(
            lambda context, images=images: tf.constant(
                np.split(images, 2)[context.replica_id_in_sync_group]
            )
        )
        parts = mirrored.experimental_local_results(query(spread, seed))
        np.testing.assert_array_equal(np.concatenate(parts), alone.query(tf.constant(images), seed))
    for copy in mirrored.experimental_local_results(shared.images.value):
        np.testing.assert_array_equal(copy, alone.images)


def test_a_file_keeps_the_pool(tmp_path):
    class Holder(keras.Model):
        def __init__(self):
            super().__init__()
            self.pool = ImagePool(3, SHAPE)
            self.built = True

        def call(self, images):
            return images

    first, second = Holder(), Holder()
    first.pool.query(tf.constant(numbers(5, 2)), tf.constant([0, 0]))
    first.save_weights(tmp_path / "pool.weights.h5")
    second.load_weights(tmp_path / "pool.weights.h5")
    np.testing.assert_array_equal(np.ravel(second.pool.images), [5, 6, 0])
    assert int(second.pool.count) == 2
    config = first.pool.get_config()
    assert ImagePool.from_config(config).get_config() == config


def test_a_pool_of_no_images_is_refused():
    with pytest.raises(ValueError, match="size=0"):
        ImagePool(0, SHAPE)
