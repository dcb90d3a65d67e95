"""How well the features of a generator's images can be controlled: directions, matrices, pictures.

One call does what `directions`, `ascent` and `entanglement` offer, in this order: latents are
drawn and labelled, a direction is found for each feature, directions of other factors are projected
out, and other latents are moved along both and by gradient ascent to see what else changes.
"""

import pathlib
import warnings

import numpy as np

from keras_gen.artifacts import write_json
from keras_gen.latent.ascent import move_by_ascent
from keras_gen.latent.directions import fit_boundaries, hold_other_factors, label_latents, move
from keras_gen.latent.entanglement import (
    control,
    feature_name,
    matching_amounts,
    measure_entanglement,
    save_entanglement,
    save_moves,
    save_values,
)
from keras_gen.latent.prior import draw_latents

COLUMNS = 9  # of the pictures of moves
VALUES = 2  # of each factor, in the pictures of moves: with all of them nothing can be seen


def study_control(
    model,
    classifier,
    folder,
    *,
    judge=None,
    names=None,
    ordered=(),
    num_latents=10_000,
    num_moved=200,
    amount=2.0,
    share=0.5,
    seed=0,
):
    """Finds the directions of all features and measures how well they control the images.

    Writes into the folder:

    - `entanglement.png`: the matrices at one amount, without and with the others projected out;
    - `entanglement_matched.png`: the same where the moved factor changed in a given share of the
      images, beside gradient ascent with the others held;
    - `directions.png` and `directions_held.png`: one sample moved along the directions of the first
      values of each factor;
    - `ascent.png`: the same sample moved to each value by gradient ascent;
    - `control.json`: all numbers.

    Args:
        model: a frozen model with `decode`, `latent_dim` and `value_range`.
        classifier: a differentiable callable from images `(B, H, W, C)` in the model's value range
            to `{factor: (B, K)}`, logits or log-probabilities.
        folder: where to; it is there already.
        judge: another such classifier, to read what has changed. It keeps changes that only fool
            the first one, which gradient ascent finds if there are any, from counting as
            success. By default the same one.
        names: `{factor: names of its values}`, or None to number them.
        ordered: names of factors whose values are ordered.
        num_latents: how many latents the directions are found from.
        num_moved: how many others are moved.
        amount: how far all are moved in the first picture; a standard deviation of a normal prior
            is 1.
        share: of images whose moved factor shall change in the second.
        seed: an integer that decides the latents.

    Returns:
        `{"entanglement": (value, protocol), "entanglement_projected": (value, protocol)}`: the mean
        share of images in which a factor changes that was not moved, at the amounts of the second
        picture, along the directions as they are and with the others projected out. Empty, with a
        warning, where all samples show the same.

    Raises:
        ValueError: only one factor is read, or there are too many for the latents' dimensions.
    """
    folder, judge = pathlib.Path(folder), judge or classifier
    labelled = label_latents(model, classifier, num_latents, seed=seed)
    boundaries = fit_boundaries(labelled, ordered, samples=max(20, num_latents // 10), seed=seed)
    if not boundaries:
        warnings.warn(
            f"All {num_latents} samples show the same values of all factors: there is no direction "
            "to find. The generator has collapsed, or has hardly been trained.",
            stacklevel=2,
        )
        return {}
    plain = {feature: boundary.direction for feature, boundary in boundaries.items()}
    kinds = {"directions": plain, "others projected out": hold_other_factors(plain)}
    latents = draw_latents(model, num_moved, seed + 1)

    def measured(moved):
        return measure_entanglement(model, judge, latents, moved)

    fixed = {name: measured(move(latents, each, amount)) for name, each in kinds.items()}
    amounts = {
        name: matching_amounts(model, judge, latents, each, share) for name, each in kinds.items()
    }
    matched = {name: measured(move(latents, each, amounts[name])) for name, each in kinds.items()}
    values = [feature for feature in plain if feature[1] is not None]
    if values:
        climbed = move_by_ascent(model, classifier, latents, values)
        matched["gradient ascent, others held"] = measured(climbed)
        first = {feature: ends[0] for feature, ends in climbed.items()}
        save_values(model, latents[0], first, folder / "ascent.png", "By gradient ascent")

    save_entanglement(fixed, folder / "entanglement.png", f"Latents moved by {amount:g}")
    title = f"Latents moved until the factor changes in {share:.0%} of the images"
    save_entanglement(matched, folder / "entanglement_matched.png", title)
    for file, each in zip(("directions", "directions_held"), kinds.values(), strict=True):
        columns = np.linspace(-2.0, 2.0, COLUMNS) * amount
        shown = {feature: each[feature] for feature in plain if (feature[1] or 0) < VALUES}
        save_moves(model, latents[0], shown, columns, folder / f"{file}.png", names=names)
    write_json(
        folder / "control.json",
        {
            "generated": _generated(labelled),
            "boundary_fit": {feature_name(f, names): b.fit for f, b in boundaries.items()},
            "amount": amount,
            "at_amount": {name: _as_dict(each) for name, each in fixed.items()},
            "matched_amounts": amounts,
            "matched": {name: _as_dict(each) for name, each in matched.items()},
        },
    )
    return {
        name: _metric(matched[kind], f"{kind}, {num_moved} samples, {len(plain)} features")
        for name, kind in zip(("entanglement", "entanglement_projected"), kinds, strict=True)
    }


def _generated(labelled):
    """What the samples show: the share of each value, and the mean probability of the likeliest."""
    return {
        factor: {
            "shares": np.eye(each.shape[-1])[labelled.values(factor)].mean(axis=0).tolist(),
            "confidence": float(np.exp(each.max(axis=-1)).mean()),
        }
        for factor, each in labelled.log_probabilities.items()
    }


def _metric(entanglement, what):
    moved, others = control(entanglement)
    protocol = f"share of other factors read as changed where {moved:.0%} of the moved were: {what}"
    return others, protocol


def _as_dict(entanglement):
    moved, others = control(entanglement)
    return {
        **{name: np.asarray(value).tolist() for name, value in entanglement._asdict().items()},
        "moved_factors_changed": moved,
        "other_factors_changed": others,
    }
