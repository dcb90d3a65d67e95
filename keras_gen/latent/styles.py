"""Pictures of a style-based generator: mixed styles, noise, truncation in w.

Karras, Laine and Aila 2019, arXiv:1812.04948, figures 3, 4, 5 and 8.

A model is anything with `draw_latents` that gives w's, `synthesize(styles, noises)`, `draw_noises`,
`truncate`, `num_layers`, `stage` and `value_range`, two layers for each side from 4 on.

Shapes: w (N, D); styles (N, layers, D); images (N, H, W, C).
"""

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.latent.access import check_count
from keras_gen.latent.prior import draw_latents, seed_pair

# Which layers' styles come from the second source: the paper's sides 4-8, 16-32, and from 64 on.
RANGES = {"coarse, 4 to 8": (0, 4), "middle, 16 to 32": (4, 8), "fine, from 64": (8, None)}
TRUNCATIONS = (1.0, 0.7, 0.5, 0.0, -0.5, -1.0)
_REALIZATIONS = 50


def mix(first, second, layers, num_layers):
    """Styles of one w, but for some layers, which take those of another.

    Args:
        first: w's `(N, D)`.
        second: as many, or one `(1, D)`.
        layers: `(begin, end)` of the layers that take the second's; end None for all others.
        num_layers: how many layers.

    Returns:
        float32 `(N, num_layers, D)`.
    """
    styles = np.repeat(np.asarray(first, "float32")[:, None], num_layers, axis=1)
    styles[:, slice(*layers)] = np.asarray(second)[:, None]
    return styles


def save_style_pictures(model, folder, seed=0):
    """Draws `mixing.png`, `noise.png` and `truncation.png` into a `pathlib.Path`."""
    save_style_mixing(model, folder / "mixing.png", seed=seed)
    save_noise(model, folder / "noise.png", seed=seed)
    save_style_truncation(model, folder / "truncation.png", seed=seed)


def save_style_mixing(model, path, num_first=6, num_second=2, seed=0):
    """Draws figure 3: a column for each first source, rows of second ones for each range of sides.

    Args:
        model: see the module.
        path: where to, PNG.
        num_first: columns, the sources that give all other styles.
        num_second: rows for each range.
        seed: an integer that decides the sources.
    """
    check_count("num_first", num_first)
    check_count("num_second", num_second)
    w = draw_latents(model, num_first + num_second, seed)
    first, second = w[:num_first], w[num_first:]
    own = np.asarray(model.decode(w))
    empty = np.full_like(own[:1], model.value_range[1])
    rows, labels = [np.concatenate([empty, own[:num_first]])], ["A"]
    for name, layers in RANGES.items():
        if layers[0] >= model.num_layers:
            continue
        for number in range(num_second):
            styles = mix(first, second[number : number + 1], layers, model.num_layers)
            images = np.asarray(model.synthesize(styles))
            rows.append(np.concatenate([own[num_first + number][None], images]))
            labels.append(f"B: {name}")
    save_labelled_grid(
        np.stack(rows),
        model.value_range,
        path,
        title="Styles of B in some layers, of A in the others",
        row_labels=labels,
        column_labels=["B", *["A"] * num_first],
    )


def save_noise(model, path, num_images=4, seed=0):
    """Draws figures 4 and 5: a row for each w, with the noise of some layers or none.

    The last column is the deviation of each pixel over many noises, as a share of the largest.

    Args:
        model: see the module.
        path: where to, PNG.
        num_images: rows.
        seed: an integer that decides w's and noises.
    """
    check_count("num_images", num_images)
    w = draw_latents(model, num_images, seed)
    styles = mix(w, w, (0, None), model.num_layers)
    half = model.num_layers // 2

    def noises(number):
        drawn = model.draw_noises(1, seed_pair(seed + number), model.stage)
        return [np.asarray(each) for each in drawn]

    def only(kept):
        return [each if kept(layer) else 0.0 * each for layer, each in enumerate(noises(0))]

    columns = {
        "noise": noises(0),
        "other noise": noises(1),
        "no noise": only(lambda layer: False),
        "coarse only": only(lambda layer: layer < half),
        "fine only": only(lambda layer: layer >= half),
    }
    images = [np.asarray(model.synthesize(styles, each)) for each in columns.values()]
    many = np.stack(
        [np.asarray(model.synthesize(styles, noises(number))) for number in range(_REALIZATIONS)]
    )
    deviations = many.std(axis=0).mean(axis=-1, keepdims=True)
    low, high = model.value_range
    deviations = low + (high - low) * deviations / max(deviations.max(), 1e-12)
    images.append(np.broadcast_to(deviations, images[0].shape))
    save_labelled_grid(
        np.stack(images, axis=1),
        model.value_range,
        path,
        title="The same styles under other noise",
        column_labels=[*columns, "deviation"],
    )


def save_style_truncation(model, path, truncations=TRUNCATIONS, num_images=6, seed=0):
    """Draws figure 8: a row for each w, a column for each truncation; at 0 they all are the mean.

    Args:
        model: see the module.
        path: where to, PNG.
        truncations: numbers; negative ones are on the other side of the mean.
        num_images: rows.
        seed: an integer that decides the w's.
    """
    check_count("num_images", num_images)
    w = draw_latents(model, num_images, seed)
    images = [np.asarray(model.decode(model.truncate(w, each))) for each in truncations]
    save_labelled_grid(
        np.stack(images, axis=1),
        model.value_range,
        path,
        title="Truncation in w",
        column_labels=[f"{each:g}" for each in truncations],
    )
