"""However a set is batched, every metric gives the bits that it gives of the whole set."""

import functools
import pathlib
import re
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_gen.metrics import (
    PRDC,
    ClassifierScore,
    FrechetDistance,
    KernelDistance,
    MemorizationCheck,
    SlicedWasserstein,
    classifier_score,
    frechet_distance,
    kernel_distance,
    memorization,
    prdc,
    sliced_wasserstein,
)
from keras_gen.metrics.streaming import BLOCK_ROWS, BlockedRows, KeptRows, check_rows

RANDOM = np.random.default_rng(0)
REAL = RANDOM.standard_normal((1300, 9)).astype("float32")
GENERATED = (RANDOM.standard_normal((1100, 9)) * 1.2 + 0.3).astype("float32")
PROBABILITIES = RANDOM.dirichlet(np.ones(5), 1100).astype("float32")
IMAGES = RANDOM.integers(0, 256, (1200, 6, 6, 1), dtype="uint8")
FLIPPED = np.flip(IMAGES, axis=1) // 2
WEIGHTS = RANDOM.standard_normal((36, 9)).astype("float32")


def extractor(images):
    """Features whose bits depend on the batch: a network's sums do, too."""
    flat = images.reshape(len(images), -1).astype("float32") / np.float32(255)
    features = flat @ WEIGHTS
    features += np.float32(1e-3) * np.tanh(features).mean(axis=0)
    scores = np.exp(features - features.max(axis=1, keepdims=True))
    return types.SimpleNamespace(
        features=features, probabilities=scores / scores.sum(axis=1, keepdims=True)
    )


def batched(rows, cuts):
    """The rows in pieces between the cuts; two cuts at one place give an empty piece."""
    return np.split(rows, sorted(cut % (len(rows) + 1) for cut in cuts))


CUTS = st.lists(st.integers(0, 2000), max_size=12)


def two_sets(metric, real_batches, generated_batches):
    for batch in real_batches:
        metric.update_real(batch)
    for batch in generated_batches:
        metric.update_generated(batch)
    return metric.result()


METRICS = {
    "frechet": (FrechetDistance, frechet_distance),
    "prdc": (PRDC, prdc),
    "kernel": (
        functools.partial(KernelDistance, subsets=3, subset_size=200, seed=7),
        functools.partial(kernel_distance, subsets=3, subset_size=200, seed=7),
    ),
    "sliced": (
        functools.partial(SlicedWasserstein, projections=20, order=1, seed=7),
        functools.partial(sliced_wasserstein, projections=20, order=1, seed=7),
    ),
}


@functools.cache
def of_the_whole_sets(name):
    return METRICS[name][1](REAL, GENERATED)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=8, deadline=None)
@given(CUTS, CUTS)
def test_batches_of_any_size_give_the_bits_of_the_whole_set(name, real_cuts, generated_cuts):
    real, generated = batched(REAL, real_cuts), batched(GENERATED, generated_cuts)
    assert two_sets(METRICS[name][0](), real, generated) == of_the_whole_sets(name)


@settings(max_examples=12, deadline=None)
@given(CUTS)
def test_batches_of_probabilities_give_the_bits_of_the_whole_set(cuts):
    score = ClassifierScore(splits=7)
    for batch in batched(PROBABILITIES, cuts):
        score.update_generated(batch)
    assert score.result() == classifier_score(PROBABILITIES, 7)


def test_batches_of_three_sets_give_the_bits_of_the_whole_sets():
    check = MemorizationCheck(percentile=5.0)
    for update, rows in (
        (check.update_generated, GENERATED),
        (check.update_training, REAL[:900]),
        (check.update_test, REAL[900:]),
    ):
        for batch in batched(rows, [1, 77, 600]):
            update(batch)
    whole = memorization(GENERATED, REAL[:900], REAL[900:], 5.0)
    assert check.result().numbers() == whole.numbers()
    assert np.array_equal(check.result().distances, whole.distances)


