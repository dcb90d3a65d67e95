"""The signatures of a SavedModel: which ones a model can have, and what each computes.

A signature follows from the methods that a model has, not from its class:

    decode(latents)                              decode, latent_dim, image_shape
    sample(seed, num_images)                     the same, and draw_latents
    sample_truncated(seed, num_images, truncation)   if draw_latents takes a truncation
    encode(images), reconstruct(images), log_prob(images)    the method of that name, image_shape

A TensorFlow signature has no optional inputs: hence `sample_truncated` beside `sample`.

Shapes: latents (B, latent_dim); images (B, H, W, C); log_prob (B,); all float32, any B. seed (),
int64; num_images (), int32; truncation (), float32.
"""

import inspect

import tensorflow as tf

MAX_IMAGES = 4096  # what one request may ask for: bounds a server's memory
_CHUNK = 256  # images that `sample` decodes at a time, as the models' own `sample` does


def build_signatures(model):
    """Traces every signature that the model's methods allow.

    Args:
        model: a model with some of the methods in this module's docstring.

    Returns:
        `{name: concrete function}`; each takes the tensors named above and gives a dictionary.

    Raises:
        ValueError: the methods allow no signature.
    """
    signatures = {}
    for build in (_decode, _sample, _sample_truncated, _encode, _reconstruct, _log_prob):
        function = build(model)
        if function is not None:
            signatures[build.__name__.lstrip("_")] = function.get_concrete_function()
    if not signatures:
        raise ValueError(
            f"model={type(model).__name__} has nothing to export. Give it decode with latent_dim "
            "and image_shape (and draw_latents, to sample), or encode, reconstruct or log_prob "
            "with image_shape."
        )
    return signatures


def _decode(model):
    if not _has(model, "decode", "latent_dim", "image_shape"):
        return None

    @tf.function(input_signature=[tf.TensorSpec((None, model.latent_dim), "float32", "latents")])
    def decode(latents):
        # Servers do not hold requests to the signature's shapes. This names the wrong one.
        latents = tf.ensure_shape(latents, (None, model.latent_dim))
        return {"images": _as_images(model, model.decode(latents))}

    return decode


def _sample(model):
    if not _has(model, "decode", "latent_dim", "image_shape", "draw_latents"):
        return None

    @tf.function(input_signature=_SAMPLE_INPUTS)
    def sample(seed, num_images):
        num_images = _checked_num_images(num_images)
        latents = model.draw_latents(num_images, tf.stack([seed, 0]))
        return {"images": _decode_in_chunks(model, latents)}

    return sample


def _sample_truncated(model):
    if _sample(model) is None or "truncation" not in _parameters(model.draw_latents):
        return None

    @tf.function(input_signature=[*_SAMPLE_INPUTS, tf.TensorSpec((), "float32", "truncation")])
    def sample_truncated(seed, num_images, truncation):
        num_images = _checked_num_images(num_images)
        positive = tf.debugging.Assert(
            truncation > 0.0, ["truncation must be a positive number, received", truncation]
        )
        with tf.control_dependencies([positive]):
            truncation = tf.identity(truncation)
        latents = model.draw_latents(num_images, tf.stack([seed, 0]), truncation=truncation)
        return {"images": _decode_in_chunks(model, latents)}

    return sample_truncated


def _encode(model):
    return _of_images(model, "encode", "latents")


def _reconstruct(model):
    return _of_images(model, "reconstruct", "images")


def _log_prob(model):
    return _of_images(model, "log_prob", "log_prob")


_SAMPLE_INPUTS = [tf.TensorSpec((), "int64", "seed"), tf.TensorSpec((), "int32", "num_images")]


def _of_images(model, method, output):
    """The signature that gives images to a method and names its result."""
    if not _has(model, method, "image_shape"):
        return None

    @tf.function(input_signature=[tf.TensorSpec((None, *model.image_shape), "float32", "images")])
    def signature(images):
        images = tf.ensure_shape(images, (None, *model.image_shape))
        return {output: tf.cast(getattr(model, method)(images), "float32")}

    return signature


def _checked_num_images(num_images):
    in_range = tf.debugging.Assert(
        (num_images >= 1) & (num_images <= MAX_IMAGES),
        [f"num_images must be from 1 to {MAX_IMAGES}, received", num_images],
    )
    # What comes of the number waits for the check: else a negative one could fail in the random
    # numbers first, with a message about a shape.
    with tf.control_dependencies([in_range]):
        return tf.identity(num_images)


def _decode_in_chunks(model, latents):
    """Decodes `(N, latent_dim)` a bounded number at a time, so that memory does not grow with N."""
    num_images = tf.shape(latents)[0]
    num_chunks = (num_images + _CHUNK - 1) // _CHUNK
    chunks = tf.TensorArray("float32", num_chunks, infer_shape=False)
    for index in tf.range(num_chunks):
        chunk = model.decode(latents[index * _CHUNK : (index + 1) * _CHUNK])
        chunks = chunks.write(index, tf.cast(chunk, "float32"))
    return _as_images(model, chunks.concat())


def _as_images(model, images):
    """float32 images with their shape written into the signature."""
    return tf.ensure_shape(tf.cast(images, "float32"), (None, *model.image_shape))


def _has(model, *names):
    return all(getattr(model, name, None) is not None for name in names)


def _parameters(method):
    return inspect.signature(method).parameters
