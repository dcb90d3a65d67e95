"""A demonstration: a recipe that trains no model for use, but shows something and measures it."""

import math
import time

import keras

from keras_gen.artifacts.files import write_json
from keras_gen.training import config, environment
from keras_gen.training.errors import RunError
from keras_gen.training.folders import check_writable, find_folder
from keras_gen.training.options import RunOptions


class Demonstration:
    """The folder of a demonstration and what it leaves: pictures, `config.json`, `metrics.json`.

    Its results are listed under its own name, each value beside the analytic one. Making it sets
    the random seeds. There are no checkpoints: it takes minutes, and is begun anew.

    Args:
        recipe: the recipe's name, as in `recipes/<recipe>.py`.
        arguments: the arguments of the recipe's `main`, as `locals()` gives them on its first
            line: `seed`, `out`, and what else there is.
        title: the name in tables.
        paper: its citation, such as `"arXiv:1701.04862"`.

    Attributes:
        folder: where the pictures go.

    Raises:
        RunError: the seed is none, or the folder holds something or cannot be written.
    """

    def __init__(self, recipe, arguments, *, title, paper):
        arguments = dict(arguments)
        out, seed = arguments.pop("out"), arguments["seed"]
        if not 0 <= seed < 2**32:
            raise RunError(f"--seed {seed}: give an integer from 0 to 2**32 - 1.")
        self.folder = find_folder(recipe, out, resume=False, new=False)
        if self.folder.is_dir() and any(self.folder.iterdir()):
            # Not `find_folder`'s message: it says to resume, which a demonstration cannot.
            raise RunError(f"--out {out}: the folder is not empty; give another folder.")
        check_writable("--out", self.folder)
        keras.utils.set_random_seed(seed)
        labels = {"family": recipe, "title": title, "paper": paper, "demonstration": True}
        self._config = config.run_config(recipe, arguments, RunOptions(), 1, **labels)
        del self._config["options"], self._config["replicas"]  # a demonstration has none
        self._config["data"] = {"name": "none", "stand_in_for": None}
        self._start = time.monotonic()

    def open(self, data=None):
        """Makes the folder: call it when arguments are checked, before the first picture.

        Args:
            data: the `keras_gen.data.DataSet` that is used, if one is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if data is not None:
            self._config["data"] = config.data_config(data)
        write_json(self.folder / "config.json", self._config)

    def finish(self, metrics):
        """Writes `metrics.json`, and prints each value next to the analytic one.

        Args:
            metrics: `{name: (value, analytic value or None, protocol)}`; the protocol says on
                what and how the value was measured.

        Raises:
            RunError: a value is not finite.
        """
        for name, (value, _, _) in metrics.items():
            if not math.isfinite(value):
                raise RunError(f"{name} is {value}: the demonstration diverged. Lower its rates.")
        measured = {
            name: {
                "value": float(value),
                "analytic": None if analytic is None else float(analytic),
                "protocol": protocol,
            }
            for name, (value, analytic, protocol) in metrics.items()
        }
        write_json(
            self.folder / "metrics.json",
            {
                "finished": True,
                "seconds": time.monotonic() - self._start,
                "peak_memory_mib": environment.peak_memory_mib(),
                "metrics": measured,
            },
        )
        print(f"\nRun folder: {self.folder}")
        for name, entry in measured.items():
            analytic = "-" if entry["analytic"] is None else f"{entry['analytic']:.6g}"
            print(f"  {name}: {entry['value']:.6g}, analytic {analytic} ({entry['protocol']})")
