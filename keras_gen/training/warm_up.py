"""A weight of a loss that rises while the training goes on."""

import keras


class WarmUp(keras.callbacks.Callback):
    """Moves a weight of the model from `start` to `end` over the first training steps.

    Such as the `beta` of a VAE: at the full weight of the divergence from the start, latents can
    be given up before the decoder has learned to use them (Bowman et al. 2016, arXiv:1511.06349,
    section 3.1; Soenderby et al. 2016, arXiv:1602.02282, section 2.3). The value is a pure
    function of the model's `train_steps`, so a resumed run goes on as it would have.

    Args:
        attribute: name of a scalar `keras.Variable` of the model, not trainable.
        start: its value in the first training step.
        end: its value from the step `steps` on.
        steps: how many steps the way takes; in between the value is linear in the step.

    Raises:
        ValueError: `steps` is not positive; or, when training begins, the model has no such weight.
    """

    def __init__(self, attribute="beta", start=0.0, end=1.0, steps=1000):
        super().__init__()
        if steps < 1:
            raise ValueError(f"steps={steps!r}: give an integer of at least 1.")
        # Private: a run keeps the public numbers of callbacks over a resume, and these are given.
        self._attribute, self._start, self._end, self._steps = attribute, start, end, steps

    def on_train_begin(self, logs=None):
        """Raises ValueError unless the model has the weight."""
        if not isinstance(getattr(self.model, self._attribute, None), keras.Variable):
            raise ValueError(
                f"attribute={self._attribute!r}: {type(self.model).__name__} has no weight of "
                "that name to warm up."
            )

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the value for the coming step."""
        done = min(int(self.model.train_steps.numpy()) / self._steps, 1.0)
        weight = getattr(self.model, self._attribute)
        weight.assign(self._start + (self._end - self._start) * done)
