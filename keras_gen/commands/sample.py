"""`sample`: pictures from a trained model."""

import io
import os
import pathlib
from typing import Annotated, Literal

import tyro

from keras_gen.commands.loading import import_tensorflow, load_model


def sample(
    model: Annotated[pathlib.Path, tyro.conf.Positional],
    out: pathlib.Path = pathlib.Path("samples.png"),
    num_images: int = 64,
    seed: int | None = None,
    truncation: float | None = None,
    labels: tuple[int, ...] = (),
    format: Literal["grid", "png", "npz"] | None = None,
    overwrite: bool = False,
):
    """Draws images from a trained model and writes them to a file.

    Args:
        model: a folder of saved_models/, a version in it, a run folder, or a .keras file.
        out: picture.png for one grid, images.npz for an array, or a folder for single pictures.
        num_images: how many images.
        seed: an integer for the same images each time. Default: fresh ones, whose seed is said.
        truncation: bound on the latents' magnitude, of a StyleGAN the factor towards their mean,
            for typical over varied images. Default: none.
        labels: classes, for a conditional model; they are repeated in turn until there are enough.
            Default: drawn at random.
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
    import_tensorflow()
    source, loaded = load_model(model)
    turns = None if not labels else [labels[i % len(labels)] for i in range(num_images)]
    images = loaded.sample(num_images, seed=seed, labels=turns, truncation=truncation).numpy()
    _WRITERS[format](out, images, loaded.value_range, seed)
    plural = "" if num_images == 1 else "s"
    print(f"Wrote {num_images} image{plural} of {source}, seed {seed}: {out}")


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
