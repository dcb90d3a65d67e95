import numpy as np
import pytest

from keras_gen.training import total_steps, warmed_cosine
from keras_gen.training.errors import RunError


@pytest.mark.parametrize(
    ("steps", "epochs", "total"),
    [(7, None, 7), (None, 3, 30), (7, 3, 7), (70, 3, 30), (None, None, 5)],
)
def test_the_lesser_limit_counts_and_the_default_where_none_is_given(steps, epochs, total):
    assert total_steps(steps, epochs, 10, default=5) == total


@pytest.mark.parametrize("arguments", [(0, None), (None, -1)])
def test_limits_below_one_are_refused_by_name(arguments):
    with pytest.raises(RunError, match="--steps 0|--epochs -1"):
        total_steps(*arguments, 10, default=5)


def test_without_limit_and_default_there_is_nothing_to_train():
    with pytest.raises(RunError, match="Neither --steps nor --epochs"):
        total_steps(None, None, 10)


def test_a_rate_rises_in_a_line_and_falls_along_a_cosine():
    rate = warmed_cosine(0.4, 1000, warm_up=50)
    found = [float(rate(step)) for step in (0, 25, 50, 525, 1000)]
    np.testing.assert_allclose(found, [0.0, 0.2, 0.4, 0.2, 0.0], atol=1e-7)
    assert float(warmed_cosine(0.4, 1000, warm_up=500)(100)) == pytest.approx(0.4)  # a tenth
    assert float(warmed_cosine(0.4, 3)(0)) == pytest.approx(0.4)  # too short to warm up
