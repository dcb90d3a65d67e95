"""Many training steps in one call: for networks so small that calling them costs more than they do.

`Model.fit` returns to Python after every step, which takes longer than a step on points in the
plane. Here the steps run inside one compiled graph, which draws the batches too.
"""

import tensorflow as tf


def train_in_graph(model, examples, *, batch_size, steps, seed, steps_per_call=1000, after=None):
    """Runs `model.train_step` many times on one device.

    A pure function of its arguments and the model's state. Batch i is drawn with replacement, by a
    seed made of (seed, i), as infinite data would be.

    Args:
        model: a compiled `GenerativeModel`.
        examples: float32 `(N, ...)`, what a batch is drawn from.
        batch_size: examples that one network update sees.
        steps: how many training steps, each with `model.batches_per_step` batches.
        seed: an integer that decides the batches.
        steps_per_call: steps between returns to Python.
        after: None, or a function that is called with the number of steps done after each call.

    Raises:
        ValueError: a number is not positive.
        FloatingPointError: a weight became NaN or infinite.
    """
    sizes = {"batch_size": batch_size, "steps": steps, "steps_per_call": steps_per_call}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name}={value!r}: give an integer of at least 1.")
    run = compile_loop(model, examples, batch_size, seed)
    for first in range(0, steps, steps_per_call):
        last = min(first + steps_per_call, steps)
        run(tf.constant(first, "int64"), tf.constant(last, "int64"))
        for variable in model.trainable_variables:
            if not tf.reduce_all(tf.math.is_finite(variable.value)):
                raise FloatingPointError(
                    f"{variable.path} is not finite after step {last}: lower the learning rates."
                )
        if after:
            after(last)


def compile_loop(model, examples, batch_size, seed):
    """The loop of `train_in_graph` as a function that can be called again.

    Args:
        model: a compiled `GenerativeModel`.
        examples: float32 `(N, ...)`, what a batch is drawn from.
        batch_size: examples that one network update sees.
        seed: an integer that decides the batches.

    Returns:
        A function of `first` and `last`, int64 tensors, that runs steps first to last - 1. It is
        compiled at its first call.
    """
    data = tf.constant(examples, "float32")
    shape = (batch_size * model.batches_per_step,)
    fold_in = tf.random.experimental.stateless_fold_in

    @tf.function(jit_compile=True)
    def run(step, last):
        while step < last:  # over tf.range, XLA would compile anew for every pair of ends
            step_seed = fold_in(tf.constant([seed, 0], "int64"), step)
            rows = tf.random.stateless_uniform(shape, step_seed, 0, len(data), "int32")
            model.train_step(tf.gather(data, rows))
            step += 1

    return run
