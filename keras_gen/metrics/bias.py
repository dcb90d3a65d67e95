"""Sample-size bias of the Frechet distance, and its extrapolation to infinitely many samples.

Chong and Forsyth, 2020, Effectively Unbiased FID and Inception Score and Where to Find Them,
arXiv:1911.07023. The expected distance of n generated samples is

    FD_n = FD_inf + slope / n + smaller terms

with a slope that depends on the generator: distances of different n cannot be compared, and even
at equal n a generator may seem better for its smaller slope. The paper evaluates FD at sizes
evenly spaced in n and reads FD_inf off a straight line through (1 / n, FD_n).

As in the paper the real set stays whole: the bias of its own finite size remains in FD_inf.
"""

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure
from keras_gen.metrics.frechet import Moments, frechet_distance_from_moments
from keras_gen.metrics.streaming import check_two_sets


def frechet_bias_curve(real_features, generated_features, sizes=None, repeats=3, seed=0):
    """Frechet distance to the whole real set against the number of generated samples.

    Args:
        real_features: `(N, D)`.
        generated_features: `(M, D)`.
        sizes: how many generated samples, each from 2 to M; by default 15 sizes evenly spaced
            from M / 10 to M, as in the paper (5,000 to 50,000).
        repeats: how many random subsets of each size are drawn.
        seed: of the subsets.

    Returns:
        A list of dicts, ascending in size: `num_images`, `frechet_distance` (mean of the subsets),
        `std` (their deviation; subsets of nearly M samples share most of them) and `repeats`.

    Raises:
        ValueError: the sets are not such, or a number is none of the above.
    """
    real, generated = check_two_sets("real", real_features, "generated", generated_features, 2)
    if sizes is None:
        sizes = np.linspace(max(2, len(generated) // 10), len(generated), 15).astype(int)
    sizes = sorted({int(size) for size in sizes})
    if not sizes or sizes[0] < 2 or sizes[-1] > len(generated) or repeats < 1:
        raise ValueError(
            f"sizes={sizes}, repeats={repeats}: give sizes from 2 to the {len(generated)} "
            "generated samples, and at least 1 repeat."
        )
    random = np.random.default_rng(seed)
    real_moments = _moments(real)
    rows = []
    for size in sizes:
        distances = [
            frechet_distance_from_moments(
                *real_moments,
                *_moments(generated[random.choice(len(generated), size, replace=False)]),
            )
            for _ in range(repeats)
        ]
        rows.append(
            {
                "num_images": size,
                "frechet_distance": float(np.mean(distances)),
                "std": float(np.std(distances)),
                "repeats": repeats,
            }
        )
    return rows


def _moments(features):
    moments = Moments("features")
    moments.add(features)
    return moments.result()[1:]


def extrapolated_frechet_distance(rows):
    """FD_inf: where the least-squares line through (1 / n, FD_n) meets 1 / n = 0.

    Args:
        rows: what `frechet_bias_curve` gives, two sizes or more.

    Returns:
        `(distance, slope)`, floats: FD_n is about distance + slope / n.

    Raises:
        ValueError: less than two sizes.
    """
    if len(rows) < 2:
        raise ValueError(f"rows: {len(rows)} sizes: a line needs at least 2.")
    inverse = [1.0 / row["num_images"] for row in rows]
    slope, distance = np.polyfit(inverse, [row["frechet_distance"] for row in rows], 1)
    return float(distance), float(slope)


def save_bias_curve(rows, path, name="FD"):
    """Draws FD_n against 1 / n with the line that is extrapolated to FD_inf, as PNG.

    Args:
        rows: what `frechet_bias_curve` gives.
        path: where to.
        name: of the distance, with its features: `"FD[mnist]"`.
    """
    distance, slope = extrapolated_frechet_distance(rows)
    sizes = np.array([row["num_images"] for row in rows])
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.errorbar(
        1.0 / sizes,
        [row["frechet_distance"] for row in rows],
        yerr=[row["std"] for row in rows],
        fmt="o",
        capsize=3,
        label=f"{name} of n samples",
    )
    ends = np.array([0.0, 1.0 / sizes.min()])
    axis.plot(ends, distance + slope * ends, "--", label=f"line: {distance:.4g} + {slope:.4g} / n")
    axis.plot(0.0, distance, "s", clip_on=False, label=f"{name} at infinity: {distance:.4g}")
    shown = sizes[_spread_out(1.0 / sizes)]
    axis.set_xticks([0.0, *(1.0 / shown)], ["1/inf", *(f"1/{size}" for size in shown)])
    axis.set_xlabel("1 / number of generated samples")
    axis.set_ylabel(name)
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    save_figure(figure, path)


def _spread_out(positions, share=0.12):
    """Indices of positions at least `share` of the largest apart, and from 0, largest first."""
    chosen = [int(np.argmax(positions))]
    for index in np.argsort(-positions):
        gap = positions[chosen[-1]] - positions[index]
        if min(gap, positions[index]) >= share * positions.max():
            chosen.append(int(index))
    return chosen
