"""Adam as one operation a weight."""

import functools

import keras
import tensorflow as tf
from keras import ops


def fuse_adam(optimizer):
    """Lets a `keras.optimizers.Adam` move each weight by one operation of TensorFlow.

    Keras writes Adam as a dozen element-wise operations, of which each reads and writes as many
    numbers as the weight has: at a million, as long as a small network's gradients. TensorFlow's
    own operation reads and writes each number once. The algorithm, the state, the configuration
    and the class stay, so that files and checkpoints do not know the difference.

    Args:
        optimizer: any optimizer, also within a `LossScaleOptimizer`. Others than Adam, subclasses
            of it and its amsgrad stay as they are.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if type(inner) is keras.optimizers.Adam and not inner.amsgrad:
        inner.update_step = functools.partial(_update_step, inner)


def _update_step(adam, gradient, variable, learning_rate):
    """What `Adam.update_step` does to a `tf.Variable` (Kingma and Ba, arXiv:1412.6980)."""
    index = adam._get_variable_index(variable)
    cast = functools.partial(ops.cast, dtype=variable.dtype)
    beta_1, beta_2, epsilon = (
        tf.constant(each, variable.dtype) for each in (adam.beta_1, adam.beta_2, adam.epsilon)
    )
    step = cast(adam.iterations + 1)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=adam._momentums[index].value.handle,
        v=adam._velocities[index].value.handle,
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=cast(learning_rate),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=cast(tf.convert_to_tensor(gradient)),  # rows of an embedding are added up
    )
