"""Language model of short sequences: an LSTM trained by maximum likelihood.

Graves, 2013, Generating Sequences With Recurrent Neural Networks, arXiv:1308.0850. It is what
Kusner and Hernandez-Lobato, 2016, arXiv:1611.04051, compare their `GumbelGAN` with.

A sequence's probability is a product: each symbol given those before it. The network reads a
sequence symbol by symbol and predicts the next one every time. In training the symbols read are
the data's; in sampling they are those just drawn.

Objective, with `symbols` the rows of an image, each a symbol coded one-hot:

    logits[t] = network(symbols[0], ..., symbols[t - 1])
    log_prob = sum_t log softmax(logits[t])[symbols[t]]
    nll_nats = -mean(log_prob)

A symbol is drawn as the largest of logits + latents, where the latents are Gumbel noise: an exact
draw. So a latent holds all of a sample's chance, and `decode` has none of its own.

Differences from the paper:
    - One layer of 32 cells without peepholes, for sequences of a dozen symbols; no weight noise.
    - Sequences have a fixed length; the end is a symbol like the others, which fills what is left.

Shapes: images (B, length, num_symbols, 1) in [0, 1], the rows one-hot; latents (B, length *
num_symbols); states (B, units), a pair of them; logits (B, length, num_symbols).
"""

import keras
import tensorflow as tf
from keras import ops

from keras_gen.layers import replica_share
from keras_gen.models.autoencoders.latents import CategoricalLatent
from keras_gen.models.base import GenerativeModel, check_positive


def build_step(num_symbols, units, name):
    """One step of an LSTM that predicts the next symbol.

    Args:
        num_symbols: symbols in the alphabet.
        units: size of each of the two states.
        name: the network's name.

    Returns:
        A network from `[symbols (B, num_symbols), hidden (B, units), cell (B, units)]` to
        `[logits (B, num_symbols), hidden, cell]`.
    """
    symbols = keras.Input((num_symbols,), name="symbols")
    states = [keras.Input((units,), name="hidden"), keras.Input((units,), name="cell")]
    # The seed is of a dropout that is off. Left out, it would be drawn, and not saved.
    hidden, next_states = keras.layers.LSTMCell(units, seed=0)(symbols, states)
    logits = keras.layers.Dense(num_symbols, dtype="float32", name="logits")(hidden)
    return keras.Model([symbols, *states], [logits, *next_states], name=name)


def generate(step, states, noise, choose, training=False):
    """Runs a step network on what it chooses itself, from an empty symbol on.

    Args:
        step: a network of `build_step`.
        states: its first states, `(hidden, cell)`.
        noise: `(B, length, num_symbols)`.
        choose: a function from logits and noise `(B, num_symbols)` to the symbols taken.
        training: passed to the network.

    Returns:
        `(B, length, num_symbols, 1)`.
    """
    symbols, sequence = ops.zeros_like(noise[:, 0]), []
    for each in ops.unstack(noise, axis=1):
        logits, *states = step([symbols, *states], training=training)
        symbols = choose(logits, each)
        sequence.append(symbols)
    return ops.stack(sequence, axis=1)[..., None]


def check_sequence_shape(image_shape):
    """Raises ValueError unless `image_shape` is `(length, num_symbols, 1)`, at least (1, 2, 1)."""
    shape = tuple(image_shape)
    if len(shape) != 3 or shape[0] < 1 or shape[1] < 2 or shape[2] != 1:
        raise ValueError(
            f"image_shape={image_shape!r}: give (length, num_symbols, 1), a row for each symbol of "
            "a sequence, such as (12, 6, 1) for the set grammar."
        )
    return shape


