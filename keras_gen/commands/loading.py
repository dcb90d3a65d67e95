"""What commands work on: trained models, images and data sets."""

import contextlib
import os
import sys
import tempfile


def import_tensorflow():
    """Imports TensorFlow without the lines that it logs meanwhile, whatever the log level is."""
    if "tensorflow" in sys.modules:
        return
    with tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        stderr = os.dup(2)
        stack.callback(os.close, stderr)
        stack.callback(os.dup2, stderr, 2)
        os.dup2(log.fileno(), 2)  # the lines come from C++: replacing sys.stderr would not do
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            log.seek(0)
            os.write(stderr, log.read())
            raise


def load_model(path, label=None):
    """`(path, model)`: which file it came from, and what has `sample` and `value_range`.

    With a label a conditional model has its class held fixed: see `keras_gen.latent.of_class`.
    """
    source, model = _load(path)
    if label is None:
        return source, model
    from keras_gen.latent import of_class

    return source, of_class(model, label)


def _load(path):
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is nothing. Give a folder of saved_models/, a run folder or a "
            ".keras file."
        )
    if path.is_file() and path.suffix != ".keras":
        raise ValueError(f"{path}: give a .keras file, a run folder or a folder of saved_models/.")
    if path.is_file():
        return path, _load_keras(path)
    if (path / "model.keras").exists():
        return path / "model.keras", _load_keras(path / "model.keras")
    if (path / "config.json").exists():
        raise ValueError(f"{path}: this run has no model.keras yet; it has not finished.")
    from keras_gen.export import load_exported

    exported = load_exported(path)
    if exported.value_range is None:
        raise ValueError(f"{exported.folder}: the export does not say its images' value range.")
    return exported.folder, exported


def _load_keras(path):
    import zipfile

    import keras

    import keras_gen.models  # noqa: F401  registers the classes that the file names

    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be loaded: it is damaged, or of a class that keras_gen does not have "
            f"({error})."
        ) from error
    if not hasattr(model, "sample"):
        raise ValueError(f"{path}: {type(model).__name__} cannot sample; give a generative model.")
    return model


def load_images(name, split, model, num_images=None):
    """A data set in the size and value range of a model's images.

    Args:
        name: the name of a data set, or a folder of images.
        split: its split; a folder that has no such split is taken as it is.
        model: what has `image_shape` and `value_range`.
        num_images: None, or the least number that is needed.

    Raises:
        ValueError: the images have other channels than the model's, or are too few.
    """
    from keras_gen.data import load

    shape = tuple(model.image_shape)
    data = load(name, split=split, image_size=shape[:2], value_range=tuple(model.value_range))
    if data.example_shape != shape:
        raise ValueError(
            f"--data {name}: its images are {data.example_shape} and the model's are {shape}. "
            "Give data of the kind that the model was trained on."
        )
    if num_images is not None and len(data) < num_images:
        raise ValueError(f"--data {name}: it has {len(data)} images in {split}, not {num_images}.")
    return data


def chosen_extractor(name, data_name):
    """The extractor that was asked for, else the one that fits the data."""
    from keras_gen.metrics.evaluation_files import extractor_for
    from keras_gen.metrics.extractors import get_extractor

    return get_extractor(name) if name else extractor_for(data_name)


def progress_bar():
    """A callable `(done, total)` that draws a bar on the terminal."""
    import keras

    bars = {}

    def show(done, total):
        bar = bars.setdefault(total, None) or keras.utils.Progbar(total)
        bars[total] = bar
        bar.update(done)

    return show
