"""Perceptual path length: how much images change along short steps in a latent space.

Karras, Laine and Aila, 2019, arXiv:1812.04948, section 4.1.

In a space without entanglement images change steadily from one latent to another; where features
appear half-way that neither end has, the path through the features is longer. With d a squared
distance of features and epsilon = 1e-4,

    PPL = E[ d(G(interpolate(a, b, t)), G(interpolate(a, b, t + epsilon))) / epsilon^2 ]

over pairs of latents a, b and t ~ U[0, 1] ("full"), or t = 0 ("end"). In z the interpolation is
spherical, in w linear. As in the authors' code, distances below the first and above the last
percentile are left out. For a generator and features that are linear it is the mean of the squared
length of the feature path itself.

Differences from the paper: d is the squared Euclidean distance of an extractor's features, not
LPIPS in VGG-16's: values compare with those by the same extractor only.

Shapes: latents (N, D); images (N, H, W, C); features (N, F).
"""

from typing import NamedTuple

import numpy as np

EPSILON = 1e-4
_CHUNK = 64  # pairs decoded at a time
_PERCENTILES = (1, 99)
_SAMPLINGS = ("full", "end")


class PathLength(NamedTuple):
    """A perceptual path length.

    Attributes:
        mean: over the pairs that are left in.
        standard_error: of it.
        distances: `(N,)` of all pairs, each divided by epsilon^2.
    """

    mean: float
    standard_error: float
    distances: np.ndarray


def perceptual_path_length(
    generate, starts, ends, features, *, spherical=False, sampling="full", epsilon=EPSILON, seed=0
):
    """Measures the path length between pairs of latents.

    Args:
        generate: a function from float32 latents `(n, D)` to images.
        starts: latents `(N, D)`.
        ends: as many.
        features: a function from images to features `(n, F)`. It must take floats: between two
            images of a step there is less than a byte.
        spherical: whether to go along the great circle, on the sphere of radius sqrt(D), as for
            latents from N(0, 1); else along the straight line.
        sampling: `"full"` or `"end"`.
        epsilon: length of the step, as a part of the path.
        seed: an integer that decides t.

    Returns:
        A `PathLength`.

    Raises:
        ValueError: an argument is none of the above.
    """
    starts, ends = np.asarray(starts, "float64"), np.asarray(ends, "float64")
    if starts.ndim != 2 or starts.shape != ends.shape or not len(starts):
        raise ValueError(
            f"starts of shape {starts.shape} and ends of shape {ends.shape}: give pairs of "
            "latents, (N, D) each."
        )
    if sampling not in _SAMPLINGS:
        raise ValueError(f"sampling={sampling!r}: give one of {', '.join(_SAMPLINGS)}.")
    if not epsilon > 0.0:
        raise ValueError(f"epsilon={epsilon!r}: give a positive number, such as {EPSILON}.")
    parts = np.zeros((len(starts), 1))
    if sampling == "full":
        parts = np.random.default_rng(seed).uniform(size=parts.shape)
    between = _on_the_sphere if spherical else _on_the_line
    distances = []
    for at in range(0, len(starts), _CHUNK):
        rows = slice(at, at + _CHUNK)
        steps = [
            between(starts[rows], ends[rows], parts[rows] + step).astype("float32")
            for step in (0.0, epsilon)
        ]
        # Both ends in one batch, as they are compared to the last digit.
        found = np.asarray(features(generate(np.concatenate(steps))), "float64")
        before, after = np.split(found, 2)
        distances.append(np.sum((after - before) ** 2, axis=1) / epsilon**2)
    distances = np.concatenate(distances)
    kept = _without_outliers(distances)
    error = kept.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else np.nan
    return PathLength(float(kept.mean()), float(error), distances)


def path_length_metrics(model, extractor, num_pairs=10_000, seed=0):
    """Path lengths of a model in z and, where it maps z to w, in w, both full and at the ends.

    Args:
        model: with `decode`, `draw_latents`, `latent_dim` and `value_range`; with `map_latents`,
            it decodes w's.
        extractor: a feature extractor with `of_floats`.
        num_pairs: pairs of latents; the paper takes 100,000.
        seed: an integer that decides the latents.

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: `ppl_z_full`, `ppl_z_end`,
        `ppl_w_full` and `ppl_w_end`.
    """
    rng = np.random.default_rng(seed)
    z = [rng.standard_normal((num_pairs, model.latent_dim)).astype("float32") for _ in range(2)]
    spaces = {"z": (model.decode, z, True)}
    if hasattr(model, "map_latents"):

        def generate(latents):
            return model.decode(model.map_latents(latents))

        w = [np.asarray(model.map_latents(each)) for each in z]
        spaces = {"z": (generate, z, True), "w": (model.decode, w, False)}

    def features(images):
        return extractor.of_floats(images, model.value_range)

    metrics = {}
    for space, (generate, pairs, spherical) in spaces.items():
        for sampling in _SAMPLINGS:
            length = perceptual_path_length(
                generate, *pairs, features, spherical=spherical, sampling=sampling, seed=seed
            )
            protocol = (
                f"{num_pairs:,} pairs, epsilon {EPSILON:g}, {extractor.description}, seed {seed}, "
                f"standard error {length.standard_error:.2g}"
            )
            metrics[f"ppl_{space}_{sampling}"] = (length.mean, protocol)
    return metrics


def _on_the_line(starts, ends, parts):
    return starts + parts * (ends - starts)


def _on_the_sphere(starts, ends, parts):
    starts, ends = _unit(starts), _unit(ends)
    cosines = np.sum(starts * ends, axis=1, keepdims=True)
    angles = np.arccos(np.clip(cosines, -1.0, 1.0)) * parts
    directions = _unit(ends - cosines * starts)
    radius = np.sqrt(starts.shape[1])
    return radius * (starts * np.cos(angles) + directions * np.sin(angles))


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _without_outliers(distances):
    low, high = (
        np.percentile(distances, percentile, method=method)
        for percentile, method in zip(_PERCENTILES, ("lower", "higher"), strict=True)
    )
    return distances[(low <= distances) & (distances <= high)]
