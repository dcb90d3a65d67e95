import types

import numpy as np
import pytest

from keras_gen.export import export_model, load_exported
from keras_gen.latent import (
    decode_in_chunks,
    draw_latents,
    encode_in_chunks,
    interpolate,
    of_class,
    project,
)
from keras_gen.latent.access import as_images, as_latents, has, require
from keras_gen.models import CAAE, DCGAN, ConditionalGAN, ConditionalVAE


def test_chunks_are_bounded_and_change_nothing(linear_model):
    latents = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    images = decode_in_chunks(linear_model, latents, chunk=4)
    assert linear_model.calls == [4, 4, 2]
    by_hand = latents @ linear_model.matrix + linear_model.offset
    np.testing.assert_allclose(images, by_hand.reshape(2, 5, 4, 4, 1), rtol=1e-4, atol=1e-5)


def test_encoding_in_chunks_inverts_decoding(linear_autoencoder):
    latents = np.random.default_rng(0).normal(size=(7, 3)).astype("float32")
    images = decode_in_chunks(linear_autoencoder, latents)
    np.testing.assert_allclose(
        encode_in_chunks(linear_autoencoder, images, chunk=3), latents, atol=1e-4
    )


def test_bytes_become_the_value_range():
    images = np.array([0, 51, 255], "uint8").reshape(1, 1, 3, 1)
    np.testing.assert_allclose(as_images(images, (-1.0, 1.0)).ravel(), [-1.0, -0.6, 1.0], atol=1e-6)


def test_images_of_another_range_are_named():
    with pytest.raises(ValueError, match=r"values from 0 to 255: the value range is \(-1, 1\)"):
        as_images(np.array([0.0, 255.0]).reshape(1, 1, 2, 1), (-1.0, 1.0))
    with pytest.raises(ValueError, match="values from nan"):
        as_images(np.full((1, 1, 2, 1), np.nan), (-1.0, 1.0))


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 3), (0, 3), ()])
def test_latents_of_another_shape_are_named(shape, linear_model):
    with pytest.raises(ValueError, match=r"start of shape .*: give latents \(N, 3\)"):
        as_latents(linear_model, np.zeros(shape), "start")


def test_latents_must_be_finite(linear_model):
    with pytest.raises(ValueError, match="not finite"):
        as_latents(linear_model, [0.0, np.inf, 0.0])


def test_images_for_a_model_without_encoder_name_the_remedy(linear_model):
    with pytest.raises(ValueError, match="plus given as images needs encode, .* with project"):
        as_latents(linear_model, np.zeros((1, 4, 4, 1)), "plus")


def test_what_a_model_lacks_is_named():
    with pytest.raises(ValueError, match="Interpolation needs decode, which model=SimpleNamespace"):
        require(types.SimpleNamespace(latent_dim=2), "Interpolation", "latent_dim", "decode")


def test_an_exported_model_can_do_what_its_signatures_say(tmp_path):
    exported = load_exported(export_model(DCGAN((8, 8, 1), 3, 4), tmp_path))
    assert has(exported, "decode") and hasattr(exported, "encode")
    assert not has(exported, "encode")


CONDITIONAL = {
    "ConditionalGAN": lambda: ConditionalGAN((4, 4, 1), num_classes=3, latent_dim=2),
    "ConditionalVAE": lambda: ConditionalVAE((4, 4, 1), 3, 2, ()),
    "CAAE": lambda: CAAE((8, 8, 1), 3, 2, 4),
}


@pytest.mark.parametrize("name", CONDITIONAL)
@pytest.mark.parametrize("exported", [False, True])
def test_a_conditional_model_is_held_to_a_class(name, exported, tmp_path):
    model = CONDITIONAL[name]()
    images = model.sample(5, seed=3, labels=[2] * 5)
    asked = load_exported(export_model(model, tmp_path)) if exported else model
    with pytest.raises(ValueError, match="takes labels: hold the class fixed, by latent.of_class"):
        interpolate(asked, np.zeros(2), np.ones(2))
    held = of_class(asked, 2)
    np.testing.assert_allclose(held.sample(5, seed=3), images, atol=1e-5)
    latents = np.asarray(draw_latents(held, 5, seed=3))
    np.testing.assert_allclose(decode_in_chunks(held, latents), images, atol=1e-5)
    assert has(held, "encode") == has(asked, "encode")
    if has(held, "encode"):
        conditions = () if name == "CAAE" else ([2] * 5,)
        expected = model.encode(images, *conditions)
        np.testing.assert_allclose(encode_in_chunks(held, images), expected, atol=1e-5)
    if not exported:
        assert np.isfinite(project(held, images[:1], steps=2, restarts=1).errors).all()


def test_a_class_that_is_none_is_refused():
    model = CONDITIONAL["ConditionalGAN"]()
    with pytest.raises(ValueError, match="label=3: give an integer from 0 to 2"):
        of_class(model, 3)
    with pytest.raises(ValueError, match="label=0: model=DCGAN takes no labels"):
        of_class(DCGAN((8, 8, 1), 3, 4), 0)
