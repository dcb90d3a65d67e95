"""Directions, ascent and entanglement against linear models whose directions are known.

The decoder is a rotation of the latent into pixels, the classifier rotates back and takes linear
scores: factor f has the logits `latents @ axes[f]`.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.linalg import null_space
from scipy.special import expit, log_softmax

from keras_gen.latent.ascent import ascend, move_by_ascent
from keras_gen.latent.directions import (
    Labelled,
    fit_boundaries,
    hold_other_factors,
    label_latents,
    move,
    project_out,
)
from keras_gen.latent.entanglement import (
    Entanglement,
    control,
    feature_name,
    matching_amounts,
    measure_entanglement,
    save_entanglement,
    save_moves,
    save_values,
)

LATENT_DIM = 8
ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0].astype("float32")
UNIT = np.eye(LATENT_DIM, dtype="float32")


class LinearDecoder:
    latent_dim = LATENT_DIM
    value_range = (-4.0, 4.0)
    latent_distribution = "normal"

    def decode(self, latents):
        return tf.reshape(tf.convert_to_tensor(latents) @ ROTATION, (-1, 2, 4, 1))


def linear_classifier(axes):
    """`{factor: (8, K)}` -> a callable that scores an image's latent along each axis."""

    def classify(images):
        latents = tf.reshape(images, (-1, LATENT_DIM)) @ ROTATION.T
        return {name: latents @ tf.constant(each, "float32") for name, each in axes.items()}

    return classify


def binary(axis, scale=5.0):
    """Logits (0, scale * axis . z): value 1 lies in the direction `axis`."""
    return np.stack([np.zeros(LATENT_DIM), scale * np.asarray(axis)], axis=1)


MODEL = LinearDecoder()
DISENTANGLED = {"colour": binary(UNIT[0]), "size": binary(UNIT[1]), "shape": binary(UNIT[2])}
SLANTED = (UNIT[0] + UNIT[1]) / np.sqrt(2.0)
MIXED = {**DISENTANGLED, "size": binary(SLANTED)}
BINARY_FEATURES = [(factor, value) for factor in DISENTANGLED for value in (0, 1)]


def true_directions(axes):
    return {
        (factor, value): np.float32((1, -1)[value == 0] * each[:, 1] / np.linalg.norm(each[:, 1]))
        for factor, each in axes.items()
        for value in (0, 1)
    }


# ---------------------------------------------------------------------- labels and boundaries


def test_latents_get_the_log_probabilities_of_their_images():
    labelled = label_latents(MODEL, linear_classifier(MIXED), 10, seed=3, chunk=4)
    assert labelled.latents.shape == (10, LATENT_DIM)
    for factor, axes in MIXED.items():
        expected = log_softmax(labelled.latents @ axes, axis=-1)
        np.testing.assert_allclose(labelled.log_probabilities[factor], expected, atol=1e-4)
        np.testing.assert_array_equal(labelled.values(factor), expected.argmax(axis=-1))


@pytest.mark.parametrize("axes", [DISENTANGLED, MIXED], ids=["disentangled", "mixed"])
def test_boundaries_have_the_true_normals_as_directions(axes):
    boundaries = fit_boundaries(label_latents(MODEL, linear_classifier(axes), 4000), samples=2000)
    truth = true_directions(axes)
    assert list(boundaries) == list(truth) == BINARY_FEATURES
    for feature, boundary in boundaries.items():
        assert boundary.direction @ truth[feature] > 0.99
        assert np.linalg.norm(boundary.direction) == pytest.approx(1.0, abs=1e-6)
        assert boundary.fit > 0.95


def test_a_value_stands_against_all_others_alike():
    angles = np.deg2rad([90.0, 210.0, 330.0])
    axes = np.zeros((LATENT_DIM, 3))
    axes[0], axes[1] = np.cos(angles), np.sin(angles)
    # The last value is never read with as much confidence as the others.
    axes[:, 2] *= 0.6
    boundaries = fit_boundaries(
        label_latents(MODEL, linear_classifier({"three": axes}), 8000), samples=300
    )
    assert boundaries["three", 0].direction[1] > 0.97  # straight between the other two


