import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.data import load
from keras_gen.models import GenerativeModel
from keras_gen.training import Run, RunOptions, WarmUp


class Recorder(GenerativeModel):
    """A model whose only loss is its own weight `beta`."""

    value_range = (0.0, 1.0)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.networks = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
        self.networks.add(keras.layers.Dense(1))
        self.beta = self.add_weight(
            name="beta",
            shape=(),
            initializer="ones",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.label = "no variable"
        self.track("beta_loss")

    def compile(self):
        sgd = keras.optimizers.SGD()
        self.set_optimizers(networks_optimizer=(sgd, self.networks))

    def train_step(self, images):
        self.train_steps.assign_add(1)
        return self.log(images, beta_loss=self.beta)

    def sample(self, num_images, seed=None):
        return tf.zeros((num_images, 8, 8, 1))


def train(folder, steps, warm_up, strategy="none", replicas=None, resume=False):
    """Trains as a recipe does; gives the model and the value of each step."""
    seen = []

    def note(_, logs):
        seen.append(logs["beta_loss"])

    options = RunOptions(
        out=str(folder), resume=resume, allow_changes=True, strategy=strategy, replicas=replicas
    )
    arguments = {"seed": 0, "options": options}
    run = Run("tiny", arguments, family="autoencoders", title="Tiny", paper="")
    with run.strategy.scope():
        model = Recorder()
        model.compile()
    extra = [warm_up, keras.callbacks.LambdaCallback(on_train_batch_end=note)]
    run.fit(model, load("digits", value_range=(0.0, 1.0)), batch_size=8, steps=steps, extra=extra)
    return model, np.array(seen)


def test_the_weight_goes_in_a_line_from_start_to_end_and_stays(tmp_path):
    model, seen = train(tmp_path / "run", 8, WarmUp("beta", 0.5, 2.5, 4))
    np.testing.assert_allclose(seen, [0.5, 1.0, 1.5, 2.0, 2.5, 2.5, 2.5, 2.5])
    assert float(model.beta.numpy()) == 2.5


def test_a_resumed_run_sees_the_values_of_an_uninterrupted_one(tmp_path):
    _, whole = train(tmp_path / "whole", 7, WarmUp("beta", 0.0, 1.0, 5))
    _, first = train(tmp_path / "parts", 3, WarmUp("beta", 0.0, 1.0, 5))
    _, second = train(tmp_path / "parts", 7, WarmUp("beta", 0.0, 1.0, 5), resume=True)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_a_resumed_run_follows_the_numbers_that_it_is_given_anew(tmp_path):
    train(tmp_path / "run", 2, WarmUp("beta", 0.0, 1.0, 4))
    _, seen = train(tmp_path / "run", 5, WarmUp("beta", 0.0, 8.0, 4), resume=True)
    np.testing.assert_allclose(seen, [4.0, 6.0, 8.0])


def test_replicas_see_the_value_of_one_device(tmp_path):
    warm_up = WarmUp("beta", 1.0, 0.0, 4)
    _, seen = train(tmp_path / "run", 4, warm_up, strategy="mirrored", replicas=2)
    np.testing.assert_allclose(seen, [1.0, 0.75, 0.5, 0.25])


def test_what_cannot_be_warmed_up_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="steps=0"):
        WarmUp("beta", 0.0, 1.0, 0)
    for attribute in ("gamma", "label"):
        with pytest.raises(ValueError, match=f"attribute='{attribute}': Recorder"):
            train(tmp_path / attribute, 1, WarmUp(attribute, 0.0, 1.0, 1))
