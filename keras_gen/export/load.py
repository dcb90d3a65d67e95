"""Reading an exported model back, with TensorFlow alone."""

import errno
import json
import pathlib

import numpy as np
import tensorflow as tf

from keras_gen.export.save import DESCRIPTION, versions


def load_exported(directory):
    """Loads the newest version in a folder, or the version whose folder this is.

    Args:
        directory: `saved_models/<name>` or `saved_models/<name>/<version>`.

    Returns:
        An `ExportedModel`.

    Raises:
        FileNotFoundError: no such folder, or no version in it.
        ValueError: the files are damaged or were not written by `export_model`.
    """
    folder = _version_folder(pathlib.Path(directory))
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        inputs = {name: spec["inputs"] for name, spec in description["signatures"].items()}
    except FileNotFoundError as error:
        raise ValueError(
            f"{folder} has no {DESCRIPTION}, so it was not written by export_model. "
            "Load it with tf.saved_model.load."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / DESCRIPTION} is damaged ({error}). Export again.") from error
    try:
        saved_model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, IndexError, KeyError, tf.errors.OpError) as error:
        raise ValueError(
            f"{folder} cannot be loaded: saved_model.pb or variables/ is damaged or incomplete "
            f"({_first_line(error)}). Copy it again, export again or take another version."
        ) from error
    missing = sorted(set(inputs) - set(saved_model.signatures))
    if missing:
        raise ValueError(
            f"{folder} lacks the signatures {', '.join(missing)} that {DESCRIPTION} names. "
            "Export again."
        )
    return ExportedModel(folder, saved_model, description)


