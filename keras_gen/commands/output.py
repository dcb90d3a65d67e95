"""Where commands write: files named before anything is computed, none replaced unasked."""

import pathlib


def check_files(out, endings, overwrite):
    """The files that belong to a picture: `{ending: path}`, beside `out`.

    Args:
        out: the picture's path, which ends in .png.
        endings: what the files end in, such as `(".png", ".gif", ".json")`.
        overwrite: whether they may replace files that are there.

    Raises:
        ValueError: `out` ends otherwise, or a file is there already.
    """
    out = pathlib.Path(out)
    if out.suffix != ".png":
        raise ValueError(f"--out {out}: end it in .png; the other files are named after it.")
    paths = {ending: out.with_name(out.stem + ending) for ending in endings}
    there = [str(path) for path in paths.values() if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"--out {out}: {', '.join(there)} exist{'s' if len(there) == 1 else ''} already. Give "
            "another name, or --overwrite."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    return paths


def say_written(paths):
    """Prints which files were written."""
    print("Wrote " + ", ".join(map(str, paths)))
