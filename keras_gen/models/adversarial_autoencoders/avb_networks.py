"""Networks of adversarial variational Bayes: two kinds of encoder, and the adversary.

Mescheder, Nowozin and Geiger, 2017, arXiv:1701.04722: section 3 for noise beside the image, section
6.2 and the authors' code for a noise basis and for the adversary. Dense layers in place of theirs;
`avb` says what else is different.
"""

import functools
import math

import keras


def build_implicit_encoder(image_shape, latent_dim, hidden_units, noise_dim):
    """Dense rectified layers from an image beside its noise to a latent.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of each hidden layer.
        noise_dim: size of the noise.

    Returns:
        A network from `[images, noise (B, noise_dim)]` to float32 latents `(B, latent_dim)`.
    """
    images = keras.Input(image_shape, name="images")
    noise = keras.Input((noise_dim,), name="noise")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(images), noise])
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    latents = keras.layers.Dense(latent_dim, dtype="float32", name="latents")(x)
    return keras.Model([images, noise], latents, name="encoder")


def build_basis_encoder(image_shape, latent_dim, hidden_units, noise_basis):
    """Dense rectified layers from an image to how its latent is put together from a noise basis.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        hidden_units: units of each hidden layer.
        noise_basis: how many values there are.

    Returns:
        A network from images to float32 `[offsets (B, latent_dim), amplitudes (B, noise_basis,
        latent_dim)]`. Amplitudes are positive, and small at first.
    """
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Flatten()(images)
    for units in hidden_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    nearly_zero = keras.initializers.RandomNormal(stddev=1e-5)
    offsets = keras.layers.Dense(
        latent_dim, kernel_initializer=nearly_zero, dtype="float32", name="offsets"
    )(x)
    amplitudes = keras.layers.Dense(
        noise_basis * latent_dim,
        activation="elu",
        bias_initializer=keras.initializers.Constant(-5.0),
        dtype="float32",
    )(x)
    amplitudes = keras.layers.Rescaling(1.0, offset=1.0, dtype="float32")(amplitudes)
    amplitudes = keras.layers.Reshape((noise_basis, latent_dim), dtype="float32")(amplitudes)
    return keras.Model(images, [offsets, amplitudes], name="encoder")


def build_noise_network(noise_basis, noise_dim, latent_dim, units=128):
    """Noise networks, one for each value of a basis, all in one: three hidden layers each.

    Args:
        noise_basis: how many networks.
        noise_dim: size of each one's noise.
        latent_dim: size of each value.
        units: of each hidden layer.

    Returns:
        A network from `(B, noise_basis, noise_dim)` to float32 `(B, noise_basis, latent_dim)`.
    """

    def dense(x, size, **options):
        # b images, m networks, from i to o units. Of such a kernel Keras' own Glorot initializer
        # does not know which axes are those of one network.
        limit = math.sqrt(6.0 / (x.shape[-1] + size))
        glorot = keras.initializers.RandomUniform(-limit, limit)
        layer = keras.layers.EinsumDense(
            "bmi,mio->bmo",
            (noise_basis, size),
            bias_axes="mo",
            kernel_initializer=glorot,
            **options,
        )
        return layer(x)

    noise = keras.Input((noise_basis, noise_dim), name="noise")
    x = noise
    for _ in range(3):
        x = dense(x, units, activation="elu")
    values = dense(x, latent_dim, dtype="float32", name="values")
    return keras.Model(noise, values, name="noise_network")


def build_adversary(image_shape, latent_dim, adversary_units):
    """Networks from an image and a latent to T, the logit that this is the image's latent.

    As in the authors' code T is the sum of a term of the image, a term of the latent and an inner
    product of features of both: what posteriors have in common need not be learned for each image.

    Args:
        image_shape: `(H, W, C)`.
        latent_dim: size of a latent.
        adversary_units: units of each hidden layer, of at least one, for the image and likewise for
            the latent; the last is also the number of features of both.

    Returns:
        A network from `[images, latents]` to float32 logits `(B, 1)`.
    """
    images = keras.Input(image_shape, name="images")
    latents = keras.Input((latent_dim,), name="latents")
    of_image, of_latent = keras.layers.Flatten()(images), latents
    for units in adversary_units:
        of_image = keras.layers.Dense(units, activation="elu")(of_image)
        of_latent = keras.layers.Dense(units, activation="elu")(of_latent)
    features = adversary_units[-1]
    dense = functools.partial(keras.layers.Dense, dtype="float32")
    product = keras.layers.Dot(axes=1, dtype="float32", name="dot")(
        [dense(features)(of_image), dense(features)(of_latent)]
    )
    terms = [
        dense(1)(of_image),
        dense(1, use_bias=False)(of_latent),
        # Else the sum over all features is noise that has to be unlearned first.
        keras.layers.Rescaling(features**-0.5, dtype="float32")(product),
    ]
    logits = keras.layers.Add(dtype="float32", name="logits")(terms)
    return keras.Model([images, latents], logits, name="adversary")
