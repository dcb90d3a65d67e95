"""Writing a model as the next version of a SavedModel.

TensorFlow Serving watches a folder and loads the highest number in it:

    saved_models/dcgan_mnist/
        1/
            saved_model.pb  variables/  fingerprint.pb
            assets.extra/keras_gen.json     what a client should know; servers ignore it
        2/
"""

import contextlib
import errno
import importlib.metadata
import json
import os
import pathlib
import shutil
import uuid

import tensorflow as tf

from keras_gen.export.signatures import MAX_IMAGES, build_signatures

DESCRIPTION = pathlib.PurePath("assets.extra", "keras_gen.json")


def export_model(model, directory, *, note=None):
    """Writes the model as `directory/<version>/`, for TensorFlow Serving and plain TensorFlow.

    The version is one above the largest in the folder. It appears complete or not at all, and
    nothing that exists is overwritten, also when several processes export at once.

    Args:
        model: a model with some of the methods that `keras_gen.export.signatures` names. The
            signature `decode` is also `serving_default`, or the first one where it has none.
        directory: the folder of versions, such as `saved_models/dcgan_mnist`. Made if missing.
        note: None, or a dictionary for the side file, such as the recipe and the run.

    Returns:
        The version's `pathlib.Path`.

    Raises:
        ValueError: the model has nothing to export, `directory` is itself a SavedModel, or
            `note` is not a dictionary that JSON can hold.
        OSError: the folder cannot be made or written.
    """
    directory = pathlib.Path(directory)
    _check_note(note)
    _check_directory(directory)
    signatures = build_signatures(model)
    description = json.dumps(_describe(model, signatures, note), indent=2) + "\n"

    with _temporary_folder(directory) as folder:
        _write_saved_model(signatures, folder)
        (folder / DESCRIPTION).parent.mkdir()
        (folder / DESCRIPTION).write_text(description, encoding="utf-8")
        return _publish(folder, directory)


def versions(directory):
    """The version numbers in a folder, ascending.

    Args:
        directory: a `pathlib.Path` to an existing folder.

    Returns:
        A list of integers.
    """
    names = (entry.name for entry in directory.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def _write_saved_model(signatures, folder):
    # Only the variables that the signatures read: no discriminator, no optimizer. A plain module
    # keeps Keras out of the file, so that loading it does not need Keras.
    module = tf.Module()
    captured = {
        variable.ref(): variable
        for function in signatures.values()
        for variable in function.variables
    }
    module.captured = list(captured.values())
    default = signatures.get("decode", next(iter(signatures.values())))
    tf.saved_model.save(module, str(folder), {"serving_default": default, **signatures})


@contextlib.contextmanager
def _temporary_folder(directory):
    """A folder inside `directory`, gone at the end unless it was renamed.

    Inside, because a rename is atomic within one file system only. Servers skip names that are
    not numbers.
    """
    folder = directory / f".exporting-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{error.strerror}: cannot write an export there. Give a folder that this user may "
            "write, on a disk with free space",
            str(directory),
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder, directory):
    """Renames the folder to the next free version, and on if another export takes that first."""
    taken = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
    while True:
        version = directory / str(max(versions(directory), default=0) + 1)
        try:
            os.rename(folder, version)
        except OSError as error:
            if error.errno not in taken:
                raise
        else:
            return version


def _describe(model, signatures, note):
    """What the side file says: enough to call the signatures and to show the images."""

    def tensors(named_specs):
        return {
            name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
            for name, spec in named_specs
        }

    return {
        "model": type(model).__name__,
        "value_range": list(getattr(model, "value_range", None) or []) or None,
        "image_shape": list(getattr(model, "image_shape", None) or []) or None,
        "latent_dim": getattr(model, "latent_dim", None),
        "latent_distribution": getattr(model, "latent_distribution", None),
        "num_classes": model.num_classes if getattr(model, "conditional", False) else None,
        "truncation_kind": (
            getattr(model, "truncation_kind", "bound") if "sample_truncated" in signatures else None
        ),
        "max_images": MAX_IMAGES,
        "signatures": {
            name: {
                "inputs": tensors(
                    (spec.name, spec) for spec in function.structured_input_signature[0]
                ),
                "outputs": tensors(function.structured_outputs.items()),
            }
            for name, function in signatures.items()
        },
        "versions": {
            "tensorflow": tf.__version__,
            "keras": importlib.metadata.version("keras"),
            "keras_gen": _own_version(),
        },
        "note": note or {},
    }


def _own_version():
    import keras_gen  # here: the package may import this module while it is itself imported

    return keras_gen.__version__


def _check_note(note):
    if note is not None and not isinstance(note, dict):
        raise ValueError(f"note={note!r}: give a dictionary, or None.")
    try:
        json.dumps(note)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"note={note!r}: {error}. Give strings, numbers, lists and dictionaries only."
        ) from error


def _check_directory(directory):
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(
            errno.ENOTDIR, "Not a folder. Give the folder of versions", str(directory)
        )
    if (directory / "saved_model.pb").exists():
        raise ValueError(
            f"directory={str(directory)!r} is itself a SavedModel. Give the folder of versions: "
            f"{str(directory.parent)!r} to write the version after it."
        )
