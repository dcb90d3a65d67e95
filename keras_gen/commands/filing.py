"""`record` and `tables`, for results; `launch`, for local clusters."""

import pathlib
from typing import Annotated

import tyro

from keras_gen.commands.loading import import_tensorflow


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
    import_tensorflow()
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
    import_tensorflow()
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
