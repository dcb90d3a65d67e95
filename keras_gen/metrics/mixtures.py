"""Modes covered, share of good samples and reverse KL on toy mixtures in the plane.

Lin, Khetan, Fanti and Oh, 2018, PacGAN: The power of two samples in generative adversarial
networks, arXiv:1712.04086, section 4.1, with the measures of VEEGAN (Srivastava et al. 2017,
arXiv:1705.07761). A sample is of high quality if it lies within three standard deviations of the
nearest centre.

    modes               centres that are nearest to at least one high-quality sample
    high_quality_share  high-quality samples / samples
    reverse_kl          sum_k p_k log(p_k / (1/K)), p = shares of the high-quality samples by mode

The definition leaves open whether the samples of low quality count in p; as in the authors' code
they do not here. The paper draws 2,500 samples. Perfect data do not reach 100 %: in the plane a
Gaussian has `1 - exp(-9/2)` = 98.9 % of its mass within three deviations. Nor do they reach a
reverse KL of 0: N samples over K modes have `(K - 1) / (2 N)` nats in the mean.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from scipy.spatial import KDTree
from scipy.special import chdtr

from keras_gen.artifacts import save_figure


class Mixture(NamedTuple):
    """Equally weighted Gaussians of one deviation.

    Attributes:
        centres: float64 `(K, 2)`.
        sigma: the standard deviation of each along each axis.
    """

    centres: np.ndarray
    sigma: float


def ring_mixture():
    """The paper's 2D-ring: eight Gaussians on the unit circle, sigma 0.01."""
    angles = 2.0 * np.pi * np.arange(8) / 8
    return Mixture(np.stack([np.cos(angles), np.sin(angles)], axis=-1), 0.01)


def grid_mixture():
    """The paper's 2D-grid: 25 Gaussians at {-4, -2, 0, 2, 4}^2, sigma 0.05."""
    ticks = np.arange(-4.0, 5.0, 2.0)
    return Mixture(np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2), 0.05)


@dataclass(frozen=True)
class ModeCoverage:
    """How samples spread over the modes of a mixture; `str` gives a line for people.

    Attributes:
        modes: modes with at least one high-quality sample.
        num_modes: modes that there are.
        high_quality_share: share of the samples that are of high quality, in [0, 1].
        ceiling: the share that perfect samples have on average.
        reverse_kl: nats; from 0 to log K. NaN where no sample is of high quality.
        counts: high-quality samples of each mode, int64 `(K,)`.
        num_samples: samples looked at.
        deviations: how many standard deviations count as near.
    """

    modes: int
    num_modes: int
    high_quality_share: float
    ceiling: float
    reverse_kl: float
    counts: np.ndarray
    num_samples: int
    deviations: float

    def __str__(self):
        return (
            f"{self.modes} of {self.num_modes} modes; {100 * self.high_quality_share:.1f} % of "
            f"{self.num_samples:,} samples within {self.deviations:g} sigma of a mode (perfect "
            f"data: {100 * self.ceiling:.1f} %); reverse KL {self.reverse_kl:.4f} nats (perfect "
            f"data: {(self.num_modes - 1) / (2 * self.num_samples):.4f})"
        )


def mode_coverage(points, centres, sigma, deviations=3.0):
    """Measures samples against the mixture that they should come from.

    Args:
        points: samples `(N, D)`.
        centres: `(K, D)`.
        sigma: standard deviation of each mode along each axis.
        deviations: how many standard deviations from the nearest centre are near enough.

    Returns:
        A `ModeCoverage`. Points that are not finite count as samples of low quality.

    Raises:
        ValueError: shapes that do not fit, or no points.
    """
    points, centres = _checked(points, centres)
    nearest, is_good = _nearest(points, centres, sigma, deviations)
    counts = np.bincount(nearest[is_good], minlength=len(centres))
    return ModeCoverage(
        modes=int((counts > 0).sum()),
        num_modes=len(centres),
        high_quality_share=float(is_good.mean()),
        ceiling=float(chdtr(centres.shape[1], deviations**2)),  # chi-squared, D degrees
        reverse_kl=kl_to_uniform(counts),
        counts=counts,
        num_samples=len(points),
        deviations=float(deviations),
    )


