"""Noise that does not depend on how a batch is spread over replicas."""

import tensorflow as tf


def replica_share(draw, batch_size):
    """This replica's part of noise that is drawn for the global batch.

    Every replica draws the noise of the whole batch from the same seed and keeps the rows that
    belong to its images. So replicas never share noise, and N of them train as one device would
    on the same batch. Drawing N times too much costs little beside the networks.

    Args:
        draw: a function from a number of rows n to a tensor `(n, ...)`, or a list of such, the
            same on all replicas.
        batch_size: rows that this replica needs. Equal on all replicas, as in training; where the
            last batch of an evaluation is cut unevenly, two replicas may share a row.

    Returns:
        `(batch_size, ...)`, or a list of such.
    """
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return own_rows(draw(replicas * batch_size), batch_size)


def gather_replicas(values):
    """The rows of all replicas, in the order of the global batch.

    Args:
        values: this replica's rows `(B, ...)`; B is the same on all replicas.

    Returns:
        `(N, ...)`, the same on all replicas; with one replica, `values`.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def own_rows(values, batch_size):
    """This replica's rows of values of the global batch.

    Args:
        values: `(N, ...)`, of all replicas, or a list of such.
        batch_size: rows of each replica.

    Returns:
        `(batch_size, ...)`, or a list of such; with one replica, `values`.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    start = context.replica_id_in_sync_group * batch_size
    return tf.nest.map_structure(lambda each: each[start : start + batch_size], values)
