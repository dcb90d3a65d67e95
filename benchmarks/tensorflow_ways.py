"""What the TensorFlow and Keras programs of all comparisons share: data, loops, counting."""

import types

import keras
import numpy as np
import tensorflow as tf

from benchmarks.harness import Program
from keras_gen.data import load_or_stand_in
from keras_gen.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dropout

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
# Ours in place of Keras', of the same functions.
OUR_LAYERS = types.SimpleNamespace(
    BatchNormalization=BatchNormalization,
    Conv2D=Conv2D,
    Conv2DTranspose=Conv2DTranspose,
    Dropout=Dropout,
)


def with_keras_layers(network):
    """A network of ours with Keras' layers, as users of Keras would write it."""
    return keras.models.clone_model(network, clone_function=as_keras_layer)


def as_keras_layer(layer):
    """A layer's copy; of ours, Keras' of the same function."""
    for name, kind in vars(OUR_LAYERS).items():
        if isinstance(layer, kind):
            return getattr(keras.layers, name).from_config(layer.get_config())
    return type(layer).from_config(layer.get_config())


def use_precision(precision):
    """Sets Keras' dtype policy: float32, or bfloat16 with float32 weights."""
    keras.config.set_dtype_policy(POLICIES[precision])


def mnist(value_range=(0.0, 1.0)):
    """MNIST's training images, or the embedded digits where it is missing."""
    return load_or_stand_in("mnist", split="train", image_size=28, value_range=value_range)


def textbook_batches(data, batch_size, labels=False):
    """The training set as the tutorials hold it, floats in memory, in shuffled batches."""
    low, high = data.value_range
    images = data.examples.astype("float32") / 255.0 * (high - low) + low
    return gathered_batches((images, data.labels.astype("int32")) if labels else images, batch_size)


def gathered_batches(arrays, batch_size):
    """What `fit` makes of arrays: indices are shuffled, anew in each epoch, and batches gathered.

    That is the cheapest pipeline of the tutorials. Those that hand a shuffled dataset of single
    examples over pay for each of them.

    Args:
        arrays: `(N, ...)`, or a tuple of such.
        batch_size: examples in a batch.

    Returns:
        A dataset of batches without end.
    """
    held = tf.nest.map_structure(tf.constant, arrays)
    count = len(tf.nest.flatten(held)[0])
    indices = tf.data.Dataset.range(count).shuffle(count).batch(batch_size, drop_remainder=True)
    batches = indices.repeat().map(
        lambda rows: tf.nest.map_structure(lambda each: tf.gather(each, rows), held),
        num_parallel_calls=2,
    )
    return without_autotune(batches.prefetch(4))


def without_autotune(batches):
    """A pipeline without the thread that tunes it, for whose end an iterator may wait seconds."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def through_fit(model, batches, counted=False):
    """Trains by `fit`; `counted` programs tell operations and parameters.

    With several steps a call it trains as many as asked for, up to the next whole call.
    """

    def run(steps):
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
        return -(-steps // model.steps_per_execution) * model.steps_per_execution

    def counts():
        return count_flops(model.train_step, batches.element_spec), parameters(model)

    return Program(run, counts if counted else None)


def through_one_iterator(model, batches):
    """Trains by the model's own `train_function`, as `fit` does, on one iterator for all turns.

    The iterator of a distributed dataset has a thread that tunes it, with options or without, and
    sleeps twice as long each time. `fit` makes an iterator, and at its end waits for that thread:
    up to seconds that do not belong to any step.
    """
    iterator = iter(batches)

    def run(steps):
        model.make_train_function()
        for _ in range(steps):
            logs = model.train_function(iterator)
        for value in logs.values():
            float(value)  # waits for the last step

    return Program(run)


def through_loop(step, batches, jit_compile=False):
    """Trains by a bare loop over a `tf.function` of a batch that gives a scalar."""
    step, batches = tf.function(step, jit_compile=jit_compile), iter(batches)

    def run(steps):
        for _ in range(steps):
            loss = step(next(batches))
        loss.numpy()  # waits for the last step

    return Program(run)


def count_flops(step, spec):
    """The floating-point operations of a graph, by TensorFlow's own count of its nodes.

    Those of convolutions and matrix products, forwards and backwards, and of element-wise
    operations, reductions and the optimizers' arithmetic, as far as TensorFlow knows them. The
    inside of loops counts once. Gradients that nothing needs are nodes of the graph, too, but never
    run: only what leads to its results counts.
    """
    tf.get_logger().setLevel("ERROR")  # of the profiler, which says in each call that it is old
    traced = tf.function(step).get_concrete_function(spec).graph
    wanted = [each.op.name for each in traced.outputs] + [op.name for op in traced.control_outputs]
    definition = tf.compat.v1.graph_util.extract_sub_graph(
        traced.as_graph_def(add_shapes=True), wanted
    )
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(graph, options=options)
    return profile.total_float_ops


def one_hot_planes(labels, size, num_classes=10):
    """Labels `(B,)` as planes `(B, size, size, num_classes)` beside an image."""
    planes = tf.one_hot(labels, num_classes)[:, None, None]
    return tf.tile(planes, (1, size, size, 1))


def parameters(*networks):
    """How many numbers the networks learn."""
    return sum(int(np.prod(w.shape)) for net in networks for w in net.trainable_weights)
