"""One exported tiny model, shared by the tests of this folder."""

import numpy as np
import pytest

from keras_gen.export import export_model, load_exported
from keras_gen.models import DCGAN


def _tiny_dcgan(**arguments):
    """A DCGAN whose images differ clearly from latent to latent, as fresh weights' do not."""
    model = DCGAN(image_shape=(8, 8, 1), latent_dim=4, filters=4, **arguments)
    random = np.random.default_rng(0)
    for network in (model.generator, model.ema_generator):
        for variable in network.weights if network else ():
            if "kernel" in variable.path:
                variable.assign(random.normal(scale=0.3, size=variable.shape))
            else:  # batch normalization and biases, moving statistics too
                variable.assign(random.uniform(0.5, 1.5, size=variable.shape))
    return model


@pytest.fixture
def tiny_dcgan():
    """The function that makes such a model from arguments of DCGAN."""
    return _tiny_dcgan


@pytest.fixture(scope="session")
def model():
    """Its moving average differs from its generator: an export of the wrong one shows."""
    return _tiny_dcgan(ema_decay=0.9)


@pytest.fixture(scope="session")
def exported_folder(model, tmp_path_factory):
    """`<name>/` with version 1 in it."""
    folder = tmp_path_factory.mktemp("saved_models") / "tiny"
    export_model(model, folder, note={"recipe": "tiny"})
    return folder


@pytest.fixture(scope="session")
def exported(exported_folder):
    """The export, loaded."""
    return load_exported(exported_folder)


@pytest.fixture
def latents():
    """float32 (17, 4)."""
    return np.random.default_rng(1).uniform(-1, 1, (17, 4)).astype("float32")
