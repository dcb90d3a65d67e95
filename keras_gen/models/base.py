"""Plumbing that every model shares: optimizers, updates, noise seeds, logs and sampling.

Nothing here knows about a particular model. A model file holds the paper's maths; what TensorFlow
and Keras need around it (several optimizers in one saved file, the loss scale of
`tf.distribute`, noise that differs between replicas, logs that Keras averages) is done here once.
"""

import inspect

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gen.layers.checks import check_positive as check_positive
from keras_gen.models.fused_adam import fuse_adam
from keras_gen.models.replicas import (
    agree_on_overflow,
    clip_sum,
    images_that_count,
    of_one_image_at_least,
)

_SAMPLE_CHUNK = 256  # images generated at a time by `sample`: bounds its memory


class GenerativeModel(keras.Model):
    """A `keras.Model` with named optimizers and a reproducible source of noise.

    A subclass, in its `__init__`, builds its networks and calls `self.track(...)` with the names
    of the values that its `train_step` logs; its `compile` ends in `self.set_optimizers(...)`.

    Attributes:
        value_range: `(low, high)` of the images that the model takes and gives.
        batches_per_step: how many batches one `train_step` uses. A training batch holds
            that many times the batch size; see `split_batches`.
        truncation_kind: what `truncation` is in sampling: a `"bound"` on the magnitude of latents,
            or a `"factor"` by which they are drawn towards their mean.
        conditional: whether the model takes labels: it then has `num_classes`, trains on batches
            `(images, labels)`, and `sample` without labels draws them uniformly.
    """

    value_range = (-1.0, 1.0)
    batches_per_step = 1
    truncation_kind = "bound"
    conditional = False

    def __new__(cls, *args, **kwargs):
        """Records the constructor's arguments for `get_config`.

        Keras means to do so itself, but for subclasses of `Model` it records the defaults
        whatever was passed, and a saved model would come back with another architecture.
        """
        model = super().__new__(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(model, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])  # without self
        others = arguments.pop("kwargs", {})
        _refuse_unnamed(cls, others)
        arguments |= others
        vars(model)["_constructor_arguments"] = arguments
        return model

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # True from the start: the networks are built in `__init__`, and `fit` under tf.distribute
        # would else call the model on a training batch to build it, which a GAN cannot take.
        self.built = True
        self.trackers = {}
        self._optimizer_names = ()
        # Both are weights, so that they are saved and restored with everything else: after a resume
        # the noise goes on where it stopped. `keras.utils.set_random_seed` decides the first one.
        self.noise_seed = self.add_weight(
            name="noise_seed",
            shape=(2,),
            dtype="int32",
            initializer=_constant(np.random.randint(2**31 - 1, size=2)),
            trainable=False,
            aggregation="only_first_replica",
        )
        self.train_steps = self.add_weight(
            name="train_steps",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def get_config(self):
        """The constructor's arguments, the model's name and the dtype policy it was made under."""
        policy = self.dtype_policy.name
        return {**self._constructor_arguments, "name": self.name, "dtype": policy}

    @classmethod
    def from_config(cls, config):
        """Makes the model under the dtype policy that it had: its networks take the global one."""
        config = dict(config)
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(config.pop("dtype", policy))
        try:
            return cls(**config)
        finally:
            keras.config.set_dtype_policy(policy)

    # ------------------------------------------------------------------ optimizers

    def set_optimizers(
        self, jit_compile=False, run_eagerly=False, steps_per_execution=1, **optimizers
    ):
        """Compiles the model with one optimizer for each named network.

        Args:
            jit_compile: passed to Keras on one device; XLA cannot compile a step for several
                replicas. Leave it off for convolutions on a CPU.
            run_eagerly: passed to Keras.
            steps_per_execution: likewise: how many steps one call runs, of networks so small that
                a call costs as much as a step. Callbacks see the last step of each call, and an
                epoch of `steps_per_epoch` is rounded up to whole calls.
            **optimizers: `name_optimizer=(optimizer, network)`. The optimizer is kept as the
                attribute of that name and owns the network's trainable variables.

        Raises:
            ValueError: an optimizer is not a `keras.optimizers.Optimizer`, or serves twice.
        """
        # optimizer=None: Keras would make an RMSprop over all weights that nobody uses.
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        flags = {"run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution}
        super().compile(None, jit_compile=jit_compile and alone, **flags)
        self._optimizer_names = tuple(optimizers)
        self._compile_flags = {"jit_compile": jit_compile, **flags}
        seen = set()
        for name, (optimizer, network) in optimizers.items():
            optimizer = keras.optimizers.get(optimizer)
            if id(optimizer) in seen:
                raise ValueError(
                    f"{name} is the same object as another optimizer of this model. Each network "
                    "needs an optimizer of its own, because an optimizer keeps state per weight."
                )
            seen.add(id(optimizer))
            if self.dtype_policy.compute_dtype == "float16" and not isinstance(
                optimizer, keras.optimizers.LossScaleOptimizer
            ):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            # Built now: slot variables made inside a replica's context fail, and an optimizer
            # that is not built when a file is loaded silently loses its state.
            optimizer.build(network.trainable_variables)
            fuse_adam(optimizer)
            setattr(self, name, optimizer)

    @property
    def optimizers(self):
        """The optimizers by name, in the order in which they were given."""
        return {name: getattr(self, name) for name in self._optimizer_names}

    def get_compile_config(self):
        """Every optimizer's configuration, for `.keras` files."""
        if not self.compiled:
            return {}
        optimizers = {
            name: keras.saving.serialize_keras_object(optimizer)
            for name, optimizer in self.optimizers.items()
        }
        return {**optimizers, **self._compile_flags}

    def compile_from_config(self, config):
        """Compiles as `get_compile_config` recorded it; the optimizers' state is loaded after."""
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                if isinstance(value, dict)
                else value
                for name, value in config.items()
            }
        )

    def update(self, optimizer, tape, loss, network, upstream=None, also=()):
        """One step of `optimizer` down the gradient of `loss` in the network's variables.

        Keras optimizers *sum* gradients over replicas; dividing by the number of replicas makes
        the update that of the mean loss over the global batch. The division, and the loss scale
        of float16, enter as the gradient that flows into the loss.

        Args:
            optimizer: one of this model's optimizers.
            tape: the tape that recorded `loss`.
            loss: scalar, the mean over this replica's share of the batch.
            network: the network to move; nothing else moves.
            upstream: None, or in place of a loss' own the gradient that flows into `loss`, which
                is then a tensor of that shape: one that another `update` gave by `also`, times
                anything.
            also: further tensors on the tape.

        Returns:
            The gradients in `also`, over all replicas.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if upstream is None:
            upstream = tf.ones_like(loss) / replicas
        scale = optimizer.scale_loss(tf.ones(()))
        upstream = optimizer.scale_loss(upstream)
        variables = [variable.value for variable in network.trainable_variables]
        # All of them before the first weight moves: in a graph, a kernel may else be updated while
        # the gradients of the layers below it, which it enters, are still to be computed.
        wanted = [*variables, *also]
        gradients = tf.tuple(tape.gradient(loss, wanted, output_gradients=upstream))
        gradients, others = gradients[: len(variables)], gradients[len(variables) :]
        # Of a table of embeddings they come as a list of rows, one for each look-up. Adam would add
        # up the squares of these, not square their sum, and move common rows by several rates.
        gradients = [
            tf.convert_to_tensor(each) if isinstance(each, tf.IndexedSlices) else each
            for each in gradients
        ]
        if replicas > 1:
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                gradients = agree_on_overflow(gradients)
            gradients = clip_sum(gradients, optimizer, scale)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return [gradient / tf.cast(scale, gradient.dtype) for gradient in others]

    # ------------------------------------------------------------------ data and noise

    def split_batches(self, images):
        """Cuts a training batch into `batches_per_step` fresh batches.

        Batch i takes every `batches_per_step`-th image from i on, so that the cut is the same
        however the images are spread over replicas.

        Args:
            images: `(batches_per_step * B, ...)`.

        Returns:
            A list of `batches_per_step` tensors `(B, ...)`.

        Raises:
            ValueError: the batch does not divide evenly.
        """
        count = self.batches_per_step
        if images.shape[0] is not None and images.shape[0] % count:
            raise ValueError(
                f"A training batch of {images.shape[0]} images cannot be cut into {count} equal "
                f"batches, one for each discriminator step. Use a multiple of {count}."
            )
        # Rows are gathered whole; slices with a stride would be copied pixel by pixel.
        rows = tf.range(tf.shape(images)[0])
        return [tf.gather(images, rows[first::count]) for first in range(count)]

    def next_seeds(self, count):
        """Seeds for this training step, and the step counter moves on.

        They are a pure function of the noise seed and the step: runs repeat, and a resumed run
        goes on with the noise it would have had. All replicas get the same seeds; they must
        draw with `keras_gen.layers.replica_share`, which gives each its own part of the noise.

        Args:
            count: how many independent seeds.

        Returns:
            int32 `(count, 2)`, for `tf.random.stateless_*`.
        """
        step = tf.convert_to_tensor(self.train_steps.value)
        self.train_steps.assign(step + 1)
        return self._seeds(step, count, stream=0)

    def evaluation_seeds(self, count):
        """Seeds for the next `test_step`: fixed for the n-th batch of every evaluation."""
        images_before = tf.cast(next(iter(self.trackers.values())).count, "int64")
        return self._seeds(images_before, count, stream=1)

    def _seeds(self, number, count, stream):
        fold_in = tf.random.experimental.stateless_fold_in
        seed = fold_in(fold_in(self.noise_seed.value, number), stream)
        return tf.random.experimental.stateless_split(seed, count)

    # ------------------------------------------------------------------ logs

    def track(self, *names):
        """Declares the scalars that `train_step` and `test_step` log."""
        for name in names:
            self.trackers[name] = keras.metrics.Mean(name=name)

    @property
    def metrics(self):
        """The trackers only: Keras adds a `loss` of its own that stays 0 in such models."""
        return list(self.trackers.values())

    def log(self, images, **values):
        """Updates the epoch means and returns this step's float32 values for Keras' logs.

        The keys equal the metrics' names, so Keras reports the epoch mean at an epoch's end.

        Args:
            images: the batch `(B, ...)` that the values are means over: a smaller last batch
                counts for less, and the mean over an evaluation is that over its images.
            **values: scalars by tracker name.
        """
        count = images_that_count(ops.shape(images)[0])
        # A last batch may leave a replica without images, whose means are those of an added one.
        values = {
            name: tf.where(count > 0, tf.cast(value, "float32"), 0.0)
            for name, value in values.items()
        }
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=count)
        if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            # Keras averages the logs of several workers over their first axis: they need one.
            return {name: tf.reshape(value, (1,)) for name, value in values.items()}
        return values

    def __init_subclass__(cls, **kwargs):
        """Lets `test_step` count on an image: a last batch may leave a replica without any."""
        super().__init_subclass__(**kwargs)
        if "test_step" in vars(cls):
            cls.test_step = of_one_image_at_least(cls.test_step)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing, for the networks are built in `__init__`.

        Under a strategy Keras would draw a batch here, which fails with several workers. This
        is Keras' own method, not public: a test fails when Keras stops calling it.
        """

    # ------------------------------------------------------------------ labels and sampling

    def conditions(self, labels):
        """What a network takes beside images or latents: the labels in a list, or an empty one.

        Args:
            labels: integers `(B,)` of a conditional model, else None. They are checked by a lookup,
                as all runtimes can do it.

        Raises:
            ValueError: labels that are missing, not wanted or of another shape.
        """
        if self.conditional != (labels is not None):
            what = (
                "needs one for each image" if self.conditional else "is unconditional, takes none"
            )
            raise ValueError(f"labels={labels!r}: {type(self).__name__} {what}.")
        if not self.conditional:
            return []
        labels = tf.convert_to_tensor(labels)
        if labels.shape.rank not in (1, None):
            raise ValueError(f"labels of shape {labels.shape}: give integers (B,).")
        classes = tf.range(self.num_classes)
        return [tf.gather(classes, tf.cast(labels, "int32"), name="labels_must_be_in_range")]

    def checked(self, batch):
        """A training batch `(images, labels)`, its labels checked as `conditions` does."""
        images, labels = batch
        return images, *self.conditions(labels)

    def sampling_conditions(self, labels, num_images, seed):
        """The same for sampling, where a conditional model's missing labels are drawn."""
        if self.conditional:
            return [sampling_labels(labels, num_images, self.num_classes, seed)]
        return self.conditions(labels)

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        """Draws images: the decoded latents of `draw_latents`.

        Args:
            num_images: how many, N.
            seed: an integer for the same images each time; None for fresh ones.
            labels: of a conditional model the class of each image, integers `(N,)`; None to draw
                them uniformly. None of an unconditional one.
            truncation: None, or what `draw_latents` takes; must be None where that takes none.

        Returns:
            float32 `(N, H, W, C)` in `value_range`.

        Raises:
            ValueError: an argument is none of the above.
        """
        check_positive(num_images=num_images)
        seed = sampling_seed(seed)
        conditions = self.sampling_conditions(labels, num_images, seed)
        extra = () if truncation is None else (truncation,)
        if extra and "truncation" not in inspect.signature(self.draw_latents).parameters:
            name = type(self).__name__
            raise ValueError(f"truncation={truncation!r}: {name} takes none; leave it out.")
        return self.sample_in_chunks(self.draw_latents(num_images, seed, *extra), *conditions)

    def sample_in_chunks(self, latents, *conditions, decode=None):
        """Decodes latents a bounded number at a time; each image depends on its own rows alone.

        Args:
            latents: `(N, latent_dim)`.
            *conditions: what else `decode` takes, such as labels, each `(N, ...)`.
            decode: a function of these; None for the model's own `decode`.

        Returns:
            float32 `(N, H, W, C)`.
        """
        decode = decode or self.decode
        chunks = [
            decode(*(each[start : start + _SAMPLE_CHUNK] for each in (latents, *conditions)))
            for start in range(0, len(latents), _SAMPLE_CHUNK)
        ]
        return tf.concat(chunks, axis=0)


