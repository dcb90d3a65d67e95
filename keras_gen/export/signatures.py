"""The signatures of a SavedModel: which ones a model can have, and what each computes.

A signature follows from the methods that a model has, not from its class:

    decode(latents)                              decode, latent_dim, image_shape
    sample(seed, num_images)                     the same, and draw_latents; or draw_images
    sample_truncated(seed, num_images, truncation)   if draw_latents takes a truncation
    draw_latents(seeds, num_latents)             the same as sample, of a prior without a name
    draw_latents_truncated(seeds, num_latents, truncation)   likewise
    encode(images), reconstruct(images), log_prob(images)    the method of that name, image_shape
    complete(seed, images)                       draw_completions, image_shape
    translate_to_a(images), translate_to_b(images)           the method of that name, image_shape

Of a conditional model, with num_classes, all of them but those whose method takes no labels have
one more input, labels, a class for each image or latent. In sampling they are decode's, or where it
takes none, those of draw_latents.

A TensorFlow signature has no optional inputs: hence `sample_truncated` beside `sample`, and labels
that must be given.

Latents are standard normal or uniform where the model's `latent_distribution` says so, and then
anybody can draw them. Of all other priors draws are exported: seeds of [seed, 0] give the latents
that `sample` decodes.

Shapes: latents (B, latent_dim); images (B, H, W, C); log_prob (B,); all float32, any B; labels
(B,), int32; seed (), int64; seeds (2,), int64; num_images and num_latents (), int32; truncation
(), float32.
"""

import inspect

import tensorflow as tf

MAX_IMAGES = 4096  # what one request may ask for: bounds a server's memory
MAX_LATENTS = 65_536
NAMED_PRIORS = ("normal", "uniform")  # N(0, 1) and U(-1, 1), in each coordinate
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
    builders = (
        _decode,
        _translate_to_b,
        _translate_to_a,
        _sample,
        _sample_truncated,
        _draw_latents,
        _draw_latents_truncated,
        _encode,
        _reconstruct,
        _log_prob,
        _complete,
    )
    for build in builders:
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
    latents_spec = tf.TensorSpec((None, model.latent_dim), "float32", "latents")

    @tf.function(input_signature=[latents_spec, *_label_specs(model, model.decode)])
    def decode(latents, *labels):
        # Servers do not hold requests to the signature's shapes. This names the wrong one.
        latents = tf.ensure_shape(latents, (None, model.latent_dim))
        return {"images": _as_images(model, model.decode(latents, *_in_range(model, labels)))}

    return decode


def _translate_to_b(model):
    return _of_images(model, "translate_to_b", "images")


def _translate_to_a(model):
    return _of_images(model, "translate_to_a", "images")


def _sample(model):
    if _has(model, "draw_images", "image_shape"):
        return _sample_without_latents(model)
    if not _has(model, "decode", "latent_dim", "image_shape", "draw_latents"):
        return None

    @tf.function(input_signature=[*_SAMPLE_INPUTS, *_sampling_label_specs(model)])
    def sample(seed, num_images, *labels):
        num_images = _checked_number("num_images", num_images, MAX_IMAGES)
        labels = _checked_labels(model, labels, num_images)
        return {"images": _draw_images(model, labels, num_images, tf.stack([seed, 0]))}

    return sample


def _sample_without_latents(model):
    @tf.function(input_signature=_SAMPLE_INPUTS)
    def sample(seed, num_images):
        num_images = _checked_number("num_images", num_images, MAX_IMAGES)
        return {"images": _as_images(model, model.draw_images(num_images, tf.stack([seed, 0])))}

    return sample


def _sample_truncated(model):
    if not _has(model, "draw_latents") or _sample(model) is None:
        return None
    if "truncation" not in _parameters(model.draw_latents):
        return None
    label_specs = _sampling_label_specs(model)

    @tf.function(input_signature=[*_SAMPLE_INPUTS, _TRUNCATION, *label_specs])
    def sample_truncated(seed, num_images, truncation, *labels):
        num_images = _checked_number("num_images", num_images, MAX_IMAGES)
        labels = _checked_labels(model, labels, num_images)
        drawn = {"seed": tf.stack([seed, 0]), "truncation": _checked_truncation(truncation)}
        return {"images": _draw_images(model, labels, num_images, **drawn)}

    return sample_truncated


def _draw_latents(model):
    if not _has_unnamed_prior(model):
        return None

    @tf.function(input_signature=_LATENT_INPUTS)
    def draw_latents(seeds, num_latents):
        num_latents = _checked_number("num_latents", num_latents, MAX_LATENTS)
        return {"latents": _as_latents(model, model.draw_latents(num_latents, seeds))}

    return draw_latents


def _draw_latents_truncated(model):
    if not _has_unnamed_prior(model) or "truncation" not in _parameters(model.draw_latents):
        return None

    @tf.function(input_signature=[*_LATENT_INPUTS, _TRUNCATION])
    def draw_latents_truncated(seeds, num_latents, truncation):
        num_latents = _checked_number("num_latents", num_latents, MAX_LATENTS)
        truncation = _checked_truncation(truncation)
        latents = model.draw_latents(num_latents, seeds, truncation=truncation)
        return {"latents": _as_latents(model, latents)}

    return draw_latents_truncated


