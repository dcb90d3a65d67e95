"""The smallest adversarial game, min_x max_y x*y, under gradient descent and its cures.

Its only equilibrium is (0, 0). The gradient field (-y, x) turns around it and never points at it,
so that plain gradient descent circles or spirals out. With z = x + iy and h = learning_rate:

    simultaneous       z' = (1 + ih) z                               |z| grows by sqrt(1 + h^2)
    alternating        x' = x - h y,  y' = y + h x'                  x^2 - h x y + y^2 is conserved
    optimistic         z' = z + 2ih z - ih z_previous                |1 + 2ih + sqrt(1 - 4h^2)| / 2
    extragradient      z' = z + ih (z + ih z)                        sqrt(1 - h^2 + h^4)
    negative momentum  alternating, each step plus m (z - z_previous), m = -1/2;
                       the largest root of (q - 1)^2 (q - m)^2 + h^2 q^3

The right column is the factor per step in the long run. Optimistic: Daskalakis et al. 2018,
arXiv:1711.00141. Extragradient: Korpelevich 1976. Negative momentum: Gidel et al. 2019,
arXiv:1807.04740.
"""

import cmath
import io
import math

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_animation, save_figure

MOMENTUM = -0.5


def simultaneous_step(point, previous, learning_rate):
    """Both players move at once, each by the other's old place."""
    x, y = point
    return x - learning_rate * y, y + learning_rate * x


def alternating_step(point, previous, learning_rate):
    """x moves first and y answers to where x now is, as the networks of a GAN do."""
    x, y = point
    x = x - learning_rate * y
    return x, y + learning_rate * x


def optimistic_step(point, previous, learning_rate):
    """Twice the gradient less the last one: each expects the other to go on (arXiv:1711.00141)."""
    x, y = point
    last_x, last_y = previous
    return x - learning_rate * (2 * y - last_y), y + learning_rate * (2 * x - last_x)


def extragradient_step(point, previous, learning_rate):
    """A simultaneous step looks ahead; from the old place, the gradient found there is taken."""
    x, y = point
    ahead_x, ahead_y = simultaneous_step(point, previous, learning_rate)
    return x - learning_rate * ahead_y, y + learning_rate * ahead_x


def negative_momentum_step(point, previous, learning_rate):
    """Alternating, and each takes back half of its last move (arXiv:1807.04740)."""
    x, y = point
    last_x, last_y = previous
    x_next = x - learning_rate * y + MOMENTUM * (x - last_x)
    return x_next, y + learning_rate * x_next + MOMENTUM * (y - last_y)


METHODS = {
    "simultaneous": simultaneous_step,
    "alternating": alternating_step,
    "optimistic": optimistic_step,
    "extragradient": extragradient_step,
    "negative_momentum": negative_momentum_step,
}


def play(method, start, learning_rate, steps):
    """The path of the two players.

    Args:
        method: one of `METHODS`.
        start: `(x, y)`, which is also what `previous` is at the first step.
        learning_rate: positive.
        steps: how many.

    Returns:
        float64 `(steps + 1, 2)`, the start included.

    Raises:
        ValueError: unknown method, a number that is not positive, or a path without end.
    """
    _check(method, learning_rate)
    if steps < 1:
        raise ValueError(f"steps={steps!r}: give an integer of at least 1.")
    path = [tuple(start)]
    previous = path[0]
    for _ in range(steps):
        path.append(METHODS[method](path[-1], previous, learning_rate))
        previous = path[-2]
    if not math.hypot(*path[-1]) < 1e300:
        raise ValueError(
            f"learning_rate={learning_rate!r} with steps={steps!r}: {method} play leaves the range "
            "of numbers; lower one of them."
        )
    return np.array(path, "float64")


def growth_factor(method, learning_rate):
    """By what |z| is multiplied in a step, in the long run: the spectral radius of the update.

    Args:
        method: one of `METHODS`.
        learning_rate: positive; for the alternating method below 2, where it stops turning.

    Returns:
        Below 1 where the method converges, 1 where it circles, above 1 where it diverges.

    Raises:
        ValueError: unknown method, or a learning rate outside of that.
    """
    _check(method, learning_rate)
    h = learning_rate
    if method == "simultaneous":
        return math.sqrt(1 + h**2)
    if method == "alternating":
        _check_turning(h)
        return 1.0  # determinant 1 and |trace| = |2 - h^2| < 2: eigenvalues on the unit circle
    if method == "optimistic":
        return abs(1 + 2j * h + cmath.sqrt(1 - 4 * h**2)) / 2
    if method == "extragradient":
        return math.sqrt(1 - h**2 + h**4)
    free = np.polymul(np.poly([1, 1]), np.poly([MOMENTUM, MOMENTUM]))
    return float(max(abs(np.roots(np.polyadd(free, [h**2, 0, 0, 0])))))


