"""Computes with tensorflow-addons what our spectral normalization must agree with.

    python3.11 -m venv addons
    addons/bin/pip install "tensorflow-cpu==2.15.*" "tensorflow-addons==0.23.0" "numpy<2"
    addons/bin/python scripts/make_addons_fixtures.py tests/fixtures/addons_spectral_norm.npz

tensorflow-addons is archived, 0.23.0 is its last version, and it cannot be imported beside Keras 3:
hence an environment of its own. Nothing of keras_gen is imported here.

For each layer the file holds `<layer>/kernel`, `bias`, `u` and `inputs`, from fixed seeds, and what
one call with training=True makes of them: `<layer>/outputs` and `u_after`. Such a call makes one
power iteration and then uses the kernel divided by sigma.

Layers: `dense` and `conv2d`. No transposed convolution: there the addon takes the last axis of the
kernel, the *input* channels, as the columns of its matrix. Ours takes the output channels, as with
every other layer, and sigma is another one.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

LAYERS = {
    "dense": (lambda: tf.keras.layers.Dense(5, activation="tanh"), (3, 7)),
    "conv2d": (
        lambda: tf.keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        (2, 6, 6, 3),
    ),
}


def main(out):
    """Writes the file."""
    rng = np.random.default_rng(20180216)
    arrays = {"versions": np.array([tf.__version__, tfa.__version__])}
    for name, (make_layer, shape) in LAYERS.items():
        layer = tfa.layers.SpectralNormalization(make_layer())
        layer.build(shape)
        inputs = rng.normal(size=shape).astype("float32")
        kernel = rng.normal(size=layer.layer.kernel.shape).astype("float32")
        bias = rng.normal(size=layer.layer.bias.shape).astype("float32")
        u = rng.normal(size=layer.u.shape).astype("float32")
        layer.layer.set_weights([kernel, bias])
        layer.u.assign(u)
        outputs = layer(inputs, training=True)
        arrays |= {
            f"{name}/inputs": inputs,
            f"{name}/kernel": kernel,
            f"{name}/bias": bias,
            f"{name}/u": u[0],
            f"{name}/outputs": outputs.numpy(),
            f"{name}/u_after": layer.u.numpy()[0],
        }
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