def _encode(model):
    return _of_images(model, "encode", "latents")


def _reconstruct(model):
    return _of_images(model, "reconstruct", "images")


def _log_prob(model):
    return _of_images(model, "log_prob", "log_prob")


def _complete(model):
    if not _has(model, "draw_completions", "image_shape"):
        return None
    images_spec = tf.TensorSpec((None, *model.image_shape), "float32", "images")

    @tf.function(input_signature=[tf.TensorSpec((), "int64", "seed"), images_spec])
    def complete(seed, images):
        images = tf.ensure_shape(images, (None, *model.image_shape))
        return {"images": _as_images(model, model.draw_completions(images, tf.stack([seed, 0])))}

    return complete


_SAMPLE_INPUTS = [tf.TensorSpec((), "int64", "seed"), tf.TensorSpec((), "int32", "num_images")]
_LATENT_INPUTS = [tf.TensorSpec((2,), "int64", "seeds"), tf.TensorSpec((), "int32", "num_latents")]
_TRUNCATION = tf.TensorSpec((), "float32", "truncation")


def _of_images(model, method, output):
    """The signature that gives images to a method and names its result."""
    if not _has(model, method, "image_shape"):
        return None
    function = getattr(model, method)
    images_spec = tf.TensorSpec((None, *model.image_shape), "float32", "images")

    @tf.function(input_signature=[images_spec, *_label_specs(model, function)])
    def signature(images, *labels):
        images = tf.ensure_shape(images, (None, *model.image_shape))
        return {output: tf.cast(function(images, *_in_range(model, labels)), "float32")}

    return signature


def _label_specs(model, method):
    """The input `labels` in a list, where the model's method takes one; else none."""
    if not getattr(model, "conditional", False) or "labels" not in _parameters(method):
        return []
    return [tf.TensorSpec((None,), "int32", "labels")]


def _sampling_label_specs(model):
    """The same for sampling, where labels may be `decode`'s or those of `draw_latents`."""
    return _label_specs(model, model.decode) or _label_specs(model, model.draw_latents)


def _draw_images(model, labels, num_images, seed, **truncation):
    """Images of latents that `draw_latents` draws, with the labels where they belong."""
    if labels and not _label_specs(model, model.decode):
        latents = model.draw_latents(num_images, seed, labels=labels[0], **truncation)
        return _decode_in_chunks(model, latents)
    latents = model.draw_latents(num_images, seed, **truncation)
    return _decode_in_chunks(model, latents, *labels)


def _in_range(model, labels):
    """The same labels; one out of range is an error, "indices[i] = ... is not in [0, classes)".

    A lookup and no assertion, which other runtimes than TensorFlow could not carry out.
    """
    classes = range(model.num_classes) if labels else ()
    return [tf.gather(list(classes), each, name="labels_must_be_in_range") for each in labels]


def _checked_labels(model, labels, num_images):
    """The same labels, one for each image and in range, or an error that says so."""
    checked = []
    for each in labels:
        counted = tf.debugging.Assert(
            tf.equal(tf.size(each), num_images),
            ["labels must be one for each of", num_images, "images, received", tf.size(each)],
        )
        in_range = tf.debugging.Assert(
            tf.reduce_all((each >= 0) & (each < model.num_classes)),
            [f"labels must be from 0 to {model.num_classes - 1}, received", each],
            summarize=8,
        )
        with tf.control_dependencies([counted, in_range]):
            checked.append(tf.identity(each))
    return checked


def _checked_number(name, number, most):
    in_range = tf.debugging.Assert(
        (number >= 1) & (number <= most), [f"{name} must be from 1 to {most}, received", number]
    )
    # What comes of the number waits for the check: else a negative one could fail in the random
    # numbers first, with a message about a shape.
    with tf.control_dependencies([in_range]):
        return tf.identity(number)


def _checked_truncation(truncation):
    positive = tf.debugging.Assert(
        truncation > 0.0, ["truncation must be a positive number, received", truncation]
    )
    with tf.control_dependencies([positive]):
        return tf.identity(truncation)


def _decode_in_chunks(model, latents, *labels):
    """Decodes `(N, latent_dim)` a bounded number at a time, so that memory does not grow with N."""
    num_images = tf.shape(latents)[0]
    num_chunks = (num_images + _CHUNK - 1) // _CHUNK
    chunks = tf.TensorArray("float32", num_chunks, infer_shape=False)
    for index in tf.range(num_chunks):
        rows = [each[index * _CHUNK : (index + 1) * _CHUNK] for each in (latents, *labels)]
        chunks = chunks.write(index, tf.cast(model.decode(*rows), "float32"))
    return _as_images(model, chunks.concat())


def _as_images(model, images):
    """float32 images with their shape written into the signature."""
    return tf.ensure_shape(tf.cast(images, "float32"), (None, *model.image_shape))


def _as_latents(model, latents):
    return tf.ensure_shape(tf.cast(latents, "float32"), (None, model.latent_dim))


def _has_unnamed_prior(model):
    named = getattr(model, "latent_distribution", None) in NAMED_PRIORS
    return not named and _has(model, "decode", "latent_dim", "image_shape", "draw_latents")


def _has(model, *names):
    return all(getattr(model, name, None) is not None for name in names)


def _parameters(method):
    return inspect.signature(method).parameters