@functools.cache
def of_all_images(name):
    return two_sets(METRICS[name][0](extractor), [IMAGES], [FLIPPED])


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=5, deadline=None)
@given(CUTS)
def test_images_in_batches_of_any_size_go_through_the_extractor_alike(name, cuts):
    metric = METRICS[name][0](extractor)
    streaming = two_sets(metric, batched(IMAGES, cuts), batched(FLIPPED, cuts[::2]))
    assert streaming == of_all_images(name)


def test_the_classifier_score_takes_the_extractors_probabilities():
    whole, pieces = ClassifierScore(extractor), ClassifierScore(extractor)
    whole.update_generated(IMAGES)
    for batch in batched(IMAGES, [3, 700, 701]):
        pieces.update_generated(batch)
    assert whole.result() == pieces.result()
    blocks = [extractor(IMAGES[at : at + BLOCK_ROWS]) for at in range(0, 1200, BLOCK_ROWS)]
    probabilities = np.concatenate([block.probabilities for block in blocks])
    assert whole.result() == classifier_score(probabilities)


def test_a_result_on_the_way_does_not_change_the_last_one():
    metric = FrechetDistance(extractor)
    for batch in batched(IMAGES, [100, 650]):
        metric.update_real(batch)
        metric.update_generated(255 - batch)
        metric.result()
    assert metric.result() == two_sets(FrechetDistance(extractor), [IMAGES], [255 - IMAGES])


def test_the_callers_memory_may_be_reused():
    for size in (300, BLOCK_ROWS):
        kept, buffer = KeptRows("rows"), np.empty((size, 9), "float32")
        for batch in np.split(REAL, range(size, len(REAL), size)):
            buffer[: len(batch)] = batch
            kept.add(buffer[: len(batch)])
        assert np.array_equal(kept.rows(), REAL)


def test_column_order_in_memory_does_not_matter():
    columns = np.asfortranarray(REAL)
    for metric in (frechet_distance, prdc, sliced_wasserstein):
        assert metric(columns, GENERATED) == metric(REAL, GENERATED)
    assert kernel_distance(columns, GENERATED, 3) == kernel_distance(REAL, GENERATED, 3)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros(3), r"features: shape \(3,\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros((3, 2), complex), "complex128"),
        (np.zeros((3, 2), object), "object"),
        (np.zeros((3, 5)), "rows of 5 values beside rows of 2"),
        (np.zeros((1, 2)), "1 rows: give at least 3"),
        ([[0, 1], [np.nan, 1], [np.inf, 1]], "2 of 3 rows hold NaN or infinity, .* row 1"),
    ],
)
def test_what_is_no_set_of_rows_is_named(rows, words):
    with pytest.raises(ValueError, match=words):
        check_rows("features", rows, width=2, minimum=3)


def test_what_an_extractor_cannot_take_or_give_is_named():
    images = BlockedRows("generated", extractor)
    for wrong in (IMAGES[0], IMAGES / 255.0):
        with pytest.raises(ValueError, match="generated: .* takes uint8 images"):
            images.add(wrong)
    broken = BlockedRows(
        "real", lambda images: types.SimpleNamespace(features=np.full((len(images), 2), np.nan))
    )
    with pytest.raises(ValueError, match="real: 512 of 512 rows hold NaN"):
        broken.add(IMAGES)
    score = ClassifierScore(lambda images: types.SimpleNamespace(probabilities=None))
    with pytest.raises(ValueError, match="generated: the extractor gives no probabilities"):
        score.update_generated(IMAGES)


def test_batches_of_another_width_and_no_batches_are_named():
    rows = KeptRows("generated")
    with pytest.raises(ValueError, match="generated: no batch"):
        rows.rows()
    rows.add(REAL)
    with pytest.raises(ValueError, match="rows of 4 values beside rows of 9"):
        rows.add(REAL[:, :4])


def test_the_python_of_the_metrics_page_runs():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)  # noqa: S102
    assert 0.0 < names["value"] < 0.5 and "3 neighbours" in names["protocol"]
