"""Two parallel lines: the Jensen-Shannon divergence jumps, the earth mover's distance leads.

    python recipes/js_vs_earth_mover.py
    python recipes/js_vs_earth_mover.py --penalty-weight 1

Example 1 of Arjovsky et al. 2017 (arXiv:1701.07875): points (0, z) against points (offset, z). A
discriminator, a critic with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028) and exact
optimal transport are put beside log 2 and |offset|, and so are the slopes that a generator would
follow. Measured time, machine and result: results/js_vs_earth_mover.json. What to see:
docs/js_vs_earth_mover.md.
"""

from keras_gen.training import command_line


def main(
    offsets: tuple[float, ...] = (-1.0, -0.75, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
    penalty_weight: float = 10.0,
    steps: int = 1000,
    seed: int = 0,
    out: str | None = None,
):
    """Measures both distances between two parallel lines over their offset.

    Args:
        offsets: where the fake line lies; 0 must be among them.
        penalty_weight: weight of the critic's gradient penalty.
        steps: training steps of each discriminator and each critic.
        seed: decides weights and points.
        out: folder for picture and numbers. Default: runs/js_vs_earth_mover/TIME.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.lab.earth_mover import compare, measure, save_distances
    from keras_gen.training import Demonstration

    demonstration = Demonstration(
        "js_vs_earth_mover",
        arguments,
        title="JS against earth mover, parallel lines",
        paper="arXiv:1701.07875",
    )
    rows = measure(offsets, steps, penalty_weight, seed)
    metrics = compare(rows, penalty_weight)

    demonstration.open()
    save_distances(rows, penalty_weight, demonstration.folder / "distances.png")
    demonstration.finish(metrics)
    return demonstration


if __name__ == "__main__":
    command_line(main)
