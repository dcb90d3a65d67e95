"""Noise that does not depend on how a batch is spread over replicas."""

import tensorflow as tf


def replica_share(draw, batch_size):
    """This replica's part of noise that is drawn for the global batch.

    Every replica draws the noise of the whole batch from the same seed and keeps the rows that
    belong to its images. So replicas never share noise, and N of them train as one device would
    on the same batch. Drawing N times too much costs little beside the networks.

    Args:
        draw: a function from a number of rows n to a tensor `(n, ...)`, the same on all replicas.
        batch_size: rows that this replica needs. Equal on all replicas, as in training; where the
            last batch of an evaluation is cut unevenly, two replicas may share a row.

    Returns:
        `(batch_size, ...)`.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return draw(batch_size)
    start = context.replica_id_in_sync_group * batch_size
    return draw(replicas * batch_size)[start : start + batch_size]
