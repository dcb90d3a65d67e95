"""min_x max_y x*y: why two players who descend do not arrive, and what makes them.

    python recipes/minimax_dynamics.py
    python recipes/minimax_dynamics.py --learning-rate 0.4 --steps 60

Simultaneous gradient descent spirals out by sqrt(1 + learning_rate^2) a step, alternating circles
on an ellipse; optimistic gradients (Daskalakis et al. 2018, arXiv:1711.00141), extragradient and
negative momentum (Gidel et al. 2019, arXiv:1807.04740) arrive, and so does the mean of the
alternating iterates. Measured time, machine and result: results/minimax_dynamics.json. What to see:
docs/minimax_dynamics.md.
"""

from keras_gen.training import command_line


def main(
    learning_rate: float = 0.1,
    steps: int = 500,
    start: tuple[float, float] = (1.0, 0.5),
    seed: int = 0,
    out: str | None = None,
):
    """Plays min_x max_y x*y by five methods and compares their paths with the closed forms.

    Args:
        learning_rate: of both players; below 2, where the alternating method circles.
        steps: steps of both players.
        start: x and y at first.
        seed: recorded like that of any recipe; nothing here is random.
        out: folder for pictures and numbers. Default: runs/minimax_dynamics/TIME.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.lab.minimax import METHODS, compare, play, save_dynamics, save_movie
    from keras_gen.training import Demonstration

    demonstration = Demonstration(
        "minimax_dynamics", arguments, title="min x max y x*y", paper="arXiv:1711.00141"
    )
    paths = {method: play(method, start, learning_rate, steps) for method in METHODS}
    metrics = compare(paths, learning_rate)

    demonstration.open()
    save_dynamics(paths, learning_rate, demonstration.folder / "dynamics.png")
    save_movie(paths, demonstration.folder / "dynamics.gif")
    demonstration.finish(metrics)
    return demonstration


if __name__ == "__main__":
    command_line(main)
