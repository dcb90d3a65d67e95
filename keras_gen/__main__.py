"""The command line: `python -m keras_gen sample|record|tables|launch ...`.

What a command needs of TensorFlow is imported when it runs, so that `--help` answers at once.
"""

import contextlib
import io
import os
import pathlib
import sys
import tempfile
import traceback
from typing import Annotated, Literal

import tyro


def sample(
    model: Annotated[pathlib.Path, tyro.conf.Positional],
    out: pathlib.Path = pathlib.Path("samples.png"),
    num_images: int = 64,
    seed: int | None = None,
    truncation: float | None = None,
    format: Literal["grid", "png", "npz"] | None = None,
    overwrite: bool = False,
):
    """Draws images from a trained model and writes them to a file.

    Args:
        model: a folder of saved_models/, a version in it, a run folder, or a .keras file.
        out: picture.png for one grid, images.npz for an array, or a folder for single pictures.
        num_images: how many images.
        seed: an integer for the same images each time. Default: fresh ones, whose seed is said.
        truncation: bound on the latents' magnitude, for typical over varied images. Default: none.
        format: grid, npz, or png (single pictures in a folder). Default: what --out ends in.
        overwrite: replace what --out names.
    """
    if num_images < 1:
        raise ValueError(f"--num-images {num_images}: give an integer of at least 1.")
    if truncation is not None and not truncation > 0:
        raise ValueError(f"--truncation {truncation}: give a positive number.")
    format = _check_out(out, format, overwrite)
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    _import_tensorflow()
    source, loaded = _load(model)
    images = loaded.sample(num_images, seed=seed, truncation=truncation).numpy()
    _WRITERS[format](out, images, loaded.value_range, seed)
    plural = "" if num_images == 1 else "s"
    print(f"Wrote {num_images} image{plural} of {source}, seed {seed}: {out}")


def record(
    run: Annotated[pathlib.Path, tyro.conf.Positional],
    results_dir: pathlib.Path = pathlib.Path("results"),
    readme: pathlib.Path = pathlib.Path("README.md"),
    overwrite: bool = False,
    variant: str | None = None,
):
    """Files a finished run as a result and brings the tables in README and docs up to date.

    Args:
        run: the folder of a finished run, such as runs/dcgan_mnist/20250131-120000.
        results_dir: the folder of results; the run becomes RECIPE.json in it.
        readme: the page with the tables; the pages in docs/ beside it are brought up to date too.
        overwrite: replace the recipe's earlier result, and say what changed.
        variant: a name such as k5 for what the run's flags changed; the result then stands beside
            the recipe's own.
    """
    _import_tensorflow()
    from keras_gen.training import results

    recorded = results.record(run, results_dir, readme, overwrite, variant)
    print(f"Wrote {recorded.path}")
    for change in recorded.changes:
        print(f"  {change}")
    for page in recorded.pages:
        print(f"Updated {page}")


def tables(root: pathlib.Path = pathlib.Path(".")):
    """Brings the tables in README.md and docs/*.md up to date with results/*.json.

    Args:
        root: the folder that holds them.
    """
    _import_tensorflow()
    from keras_gen.training.tables import update_tables

    if not (root / "README.md").is_file():
        raise FileNotFoundError(f"--root {root}: there is no README.md. Give the folder with it.")
    pages = update_tables(root)
    print("\n".join(f"Updated {page}" for page in pages) or "All tables are up to date.")


def launch(command: Annotated[tuple[str, ...], tyro.conf.Positional], workers: int = 2):
    """Runs a recipe as a local cluster of workers, to try out several machines on one.

    Put the recipe and its flags behind --, with an --out that all workers share:
    `python -m keras_gen launch --workers 2 -- recipes/dcgan_mnist.py --out runs/two`.

    Args:
        command: the recipe's path and its flags.
        workers: how many processes; they share the machine's cores.
    """
    from keras_gen.training.launch import launch as run_workers

    return run_workers(command, workers)


COMMANDS = {"sample": sample, "record": record, "tables": tables, "launch": launch}


def main(argv=None):
    """Runs a command.

    An error that this package raises on purpose, or that the file system reports, is shown as one
    line. Any other error is a defect and shows its traceback.

    Args:
        argv: the command and its flags; by default the program's own.

    Returns:
        The exit code: 0, 2 when the command could not be carried out, or that of the worker that
        failed first.

    Raises:
        SystemExit: help was asked for (code 0) or the flags are wrong (code 2).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        code = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m keras_gen",
            description="Draws from trained models, files results of runs, starts local clusters.",
            args=argv,
        )
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) and not _raised_here(error):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return code or 0


def _import_tensorflow():
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


def _raised_here(error):
    package = pathlib.Path(__file__).resolve().parent
    last_frame = traceback.extract_tb(error.__traceback__)[-1]
    return package in pathlib.Path(last_frame.filename).resolve().parents


# ---------------------------------------------------------------------- what to draw from


def _load(path):
    """`(path, model)`: which file it came from, and what has `sample` and `value_range`."""
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


# ---------------------------------------------------------------------- where to write

_SUFFIXES = {"grid": ".png", "npz": ".npz", "png": ""}
_PICTURE = "{:05d}.png"  # a picture's name in a folder of pictures


def _check_out(out, format, overwrite):
    """The format, given or by the suffix, once it is sure that `out` may be written."""
    if format is None:
        by_suffix = {suffix: name for name, suffix in _SUFFIXES.items()}
        if out.suffix not in by_suffix:
            raise ValueError(
                f"--out {out}: unknown suffix {out.suffix!r}. End it in .png for a grid or .npz "
                "for an array; without suffix it is a folder for single pictures."
            )
        format = by_suffix[out.suffix]
    elif format != "png" and out.suffix != _SUFFIXES[format]:
        raise ValueError(f"--out {out}: --format {format} needs a name in {_SUFFIXES[format]}.")
    if format == "png":
        if out.exists() and not out.is_dir():
            raise ValueError(f"--out {out}: this is a file; single pictures need a folder.")
        if out.exists() and any(out.iterdir()) and not overwrite:
            raise ValueError(
                f"--out {out}: the folder is not empty. Give another, or --overwrite to replace "
                "the pictures in it."
            )
    elif out.is_dir():
        raise ValueError(f"--out {out}: this is a folder; --format {format} needs a file name.")
    elif out.exists() and not overwrite:
        raise ValueError(f"--out {out}: the file exists. Give another, or --overwrite.")
    return format


def _write_grid(out, images, value_range, seed):
    from keras_gen.artifacts.pictures import image_grid, save_image

    out.parent.mkdir(parents=True, exist_ok=True)
    save_image(image_grid(images, value_range), out)


def _write_pictures(out, images, value_range, seed):
    from keras_gen.artifacts.pictures import image_grid, save_image

    out.mkdir(parents=True, exist_ok=True)
    # Those of an earlier, longer call must not pass for this one's.
    for earlier in out.glob("[0-9][0-9][0-9][0-9][0-9].png"):
        earlier.unlink()
    for index, image in enumerate(images):
        save_image(image_grid(image[None], value_range), out / _PICTURE.format(index))


def _write_array(out, images, value_range, seed):
    import numpy as np

    from keras_gen.artifacts.files import write_atomic

    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, value_range=value_range, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, buffer.getvalue())


_WRITERS = {"grid": _write_grid, "png": _write_pictures, "npz": _write_array}


if __name__ == "__main__":
    sys.exit(main())
