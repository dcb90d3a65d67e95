"""What every latent tool asks of a model: what it can do, and its results in bounded memory.

A model is anything with `decode(latents)`, `latent_dim` and `value_range`, and for some tools
`encode(images)`: the models of this suite, and exported ones. A conditional model, whose `decode`
takes labels too, is one with its class held fixed: see `of_class`.
"""

import inspect

import numpy as np
import tensorflow as tf

CHUNK = 256  # latents or images that pass through a network at a time

REMEDIES = {
    "decode": "Take a model with a latent space: a GAN, an autoencoder or a flow.",
    "encode": "Take a model with an encoder, or find the images' latents with project.",
    "latent_dim": "Take a model with a latent space, or export the model again.",
    "value_range": "Give the model the attribute value_range, (low, high) of its images.",
}


def has(model, name):
    """Whether the model offers the method or attribute.

    An exported model has every method by name; its description lists those that it can carry out.
    """
    description = getattr(model, "description", None)
    if name in ("decode", "encode") and isinstance(description, dict):
        return name in description.get("signatures", {})
    return getattr(model, name, None) is not None


def require(model, purpose, *names):
    """Raises ValueError, with what helps, unless the model offers all of `names`.

    Args:
        model: the model.
        purpose: what needs them, the beginning of a sentence such as `"Interpolation"`.
        *names: keys of `REMEDIES`.
    """
    for name in names:
        if not has(model, name):
            raise ValueError(
                f"{purpose} needs {name}, which model={type(model).__name__} does not have. "
                f"{REMEDIES[name]}"
            )
        if name in ("decode", "encode") and takes_labels(model, name):
            raise ValueError(
                f"{purpose} moves latents alone, and {name} of model={type(model).__name__} takes "
                "labels: hold the class fixed, by latent.of_class(model, label) or by --label."
            )


def takes_labels(model, method):
    """Whether a method of the model, such as `"decode"`, wants labels beside its first argument."""
    description = getattr(model, "description", None)
    if isinstance(description, dict):
        return "labels" in description.get("signatures", {}).get(method, {}).get("inputs", {})
    if not getattr(model, "conditional", False) or not has(model, method):
        return False
    return "labels" in inspect.signature(getattr(model, method)).parameters


def of_class(model, label):
    """A conditional model with its class held fixed, for tools that know latents alone.

    Args:
        model: a conditional model of this suite, or an exported one.
        label: an integer from 0 to num_classes - 1.

    Returns:
        What stands for the model: `decode`, `encode` and `sample` are those of the class, and all
        else is the model's own.

    Raises:
        ValueError: the model takes no labels, or has no such class.
    """
    if not any(takes_labels(model, name) for name in ("decode", "sample")):
        raise ValueError(f"label={label!r}: model={type(model).__name__} takes no labels.")
    if not isinstance(label, int | np.integer) or not 0 <= label < model.num_classes:
        raise ValueError(f"label={label!r}: give an integer from 0 to {model.num_classes - 1}.")
    return _OfClass(model, label)


class _OfClass:
    conditional = False

    def __init__(self, model, label):
        self._model, self._label = model, label
        description = getattr(model, "description", None)
        if isinstance(description, dict):
            description = {**description, "signatures": _without_labels(description["signatures"])}
        self.description = description

    def __getattr__(self, name):
        return getattr(self._model, name)

    @property
    def encode(self):
        """The model's own, of images of the class; None where it has none."""
        return self._with_labels("encode") if has(self._model, "encode") else None

    def decode(self, latents):
        """Images of the class, of latents `(B, latent_dim)`."""
        return self._with_labels("decode")(latents)

    def sample(self, num_images, seed=None, truncation=None):
        """Draws images of the class: the model's own of so many equal labels."""
        labels = np.full(num_images, self._label, "int32")
        return self._model.sample(num_images, seed=seed, labels=labels, truncation=truncation)

    def _with_labels(self, name):
        method = getattr(self._model, name)
        if not takes_labels(self._model, name):
            return method
        return lambda batch: method(batch, tf.fill((tf.shape(batch)[0],), self._label))


