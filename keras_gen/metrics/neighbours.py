"""Precision and recall, density and coverage: shares of samples inside neighbourhood balls.

Kynkaanniemi, Karras, Laine, Lehtinen and Aila, 2019, Improved Precision and Recall Metric for
Assessing Generative Models, arXiv:1904.06991; Naeem, Oh, Uh, Choi and Yoo, 2020, Reliable Fidelity
and Diversity Metrics for Generative Models, arXiv:2002.09797.

Each sample of a set is the centre of a ball that reaches to its k-th nearest other sample in that
set, the boundary included. With real x_i (N of them) and generated y_j (M of them):

    precision = share of y_j in the ball of any x_i                          (1904.06991, eq. 2)
    recall    = share of x_i in the ball of any y_j
    density   = 1 / (k M) * number of pairs with y_j in the ball of x_i      (2002.09797, eq. 2)
    coverage  = share of the balls of x_i that hold any y_j                  (2002.09797, eq. 3)

Differences from the papers: the code of the second leaves the boundary out, which matters only
where distances tie; here it belongs to the ball for all four, as in the first.

Distances do not suffer from rounding: the fast |x|^2 + |y|^2 - 2 x.y decides what is clearly
nearer, inside or outside, and what its rounding could have decided is computed again from x - y.
So duplicates are at distance 0 and ties are ties. (Of neighbours whose squared distances differ by
less than that rounding, some 1e-13 |x|^2, any may count as the k-th.)

Shapes: features (N, D); radii (R, N) for R choices of k.
"""

import numpy as np

from keras_gen.metrics.streaming import KeptSets, check_two_sets

_BLOCK = 256  # rows of the distance matrix that are in memory at once
_PAIRS = 16384  # pairs whose differences are in memory at once


def precision_recall(real, generated, neighbours=3):
    """Precision and recall of generated features.

    Args:
        real: `(N, D)`.
        generated: `(M, D)`.
        neighbours: k, which neighbour gives a ball its radius; below N and M.

    Returns:
        `(precision, recall)`, floats from 0 to 1.

    Raises:
        ValueError: the sets are not such, or have no k-th neighbours.

    Reference:
        arXiv:1904.06991, which takes k = 3 and 50,000 samples of each kind.
    """
    real, generated = _check("neighbours", neighbours, real, generated)
    in_real, _ = _ball_counts(generated, real, radii(real, [neighbours]))
    in_generated, _ = _ball_counts(real, generated, radii(generated, [neighbours]))
    return float(np.mean(in_real[0] > 0)), float(np.mean(in_generated[0] > 0))


def density_coverage(real, generated, neighbours=5):
    """Density and coverage of generated features.

    Of a perfect generator the expected density is 1, and the expected coverage is close to
    1 - 2^-k for N = M (0.969 for k = 5; Lemma 2 of the paper).

    Args:
        real: `(N, D)`.
        generated: `(M, D)`.
        neighbours: k, which neighbour gives a ball its radius; below N.

    Returns:
        `(density, coverage)`, floats; density may exceed 1.

    Raises:
        ValueError: the sets are not such, or have no k-th neighbours.

    Reference:
        arXiv:2002.09797, which takes k = 5 and 10,000 samples of each kind.
    """
    real, generated = _check("neighbours", neighbours, real, generated)
    held, holding = _ball_counts(generated, real, radii(real, [neighbours]))
    return float(np.mean(held[0]) / neighbours), float(np.mean(holding[0] > 0))


def prdc(real, generated, precision_neighbours=3, coverage_neighbours=5):
    """All four, in less time than one after the other.

    Args:
        real: `(N, D)`.
        generated: `(M, D)`.
        precision_neighbours: k of precision and recall.
        coverage_neighbours: k of density and coverage.

    Returns:
        A dict of floats: `precision`, `recall`, `density`, `coverage`.

    Raises:
        ValueError: the sets are not such, or have no k-th neighbours.
    """
    _check("precision_neighbours", precision_neighbours, real, generated)
    real, generated = _check("coverage_neighbours", coverage_neighbours, real, generated)
    real_radii = radii(real, [precision_neighbours, coverage_neighbours])
    held, holding = _ball_counts(generated, real, real_radii)
    held_real, _ = _ball_counts(real, generated, radii(generated, [precision_neighbours]))
    return {
        "precision": float(np.mean(held[0] > 0)),
        "recall": float(np.mean(held_real[0] > 0)),
        "density": float(np.mean(held[1]) / coverage_neighbours),
        "coverage": float(np.mean(holding[1] > 0)),
    }


