"""What an evaluation found, as numbers with protocols, as text and as a picture."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure
from keras_gen.metrics.memorization import Memorization

_MOST_BARS = 40


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate_samples` gives.

    Attributes:
        metrics: `{name: (value, protocol)}`, the form that `Run.finish` takes.
        details: what JSON can hold: `generated`, `real`, `sets` (both in words), `num_generated`,
            `num_real`, `extractor`, `conversion` (of images to its size), `seed`, `seconds` by
            part and `kd_std`; where there are classes `classifier_score_std`, `class_names`, and
            `class_counts` and `class_entropy_nats` of both sets; with training images
            `memorization`, the numbers of that check.
        images: the generated images, uint8 `(N, H, W, C)`.
        memorization: a `Memorization` whose indices count in `images` and in the training set, or
            None.
    """

    metrics: dict
    details: dict
    images: np.ndarray
    memorization: Memorization | None = None

    def as_dict(self):
        """Metrics and details as JSON can hold them; metrics as in a run's `metrics.json`."""
        metrics = {
            name: {"value": value, "protocol": protocol}
            for name, (value, protocol) in self.metrics.items()
        }
        return {"metrics": metrics, "details": self.details}

    def __str__(self):
        """A heading and one line for each metric, by its printed name."""
        details = self.details
        lines = [
            f"{details['generated']}: {details['extractor']}, {details['conversion']}, "
            f"seed {details['seed']}"
        ]
        for name, (value, _) in self.metrics.items():
            spread = details.get("kd_std" if name.startswith("kd_") else f"{name}_std")
            spread = "" if spread is None else f" +- {spread:.3g}"
            lines.append(f"  {printed_name(name)} {value:.4g}{spread} ({details['sets']})")
        return "\n".join(lines)


def printed_name(metric):
    """The name of a metric in prints: `FD[mnist]` for `fd_mnist`.

    Only Inception's is called FID, as `FID[keras-inception]`: its values are not those of the
    original network either (see `InceptionExtractor`).
    """
    kind, _, features = metric.partition("_")
    if kind not in ("fd", "kd"):
        return metric.replace("_", " ")
    if features == "inception":
        return f"{'FID' if kind == 'fd' else 'KID'}[keras-inception]"
    return f"{kind.upper()}[{features}]"


def save_class_histogram(evaluation, path):
    """Draws how often each class is the most probable one, generated beside real, as PNG.

    Of more than 40 classes, the 40 most frequent.

    Args:
        evaluation: an `Evaluation` by an extractor that has classes.
        path: where to.

    Raises:
        ValueError: the extractor has none.
    """
    details = evaluation.details
    if "class_counts" not in details:
        raise ValueError(f"evaluation: {details['extractor']} have no classes to count.")
    counts = {kind: np.array(values) for kind, values in details["class_counts"].items()}
    names = np.array(details["class_names"])
    shown = np.arange(len(names))
    if len(names) > _MOST_BARS:
        shown = np.sort(np.argsort(-sum(counts.values()), kind="stable")[:_MOST_BARS])
    figure = Figure(figsize=(max(6.4, 0.35 * len(shown) + 1.5), 4.2), layout="constrained")
    axis = figure.subplots()
    for offset, kind in ((-0.2, "generated"), (0.2, "real")):
        shares = counts[kind] / counts[kind].sum()
        entropy = details["class_entropy_nats"][kind]
        label = f"{kind}: {details[kind]}, entropy {entropy:.3f} of {np.log(len(names)):.3f} nats"
        axis.bar(np.arange(len(shown)) + offset, shares[shown], 0.4, label=label)
    long_names = max(map(len, names[shown])) * len(shown) > 70
    axis.set_xticks(
        np.arange(len(shown)),
        names[shown],
        rotation=40 if long_names else 0,
        ha="right" if long_names else "center",
    )
    axis.set_ylabel("share of images")
    axis.set_title("most probable class")
    axis.set_xlabel(details["extractor"], fontsize="small")
    axis.grid(axis="y", alpha=0.3)
    figure.legend(fontsize="small", loc="outside lower center")
    save_figure(figure, path)
