"""Exports of models that take labels."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.export import export_model, load_exported
from keras_gen.models import ConditionalVAE

NUM_CLASSES = 5


@pytest.fixture(scope="module")
def conditional():
    """A model whose images differ clearly from class to class, as fresh weights' do not."""
    model = ConditionalVAE((8, 8, 1), NUM_CLASSES, latent_dim=3, hidden_units=(6,))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.7, size=variable.shape))
    return model


@pytest.fixture(scope="module")
def exported(conditional, tmp_path_factory):
    return load_exported(export_model(conditional, tmp_path_factory.mktemp("conditional")))


@pytest.fixture
def served(exported):
    """The SavedModel's signatures, as a server has them."""
    return exported._saved_model.signatures


def request(num_images, labels):
    return {
        "seed": tf.constant(3, "int64"),
        "num_images": tf.constant(num_images),
        "labels": tf.constant(labels, "int32"),
    }


def test_every_signature_has_labels_as_one_more_input(exported):
    signatures = exported.description["signatures"]
    assert set(signatures) == {"decode", "sample", "sample_truncated", "encode", "reconstruct"}
    for signature in signatures.values():
        assert signature["inputs"]["labels"] == {"dtype": "int32", "shape": [None]}
    assert exported.num_classes == NUM_CLASSES


@pytest.mark.parametrize("arguments", [{}, {"truncation": 0.5}])
def test_requested_classes_give_the_models_images(exported, conditional, arguments):
    labels = np.arange(300) % NUM_CLASSES  # more than one chunk
    images = exported.sample(300, seed=3, labels=labels, **arguments)
    expected = conditional.sample(300, seed=3, labels=labels, **arguments)
    np.testing.assert_allclose(images, expected, atol=1e-6)
    others = exported.sample(300, seed=3, labels=(labels + 1) % NUM_CLASSES, **arguments)
    assert (np.abs(images - others).max(axis=(1, 2, 3)) > 1e-2).mean() > 0.9


def test_without_labels_the_classes_are_those_that_the_model_draws(exported, conditional):
    np.testing.assert_allclose(
        exported.sample(40, seed=9), conditional.sample(40, seed=9), atol=1e-6
    )


def test_decode_encode_and_reconstruct_are_the_models(exported, conditional):
    random = np.random.default_rng(1)
    images, labels = random.uniform(size=(7, 8, 8, 1)).astype("float32"), np.arange(7) % 5
    latents = exported.encode(images, labels)
    np.testing.assert_allclose(latents, conditional.encode(images, labels), atol=1e-5)
    decoded = exported.decode(latents, labels)
    np.testing.assert_allclose(decoded, conditional.decode(latents, labels), atol=1e-6)
    reconstructed = conditional.reconstruct(images, labels)
    np.testing.assert_allclose(exported.reconstruct(images, labels), reconstructed, atol=1e-6)


@pytest.mark.parametrize("labels", [[1, 5], [-1, 0]])
def test_a_class_out_of_range_is_refused_by_the_graph(served, labels):
    message = "labels must be from 0 to 4, received"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served["sample"](**request(2, labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served["sample_truncated"](**request(2, labels), truncation=tf.constant(0.5))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 5\)"):
        served["decode"](latents=tf.zeros((2, 3)), labels=tf.constant(labels))
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels_must_be_in_range"):
        served["encode"](images=tf.zeros((2, 8, 8, 1)), labels=tf.constant(labels))


def test_another_number_of_labels_than_images_is_refused_by_the_graph(served):
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be one for each of"):
        served["sample"](**request(2, [0, 1, 2]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 5], "labels from 0 to 5: give integers from 0 to 4"),
        ([0], r"labels of shape \(1,\) .*: give 2 integers"),
        ([0.0, 1.0], "type float64: give 2 integers"),
    ],
)
def test_bad_labels_are_refused_by_the_loaded_model_as_by_the_model(
    exported, conditional, labels, message
):
    for model in (exported, conditional):
        with pytest.raises(ValueError, match=message):
            model.sample(2, seed=0, labels=labels)


def test_labels_for_an_unconditional_export_are_refused(tmp_path):
    class Unconditional:
        image_shape, latent_dim = (2, 2, 1), 4

        def decode(self, latents):
            return tf.reshape(latents, (-1, 2, 2, 1))

        def draw_latents(self, num_images, seed):
            return tf.random.stateless_normal((num_images, 4), seed)

    unconditional = load_exported(export_model(Unconditional(), tmp_path))
    with pytest.raises(ValueError, match="labels: this model is unconditional"):
        unconditional.sample(2, labels=[0, 1])
    assert unconditional.num_classes is None


def test_decode_of_a_conditional_model_stays_portable(served):
    graph = served["decode"].graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    unportable = ("Random", "Assert", "Assign", "Print", "PyFunc", "While")
    assert [node.op for node in nodes if node.op.startswith(unportable)] == []