def _refuse_unnamed(cls, arguments):
    """Raises TypeError for an argument that a model of this package does not name.

    `**kwargs` hands it to the parent, which may take it for something that the model does in
    another way: it would be kept and have no effect. Classes from elsewhere may hand on what they
    like.
    """
    unnamed = sorted(set(arguments) - {"name", "dtype", "trainable"})
    if unnamed and cls.__init__.__module__.split(".")[0] == __name__.split(".")[0]:
        named = ", ".join(list(inspect.signature(cls.__init__).parameters)[1:-1])
        raise TypeError(f"{cls.__name__} takes no {', '.join(unnamed)}: it takes {named}.")


def check_image_shape(image_shape):
    """Raises ValueError unless it is `(H, W, C)` of positive integers; gives the tuple."""
    shape = tuple(image_shape) if isinstance(image_shape, list | tuple) else ()
    if len(shape) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise ValueError(f"image_shape={image_shape!r}: give (H, W, C), three positive integers.")
    return shape


def bound_in_chunks(bound, seed, *values):
    """A bound of many images, a bounded number at a time.

    Args:
        bound: a function of as many rows of each of `values`, and of `(2,)` integers that decide
            the draws, that gives `(rows,)`.
        seed: an integer of 64 bits.
        *values: images `(N, H, W, C)`, labels `(N,)`, each of the same N.

    Returns:
        float32 `(N,)`.
    """
    seed, values = sampling_seed(seed), [tf.convert_to_tensor(each) for each in values]
    chunks = [
        bound(
            *(each[start : start + _SAMPLE_CHUNK] for each in values),
            seed + tf.constant([0, start], "int64"),
        )
        for start in range(0, len(values[0]), _SAMPLE_CHUNK)
    ]
    return tf.concat(chunks, axis=0)


