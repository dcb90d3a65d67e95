"""Linear probes: how well a linear classifier does on features that were learned without labels.

Radford, Metz and Chintala, 2016, arXiv:1511.06434, section 5, with all labels and with 1,000. The
regularization is chosen on a part of the training labels that is held out, and the test labels
are looked at once.

Differences from the paper: it takes a linear support vector machine with squared hinge loss; so
does `classifier="svm"` here. The default is multinomial logistic regression, because its solver
finishes on tens of thousands of examples within minutes and in little memory.

Shapes: features (N, D); labels (N,).
"""

import time
import warnings
from typing import NamedTuple

import numpy as np

REGULARIZATIONS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of the penalty that `linear_probe` chooses from."""

SCALINGS = ("each", "common")
"""How features may be scaled: each to its own standard deviation, or all by one number."""

_SMALLEST_SCALE = 0.1  # of a feature, relative to the root mean square over features
_ROWS = 4096  # in float64 at once


class Probe(NamedTuple):
    """What `linear_probe` gives.

    Attributes:
        accuracy: share of the test examples that are classified right.
        regularization: the strength that was chosen.
        scaling: which of `SCALINGS` was chosen.
        held_out_accuracy: the accuracy on the held-out training examples that chose both.
        converged: whether the solver reached its tolerance within its steps.
    """

    accuracy: float
    regularization: float
    scaling: str
    held_out_accuracy: float
    converged: bool


def linear_probe(
    train_features,
    train_labels,
    test_features,
    test_labels,
    classifier="logistic",
    regularizations=REGULARIZATIONS,
    held_out=0.2,
    max_steps=200,
    seed=0,
):
    """Trains a linear classifier on features and tests it.

    It minimizes `1/N sum loss + regularization / 2 |weights|^2`: as a penalty on the mean loss,
    the strength that suits a part of the examples suits all of them. Features are centred, and
    scaled in one of two ways, as the penalty depends on it: each is divided by its standard
    deviation over the training examples (or by a tenth of the root mean square deviation where
    that is larger, so that rarely active features are not blown up), or all of them by the root
    mean square deviation, which leaves principal components and pixels their weight.

    Args:
        train_features: `(N, D)`.
        train_labels: integers `(N,)`.
        test_features: `(M, D)`.
        test_labels: integers `(M,)`.
        classifier: `"logistic"`, or `"svm"` for the paper's linear support vector machine (one
            against the rest, squared hinge loss), for up to some ten thousand examples.
        regularizations: strengths to choose from; of equally good ones the largest is taken.
        held_out: share of the training examples of each class that chooses among them and among
            the scalings; the classifier that is tested is then trained on all.
        max_steps: steps of the solver.
        seed: decides which examples are held out.

    Returns:
        A `Probe`.

    Raises:
        ValueError: an unknown classifier, or features and labels that do not fit.
    """
    from sklearn.model_selection import train_test_split

    _check(classifier, train_features, train_labels, test_features, test_labels)
    kept, left_out = train_test_split(
        np.arange(len(train_labels)), test_size=held_out, stratify=train_labels, random_state=seed
    )
    moments = _moments(train_features)
    best_score, best = -1.0, None
    for scaling in SCALINGS:
        kept_part, left_part = (
            _scaled(train_features[part], moments, scaling) for part in (kept, left_out)
        )
        model = None
        for strength in sorted(regularizations, reverse=True):  # each starts from the smoother one
            model = _fit(classifier, kept_part, train_labels[kept], strength, max_steps, model)
            score = model.score(left_part, train_labels[left_out])
            if score > best_score:  # the first of equals stays: the strongest penalty
                best_score, best = score, (scaling, strength, model)
        del kept_part, left_part

    scaling, strength, model = best
    scaled = _scaled(train_features, moments, scaling)
    model = _fit(classifier, scaled, train_labels, strength, max_steps, model)
    scaled = _scaled(test_features, moments, scaling)
    converged = int(np.max(model.n_iter_)) < model.max_iter
    accuracy = float(model.score(scaled, test_labels))
    return Probe(accuracy, strength, scaling, float(best_score), converged)


def labelled_subset(labels, num_labels, seed=0):
    """Chooses examples with equally many of each class, as the paper does for its 1,000 labels.

    Args:
        labels: integers `(N,)`.
        num_labels: how many, a multiple of the number of classes.
        seed: of the choice.

    Returns:
        Sorted indices `(num_labels,)`.

    Raises:
        ValueError: not such a multiple, or a class has too few examples.
    """
    labels = np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    each, rest = divmod(num_labels, len(classes))
    if rest or each > counts.min():
        raise ValueError(
            f"num_labels={num_labels}: give a multiple of the {len(classes)} classes, up to "
            f"{len(classes) * counts.min()}; the smallest class has {counts.min()} examples."
        )
    generator = np.random.default_rng(seed)
    chosen = [generator.choice(np.flatnonzero(labels == c), each, replace=False) for c in classes]
    return np.sort(np.concatenate(chosen))


def probe_table(features, train_labels, test_labels, label_counts=(1000, None), seeds=(0,)):
    """Probes several kinds of features, each with several numbers of training labels.

    Args:
        features: `{name: function}`; each function gives `(train_features, test_features)` and is
            called once, so that one kind after the other is in memory.
        train_labels: integers `(N,)`.
        test_labels: integers `(M,)`.
        label_counts: numbers of labels, as for `labelled_subset`; None for all.
        seeds: of the subsets and the held-out parts, the same for all kinds: a number of labels
            is drawn once for each seed, as the accuracy depends on which they are. All labels are
            probed once, with the first seed.

    Yields:
        A dict for each probe, as it is measured: `features`, `dimensions`, `labels`, `seed`,
        `accuracy`, `regularization`, `scaling`, `held_out_accuracy`, `converged`,
        `feature_seconds` and `probe_seconds`.
    """
    for name, make in features.items():
        start = time.perf_counter()
        train, test = make()
        feature_seconds = time.perf_counter() - start
        for count in label_counts:
            for seed in seeds[:1] if count is None else seeds:
                start = time.perf_counter()
                part = slice(None) if count is None else labelled_subset(train_labels, count, seed)
                probe = linear_probe(train[part], train_labels[part], test, test_labels, seed=seed)
                yield {
                    "features": name,
                    "dimensions": train.shape[1],
                    "labels": len(train_labels) if count is None else count,
                    "seed": seed,
                    **probe._asdict(),
                    "feature_seconds": feature_seconds,
                    "probe_seconds": time.perf_counter() - start,
                }


def probe_markdown(rows):
    """The rows of `probe_table` as a Markdown table: mean accuracies, and their range over seeds.

    Args:
        rows: dicts, in any order.

    Returns:
        A line for each kind of features and number of labels, in the order of the first of each.
    """
    groups = {}
    for row in rows:
        groups.setdefault((row["features"], row["labels"]), []).append(row)
    names = ["features", "dimensions", "labels", "test accuracy", "penalty and scaling", "seconds"]
    lines = [names, ["---"] * len(names)] + [_cells(group) for group in groups.values()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(group):
    accuracies = [100 * row["accuracy"] for row in group]
    accuracy = f"{np.mean(accuracies):.2f} %"
    if len(group) > 1:
        accuracy += f" ({min(accuracies):.2f} to {max(accuracies):.2f}, {len(group)} draws)"
    if not all(row["converged"] for row in group):
        accuracy += ", not converged"
    chosen = sorted({(row["regularization"], row["scaling"]) for row in group})
    seconds = group[0]["feature_seconds"], np.mean([row["probe_seconds"] for row in group])
    return [
        group[0]["features"],
        f"{group[0]['dimensions']:,}",
        f"{group[0]['labels']:,}",
        accuracy,
        ", ".join(f"{penalty:g} {scaling}" for penalty, scaling in chosen),
        f"{seconds[0]:.0f} + {seconds[1]:.0f}",
    ]


def _check(classifier, train_features, train_labels, test_features, test_labels):
    if classifier not in ("logistic", "svm"):
        raise ValueError(f"classifier={classifier!r}: give 'logistic' or 'svm'.")
    for name, features, labels in (
        ("train", train_features, train_labels),
        ("test", test_features, test_labels),
    ):
        if features.ndim != 2 or len(features) != len(labels):
            raise ValueError(
                f"{name}_features of shape {features.shape} and {len(labels)} labels: give (N, D) "
                "and (N,)."
            )


def _moments(features):
    """Mean and standard deviation of each feature, float64, from a part of the rows at a time."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler()
    for at in range(0, len(features), _ROWS):
        scaler.partial_fit(features[at : at + _ROWS].astype("float64"))
    return scaler.mean_, np.sqrt(scaler.var_)


def _scaled(features, moments, scaling):
    """A float32 copy of features, centred and scaled by the moments of the training features."""
    mean, deviation = moments
    common = np.sqrt(np.mean(deviation**2)) or 1.0  # features that are all constant
    scale = np.maximum(deviation, _SMALLEST_SCALE * common) if scaling == "each" else common
    scaled = features.astype("float32")
    scaled -= mean.astype("float32")
    scaled /= np.asarray(scale, "float32")
    return scaled


def _fit(classifier, features, labels, strength, max_steps, start):
    """A fitted scikit-learn classifier; its solver starts from `start` where it can."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    inverse = 1.0 / (strength * len(features))  # scikit-learn's C weighs the sum of the losses
    if classifier == "svm":
        model = LinearSVC(C=inverse, dual=False, max_iter=max_steps)
    else:
        model = LogisticRegression(C=inverse, max_iter=max_steps, warm_start=True)
        if start is not None:
            model.coef_, model.intercept_ = start.coef_.copy(), start.intercept_.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the result says so
        return model.fit(features, labels)
