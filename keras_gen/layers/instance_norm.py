"""Instance normalization: each channel of each image by its own mean and deviation."""

import keras


def instance_normalization(name=None, epsilon=1e-5):
    """(x - mean) / sqrt(variance + epsilon) over the height and width of one channel of one image.

    Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022. Images of a batch do not see each other,
    so that training and inference are the same and replicas need not be synchronized. Without
    scale and shift, in float32 under any dtype policy.

    Args:
        name: name of the layer.
        epsilon: added to the variance.

    Returns:
        A `keras.layers.GroupNormalization` of one channel a group.
    """
    return keras.layers.GroupNormalization(
        groups=-1, epsilon=epsilon, center=False, scale=False, name=name
    )