def kl_to_uniform(counts):
    """KL from the shares of `counts` to equal shares, in nats: `log K - entropy`.

    Args:
        counts: `(K,)`, not negative.

    Returns:
        From 0 to log K; NaN where all counts are 0.
    """
    counts = np.asarray(counts, "float64")
    if not counts.sum():
        return float("nan")
    shares = counts[counts > 0] / counts.sum()
    return float((shares * np.log(shares * len(counts))).sum())


def save_scatter(points, centres, sigma, path, title=None, deviations=3.0):
    """Draws samples over the modes: good ones, others, and the modes that were missed, as PNG.

    Samples far beyond the modes are out of the frame; their number stands in the legend.

    Args:
        points: samples `(N, 2)`.
        centres: `(K, 2)`.
        sigma: standard deviation of each mode along each axis.
        path: where to.
        title: a title, or None for the figures of `mode_coverage`.
        deviations: as in `mode_coverage`.

    Raises:
        ValueError: shapes that do not fit, no points, or points that are not in the plane.
    """
    points, centres = _checked(points, centres)
    if points.shape[1] != 2:
        raise ValueError(f"points of shape {points.shape}: only points in the plane are drawn.")
    coverage = mode_coverage(points, centres, sigma, deviations)
    _, is_good = _nearest(points, centres, sigma, deviations)
    low, high = centres.min(axis=0), centres.max(axis=0)
    margin = 0.25 * (high - low).max() + deviations * sigma
    inside = ((points > low - margin) & (points < high + margin)).all(axis=1)

    figure = Figure(figsize=(6.4, 7.2), layout="constrained")
    axis = figure.subplots()
    for name, chosen, colour in (("high quality", is_good, "tab:blue"), ("other", ~is_good, "0.6")):
        label = f"{name}: {chosen.sum():,}"
        if (chosen & ~inside).any():
            label += f", {(chosen & ~inside).sum():,} of them out of the frame"
        shown = points[chosen & inside]
        axis.scatter(*shown.T, s=3, color=colour, linewidths=0, label=label)
    missed = centres[coverage.counts == 0]
    if len(missed):
        label = f"missed modes: {len(missed)}"
        axis.scatter(*missed.T, s=60, marker="x", color="tab:red", label=label)
    diameters = np.full(len(centres), 2.0 * deviations * sigma)
    axis.add_collection(
        EllipseCollection(
            diameters,
            diameters,
            np.zeros(len(centres)),
            units="xy",
            offsets=centres,
            offset_transform=axis.transData,
            facecolors="none",
            edgecolors="black",
            linewidths=0.5,
        )
    )
    axis.set_xlim(low[0] - margin, high[0] + margin)
    axis.set_ylim(low[1] - margin, high[1] + margin)
    axis.set_aspect("equal")
    figure.legend(loc="outside lower center", ncols=3, markerscale=1.5, fontsize="small")
    axis.set_title(title or str(coverage).replace("; ", "\n"), fontsize="small")
    save_figure(figure, path)


def _checked(points, centres):
    points, centres = np.asarray(points, "float64"), np.asarray(centres, "float64")
    if points.ndim != 2 or not len(points) or points.shape[1:] != centres.shape[1:]:
        raise ValueError(
            f"points of shape {points.shape} and centres of shape {centres.shape}: give (N, D) "
            "with at least one point, and (K, D)."
        )
    return points, centres


def _nearest(points, centres, sigma, deviations):
    """The nearest centre of each point, and whether it is near."""
    distances, nearest = KDTree(centres).query(np.where(np.isfinite(points), points, 1e300))
    return nearest, distances < deviations * sigma