@keras.saving.register_keras_serializable(package="keras_gen")
class SequenceLSTM(GenerativeModel):
    """LSTM over sequences of symbols, with exact likelihoods.

    Args:
        image_shape: `(length, num_symbols, 1)`.
        units: size of each of the LSTM's two states.

    Raises:
        ValueError: an argument is none of the above.

    Reference:
        arXiv:1308.0850, section 2.
    """

    value_range = (0.0, 1.0)

    def __init__(self, image_shape=(12, 6, 1), units=32, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = check_sequence_shape(image_shape)
        check_positive(units=units)
        self.length, self.num_symbols, _ = self.image_shape
        self.units = units
        self.symbol = CategoricalLatent(1, self.num_symbols)
        self.latent_dim = self.length * self.num_symbols
        self.network = build_step(self.num_symbols, units, "network")
        self.track("nll_nats")

    def compile(self, network_optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            network_optimizer: a Keras optimizer. Default: Adam(1e-3).
            **kwargs: `jit_compile`, `run_eagerly` and `steps_per_execution`, as in Keras.
        """
        optimizer = network_optimizer or keras.optimizers.Adam(1e-3)
        self.set_optimizers(network_optimizer=(optimizer, self.network), **kwargs)

    def predict_next(self, images, training=False):
        """Logits `(B, length, num_symbols)` of each symbol given those before it."""
        symbols = images[..., 0]
        previous = ops.pad(symbols[:, :-1], [[0, 0], [1, 0], [0, 0]])
        states, logits = self.first_states(symbols), []
        for each in ops.unstack(previous, axis=1):
            step_logits, *states = self.network([each, *states], training=training)
            logits.append(step_logits)
        return ops.stack(logits, axis=1)

    def first_states(self, rows):
        """The empty memory `(hidden, cell)`, one for each of `rows`."""
        return [ops.zeros((ops.shape(rows)[0], self.units))] * 2

    def train_step(self, images):
        """One step down the negative log-likelihood of images `(B, length, num_symbols, 1)`."""
        self.train_steps.assign_add(1)
        with tf.GradientTape() as tape:
            nll = -ops.mean(sequence_log_prob(self.predict_next(images, training=True), images))
        self.update(self.network_optimizer, tape, nll, self.network)

        return self.log(images, nll_nats=nll)

    def test_step(self, images):
        """The negative log-likelihood of held-out images, with nothing updated."""
        return self.log(images, nll_nats=-ops.mean(self.log_prob(images)))

    def call(self, images, training=False):
        """Logits `(B, length, num_symbols)` of each symbol given those before it."""
        return self.predict_next(images, training=training)

    @tf.function(reduce_retracing=True)
    def log_prob(self, images):
        """Log-probability of sequences, in nats.

        Args:
            images: `(B, length, num_symbols, 1)`, the rows one-hot.

        Returns:
            float32 `(B,)`.
        """
        images = tf.cast(images, "float32")
        return sequence_log_prob(self.predict_next(images), images)

    def draw_latents(self, num_images, seed):
        """Gumbel noise `(num_images, latent_dim)`; `seed` is `(2,)` integers."""
        noise = self.symbol.noise((num_images, self.length), seed)
        return ops.reshape(noise, (-1, self.latent_dim))

    def latents_for(self, images, seed):
        """One latent for each image of a batch, `(B, latent_dim)`, none shared by replicas."""
        return replica_share(lambda count: self.draw_latents(count, seed), ops.shape(images)[0])

    @tf.function(reduce_retracing=True)
    def decode(self, latents):
        """Sequences of latents, by drawing symbol after symbol.

        Args:
            latents: `(B, latent_dim)`, Gumbel noise.

        Returns:
            float32 `(B, length, num_symbols, 1)`, the rows one-hot.
        """
        noise = tf.reshape(tf.cast(latents, "float32"), (-1, self.length, self.num_symbols))
        return generate(self.network, self.first_states(noise), noise, self.symbol.draw)


def sequence_log_prob(logits, images):
    """sum_t log softmax(logits[t])[symbols[t]], nats `(B,)`; arguments as in `SequenceLSTM`."""
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    return ops.sum(log_probabilities * ops.cast(images[..., 0], "float32"), axis=(1, 2))