class ExportedModel:
    """A loaded SavedModel with the methods of the model that it came from.

    Args:
        folder: the version's folder.
        saved_model: what `tf.saved_model.load` gave.
        description: the contents of the side file.

    Attributes:
        folder: the version's `pathlib.Path`.
        description: the side file: model, signatures, versions, note and what follows.
        value_range: `(low, high)` of the images, or None.
        image_shape: `(H, W, C)`, or None.
        latent_dim: size of a latent, or None.
        num_classes: how many classes a conditional model has, or None.
    """

    def __init__(self, folder, saved_model, description):
        self.folder, self.description = folder, description
        # Its functions hold weak references to its variables: without this they would be gone.
        self._saved_model = saved_model
        self.value_range = _as_tuple(description.get("value_range"))
        self.image_shape = _as_tuple(description.get("image_shape"))
        self.latent_dim = description.get("latent_dim")
        self.num_classes = description.get("num_classes")

    def decode(self, latents, labels=None):
        """Images `(B, H, W, C)`, float32, of latents `(B, latent_dim)`, and classes `(B,)`."""
        return self.call("decode", latents=latents, **_given(labels=labels))["images"]

    def sample(self, num_images, seed=None, labels=None, truncation=None):
        """Draws images.

        Args:
            num_images: how many, N, at most `description["max_images"]`.
            seed: an integer of 64 bits for the same images each time; None for fresh ones.
            labels: integers `(N,)`, for a conditional model: the class of each image. None to
                draw them uniformly.
            truncation: None, or what `description["truncation_kind"]` says: a bound on the latents'
                magnitude, or a factor by which they are drawn towards their mean.

        Returns:
            float32 `(N, H, W, C)` in `value_range`: those that the model's own `sample` gives.

        Raises:
            ValueError: an argument is none of the above.
        """
        seed = _checked_seed(seed)
        most = self.description["max_images"]
        if not isinstance(num_images, int | np.integer) or not 1 <= num_images <= most:
            raise ValueError(
                f"num_images={num_images!r}: give an integer from 1 to {most}, and another seed "
                "for more."
            )
        labels = self._sampling_labels(num_images, seed, labels)
        arguments = {"seed": seed, "num_images": num_images, **_given(labels=labels)}
        if truncation is None:
            return self.call("sample", **arguments)["images"]
        if not truncation > 0:
            raise ValueError(
                f"truncation={truncation!r}: give a positive number, or None for none."
            )
        return self.call("sample_truncated", **arguments, truncation=truncation)["images"]

    @property
    def draw_latents(self):
        """`draw_latents(num_latents, seeds, truncation=None)`, of a prior without a name.

        It gives the latents `(N, latent_dim)` that the model's own method gives, for `seeds` of
        two integers. None where `latent_distribution` in the description names the prior.
        """
        return self._draw_latents if "draw_latents" in self.description["signatures"] else None

    def _draw_latents(self, num_latents, seeds, truncation=None):
        arguments = {"seeds": seeds, "num_latents": num_latents}
        if truncation is None:
            return self.call("draw_latents", **arguments)["latents"]
        return self.call("draw_latents_truncated", **arguments, truncation=truncation)["latents"]

    def encode(self, images, labels=None):
        """Latents `(B, latent_dim)`, float32, of images `(B, H, W, C)` in `value_range`."""
        return self.call("encode", images=images, **_given(labels=labels))["latents"]

    def reconstruct(self, images, labels=None):
        """Reconstructions `(B, H, W, C)`, float32, of images `(B, H, W, C)` in `value_range`."""
        return self.call("reconstruct", images=images, **_given(labels=labels))["images"]

    def log_prob(self, images, labels=None):
        """Log-likelihoods in nats, `(B,)`, float32, of images `(B, H, W, C)` in `value_range`."""
        return self.call("log_prob", images=images, **_given(labels=labels))["log_prob"]

    def complete(self, images, seed=None):
        """Draws a completion of each image, of a model that completes what it sees a part of.

        Args:
            images: `(B, H, W, C)` in `value_range`; only the part that is seen is looked at.
            seed: an integer of 64 bits for the same completions each time; None for fresh ones.

        Returns:
            float32 `(B, H, W, C)`: those that the model's own `complete` gives.

        Raises:
            ValueError: the seed is none of the above, or the model completes nothing.
        """
        return self.call("complete", seed=_checked_seed(seed), images=images)["images"]

    def translate(self, images, to="b"):
        """Translates images to one of two domains, of a model that translates.

        Args:
            images: `(B, H, W, C)` in `value_range`, of the other domain.
            to: `"a"` or `"b"`.

        Returns:
            float32 `(B, H, W, C)`: those that the model's own `translate` gives.

        Raises:
            ValueError: an argument is none of the above, or the model does not translate.
        """
        if to not in ("a", "b"):
            raise ValueError(f"to={to!r}: give 'a' or 'b'.")
        return self.call(f"translate_to_{to}", images=images)["images"]

    def _sampling_labels(self, num_images, seed, labels):
        """The labels to sample with, checked or drawn; None for a model without classes."""
        takes_labels = "labels" in self.description["signatures"].get("sample", {}).get(
            "inputs", {}
        )
        if labels is None and takes_labels:
            # As the model's own `sample` draws them: [seed, 0] draws the latents.
            pair = tf.constant([seed, 1], "int64")
            return tf.random.stateless_uniform((num_images,), pair, 0, self.num_classes, "int32")
        if labels is None:
            return None
        if not takes_labels:
            raise ValueError("labels: this model is unconditional; leave labels out.")
        values = np.asarray(labels)
        if values.shape != (num_images,) or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(
                f"labels of shape {values.shape} and type {values.dtype}: give {num_images} "
                "integers, one for each image."
            )
        if values.min() < 0 or values.max() >= self.num_classes:
            raise ValueError(
                f"labels from {values.min()} to {values.max()}: give integers from 0 to "
                f"{self.num_classes - 1}."
            )
        return values

    def call(self, signature, **inputs):
        """Runs a signature.

        Args:
            signature: its name, a key of `description["signatures"]`.
            **inputs: its inputs by name: anything that converts to a tensor.

        Returns:
            `{output name: tensor}`.

        Raises:
            ValueError: there is no such signature, or an input is missing, unknown or of
                another shape.
        """
        known = self.description["signatures"]
        if signature not in known:
            raise ValueError(
                f"{self.folder} has no signature {signature!r}. It has: {', '.join(known)}."
            )
        specs = known[signature]["inputs"]
        if set(inputs) != set(specs):
            raise ValueError(
                f"inputs={sorted(inputs)}: {signature} takes exactly {', '.join(specs)}."
            )
        tensors = {name: _as_tensor(name, inputs[name], spec) for name, spec in specs.items()}
        return self._saved_model.signatures[signature](**tensors)


def _checked_seed(seed):
    """The seed, or a fresh one for None."""
    if seed is None:
        return int(np.random.default_rng().integers(2**62))
    if not isinstance(seed, int | np.integer) or not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed={seed!r}: give an integer of at most 64 bits, or None.")
    return seed


def _given(**inputs):
    """Those inputs that are not None."""
    return {name: value for name, value in inputs.items() if value is not None}


def _version_folder(directory):
    if not directory.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "No such folder. Give a folder that export_model wrote", str(directory)
        )
    if (directory / "saved_model.pb").exists():
        return directory
    numbers = versions(directory)
    if not numbers:
        raise FileNotFoundError(
            errno.ENOENT,
            "No SavedModel and no numbered version in this folder. Export a model to it first",
            str(directory),
        )
    return directory / str(numbers[-1])


def _as_tensor(name, value, spec):
    expected = tf.TensorShape(spec["shape"])
    try:
        tensor = tf.convert_to_tensor(value)
        if tensor.dtype.is_integer or tensor.dtype.is_floating:
            tensor = tf.cast(tensor, spec["dtype"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {_first_line(error)}. Give numbers {expected}.") from error
    if not expected.is_compatible_with(tensor.shape) or tensor.dtype != spec["dtype"]:
        raise ValueError(
            f"{name} has shape {tensor.shape} and type {tensor.dtype.name}: "
            f"give {spec['dtype']} of shape {expected}."
        )
    return tensor


def _as_tuple(values):
    return None if values is None else tuple(values)


def _first_line(error):
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
