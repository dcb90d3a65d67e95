import numpy as np
import pytest
from scipy import stats

from keras_gen.layers.code_priors import CODE_PRIORS, code_prior, log_density

PLANE = ("mixture", "swiss_roll")


def draws(prior, count=20_000, **options):
    return np.asarray(prior.draw(count, [3, 4], **options))


@pytest.mark.parametrize("name", CODE_PRIORS)
def test_densities_integrate_to_one(name):
    prior = code_prior(name, 2, 0.7)
    side = np.linspace(-6.0, 6.0, 121)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    total = np.exp(log_density(prior, grid)).sum() * (side[1] - side[0]) ** 2
    assert total == pytest.approx(1.0, abs=2e-3)


def test_the_rolls_density_does_not_change_with_the_number_of_its_stretches():
    latents = np.random.default_rng(0).uniform(-5.0, 5.0, size=(200, 2))
    whole, halves, tenths = (
        log_density(code_prior("swiss_roll", 2, 1.0, num_parts), latents)
        for num_parts in (1, 2, 10)
    )
    np.testing.assert_allclose(whole, tenths, atol=1e-6)
    np.testing.assert_allclose(halves, tenths, atol=1e-6)


@pytest.mark.parametrize("name", CODE_PRIORS)
def test_draws_follow_the_density(name):
    """Counts in the cells of a grid against the density's integral over each."""
    prior = code_prior(name, 2, 1.0)
    points = draws(prior)
    edges = np.linspace(-7.0, 7.0, 15)
    counts, *_ = np.histogram2d(*points.T, bins=[edges, edges])
    fine = (np.arange(140) + 0.5) / 10.0 - 7.0
    grid = np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(prior, grid)).reshape(14, 10, 14, 10).sum(axis=(1, 3)) * 0.01
    kept = density * len(points) > 20
    expected = np.append(density[kept], 1.0 - density[kept].sum()) * len(points)
    seen = np.append(counts[kept], len(points) - counts[kept].sum())
    assert stats.chisquare(seen, expected).pvalue > 1e-3


def test_the_gaussian_has_scipys_density():
    latents = np.random.default_rng(0).normal(size=(50, 3))
    expected = stats.multivariate_normal(np.zeros(3), 25.0 * np.eye(3)).logpdf(latents)
    np.testing.assert_allclose(log_density(code_prior("normal", 3, 5.0), latents), expected)


@pytest.mark.parametrize("name", PLANE)
def test_parts_asked_for_are_drawn_from_and_recognized(name):
    prior = code_prior(name, 2, 1.0, num_parts=7)
    parts = np.arange(7_000) % 7
    recognized = prior.part_log_densities(draws(prior, 7_000, parts=parts)).argmax(axis=0)
    # Neighbours overlap: the roll's stretches meet at their ends.
    assert np.mean(recognized == parts) > 0.9
    assert np.isin(np.abs(recognized - parts)[recognized != parts], [1, 6]).all()


@pytest.mark.parametrize("name", PLANE)
def test_unknown_parts_are_drawn_from_all(name):
    prior = code_prior(name, 2, 1.0, num_parts=5)
    unknown = draws(prior, 500, parts=np.full(500, -1))
    np.testing.assert_array_equal(unknown, draws(prior, 500))


@pytest.mark.parametrize("name", CODE_PRIORS)
def test_truncation_bounds_the_distance_from_the_middle(name):
    prior = code_prior(name, 2, 1.0, num_parts=4)
    near = draws(prior, 2_000, truncation=1e-3)
    if name == "normal":
        middles = np.zeros((1, 2))
    elif name == "mixture":
        middles = 4.0 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    else:
        angles = np.linspace(0.0, 3.0 * np.pi, 20_000)
        middles = 0.5 * angles[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.linalg.norm(
        near[:, None] - middles[None, :: max(1, len(middles) // 4000)], axis=2
    )
    assert distances.min(axis=1).max() < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ring", 2, 1.0), "prior='ring'"),
        (("mixture", 3, 1.0), "latent_dim=3"),
        (("normal", 0, 1.0), "latent_dim=0"),
        (("normal", 2, 0.0), "prior_scale=0.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        code_prior(*arguments)
