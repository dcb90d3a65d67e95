"""Mode covering against mode seeking: one Gaussian fitted to a mixture of two, in both directions.

A model that cannot be right has to choose. Maximum likelihood minimizes KL(data || model), which is
infinite where the model has no mass on data: it covers all modes and the void between them. The
reverse, KL(model || data), is infinite where the model has mass and the data none: it takes one
mode and leaves the other (Goodfellow 2016, arXiv:1701.00160, section 3.2.5; Bishop 2006, section
10.1.2).

For the mixture p of N(-distance, scale^2) and N(distance, scale^2) in equal shares, far apart:

    maximum likelihood   mean 0, deviation sqrt(distance^2 + scale^2)     exact, for any distance
    reverse KL           mean +-distance, deviation scale, KL = log 2     as the overlap dies out
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.optimize import minimize
from scipy.stats import norm

from keras_gen.artifacts import save_figure


def mixture_log_density(points, distance, scale):
    """log of the mixture's density at points of any shape."""
    sides = [norm.logpdf(points, side * distance, scale) for side in (-1.0, 1.0)]
    return np.logaddexp(*sides) - np.log(2.0)


def forward_kl(mean, deviation, distance, scale):
    """KL(mixture || N(mean, deviation^2)) in nats, by quadrature."""

    def integrand(x):
        log_density = mixture_log_density(x, distance, scale)
        return np.exp(log_density) * (log_density - norm.logpdf(x, mean, deviation))

    return _integral(integrand, distance + 10.0 * scale)


def reverse_kl(mean, deviation, distance, scale):
    """KL(N(mean, deviation^2) || mixture) in nats, by quadrature."""

    def integrand(x):
        log_density = norm.logpdf(x, mean, deviation)
        return np.exp(log_density) * (log_density - mixture_log_density(x, distance, scale))

    return _integral(integrand, abs(mean) + 10.0 * deviation)


def fit(divergence, distance, scale, start):
    """The Gaussian of least divergence, as far as descent from `start` finds it.

    Args:
        divergence: `forward_kl` or `reverse_kl`.
        distance: of both modes from 0.
        scale: their deviation.
        start: `(mean, deviation)` to begin with.

    Returns:
        `(mean, deviation, divergence in nats)`.
    """

    def objective(parameters):
        return divergence(parameters[0], np.exp(parameters[1]), distance, scale)

    found = minimize(objective, (start[0], np.log(start[1])), method="Nelder-Mead")
    return float(found.x[0]), float(np.exp(found.x[1])), float(found.fun)


def compare(distance=2.0, scale=0.5):
    """Both fits, each number beside the closed form.

    Returns:
        `{name: (value, analytic, protocol)}`, as `Demonstration.finish` takes it.
    """
    start = (0.5, 1.0)  # nearer to the right mode, which breaks the tie
    protocol = f"a Gaussian fitted to 1/2 N(-{distance:g}, {scale:g}^2) + 1/2 N({distance:g}, ...)"
    mean, deviation, _ = fit(forward_kl, distance, scale, start)
    likelihood = f"{protocol} by maximum likelihood"
    metrics = {
        "covering_mean": (mean, 0.0, likelihood),
        "covering_deviation": (deviation, float(np.hypot(distance, scale)), likelihood),
    }
    mean, deviation, divergence = fit(reverse_kl, distance, scale, start)
    reverse = f"{protocol} by reverse KL"
    return metrics | {
        "seeking_mean": (mean, distance, f"{reverse}; analytic without overlap"),
        "seeking_deviation": (deviation, scale, f"{reverse}; analytic without overlap"),
        "seeking_kl": (divergence, float(np.log(2.0)), f"{reverse}, nats; analytic likewise"),
    }


def save_fits(metrics, path, distance=2.0, scale=0.5):
    """Draws the mixture and both fits, as PNG.

    Args:
        metrics: what `compare` gave for the same mixture.
        path: where to.
        distance: of both modes from 0.
        scale: their deviation.
    """
    x = np.linspace(-2.5 * distance, 2.5 * distance, 600)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axis = figure.subplots()
    axis.fill_between(x, np.exp(mixture_log_density(x, distance, scale)), color="0.85")
    for kind, name, color in (
        ("covering", "maximum likelihood: covers", "tab:blue"),
        ("seeking", "reverse KL: seeks", "tab:red"),
    ):
        mean, deviation = (metrics[f"{kind}_{each}"][0] for each in ("mean", "deviation"))
        axis.plot(x, norm.pdf(x, mean, deviation), color=color, label=name)
    axis.set(xlabel="x", ylabel="density", ylim=(0, None))
    axis.legend()
    save_figure(figure, path)


def _integral(integrand, limit):
    # The trapezoidal rule converges faster than any power where a smooth integrand dies out.
    points = np.linspace(-limit, limit, 4001)
    return float(trapezoid(integrand(points), points))
