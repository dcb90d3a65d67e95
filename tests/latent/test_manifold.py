import numpy as np
import pytest
import scipy.stats

from keras_gen.latent import draw_manifold
from keras_gen.models import DCGAN


def test_every_cell_holds_the_same_share_of_the_prior(make_linear_model):
    values = draw_manifold(make_linear_model(latent_dim=2), side=8).values
    expected = np.tile((np.arange(8) + 0.5)[:, None] / 8, (1, 2))
    np.testing.assert_allclose(scipy.stats.norm.cdf(values), expected, atol=1e-6)


def test_the_first_coordinate_grows_to_the_right_and_the_second_upwards(make_linear_model):
    model = make_linear_model(latent_dim=2)
    manifold = draw_manifold(model, side=4)
    assert (np.diff(manifold.latents[..., 0], axis=1) > 0).all()
    assert (np.diff(manifold.latents[..., 0], axis=0) == 0).all()
    assert (np.diff(manifold.latents[..., 1], axis=0) < 0).all()
    assert (np.diff(manifold.latents[..., 1], axis=1) == 0).all()
    corner = manifold.values[-1:]  # the largest of both: top right
    np.testing.assert_allclose(manifold.images[0, -1], model.decode(corner)[0], atol=1e-4)


def test_a_uniform_prior_has_even_steps():
    model = DCGAN((8, 8, 1), 2, 4, latent_distribution="uniform")
    steps = np.array([-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(draw_manifold(model, 4).values, np.stack([steps, steps], axis=1))


def test_a_model_of_other_dimension_is_named_before_anything_is_computed(linear_model):
    with pytest.raises(ValueError, match="latent_dim=3 of LinearModel.* latent_dim 2. Train one"):
        draw_manifold(linear_model)
    assert not linear_model.calls
