"""What the benchmarks of single layers share: a training step of one, and turns of several."""

import statistics
import time

import tensorflow as tf


def training_step(function, weights):
    """The gradients of a sum of squares in weights and inputs, as a graph.

    Args:
        function: from inputs to outputs.
        weights: a list of variables.

    Returns:
        A function of the inputs.
    """

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(tf.square(tf.cast(function(inputs), "float32")))
        return tape.gradient(total, [inputs, *weights])

    return step


def median_times(steps, inputs, rounds):
    """Milliseconds that each of several steps takes, a call of each in every round.

    Args:
        steps: `{name: function}`.
        inputs: what each is called with.
        rounds: how often, after a first call that traces.

    Returns:
        `{name: median}`.
    """
    times = {name: [] for name in steps}
    for number in range(rounds + 1):
        turns = list(steps.items())
        for name, step in turns if number % 2 else reversed(turns):
            start = time.perf_counter()
            step(inputs)[0].numpy()
            if number:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}