def measured_growth(path):
    """The factor per step by which the distance to (0, 0) grew: the slope of its logarithm.

    Over the second half, by when all but the slowest part of the motion has died out.
    """
    radii = np.log(np.hypot(*path.T))[len(path) // 2 :]
    return float(np.exp(np.polyfit(np.arange(len(radii)), radii, 1)[0]))


def conserved_quantity(path, learning_rate):
    """x^2 - h x y + y^2, which the alternating method keeps: its orbit is an ellipse.

    Proof: x' = x - h y makes it x'^2 + h x' y + y^2, and y' = y + h x' makes that
    x'^2 - h x' y' + y'^2.
    """
    x, y = np.asarray(path).T
    return x**2 - learning_rate * x * y + y**2


def largest_radius(start, learning_rate):
    """The long half axis of the alternating method's ellipse, sqrt(conserved / (1 - h / 2))."""
    _check_turning(learning_rate)
    conserved = conserved_quantity([start], learning_rate)[0]
    return float(np.sqrt(conserved / (1 - learning_rate / 2)))


def running_average(path):
    """The mean of all places so far, `(steps + 1, 2)`: how averaging reads a path."""
    return np.cumsum(path, axis=0) / np.arange(1, len(path) + 1)[:, None]


def simultaneous_average_radius(start, learning_rate, steps):
    """How far from (0, 0) the mean of a simultaneous path's `steps + 1` places is.

    The geometric sum |(1 + ih)^(steps + 1) - 1| |z_0| / (h (steps + 1)): averaging divides the
    growth by the number of steps, and exponential growth wins.
    """
    terms = steps + 1
    power = (1 + 1j * learning_rate) ** terms
    return abs(power - 1) * math.hypot(*start) / (learning_rate * terms)


def alternating_average_bound(start, learning_rate, steps):
    """A bound of the distance of the mean of an alternating path from (0, 0), of order 1 / steps.

    Since y' - y = h x' and x' - x = -h y, sums of x and y are differences of two places on the
    ellipse: the bound is (2 largest_radius / h + |z_0|) / (steps + 1).
    """
    radius = largest_radius(start, learning_rate)
    return (2 * radius / learning_rate + math.hypot(*start)) / (steps + 1)


def compare(paths, learning_rate):
    """What a set of paths shows, next to what it should.

    Args:
        paths: `{method: path}` of all `METHODS`, from one start.
        learning_rate: that of all paths.

    Returns:
        `{name: (value, analytic value, protocol)}`.
    """
    path = paths["alternating"]
    start, steps = path[0], len(path) - 1
    setting = f"lr {learning_rate:g}, {steps} steps from ({start[0]:g}, {start[1]:g})"
    measured = {
        f"{method}_growth": (
            measured_growth(each),
            growth_factor(method, learning_rate),
            f"factor per step of |(x, y)|, second half of {setting}",
        )
        for method, each in paths.items()
        if method != "alternating"  # its radius swings around a level: see the next two
    }
    conserved = conserved_quantity(path, learning_rate)
    averages = {method: np.hypot(*running_average(paths[method])[-1]) for method in paths}
    return measured | {
        "alternating_drift": (
            np.max(np.abs(conserved / conserved[0] - 1)),
            0.0,
            f"largest relative change of x^2 - lr x y + y^2, {setting}",
        ),
        "alternating_largest_radius": (
            np.max(np.hypot(*path.T)),
            largest_radius(start, learning_rate),
            f"largest |(x, y)|, {setting}",
        ),
        "alternating_average_radius": (
            averages["alternating"],
            alternating_average_bound(start, learning_rate, steps),
            f"|mean of (x, y)|, {setting}; the analytic value is an upper bound",
        ),
        "simultaneous_average_radius": (
            averages["simultaneous"],
            simultaneous_average_radius(start, learning_rate, steps),
            f"|mean of (x, y)|, {setting}",
        ),
    }


# ---------------------------------------------------------------------- pictures


def save_dynamics(paths, learning_rate, picture):
    """Draws the paths side by side and, below, distances over steps beside the analytic ones.

    Args:
        paths: `{method: path}`.
        learning_rate: that of all paths.
        picture: where to, PNG.
    """
    figure = Figure(figsize=(13, 7.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    colors = {method: f"C{index}" for index, method in enumerate(paths)}
    for axis, (method, path) in zip(above.subplots(1, len(paths)), paths.items(), strict=True):
        _draw_path(axis, method, path, colors[method])
    radius_axis, average_axis = below.subplots(1, 2)
    for method, path in paths.items():
        steps = np.arange(len(path))
        factor = growth_factor(method, learning_rate)
        style = {"color": colors[method], "label": f"{_title(method)} ({factor:.4f})"}
        radii = np.hypot(*path.T)
        radius_axis.semilogy(steps, radii, **style)
        # Through the last point: the first steps of a method with memory are not yet geometric.
        middle = np.sqrt(radii.min() * radii.max()) if factor == 1 else radii[-1]
        radius_axis.semilogy(steps, middle * factor ** (steps - steps[-1]), "k:", lw=1.2)
        average_axis.loglog(steps + 1, np.hypot(*running_average(path).T), color=colors[method])
    radius_axis.plot([], [], "k:", lw=1.2, label="analytic")
    radius_axis.set(xlabel="step", ylabel="distance to the equilibrium")
    radius_axis.set_title("Last iterate (factor per step, analytic)", fontsize="medium")
    radius_axis.legend(fontsize="small", loc="upper left", ncols=2)
    low, high = radius_axis.get_ylim()
    radius_axis.set_ylim(low, high * (high / low) ** 0.3)  # room for the legend
    bounds = [
        alternating_average_bound(paths["alternating"][0], learning_rate, step) for step in steps
    ]
    average_axis.loglog(steps + 1, bounds, "k:", lw=1.2, label="analytic bound of alternating")
    average_axis.set(xlabel="steps averaged", ylabel="distance of the mean")
    average_axis.set_title("Mean of all iterates (same colours)", fontsize="medium")
    average_axis.legend(fontsize="small", loc="lower left")
    for axis in (radius_axis, average_axis):
        axis.grid(alpha=0.3)
    save_figure(figure, picture)


def save_movie(paths, picture, frames=40, trail=60):
    """Draws the players on their way, with a tail of their last places.

    Args:
        paths: `{method: path}`.
        picture: where to, GIF.
        frames: pictures in it, at most.
        trail: how many of the last places are shown.
    """
    pictures = []
    for end in np.unique(np.linspace(1, len(paths["alternating"]), frames).astype(int)):
        figure = Figure(figsize=(2 * len(paths), 2.3), dpi=80, layout="constrained")
        for axis, (method, path) in zip(figure.subplots(1, len(paths)), paths.items(), strict=True):
            recent = path[max(0, end - trail) : end]
            axis.plot(*recent.T, "C0", lw=1)
            axis.plot(*recent[-1], "C3o", ms=5)
            _frame(axis, method, path)
        figure.suptitle(f"step {end - 1}", fontsize="small")
        pictures.append(io.BytesIO())
        figure.savefig(pictures[-1], format="png")
    save_animation(pictures, picture, milliseconds=100)


def _draw_path(axis, method, path, color):
    axis.plot(*path.T, color, lw=0.7)
    axis.plot(*path[0], "ko", ms=4)
    axis.plot(*path[-1], "s", color="C3", ms=5)
    _frame(axis, method, path)


def _frame(axis, method, path):
    limit = 1.1 * np.abs(path).max()
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.plot(0, 0, "k+", ms=7)
    axis.set_title(_title(method), fontsize="medium")
    axis.tick_params(labelsize="small")


def _title(method):
    return method.replace("_", " ")


def _check(method, learning_rate):
    if method not in METHODS:
        raise ValueError(f"method={method!r}: give one of {', '.join(METHODS)}.")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate={learning_rate!r}: give a positive number.")


def _check_turning(learning_rate):
    if not 0 < learning_rate < 2:
        raise ValueError(
            f"learning_rate={learning_rate!r}: give a number above 0 and below 2, where the "
            "alternating method circles."
        )