def test_what_cannot_be_seen_in_the_latents_fits_no_better_than_chance():
    rng = np.random.default_rng(0)
    labelled = Labelled(
        rng.normal(size=(4000, 8)), {"coin": log_softmax(rng.normal(size=(4000, 2)), axis=-1)}
    )
    assert fit_boundaries(labelled, samples=2000)["coin", 0].fit == pytest.approx(0.5, abs=0.05)
    assert fit_boundaries(labelled, ordered=("coin",))["coin", None].fit < 0.02


def test_ordered_values_have_one_direction():
    # logits -(axis . z - k)^2, less what all values share: linear in z
    axis = (UNIT[3] - 2.0 * UNIT[5]) / np.sqrt(5.0)
    levels = np.arange(-2, 3)

    def classify(images):
        latents = tf.reshape(images, (-1, LATENT_DIM)) @ ROTATION.T
        heights = latents @ axis[:, None]
        return {"size": -((heights - levels) ** 2), "colour": latents[:, :2]}

    boundaries = fit_boundaries(label_latents(MODEL, classify, 4000), ordered=("size",))
    assert list(boundaries) == [("size", None), ("colour", 0), ("colour", 1)]
    assert boundaries["size", None].direction @ axis > 0.99
    assert 0.9 < boundaries["size", None].fit <= 1.0


def test_values_that_are_hardly_ever_shown_have_no_direction():
    axes = np.zeros((LATENT_DIM, 3))
    axes[:2, :2] = np.eye(2)
    axes[2, 2] = -1.0

    def classify(images):
        logits = linear_classifier({"three": axes})(images)["three"]
        return {
            "three": logits - tf.constant([0.0, 0.0, 9.0]),
            "one": logits * [1.0, 0.0, 0.0] + [20.0, 0.0, 0.0],
        }

    boundaries = fit_boundaries(label_latents(MODEL, classify, 500))
    assert list(boundaries) == [("three", 0), ("three", 1)]


# ---------------------------------------------------------------------- holding others


def test_holding_one_direction_is_the_formula_of_the_paper():
    rng = np.random.default_rng(1)
    first, second = (each / np.linalg.norm(each) for each in rng.normal(size=(2, LATENT_DIM)))
    expected = first - (first @ second) * second
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(project_out(first, [second]), expected, atol=1e-6)
    np.testing.assert_allclose(project_out(first, [-7.0 * second]), expected, atol=1e-6)
    np.testing.assert_allclose(project_out(first, []), first, atol=1e-6)


def test_holding_several_is_the_projection_onto_their_null_space():
    rng = np.random.default_rng(2)
    direction, held = rng.normal(size=LATENT_DIM), rng.normal(size=(4, LATENT_DIM))
    held = np.concatenate([held, [held[0] + held[1]]])  # they depend on each other
    basis = null_space(held)
    expected = basis @ (basis.T @ direction)
    expected /= np.linalg.norm(expected)
    result = project_out(direction, held)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(held @ result, 0.0, atol=1e-6)


def test_a_direction_within_the_held_ones_is_refused():
    with pytest.raises(ValueError, match="Nothing is left.*Hold fewer"):
        project_out(SLANTED, [UNIT[0], UNIT[1]])


def test_other_factors_scores_stay_and_the_own_values_need_not():
    three = np.random.default_rng(3).normal(size=(LATENT_DIM, 3))
    axes = {**MIXED, "three": three}
    directions = true_directions(MIXED)
    directions |= {("three", value): three[:, value] for value in range(3)}
    held = hold_other_factors(directions)
    latents = np.random.default_rng(4).normal(size=(5, LATENT_DIM)).astype("float32")
    before = linear_classifier(axes)(MODEL.decode(latents))
    for (factor, value), moved in move(latents, held, 3.0).items():
        after = linear_classifier(axes)(MODEL.decode(moved))
        for other in axes:
            if other != factor:
                np.testing.assert_allclose(after[other], before[other], atol=1e-4)
        rise = np.asarray(after[factor]) - np.asarray(before[factor])
        assert np.all(rise[:, value] > np.delete(rise, value, axis=1).min(axis=1) + 0.1)
    # Its own values are not at right angles to each other, and may move.
    assert abs(held["three", 0] @ three[:, 1]) > 0.01