def _without_labels(signatures):
    return {
        name: spec
        | {"inputs": {key: each for key, each in spec["inputs"].items() if key != "labels"}}
        for name, spec in signatures.items()
    }


def check_count(name, value, least=1):
    """Raises ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}={value!r}: give an integer of at least {least}.")


def as_images(images, value_range, name="images"):
    """A batch of images as float32 in the value range.

    Args:
        images: `(N, H, W, C)`: numbers in `value_range`, or uint8, whose 0 and 255 become the
            range's ends.
        value_range: `(low, high)`.
        name: what errors call them.

    Returns:
        float32 `(N, H, W, C)`.

    Raises:
        ValueError: another shape, no image, or values far outside the range.
    """
    images = np.asarray(images)
    low, high = value_range
    if images.ndim != 4 or not len(images):
        raise ValueError(f"{name} of shape {images.shape}: give at least one, (N, H, W, C).")
    if images.dtype == np.uint8:
        return (low + images.astype("float32") * ((high - low) / 255.0)).astype("float32")
    slack = 0.01 * (high - low)
    if not (images.min() >= low - slack and images.max() <= high + slack):
        raise ValueError(
            f"{name} with values from {images.min():g} to {images.max():g}: the value range is "
            f"({low:g}, {high:g}). Scale them to it, or give uint8."
        )
    return images.astype("float32")


def as_latents(model, values, name="latents"):
    """Latents as they are, a single one as a batch of one, and images as their encodings.

    Args:
        model: the model whose latents they are.
        values: latents `(N, latent_dim)` or `(latent_dim,)`; or images `(N, H, W, C)`, in the
            model's value range or uint8, if the model has `encode`.
        name: what errors call them.

    Returns:
        float32 `(N, latent_dim)`.

    Raises:
        ValueError: another shape, a value that is not finite, or images for a model that cannot
            encode.
    """
    values = np.asarray(values)
    if values.ndim == 4:
        return encode_in_chunks(model, values, name=name)
    latents = np.atleast_2d(values.astype("float32"))
    if latents.ndim != 2 or not len(latents) or latents.shape[1] != model.latent_dim:
        raise ValueError(
            f"{name} of shape {values.shape}: give latents (N, {model.latent_dim}), or images "
            "(N, H, W, C) to a model with encode."
        )
    if not np.isfinite(latents).all():
        raise ValueError(f"{name} hold values that are not finite.")
    return latents


def decode_in_chunks(model, latents, chunk=CHUNK):
    """Decodes latents a bounded number at a time.

    Args:
        model: a model with `decode`.
        latents: `(..., latent_dim)`, any leading axes.
        chunk: latents decoded at a time.

    Returns:
        float32 images `(..., H, W, C)`.

    Raises:
        ValueError: the model lacks `decode`, or an argument is none of the above.
    """
    require(model, "Decoding", "decode", "latent_dim")
    check_count("chunk", chunk)
    latents = np.asarray(latents, "float32")
    if not latents.size or latents.shape[-1] != model.latent_dim:
        raise ValueError(
            f"latents of shape {latents.shape}: give (..., {model.latent_dim}), at least one."
        )
    images = _in_chunks(model.decode, latents.reshape(-1, model.latent_dim), chunk)
    return images.reshape(*latents.shape[:-1], *images.shape[1:])


def encode_in_chunks(model, images, chunk=CHUNK, name="images"):
    """Encodes images a bounded number at a time.

    Args:
        model: a model with `encode`.
        images: `(N, H, W, C)`, in the model's value range or uint8.
        chunk: images encoded at a time.
        name: what errors call the images.

    Returns:
        float32 latents `(N, latent_dim)`.

    Raises:
        ValueError: the model lacks `encode`, or an argument is none of the above.
    """
    require(model, f"{name} given as images", "encode", "value_range")
    check_count("chunk", chunk)
    return _in_chunks(model.encode, as_images(images, model.value_range, name), chunk)


def _in_chunks(function, values, chunk):
    parts = [
        np.asarray(function(values[start : start + chunk]), "float32")
        for start in range(0, len(values), chunk)
    ]
    return np.concatenate(parts)
