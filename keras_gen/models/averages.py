"""Moving averages of a network's weights, as GANs are drawn from."""

from keras import ops


class ExponentialMovingAverage:
    """Keeps `average`'s weights at the exponential moving average of `network`'s.

    Both are networks of one architecture; the average starts from the network's weights. In the
    n-th update the decay is min(decay, (1 + n) / (10 + n)), as in TensorFlow's own moving average,
    so that the untrained weights are soon forgotten. Batch normalization's moving statistics are
    averaged alike: the latest ones would be those of weights that the average does not have.
    """

    def __init__(self, network, average, decay):
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"ema_decay={decay!r}: give a number in [0, 1), such as 0.999.")
        self.network, self.average, self.decay = network, average, decay
        average.trainable = False
        average.set_weights(network.get_weights())

    def update(self, updates):
        """average <- decay * average + (1 - decay) * network, the `updates`-th time."""
        updates = ops.cast(updates, "float32")
        decay = ops.minimum(self.decay, (1.0 + updates) / (10.0 + updates))
        for average, weight in zip(self.average.weights, self.network.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight)
