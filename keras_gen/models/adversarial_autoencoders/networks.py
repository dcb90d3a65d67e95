"""Dense networks that the models of this family compare on: only what they learn by differs.

Encoder and decoder are those of the autoencoders; discriminators look at codes or at images.
"""

import keras

from keras_gen.models.autoencoders.autoencoder import build_decoder
from keras_gen.models.autoencoders.vae import build_encoder

__all__ = ["build_decoder", "build_discriminator", "build_encoder"]


def build_discriminator(shape, hidden_units, activation="relu", name="discriminator"):
    """Dense layers from a code or an image to one logit.

    Args:
        shape: `(latent_dim,)` or `(H, W, C)`.
        hidden_units: units of each hidden layer; may be empty.
        activation: of the hidden layers.
        name: of the network.

    Returns:
        A network from `(B, *shape)` to float32 logits `(B, 1)`.
    """
    inputs = keras.Input(shape, name="inputs")
    x = keras.layers.Flatten()(inputs)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation=activation)(x)
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name=name)