def test_latents_move_by_the_amount_along_the_direction():
    latents = np.ones((2, LATENT_DIM), "float32")
    moved = move(latents, {("size", 1): UNIT[4]}, -2.5)
    np.testing.assert_allclose(moved["size", 1] - latents, [-2.5 * UNIT[4]] * 2)
    moved = move(latents, {("size", 1): UNIT[4], ("hair", 0): UNIT[5]}, {"size": 1.5, "hair": 0.5})
    np.testing.assert_allclose(moved["size", 1] - latents, [1.5 * UNIT[4]] * 2)
    np.testing.assert_allclose(moved["hair", 0] - latents, [0.5 * UNIT[5]] * 2)


# ---------------------------------------------------------------------- ascent


def test_one_step_of_ascent_is_the_gradient_of_logistic_regression():
    latents = np.random.default_rng(5).normal(size=(3, LATENT_DIM)).astype("float32")
    scale = 1.5  # long enough for the gradients of some latents to be shortened to 1
    classifier = linear_classifier({"size": binary(SLANTED, scale)})
    for value, sign in ((0, -1.0), (1, 1.0)):
        result = ascend(MODEL, classifier, latents, ("size", value), steps=1, learning_rate=0.3)
        probability = expit(sign * scale * latents @ SLANTED)
        length = np.minimum(scale * (1.0 - probability), 1.0)
        assert length.min() < 1.0
        expected = latents + 0.3 * length[:, None] * sign * SLANTED
        np.testing.assert_allclose(result.latents, expected, atol=1e-5)
        np.testing.assert_allclose(result.log_probabilities[0], np.log(probability), atol=1e-5)
        after = np.log(expit(sign * scale * expected @ SLANTED))
        np.testing.assert_allclose(result.log_probabilities[1], after, atol=1e-5)
        np.testing.assert_allclose(result.images, MODEL.decode(expected), atol=1e-5)


def test_the_norm_is_held_by_its_penalty():
    # From the second step on: d/dz -w (|z| - |z0|)^2 = -2 w (|z| - |z0|) z / |z|, added by hand.
    start = UNIT[:1] * 2.0
    classifier = linear_classifier({"size": binary(UNIT[0], scale=1.0)})
    latents = start.copy()
    for _ in range(2):
        norm = np.linalg.norm(latents)
        gradient = (1.0 - expit(latents[0, 0])) * UNIT[0]
        latents = latents + 0.5 * (gradient - 2 * 0.7 * (norm - 2.0) * latents / norm)
    result = ascend(
        MODEL, classifier, start, ("size", 1), steps=2, learning_rate=0.5, norm_weight=0.7
    )
    np.testing.assert_allclose(result.latents, latents, atol=1e-5)
    assert len(result.log_probabilities) == 3


def test_held_factors_change_less_and_the_score_still_rises():
    latents = np.random.default_rng(6).normal(size=(20, LATENT_DIM)).astype("float32")
    classifier = linear_classifier(MIXED)
    truth = {factor: latents @ axes[:, 1] for factor, axes in MIXED.items()}

    def change(**arguments):
        result = ascend(MODEL, classifier, latents, ("colour", 1), **arguments)
        assert np.all(result.log_probabilities[-1] >= result.log_probabilities[0])
        return np.abs(expit(result.latents @ MIXED["size"][:, 1]) - expit(truth["size"])).mean()

    free, held = change(), change(hold=("size", "shape"), hold_weight=5.0)
    assert free > 0.1
    assert held < 0.3 * free


def test_values_may_differ_from_latent_to_latent_and_do_not_touch_each_other():
    latents = np.random.default_rng(7).normal(size=(4, LATENT_DIM)).astype("float32")
    classifier, values = linear_classifier(MIXED), np.array([0, 1, 1, 0])
    together = ascend(MODEL, classifier, latents, ("size", values), hold=("colour",), steps=5)
    for row, value in enumerate(values):
        alone = ascend(
            MODEL, classifier, latents[row], ("size", int(value)), hold=("colour",), steps=5
        )
        np.testing.assert_allclose(together.latents[row], alone.latents[0], atol=1e-5)


