"""How long a recipe takes to say what its flags are, and how long TensorFlow takes to load.

    python -m benchmarks.start_up

`python recipes/X.py --help` of each recipe, and an import of TensorFlow alone, in turns. Recipes
import TensorFlow in `main`, after the command line was read.
"""

import pathlib
import statistics
import subprocess
import sys
import time

import tyro


def main(rounds: int = 3, recipes: pathlib.Path = pathlib.Path("recipes")):
    """Prints medians of wall times, and the slowest recipe.

    Args:
        rounds: how often each is started.
        recipes: the folder of recipes.
    """
    commands = {path.name: [str(path), "--help"] for path in sorted(recipes.glob("*.py"))}
    if not commands:
        raise SystemExit(f"--recipes {recipes}: there are none. Start this where they lie.")
    commands["import tensorflow"] = ["-c", "import tensorflow"]
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(each) for name, each in times.items()}
    tensorflow = medians.pop("import tensorflow")
    slowest = max(medians, key=medians.get)
    print(
        f"--help of {len(medians)} recipes, medians of {rounds}: "
        f"{statistics.median(medians.values()):.2f} s, the slowest {slowest} with "
        f"{medians[slowest]:.2f} s; importing TensorFlow takes {tensorflow:.2f} s."
    )


if __name__ == "__main__":
    tyro.cli(main)