def _check(name, neighbours, real, generated):
    if neighbours < 1:
        raise ValueError(f"{name}={neighbours}: give at least 1.")
    # A row is no neighbour of its own.
    return check_two_sets("real", real, "generated", generated, minimum=neighbours + 1)


def radii(rows, neighbours):
    """Squared distances from each row to its k-th nearest other row.

    Args:
        rows: float64 `(N, D)`.
        neighbours: the ks, R of them, each below N.

    Returns:
        float64 `(R, N)`.
    """
    most, everyone = max(neighbours), np.arange(len(rows))
    nearest = nearest_rows(None, rows, most)
    distances = np.empty(nearest.shape)  # (N, most)
    for at in range(most):
        distances[:, at] = squared_distances(rows, everyone, rows, nearest[:, at])
    distances.sort(axis=1)
    # Of rows this near to each other the search may have taken the wrong ones.
    norms = np.square(rows - rows.mean(axis=0)).sum(axis=1)
    unclear = 1000.0 * _rounding(rows, norms + norms.max())
    furthest = distances[:, -1]
    for row in np.flatnonzero((furthest > 0.0) & (furthest < unclear)):
        others = np.delete(everyone, row)
        of_row = squared_distances(rows, np.full(len(others), row), rows, others)
        distances[row] = np.sort(of_row)[:most]
    return np.stack([distances[:, k - 1] for k in neighbours])


def _rounding(rows, norms):
    """A bound on the rounding of |x|^2 + |y|^2 - 2 x.y about a mean, of given |x|^2 + |y|^2."""
    return 8.0 * (rows.shape[1] + 8) * np.finfo("float64").eps * norms


def nearest_rows(queries, rows, count):
    """Indices `(Q, count)` of the rows nearest to each query, nearest first.

    Args:
        queries: float64 `(Q, D)`; None for the rows themselves, each of which is then no neighbour
            of its own (its duplicates are).
        rows: float64 `(N, D)`.
        count: how many neighbours.
    """
    from sklearn.neighbors import NearestNeighbors

    # About the mean the distances that scikit-learn ranks by lose the least to rounding.
    centre = rows.mean(axis=0)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(rows - centre)
    queries = None if queries is None else queries - centre
    return search.kneighbors(queries, return_distance=False)


def squared_distances(first, first_indices, second, second_indices):
    """`|first[i] - second[j]|^2` for pairs of indices `(P,)`, from the differences themselves."""
    result = np.empty(len(first_indices))
    for at in range(0, len(result), _PAIRS):
        pairs = slice(at, at + _PAIRS)
        differences = first[first_indices[pairs]] - second[second_indices[pairs]]
        result[pairs] = np.square(differences, out=differences).sum(axis=1)
    return result


def _ball_counts(points, centres, radii):
    """Which points lie in which balls, counted both ways.

    Args:
        points: float64 `(M, D)`.
        centres: float64 `(N, D)`.
        radii: squared, `(R, N)`.

    Returns:
        Integers `(R, M)`, how many balls hold each point, and `(R, N)`, how many points each ball
        holds.
    """
    middle = centres.mean(axis=0)
    rows, columns = points - middle, centres - middle
    row_norms, column_norms = np.square(rows).sum(axis=1), np.square(columns).sum(axis=1)
    holding = np.zeros(radii.shape, "int64")
    held = np.zeros((len(radii), len(points)), "int64")
    for at in range(0, len(points), _BLOCK):
        block = slice(at, at + _BLOCK)
        distances = rows[block] @ columns.T
        distances *= -2.0
        distances += row_norms[block, None]
        distances += column_norms
        slack = _rounding(points, row_norms[block].max() + column_norms)
        for which, radius in enumerate(radii):
            inside = distances <= radius + slack
            unclear = inside & (distances > radius - slack)
            i, j = np.nonzero(unclear)
            inside[i, j] = squared_distances(points, at + i, centres, j) <= radius[j]
            held[which, block] = inside.sum(axis=1)
            holding[which] += inside.sum(axis=0)
    return held, holding


class PRDC(KeptSets):
    """Precision, recall, density and coverage of sets that arrive in batches.

    Keeps their features in memory.

    Args:
        extractor: None where batches are features `(N, D)`; else a callable that takes uint8
            images `(N, H, W, C)` and gives an object with `.features`.
        precision_neighbours: as in `prdc`.
        coverage_neighbours: as in `prdc`.
    """

    def __init__(self, extractor=None, precision_neighbours=3, coverage_neighbours=5):
        super().__init__(extractor)
        self._neighbours = precision_neighbours, coverage_neighbours

    def result(self):
        """The four so far, a dict as `prdc` gives it."""
        return prdc(self._real.rows(), self._generated.rows(), *self._neighbours)
