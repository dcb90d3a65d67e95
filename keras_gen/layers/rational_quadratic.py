"""Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032, section 3.1).

Gregory and Delbourgo 1982: between two knots the spline is a quotient of two quadratic polynomials
that meets the knots with given slopes and rises everywhere.
"""

import math

from keras import ops

MIN_BIN = 1e-3  # smallest share of the interval that a bin may have, in both directions
MIN_SLOPE = 1e-3
_SLOPE_OFFSET = math.log(math.expm1(1.0 - MIN_SLOPE))  # parameters 0 mean slopes of 1


def rational_quadratic(x, widths, heights, slopes, bound, inverse=False):
    """A spline of each value, or its inverse; outside of [-bound, bound] the identity.

    Args:
        x: `(...)`.
        widths: `(..., K)`, whose softmax divides the interval into K bins.
        heights: likewise, of the images of the bins.
        slopes: `(..., K - 1)`: the slope at the inner knots is MIN_SLOPE + softplus(slopes + c),
            1 where they are 0. At the outer knots it is 1, that of the identity.
        bound: half of the interval's length.
        inverse: whether to compute the inverse at x.

    Returns:
        y and log dy/dx, both `(...)`.
    """
    left, widths = _knots(widths, bound)
    bottom, heights = _knots(heights, bound)
    inner = MIN_SLOPE + ops.softplus(slopes + _SLOPE_OFFSET)
    outer = ops.ones_like(x)[..., None]
    slopes = ops.concatenate([outer, inner, outer], axis=-1)

    inside = ops.abs(x) < bound
    # The other values are computed too, and thrown away: anything inside will do.
    x_inside = ops.where(inside, x, 0.0)
    bins = ops.sum(ops.cast(x_inside[..., None] >= (bottom if inverse else left), "int32"), axis=-1)
    chosen = ops.one_hot(bins - 1, left.shape[-1], dtype=x.dtype)
    x_0, width, y_0, height, slope_0, slope_1 = (
        ops.sum(values * chosen, axis=-1)
        for values in (left, widths, bottom, heights, slopes[..., :-1], slopes[..., 1:])
    )
    secant = height / width
    curvature = slope_0 + slope_1 - 2.0 * secant

    if inverse:  # the root of a quadratic equation that lies in [0, 1]: eqs. 6 to 8
        distance = x_inside - y_0
        a = height * (secant - slope_0) + distance * curvature
        b = height * slope_0 - distance * curvature
        c = -secant * distance
        t = 2.0 * c / (-b - ops.sqrt(ops.maximum(b * b - 4.0 * a * c, 0.0)))
        t = ops.clip(t, 0.0, 1.0)  # rounding may leave the bin
        y = x_0 + t * width
    else:  # eq. 4
        t = (x_inside - x_0) / width
        numerator = height * (secant * t * t + slope_0 * t * (1.0 - t))
        y = y_0 + numerator / (secant + curvature * t * (1.0 - t))
    # eq. 5: the slope from x to y at t
    rise = slope_1 * t * t + 2.0 * secant * t * (1.0 - t) + slope_0 * (1.0 - t) ** 2
    log_slope = 2.0 * ops.log(secant) + ops.log(rise)
    log_slope = log_slope - 2.0 * ops.log(secant + curvature * t * (1.0 - t))
    log_slope = -log_slope if inverse else log_slope
    return ops.where(inside, y, x), ops.where(inside, log_slope, 0.0)


def _knots(parameters, bound):
    """Where the bins start and how long they are, both `(..., K)`."""
    count = parameters.shape[-1]
    shares = MIN_BIN + (1.0 - MIN_BIN * count) * ops.softmax(parameters, axis=-1)
    inner = 2.0 * bound * ops.cumsum(shares[..., :-1], axis=-1) - bound
    edge = ops.ones_like(shares[..., :1]) * bound  # exactly, which a sum would miss
    knots = ops.concatenate([-edge, inner, edge], axis=-1)
    return knots[..., :-1], knots[..., 1:] - knots[..., :-1]
