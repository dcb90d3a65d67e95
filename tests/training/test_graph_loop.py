import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models.points import PointGAN
from keras_gen.training.graph_loop import train_in_graph

POINTS = np.random.default_rng(0).normal(size=(50, 1, 1, 2)).astype("float32")


def model(rate=0.01):
    keras.utils.set_random_seed(0)
    made = PointGAN(width=8)
    made.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    return made


def weights(made):
    return [np.asarray(variable) for variable in made.trainable_variables]


def test_steps_in_the_graph_are_the_models_own_training_steps():
    """Data of one point, so that every batch is the same, one step at a time from Python."""
    looped, stepped = model(), model()
    # XLA draws other random numbers than the plain kernels: both sides get latents of one kind.
    latents = tf.constant(np.random.default_rng(1).normal(size=(4, 2)).astype("float32"))
    for made in (looped, stepped):
        made.latents_for = lambda images, seed: latents
    train_in_graph(looped, POINTS[:1], batch_size=4, steps=5, seed=3, steps_per_call=2)
    for _ in range(5):
        stepped.train_step(tf.constant(np.repeat(POINTS[:1], 4, axis=0)))
    for first, second in zip(weights(looped), weights(stepped), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)
    assert int(looped.train_steps) == 5


def test_the_cut_into_calls_changes_nothing_and_another_seed_changes_the_batches():
    found = {}
    for name, arguments in {
        "whole": {"seed": 3, "steps_per_call": 6},
        "cut": {"seed": 3, "steps_per_call": 4},
        "other": {"seed": 4, "steps_per_call": 6},
    }.items():
        made = model()
        train_in_graph(made, POINTS, batch_size=4, steps=6, **arguments)
        found[name] = weights(made)
    for first, second, other in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, other)


def test_it_tells_after_how_many_steps_it_came_back():
    steps = []
    train_in_graph(
        model(), POINTS, batch_size=4, steps=5, seed=0, steps_per_call=2, after=steps.append
    )
    assert steps == [2, 4, 5]


def test_weights_that_are_not_finite_stop_it():
    with pytest.raises(FloatingPointError, match="is not finite after step 3"):
        train_in_graph(model(), POINTS * np.nan, batch_size=4, steps=9, seed=0, steps_per_call=3)


def test_numbers_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="steps=0"):
        train_in_graph(model(), POINTS, batch_size=4, steps=0, seed=0)