def test_ascent_to_many_features_is_the_ascent_to_each():
    latents = np.random.default_rng(7).normal(size=(3, LATENT_DIM)).astype("float32")
    classifier, features = linear_classifier(MIXED), [("size", 1), ("shape", 0), ("size", 0)]
    for hold_weight in (0.0, 2.0):
        moved = move_by_ascent(
            MODEL, classifier, latents, features, steps=3, hold_weight=hold_weight
        )
        assert set(moved) == set(features)
        for (factor, value), each in moved.items():
            hold = [name for name in MIXED if name != factor] if hold_weight else ()
            alone = ascend(
                MODEL,
                classifier,
                latents,
                (factor, value),
                steps=3,
                hold=hold,
                hold_weight=hold_weight,
            )
            np.testing.assert_allclose(each, alone.latents, atol=1e-5)


def test_ascent_leaves_generator_and_classifier_as_they_were_bit_for_bit():
    keras.utils.set_random_seed(0)
    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            keras.layers.Dense(12, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8),
            keras.layers.Reshape((2, 4, 1)),
        ]
    )
    images = keras.Input((2, 4, 1))
    features = keras.layers.Dropout(0.5)(keras.layers.Flatten()(images))
    classifier = keras.Model(images, {"a": keras.layers.Dense(3)(features)})

    class Model(LinearDecoder):
        def decode(self, latents):
            return generator(latents, training=False)

    before = [*generator.get_weights(), *classifier.get_weights()]
    latents = np.random.default_rng(8).normal(size=(6, LATENT_DIM)).astype("float32")
    result = ascend(Model(), classifier, latents, ("a", 2), steps=20)
    after = [*generator.get_weights(), *classifier.get_weights()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert np.all(result.log_probabilities[-1] > result.log_probabilities[0])


# ---------------------------------------------------------------------- entanglement


def entanglement_of(axes, directions, amount=30.0):
    latents = np.random.default_rng(9).normal(size=(200, LATENT_DIM)).astype("float32")
    moved = move(latents, directions, amount)
    return measure_entanglement(MODEL, linear_classifier(axes), latents, moved)


def test_a_disentangled_model_has_the_identity():
    result = entanglement_of(DISENTANGLED, true_directions(DISENTANGLED))
    assert result.moved == result.observed == ("colour", "size", "shape")
    np.testing.assert_array_equal(result.changed, np.eye(3))
    np.testing.assert_array_equal(result.reached, 1.0)
    assert control(result) == (1.0, 0.0)


def test_a_mixed_model_has_not_the_identity_before_and_has_it_after_projecting_out():
    directions = true_directions(MIXED)
    before = entanglement_of(MIXED, directions)
    # Half of the images that move along one of the two axes cross the other's boundary as well,
    # and are more than half, for the two scores are correlated.
    assert before.changed[0, 1] > 0.6 and before.changed[1, 0] > 0.6
    np.testing.assert_array_equal(before.changed[2], [0.0, 0.0, 1.0])
    after = entanglement_of(MIXED, hold_other_factors(directions))
    np.testing.assert_array_equal(after.changed, np.eye(3))
    assert control(after) == (1.0, 0.0)


def test_fitted_directions_tell_the_two_models_apart_too():
    def others(axes, hold):
        labelled = label_latents(MODEL, linear_classifier(axes), 6000)
        fitted = fit_boundaries(labelled, samples=3000)
        directions = {feature: boundary.direction for feature, boundary in fitted.items()}
        directions = hold_other_factors(directions) if hold else directions
        return control(entanglement_of(axes, directions, amount=4.0))[1]

    assert others(DISENTANGLED, hold=False) < 0.1
    assert others(MIXED, hold=False) > 0.2
    assert others(MIXED, hold=True) < 0.1


def test_shares_and_shifts_are_counted_by_hand():
    """Two factors on a line: z0 decides both, a at 0, b at 1; three of four images are moved."""
    thresholds = {"a": 0.0, "b": 1.0}

    def classify(images):
        height = (tf.reshape(images, (-1, LATENT_DIM)) @ ROTATION.T)[:, 0]
        return {
            name: tf.stack([tf.zeros_like(height), 2.0 * (height - threshold)], axis=1)
            for name, threshold in thresholds.items()
        }

    heights = np.array([-3.0, -0.5, -0.25, 0.5])
    latents = np.float32(heights[:, None] * UNIT[0])
    result = measure_entanglement(
        MODEL, classify, latents, {("a", 1): latents + np.float32(1.0) * UNIT[0]}
    )
    start = heights[:3]  # the last shows the value already
    assert result.moved == ("a",) and result.observed == ("a", "b")
    np.testing.assert_allclose(result.changed, [[2 / 3, 0.0]])
    np.testing.assert_allclose(result.reached, [2 / 3])
    shifts = [
        np.mean(expit(2 * (start + 1 - each)) - expit(2 * (start - each)))
        for each in thresholds.values()
    ]
    np.testing.assert_allclose(result.shifted, [shifts], atol=1e-5)


def test_amounts_match_a_share_of_changes():
    # Of z0 < 0, half lies above -0.674: a quarter of the normal distribution's quantiles.
    latents = np.random.default_rng(9).normal(size=(2000, LATENT_DIM)).astype("float32")
    directions = {("colour", 1): UNIT[0], ("size", 1): SLANTED}
    amounts = matching_amounts(MODEL, linear_classifier(DISENTANGLED), latents, directions)
    assert amounts["colour"] == pytest.approx(0.674, abs=0.15)
    assert amounts["size"] == pytest.approx(0.674 * np.sqrt(2.0), abs=0.15)
    never = {("colour", 1): UNIT[7]}
    arguments = (MODEL, linear_classifier(DISENTANGLED), latents[:50], never)
    assert matching_amounts(*arguments, limit=3.0) == {"colour": 3.0}


def test_a_factor_of_ordered_values_aims_at_none():
    latents = np.random.default_rng(9).normal(size=(50, LATENT_DIM)).astype("float32")
    moved = {("size", None): latents + 30.0 * UNIT[1], ("colour", 0): latents - 30.0 * UNIT[0]}
    result = measure_entanglement(MODEL, linear_classifier(DISENTANGLED), latents, moved)
    assert result.moved == ("colour", "size")  # in the classifier's order
    share_below = np.mean(latents[:, 1] < 0)
    np.testing.assert_allclose(result.changed, [[1.0, 0.0, 0.0], [0.0, share_below, 0.0]])
    np.testing.assert_array_equal(result.reached, [1.0, np.nan])


def test_control_averages_the_diagonal_and_the_rest():
    changed = np.array([[0.9, 0.1, 0.2], [0.3, 0.2, 0.7]])
    result = Entanglement(("a", "c"), ("a", "b", "c"), changed, changed, np.ones(2))
    assert control(result) == pytest.approx(((0.9 + 0.7) / 2, (0.1 + 0.2 + 0.3 + 0.2) / 4))
    with pytest.raises(ValueError, match="at least two"):
        control(Entanglement(("a",), ("a",), changed[:1, :1], changed[:1, :1], np.ones(1)))


# ---------------------------------------------------------------------- pictures and errors


def test_pictures_of_matrices_grow_with_what_they_hold(tmp_path):
    one = entanglement_of(DISENTANGLED, true_directions(DISENTANGLED))
    save_entanglement({"before": one}, tmp_path / "one.png")
    save_entanglement({"before": one, "after": one}, tmp_path / "two.png", title="Two")
    sizes = [Image.open(tmp_path / name).size for name in ("one.png", "two.png")]
    assert sizes[1][0] > 1.8 * sizes[0][0]


def test_rows_of_moves_hold_the_images_along_each_direction(tmp_path, monkeypatch):
    drawn = {}

    def keep(images, value_range, path, **labels):
        drawn.update(labels, images=images, value_range=value_range, path=path)

    monkeypatch.setattr("keras_gen.latent.entanglement.save_labelled_grid", keep)
    latent = np.arange(8, dtype="float32") / 8
    directions = {("size", 1): UNIT[1], ("hair", None): SLANTED}
    save_moves(
        MODEL, latent, directions, (-2, 0, 2), tmp_path / "x.png", names={"size": ("small", "big")}
    )
    assert drawn["row_labels"] == ["size\nbig", "hair"]
    assert drawn["column_labels"] == ["-2.0", "0", "+2.0"]
    assert drawn["value_range"] == MODEL.value_range
    for row, direction in enumerate(directions.values()):
        for column, amount in enumerate((-2, 0, 2)):
            expected = MODEL.decode(latent[None] + np.float32(amount) * direction)[0]
            np.testing.assert_allclose(drawn["images"][row, column], expected, atol=1e-5)


def test_a_row_of_values_holds_the_start_and_each_value_in_its_column(tmp_path, monkeypatch):
    drawn = {}

    def keep(images, value_range, path, **labels):
        drawn.update(labels, images=images)

    monkeypatch.setattr("keras_gen.latent.entanglement.save_labelled_grid", keep)
    moved = {("size", 1): UNIT[1], ("hair", 0): UNIT[2], ("hair", 2): UNIT[3]}
    save_values(MODEL, UNIT[0], moved, tmp_path / "x.png", title="Values")
    assert drawn["row_labels"] == ["size", "hair"] and drawn["title"] == "Values"
    assert drawn["column_labels"] == ["start", "0", "1", "2"]
    start, size, first, last = MODEL.decode(UNIT[:4]).numpy()
    black = np.full_like(start, MODEL.value_range[0])
    expected = [[start, black, size, black], [start, first, black, last]]
    np.testing.assert_allclose(drawn["images"], expected, atol=1e-6)


def test_features_have_names():
    names = {"direction": ("left", "front")}
    assert feature_name(("direction", 1), names) == "direction front"
    assert feature_name(("hair", 2), names) == feature_name(("hair", 2)) == "hair 2"
    assert feature_name(("size", None), names) == "size"


LATENTS = np.zeros((2, LATENT_DIM), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: label_latents(MODEL, linear_classifier(MIXED)), "either num_latents or latents"),
        (
            lambda: label_latents(MODEL, linear_classifier(MIXED), 2, latents=LATENTS),
            "either num_latents or latents",
        ),
        (lambda: label_latents(MODEL, lambda images: images, 2), r"return.*\{factor: scores"),
        (
            lambda: fit_boundaries(label_latents(MODEL, linear_classifier(MIXED), 2), ("hat",)),
            "'hat' is no factor.*colour, size, shape",
        ),
        (
            lambda: fit_boundaries(label_latents(MODEL, linear_classifier(MIXED), 2), samples=3),
            "samples=3",
        ),
        (lambda: raised(("hat", 0)), "'hat' is no factor.*colour, size, shape"),
        (lambda: raised(("size", 0), hold=("hat",)), "'hat' is no factor"),
        (lambda: raised(("size", 0), hold=("size",)), "'size' is what shall move"),
        (lambda: raised(("size", 2)), "values from 0 to 1"),
        (lambda: raised(("size", [0, -1])), "values from 0 to 1"),
        (lambda: raised(("size", 0.5)), "values from 0 to 1"),
        (lambda: raised(("size", 1), steps=0), "steps=0"),
        (lambda: raised(("size", 1), hold_weight=-1.0), "hold_weight=-1.0"),
        (lambda: raised(("size", 1), norm_weight=float("nan")), "norm_weight=nan"),
        (
            lambda: measure_entanglement(MODEL, linear_classifier(MIXED), LATENTS, {}),
            r"moved=\[\].*colour, size, shape",
        ),
        (
            lambda: measure_entanglement(
                MODEL, linear_classifier(MIXED), LATENTS, {("hat", 1): LATENTS}
            ),
            "hat.*colour, size, shape",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def raised(feature, **arguments):
    return ascend(MODEL, linear_classifier(MIXED), LATENTS, feature, **arguments)
