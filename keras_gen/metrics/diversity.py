"""Diversity while a model trains: a callback that warns when the samples become alike.

A batch of samples from latents that stay the same is compared with batches of real data of the
same size, in pixels or features, by two ratios:

    spread   mean distance between two samples / the same of real data
             falls when all samples become alike, or come from one class only
    nearest  mean distance from a sample to the nearest other one / the same of real data
             falls when samples come in near-identical copies, however far these lie apart

`diversity` is the lesser of the two: 1 for real data, 0 for a constant generator, and about 0 for
one that repeats a few images. It tells collapse from variety, not good images from bad ones:
noise is diverse.

Pixels notice a generator whose samples are alike or repeat, not one that keeps to one class: 64
MNIST images of one digit still have a diversity of 0.45 (ones) to 0.98 (twos). In the features of
the MNIST classifier they have 0.22 to 0.42, and the samples of a healthy DCGAN 0.75 (in pixels
0.99, and above 0.9 from its 500th step on): give `features` where there is a classifier.
"""

import warnings

import keras
import numpy as np

_REAL_BATCHES = 16  # batches of real data that the reference is averaged over, at most


class DiversityWarning(keras.callbacks.Callback):
    """Warns once when the diversity falls below a share of real data's, and again after recovery.

    Goes into `fit(callbacks=[...])`, or into the `extra` of a run, where it survives a resume. The
    logs at an epoch's end get the last value as `diversity`; `measurements` holds all of them.

    What it costs: one pass of `num_samples` images through the generator every `every` steps, and
    their pairwise distances. Of the training of recipes/dcgan_mnist.py on two CPU cores the
    defaults take 0.06 %: 11 ms every 200 steps of 0.1 s.

    Args:
        real_data: uint8 images `(N, H, W, C)`, such as a data set's `examples`, with which samples
            are compared as 8-bit images too; or floats in the model's own range, such as points
            `(N, 2)`. At least `num_samples`; up to 16 batches drawn at random are used.
        every: steps between two measurements.
        num_samples: samples drawn.
        share: warn where the diversity is below this share of real data's, in (0, 1).
        warm_up: steps before the first warning; untrained generators give alike images.
        features: None to compare pixels; or a function from a batch of the kind of `real_data` to
            features `(B, D)`, such as `lambda images: extractor(images).features`.
        seed: of the samples and the choice of real data.

    Attributes:
        steps: training steps seen, those before a resume included.
        diversity: the last measurement; 1.0 before the first one.
        warned: whether the diversity is below the share and that was said.
        measurements: `(step, spread, nearest)` of this session.

    Raises:
        ValueError: an argument is none of the above.
    """

    def __init__(
        self,
        real_data,
        every=200,
        num_samples=64,
        share=0.5,
        warm_up=1000,
        features=None,
        seed=0,
    ):
        super().__init__()
        if num_samples < 2 or len(real_data) < num_samples:
            raise ValueError(
                f"num_samples={num_samples!r} with {len(real_data)} real examples: give at least "
                "2, and no more than there are real examples."
            )
        if every < 1 or not 0.0 < share < 1.0:
            raise ValueError(
                f"every={every!r}, share={share!r}: give at least one step, and a share in (0, 1)."
            )
        # Private, so that a resumed run keeps what its recipe says now: public numbers are state.
        self._every, self._num_samples, self._share = every, num_samples, share
        self._warm_up, self._features, self._seed = warm_up, features, seed
        self._is_8_bit = np.asarray(real_data[:1]).dtype == np.uint8
        self._real = self._real_distances(real_data)
        self.steps, self.diversity, self.warned = 0, 1.0, False
        self.measurements = []

    def on_train_batch_end(self, batch, logs=None):
        """Measures when it is due."""
        self.steps += 1
        if self.steps % self._every:
            return
        samples = np.asarray(self.model.sample(self._num_samples, seed=self._seed))
        spread, nearest = self._distances(self._like_real(samples)) / self._real
        self.diversity = float(min(spread, nearest))
        self.measurements.append((self.steps, float(spread), float(nearest)))
        if not self.diversity < self._share:
            self.warned = False
        elif self.steps >= self._warm_up and not self.warned:
            self.warned = True
            warnings.warn(self._text(spread, nearest), RuntimeWarning, stacklevel=2)

    def on_epoch_end(self, epoch, logs=None):
        """Puts the last value into the logs."""
        if logs is not None and self.measurements:
            # Not in the logs of steps: it would be there in some steps only, and tables of the
            # steps take their columns from the first.
            logs["diversity"] = self.diversity

    def _text(self, spread, nearest):
        if spread < nearest:
            what, ratio, real, meaning = "mean distance between two", spread, self._real[0], "alike"
        else:
            what, ratio, real = "mean distance to the nearest other", nearest, self._real[1]
            meaning = "near-identical copies of a few images"
        return (
            f"Step {self.steps}: the samples are {meaning}; the generator may have collapsed. The "
            f"{what} of {self._num_samples} samples is {ratio * real:.4g}, {100 * ratio:.0f} % of "
            f"real data's {real:.4g}; the warning comes below {100 * self._share:.0f} %. Look at "
            "the sample grids. What helps: go back to an earlier checkpoint; lower the learning "
            "rates, or the discriminator's alone; a larger batch; a loss with a gradient penalty "
            "or spectral normalization."
        )

    def _real_distances(self, real_data):
        """Both distances of real data, as the mean over batches of `num_samples`."""
        count = min(_REAL_BATCHES, len(real_data) // self._num_samples)
        order = np.random.default_rng(self._seed).permutation(len(real_data))
        batches = order[: count * self._num_samples].reshape(count, self._num_samples)
        distances = [self._distances(np.asarray(real_data[batch])) for batch in batches]
        distances = np.mean(distances, axis=0)
        if not (distances > 0.0).all():
            raise ValueError("real_data: all examples are equal; there is no diversity to keep.")
        return distances

    def _like_real(self, samples):
        if not self._is_8_bit:
            return samples
        low, high = self.model.value_range
        return np.clip(np.round((samples - low) / (high - low) * 255.0), 0, 255).astype("uint8")

    def _distances(self, batch):
        """Mean distance between two rows, and mean distance from a row to its nearest other."""
        from scipy.spatial.distance import pdist, squareform

        rows = batch if self._features is None else np.asarray(self._features(batch))
        rows = rows.reshape(len(rows), -1).astype("float64")
        if self._features is None and self._is_8_bit:
            rows /= 255.0
        pairs = pdist(rows)
        matrix = squareform(pairs)
        np.fill_diagonal(matrix, np.inf)
        return np.array([pairs.mean(), matrix.min(axis=1).mean()])
