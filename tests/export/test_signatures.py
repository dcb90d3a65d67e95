import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_gen.export import export_model, load_exported

REQUESTS = pathlib.Path(__file__).parent / "requests"


@pytest.fixture(scope="module")
def served(exported_folder):
    """The SavedModel as a server has it: signatures and nothing else."""
    return tf.saved_model.load(str(exported_folder / "1"))


def answer(served, request):
    """What TensorFlow Serving makes of a REST request, and the signature of that.

    As in its json_tensor.cc: under "inputs" a number is a scalar, each list adds a dimension and an
    integer input takes whole numbers only; under "instances" the rows are stacked.
    """
    signature = served.signatures[request.get("signature_name", "serving_default")]
    specs = {spec.name: spec for spec in tf.nest.flatten(signature.structured_input_signature)}
    if "instances" in request:
        (name,) = specs
        inputs = {name: request["instances"]}
    else:
        inputs = request["inputs"]
    assert set(inputs) == set(specs)
    tensors = {}
    for name, value in inputs.items():
        assert specs[name].dtype.is_floating or isinstance(value, int)
        tensors[name] = tf.constant(value, specs[name].dtype)
    return signature(**tensors)["images"].numpy()


def read_request(name):
    return json.loads((REQUESTS / f"{name}.json").read_text())


def test_the_documented_sample_request_gives_the_models_samples(served, model):
    images = answer(served, read_request("sample"))
    np.testing.assert_allclose(images, model.sample(16, seed=7), rtol=0, atol=1e-6)


def test_the_documented_truncated_request_gives_the_models_truncated_samples(served, model):
    images = answer(served, read_request("sample_truncated"))
    np.testing.assert_allclose(images, model.sample(16, seed=7, truncation=0.5), rtol=0, atol=1e-6)
    assert np.abs(images - model.sample(16, seed=7)).max() > 1e-2


@pytest.mark.parametrize("name", ["decode", "decode_rows"])
def test_the_documented_decode_requests_give_the_models_images(served, model, name):
    request = read_request(name)
    rows = request.get("instances") or request["inputs"]["latents"]
    expected = model.decode(tf.constant(rows))
    np.testing.assert_allclose(answer(served, request), expected, rtol=0, atol=1e-6)


def test_signatures_and_their_tensors_have_the_documented_names(served):
    def described(name):
        signature = served.signatures[name]
        inputs = tf.nest.flatten(signature.structured_input_signature)
        return (
            {spec.name: (spec.dtype.name, spec.shape.as_list()) for spec in inputs},
            {
                name: (spec.dtype.name, spec.shape.as_list())
                for name, spec in signature.structured_outputs.items()
            },
        )

    images = {"images": ("float32", [None, 8, 8, 1])}
    sample = {"seed": ("int64", []), "num_images": ("int32", [])}
    assert set(served.signatures) == {"serving_default", "decode", "sample", "sample_truncated"}
    assert described("decode") == ({"latents": ("float32", [None, 4])}, images)
    assert described("serving_default") == described("decode")
    assert described("sample") == (sample, images)
    assert described("sample_truncated") == (sample | {"truncation": ("float32", [])}, images)


