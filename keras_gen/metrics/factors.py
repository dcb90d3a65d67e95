"""A classifier of several factors at once, to say what generated images show.

One convolutional trunk, one head for each factor (hair, direction, ...). It is trained on labelled
images of any source; the generator that it judges needs none of these labels.

Shapes: images (B, H, W, C) in the data's value range; logits of factor f (B, K_f).
"""

import keras
import numpy as np

CHUNK = 512  # images classified at a time: bounds the memory


def build_factor_classifier(
    image_shape, factor_sizes, value_range=(-1.0, 1.0), filters=32, noise=0.1, seed=0
):
    """Four strided convolutions, and a dense layer to the logits of each factor.

    The input is shifted and scaled to [-1, 1]. In training it gets Gaussian noise: real pictures
    such as sprites are free of noise, generated ones are not, and the classifier must read both.

    Args:
        image_shape: `(H, W, C)`, sides of at least 8.
        factor_sizes: `{name: K}`, in how many values each factor comes.
        value_range: `(low, high)` of the images.
        filters: channels after the first convolution; the others have two, four and four times
            as many.
        noise: standard deviation of the noise, images in [-1, 1].
        seed: an integer that decides weights, noise and dropout.

    Returns:
        A network from `(B, H, W, C)` to `{name: (B, K)}`, logits: their softmax is the
        probability of each value.

    Raises:
        ValueError: no factor, or one with fewer than two values.
    """
    if not factor_sizes or min(factor_sizes.values()) < 2:
        raise ValueError(f"factor_sizes={factor_sizes!r}: give factors of two values or more.")
    seeds = iter(range(seed, seed + 100))
    low, high = value_range
    scale = 2.0 / (high - low)
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Rescaling(scale, -1.0 - low * scale, dtype="float32")(images)
    x = keras.layers.GaussianNoise(noise, seed=next(seeds))(x)
    for multiple in (1, 2, 4, 4):
        weights = keras.initializers.HeNormal(seed=next(seeds))
        x = keras.layers.Conv2D(filters * multiple, 3, 2, "same", kernel_initializer=weights)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.Dropout(0.3, seed=next(seeds))(keras.layers.Flatten()(x))
    logits = {
        name: keras.layers.Dense(
            size,
            kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
            dtype="float32",
            name=f"{name}_logits",
        )(x)
        for name, size in factor_sizes.items()
    }
    return keras.Model(images, logits, name="factor_classifier")


def train_factor_classifier(data, *, steps=1000, batch_size=64, filters=32, noise=0.1, seed=0):
    """Trains a classifier of all factors of a data set, each with cross-entropy.

    Sets the global random seeds, so that the result is a function of the arguments alone and
    not of what was drawn before.

    Args:
        data: a labelled data set: `examples` uint8 `(N, H, W, C)`, `factors`
            `{name: integers (N,)}`, `factor_names` `{name: names of the values}`, `value_range`.
        steps: training steps; Adam's rate falls from 1e-3 to 0 along a cosine.
        batch_size: images in a batch.
        filters: as in `build_factor_classifier`.
        noise: as in `build_factor_classifier`.
        seed: an integer that decides weights, noise, dropout and the order of the data.

    Returns:
        The trained network of `build_factor_classifier`.

    Raises:
        ValueError: the set has no factors.
    """
    sizes = factor_sizes(data)
    keras.utils.set_random_seed(seed)
    classifier = build_factor_classifier(
        data.examples.shape[1:], sizes, data.value_range, filters, noise, seed
    )
    classifier.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        {name: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for name in sizes},
    )
    rng = np.random.default_rng(seed)
    count = len(data.examples)
    order = [rng.permutation(count) for _ in range(-(-steps * batch_size // count))]
    for rows in np.concatenate(order)[: steps * batch_size].reshape(steps, batch_size):
        classifier.train_on_batch(
            _scaled(data.examples[rows], data.value_range),
            {name: np.asarray(data.factors[name])[rows] for name in sizes},
        )
    return classifier


def factor_sizes(data):
    """How many values each factor of a data set has: `{name: K}`, in the set's order.

    Args:
        data: a data set with `name`, `factors` and `factor_names`.

    Raises:
        ValueError: the set has no factors, or one that is not of whole numbers.
    """
    if not data.factors:
        raise ValueError(
            f"{data.name} has no labelled factors. Take a set that has, such as lpc_sprites or "
            "shapes."
        )
    for name, values in data.factors.items():
        if not np.issubdtype(np.asarray(values).dtype, np.integer):
            raise ValueError(f"factor {name} of {data.name} is no whole number: bin it first.")
    return {
        name: len(data.factor_names.get(name, ())) or int(np.max(values)) + 1
        for name, values in data.factors.items()
    }


def factor_accuracy(classifier, data, batch_size=CHUNK):
    """The share of images whose factor is read right, for each factor.

    Args:
        classifier: a network from images to `{name: logits (B, K)}`.
        data: a labelled data set, as for `train_factor_classifier`; its test split.
        batch_size: images classified at a time.

    Returns:
        `{name: share in [0, 1]}`.
    """
    right = {name: 0 for name in factor_sizes(data)}
    for start in range(0, len(data.examples), batch_size):
        rows = slice(start, start + batch_size)
        logits = classifier(_scaled(data.examples[rows], data.value_range))
        for name in right:
            predicted = np.argmax(keras.ops.convert_to_numpy(logits[name]), axis=-1)
            right[name] += int((predicted == data.factors[name][rows]).sum())
    return {name: count / len(data.examples) for name, count in right.items()}


def _scaled(examples, value_range):
    """Bytes as float32 in the value range."""
    low, high = value_range
    return (low + examples.astype("float32") * ((high - low) / 255.0)).astype("float32")