def chosen_exemplars(images, count, image_shape, value_range):
    """The first `count` of images that a model is to keep, all over again where they run out.

    Args:
        images: `(N, H, W, C)` in `value_range`, at least one.
        count: how many are kept.
        image_shape: `(H, W, C)`.
        value_range: `(low, high)`.

    Returns:
        float32 `(count, H, W, C)`.

    Raises:
        ValueError: no image, another shape, or values outside the range.
    """
    images, (low, high) = np.asarray(images, "float32"), value_range
    if images.shape[1:] != tuple(image_shape) or not len(images):
        shape = ", ".join(map(str, image_shape))
        raise ValueError(f"images of shape {images.shape}: give at least one, (N, {shape}).")
    slack = 0.01 * (high - low)
    if images.min() < low - slack or images.max() > high + slack:
        raise ValueError(
            f"images with values from {images.min():g} to {images.max():g}: scale them to "
            f"({low:g}, {high:g})."
        )
    return images[np.arange(count) % len(images)]


def sampling_seed(seed):
    """An integer, or None for fresh noise, as the `(2,)` int64 seed of stateless random numbers.

    The `sample` signature of an exported model makes the same pair of its seed, so a seed gives
    the same images in process and served.

    Raises:
        ValueError: `seed` is neither an integer of 64 bits nor None.
    """
    if seed is None:
        seed = np.random.default_rng().integers(2**62)
    if not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed={seed!r}: give an integer of at most 64 bits, or None.")
    return tf.constant([seed, 0], "int64")


def sampling_labels(labels, num_images, num_classes, seed):
    """The labels to sample with: those given, or drawn uniformly.

    Args:
        labels: integers `(num_images,)`, or None to draw them.
        num_images: how many, N.
        num_classes: labels are 0 to num_classes - 1.
        seed: what `sampling_seed` gave. An exported model draws the same labels from it.

    Returns:
        int32 `(N,)`.

    Raises:
        ValueError: labels of another number or type, or out of range.
    """
    if labels is None:
        seed = seed + tf.constant([0, 1], "int64")  # [seed, 0] draws the latents
        return tf.random.stateless_uniform((num_images,), seed, 0, num_classes, "int32")
    values = np.asarray(labels)
    if values.shape != (num_images,) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"labels of shape {values.shape} and type {values.dtype}: give {num_images} integers, "
            "one for each image."
        )
    if values.min() < 0 or values.max() >= num_classes:
        raise ValueError(
            f"labels from {values.min()} to {values.max()}: give integers from 0 to "
            f"{num_classes - 1}."
        )
    return tf.constant(values, "int32")


def _constant(values):
    return lambda shape, dtype: ops.reshape(ops.convert_to_tensor(values, dtype), shape)
