"""Latents in the plane: t-SNE and principal components, coloured by label.

Shapes: latents (N, D); labels (N,).
"""

import numpy as np
from matplotlib.figure import Figure

from keras_gen.artifacts import save_figure

_DRAWN = 5000  # points, at most: t-SNE of more takes minutes, and they would hide each other


def embedding_figure(latents, labels, path, method="tsne", label_names=None, seed=0):
    """Draws latents in the plane, coloured by their label, as PNG.

    Of more than 5,000 latents that many are drawn, chosen at random. t-SNE keeps neighbours
    together; sizes of groups and distances between them mean nothing in it.

    Args:
        latents: `(N, D)`, such as `model.encode(images)`.
        labels: integers `(N,)`.
        path: where to.
        method: `"tsne"` (van der Maaten and Hinton 2008; perplexity 30) or `"pca"`.
        label_names: names by label, or None.
        seed: of the choice and of t-SNE.

    Raises:
        ValueError: an unknown method, or shapes that do not fit.
    """
    latents, labels = np.asarray(latents, "float32"), np.asarray(labels)
    if latents.ndim != 2 or labels.shape != latents.shape[:1]:
        raise ValueError(
            f"latents of shape {latents.shape} and labels of shape {labels.shape}: give (N, D) "
            "and (N,)."
        )
    total = len(latents)
    if total > _DRAWN:
        chosen = np.random.default_rng(seed).choice(total, _DRAWN, replace=False)
        latents, labels = latents[chosen], labels[chosen]
    points, axis_names = _embedded(latents, method, seed)

    figure = Figure(figsize=(7.5, 6), layout="constrained")
    axis = figure.subplots()
    classes = np.unique(labels)
    colours = _colours(len(classes))
    for number, label in enumerate(classes):
        name = str(label) if label_names is None else label_names[label]
        shown = points[labels == label]
        axis.scatter(*shown.T, s=5, color=colours[number], label=name, linewidths=0, alpha=0.8)
    title = "t-SNE" if method == "tsne" else "PCA"
    drawn = f"{len(points):,}" if len(points) == total else f"{len(points):,} of {total:,}"
    axis.set_title(f"{title} of {drawn} latents of dimension {latents.shape[1]}")
    axis.set_xlabel(axis_names[0])
    axis.set_ylabel(axis_names[1])
    if method == "tsne":
        axis.set_xticks([])
        axis.set_yticks([])
    figure.legend(loc="outside right upper", markerscale=3, ncols=1 + len(classes) // 25)
    save_figure(figure, path)


def _embedded(latents, method, seed):
    """Points in the plane, and what their axes are called."""
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(latents) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
        return tsne.fit_transform(latents), ("", "")
    if method == "pca":
        from sklearn.decomposition import PCA

        pca = PCA(2)
        points = pca.fit_transform(latents)
        shares = pca.explained_variance_ratio_
        return points, [f"component {i + 1} ({100 * shares[i]:.1f} % of variance)" for i in (0, 1)]
    raise ValueError(f"method={method!r}: give 'tsne' or 'pca'.")


def _colours(count):
    from matplotlib import colormaps

    if count <= 10:
        return colormaps["tab10"].colors
    return colormaps["turbo"](np.linspace(0.0, 1.0, count))
