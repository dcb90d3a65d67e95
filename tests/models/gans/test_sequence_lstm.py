import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen.models import SequenceLSTM
from keras_gen.models.gans.sequence_lstm import generate

SHAPE = (3, 3, 1)
EVERY = np.array(list(itertools.product(range(3), repeat=3)))  # all 27 sequences


def one_hot(tokens):
    return np.eye(3, dtype="float32")[tokens][..., None]


@pytest.fixture
def model():
    """A model whose next symbol depends clearly on those before it."""
    model = SequenceLSTM(SHAPE, units=4)
    model.network.set_weights([3.0 * weight for weight in model.network.get_weights()])
    return model


def _lstm_in_numpy(weights, tokens):
    """Log-probabilities by the LSTM's equations (arXiv:1308.0850, eq. 7-11, no peepholes)."""
    kernel, recurrent, bias, dense, dense_bias = weights

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    hidden, cell, symbol, total = np.zeros(4), np.zeros(4), np.zeros(3), 0.0
    for token in tokens:
        gates = symbol @ kernel + hidden @ recurrent + bias
        enter, forget, candidate, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
        hidden = sigmoid(leave) * np.tanh(cell)
        logits = hidden @ dense + dense_bias
        total += logits[token] - np.log(np.exp(logits).sum())
        symbol = np.eye(3)[token]
    return total


def test_the_log_probability_is_the_product_rule_worked_out_in_numpy(model):
    weights = model.network.get_weights()
    expected = [_lstm_in_numpy(weights, tokens) for tokens in EVERY]
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(model.log_prob(one_hot(EVERY)), expected, atol=1e-5)


def test_the_probabilities_of_all_sequences_sum_to_one(model):
    assert np.exp(model.log_prob(one_hot(EVERY))).sum() == pytest.approx(1.0, abs=1e-5)


def test_sequences_are_drawn_as_often_as_their_probabilities_say(model):
    count = 20_000
    tokens = np.asarray(model.sample(count, seed=0))[..., 0].argmax(axis=-1)
    frequencies = np.bincount(tokens @ [9, 3, 1], minlength=27) / count
    probabilities = np.exp(model.log_prob(one_hot(EVERY)))
    error = np.sqrt(probabilities / count)
    assert (np.abs(frequencies - probabilities) <= 5 * error).all()
    assert np.ptp(probabilities) > 20 * error.max()  # far from uniform: the test can tell


def test_later_symbols_never_influence_the_prediction_of_earlier_ones(model):
    images = one_hot(EVERY[:1])
    other = images.copy()
    other[:, 1] = one_hot(EVERY[-1:])[:, 1]
    first, second = (model.predict_next(tf.constant(each)).numpy() for each in (images, other))
    np.testing.assert_array_equal(first[:, :2], second[:, :2])
    assert not np.array_equal(first[:, 2], second[:, 2])


def test_the_sequence_drawn_is_read_as_it_is_drawn(model):
    """`generate` and `predict_next` are one network: reading a sample gives its own logits."""
    seen = []

    def choose(logits, noise):
        seen.append(logits.numpy())
        return model.symbol.draw(logits, noise)

    noise = tf.reshape(model.draw_latents(5, tf.constant([1, 2])), (5, 3, 3))
    images = generate(model.network, model.first_states(noise), noise, choose)
    np.testing.assert_allclose(np.stack(seen, 1), model.predict_next(images), atol=1e-6)


def test_training_reaches_the_entropy_of_its_data():
    model = SequenceLSTM(SHAPE, units=8)
    model.compile(keras.optimizers.Adam(0.02))
    images = one_hot(np.array([[0, 1, 2], [2, 1, 0], [2, 2, 2], [1, 0, 0]] * 4))
    model.fit(tf.data.Dataset.from_tensors(images).repeat(150), verbose=0)
    assert model.evaluate(images, verbose=0, return_dict=True)["nll_nats"] == pytest.approx(
        np.log(4), abs=0.05
    )


@pytest.mark.parametrize("shape", [(3, 3), (3, 1, 1), (0, 3, 1), (3, 3, 2)])
def test_a_shape_that_is_no_sequence_is_refused(shape):
    with pytest.raises(ValueError, match="image_shape="):
        SequenceLSTM(shape)


@pytest.mark.parametrize("argument", [{"labels": [1, 2]}, {"truncation": 0.5}])
def test_what_sequences_do_not_have_is_refused(model, argument):
    with pytest.raises(ValueError, match="SequenceLSTM .*takes none"):
        model.sample(2, **argument)