def test_samples_are_the_decoded_prior_draws_of_the_seed(served):
    # Anyone with TensorFlow can redo what a server did.
    latents = tf.random.stateless_uniform((16, 4), [7, 0], -1.0, 1.0)
    expected = served.signatures["decode"](latents=latents)["images"]
    np.testing.assert_allclose(answer(served, read_request("sample")), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", [0, -1, 2**40, 2**63 - 1, -(2**63)])
def test_every_seed_of_64_bits_gives_its_own_images(exported, model, seed):
    images = exported.sample(4, seed=seed)
    np.testing.assert_allclose(images, model.sample(4, seed=seed), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(images, exported.sample(4, seed=seed))
    assert np.abs(images - exported.sample(4, seed=seed ^ 1)).max() > 1e-2


@pytest.mark.parametrize("num_images", [1, 255, 256, 257, 700])
def test_any_number_of_samples_equals_the_models(exported, model, num_images):
    images = exported.sample(num_images, seed=3)
    assert images.shape == (num_images, 8, 8, 1)
    np.testing.assert_allclose(images, model.sample(num_images, seed=3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_decode_takes_any_batch_size(exported, model, latents, batch):
    images = exported.decode(latents[:batch])
    assert images.shape == (batch, 8, 8, 1)
    np.testing.assert_allclose(images, model.decode(latents[:batch]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("num_images", [0, -3, 4097, 2**31 - 1])
@pytest.mark.parametrize("signature", ["sample", "sample_truncated"])
def test_a_number_of_images_out_of_range_is_refused_by_the_graph(served, signature, num_images):
    inputs = {"seed": tf.constant(7, "int64"), "num_images": tf.constant(num_images)}
    if signature == "sample_truncated":
        inputs["truncation"] = tf.constant(0.5)
    message = rf"num_images must be from 1 to 4096, received\] \[{num_images}\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.signatures[signature](**inputs)


@pytest.mark.parametrize("truncation", [0.0, -1.0, float("nan")])
def test_a_truncation_that_is_not_positive_is_refused_by_the_graph(served, truncation):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="truncation must be a positive number, received"
    ):
        served.signatures["sample_truncated"](
            seed=tf.constant(7, "int64"),
            num_images=tf.constant(2),
            truncation=tf.constant(truncation),
        )


def test_latents_of_another_size_are_refused_by_the_graph(served):
    message = r"Shape of tensor latents \[2,5\] is not compatible with expected shape \[\?,4\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.signatures["decode"](latents=tf.zeros((2, 5)))


def run_session(folder, signature, **inputs):
    """Runs a signature as a server does: in a session, fed and fetched by tensor names."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        definition = v1.saved_model.loader.load(session, ["serve"], str(folder)).signature_def
        feeds = {definition[signature].inputs[name].name: value for name, value in inputs.items()}
        return session.run(definition[signature].outputs["images"].name, feeds)


def test_a_session_gives_the_models_images_and_the_same_refusals(exported_folder, model, latents):
    folder = exported_folder / "1"
    decoded = run_session(folder, "decode", latents=latents)
    np.testing.assert_allclose(decoded, model.decode(latents), rtol=0, atol=1e-6)
    sampled = run_session(folder, "sample", seed=7, num_images=300)
    np.testing.assert_allclose(sampled, model.sample(300, seed=7), rtol=0, atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_images must be from 1 to 4096"):
        run_session(folder, "sample", seed=7, num_images=-1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="truncation must be a positive numb"):
        run_session(folder, "sample_truncated", seed=7, num_images=2, truncation=-1.0)


def operations(function):
    """Names of all operations of a signature, those of the functions that it calls included."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    return {node.op for node in nodes}


def test_decode_has_no_random_or_stateful_operation(served):
    unportable = ("Random", "Assert", "Assign", "Print", "PyFunc", "While")

    def found(name):
        return {op for op in operations(served.signatures[name]) if op.startswith(unportable)}

    assert found("decode") == set()
    # The same look at another signature finds what it looks for.
    assert "Assert" in found("sample")
    assert any("StatelessRandom" in op for op in operations(served.signatures["sample"]))


class Flow:
    """What a later model with a density and no decoder looks like to the exporter."""

    value_range = (0.0, 1.0)
    image_shape = (2, 2, 1)

    def __init__(self):
        self.scale = tf.Variable(2.0)

    def encode(self, images):
        return tf.reshape(images, (-1, 4)) * self.scale

    def reconstruct(self, images):
        return images

    def log_prob(self, images):
        return -tf.reduce_sum(tf.square(self.encode(images)), axis=1)


def test_a_model_gets_the_signatures_that_its_methods_allow(tmp_path):
    flow = Flow()
    export_model(flow, tmp_path / "flow")
    exported = load_exported(tmp_path / "flow")
    images = np.arange(12, dtype="float32").reshape(3, 2, 2, 1)
    assert set(exported.description["signatures"]) == {"encode", "reconstruct", "log_prob"}
    np.testing.assert_array_equal(exported.encode(images), images.reshape(3, 4) * 2)
    np.testing.assert_array_equal(exported.reconstruct(images), images)
    np.testing.assert_array_equal(exported.log_prob(images), [-56.0, -504.0, -1464.0])
    with pytest.raises(ValueError, match="no signature 'sample'. It has: encode, reconstruct"):
        exported.sample(3)


def test_a_model_without_truncation_gets_no_truncated_signature(model, tmp_path):
    class Untruncated:
        image_shape, latent_dim, latent_distribution = (8, 8, 1), 4, "normal"

        def decode(self, latents):
            return model.decode(latents)

        def draw_latents(self, num_images, seed):
            return tf.random.stateless_normal((num_images, 4), seed)

    export_model(Untruncated(), tmp_path)
    exported = load_exported(tmp_path)
    assert set(exported.description["signatures"]) == {"decode", "sample"}
    with pytest.raises(ValueError, match="no signature 'sample_truncated'. It has: decode, sample"):
        exported.sample(3, truncation=0.5)


class Banana:
    """A model whose latents are normal in one coordinate and follow its square in the other."""

    image_shape, latent_dim, latent_distribution = (1, 2, 1), 2, "banana"

    def decode(self, latents):
        return tf.reshape(latents, (-1, 1, 2, 1))

    def draw_latents(self, num_latents, seed, truncation=None):
        along = tf.random.stateless_normal((num_latents, 1), seed)
        along = along if truncation is None else truncation * tf.tanh(along)
        return tf.concat([along, tf.square(along)], axis=1)


def test_draws_of_a_prior_without_a_name_are_exported(tmp_path):
    exported = load_exported(export_model(Banana(), tmp_path))
    for seeds, truncation in (([7, 0], None), ([7, 3], None), ([-1, 2**40], 0.5)):
        drawn = exported.draw_latents(20_000, seeds, truncation)
        np.testing.assert_array_equal(drawn, Banana().draw_latents(20_000, seeds, truncation))
    images = exported.decode(exported.draw_latents(5, [9, 0]))
    np.testing.assert_array_equal(images, exported.sample(5, seed=9))
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_latents must be from 1 to 65536"):
        exported.draw_latents(0, [9, 0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="truncation must be a positive"):
        exported.draw_latents(5, [9, 0], -1.0)


def test_who_can_draw_latents_by_their_name_gets_no_signature_for_it(exported):
    assert exported.draw_latents is None


def test_a_model_without_any_method_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model=object has nothing to export. Give it decode"):
        export_model(object(), tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
