"""Images from any source, as the blocks of bytes that extractors take.

Metrics judge what would be saved in a picture file: floats are scaled to 0 ... 255, clipped and
rounded to bytes. So a model is not rewarded for values that no file could hold, and generated
images are treated as real ones are.
"""

import numpy as np
import tensorflow as tf

DRAWN_AT_ONCE = 256  # images that a model draws with one seed


def image_blocks(source, num_images=None, *, value_range=None, seed=0, labels=None, block_size=256):
    """Gives a source's images in blocks of one size, in bounded memory.

    A model draws 256 images at a time, the i-th time with `draw_seed(seed, i)`; what is more than
    asked for is dropped. The images so depend on the seed alone: neither on `block_size`, nor, for
    the n first, on how many follow.

    Args:
        source: one of
            - an array or tensor `(N, H, W, C)`, uint8, or floats with `value_range`;
            - a `tf.data.Dataset` of batches of such, or of tuples that begin with one;
            - a data set, by its `examples`, uint8 `(N, H, W, C)`;
            - a model, by its `sample` and `value_range`.
        num_images: how many, the first of the source; all by default. A model needs a number.
        value_range: `(low, high)` of floats: what becomes 0 and 255. By default a model's own.
        seed: for models, an integer of at least 0.
        labels: for models, None, one class for all images, or one for each, `(num_images,)`.
        block_size: images in a block.

    Returns:
        An iterator over uint8 arrays `(block_size, H, W, C)`, the last as small as it must be.

    Raises:
        ValueError: the source is none of these, or an argument is wrong. While iterating: too few
            images, images of another rank, type or size, or NaN.
    """
    for name, value, least in (("num_images", num_images, 1), ("block_size", block_size, 1)):
        if value is not None and (not isinstance(value, int | np.integer) or value < least):
            raise ValueError(f"{name}={value!r}: give an integer of at least {least}.")
    if is_model(source):
        value_range = source.value_range if value_range is None else value_range
        batches = _drawn(source, num_images, seed, labels)
    elif labels is not None:
        raise ValueError(f"labels: only a model draws by label, not {type(source).__name__}.")
    else:
        batches = _stored(source, num_images)
    return _rebatched(batches, num_images, value_range, int(block_size))


def is_model(source):
    """Whether a source of images is a model: something that draws them."""
    return hasattr(source, "sample") and hasattr(source, "value_range")


def draw_seed(seed, number):
    """The seed of a model's `number`-th draw: independent of others, and of those of other seeds.

    Args:
        seed: an integer of at least 0.
        number: likewise.

    Returns:
        An integer of 63 bits: the first 64 that numpy's `SeedSequence(seed, spawn_key=(number,))`
        generates, without the last.

    Raises:
        ValueError: `seed` is no such integer.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed={seed!r}: give an integer of at least 0.")
    sequence = np.random.SeedSequence(int(seed), spawn_key=(number,))
    return int(sequence.generate_state(1, "uint64")[0] >> np.uint64(1))


def to_bytes(images, value_range=None):
    """Images as they would be in a picture file.

    Args:
        images: `(N, H, W, C)`, uint8 or floats.
        value_range: `(low, high)`: which floats become 0 and 255.

    Returns:
        uint8 `(N, H, W, C)`: as they are, or scaled, clipped and rounded.

    Raises:
        ValueError: not such images, floats without `value_range`, NaN or infinity.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype.kind != "f" and images.dtype != np.uint8:
        raise ValueError(
            f"images of shape {images.shape}, {images.dtype}: give (N, H, W, C), bytes (uint8) or "
            "floats."
        )
    if images.dtype == np.uint8:
        return images
    if value_range is None:
        raise ValueError(
            f"value_range=None for {images.dtype} images: say which values are black and white, "
            "such as (-1, 1) or (0, 1)."
        )
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range={value_range!r}: give (low, high) with low < high.")
    finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"images: {np.sum(~finite)} of {len(images)} hold NaN or infinity; they have no place "
            "in a picture. Find where they arise."
        )
    pixels = np.clip((images.astype("float32") - low) / (high - low), 0.0, 1.0) * 255.0
    return np.round(pixels).astype("uint8")


# ---------------------------------------------------------------------- sources


def _drawn(model, num_images, seed, labels):
    if num_images is None:
        raise ValueError("num_images=None: a model draws without end; say how many.")
    draw_seed(seed, 0)  # checks it
    if labels is not None:
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (num_images,)):
            raise ValueError(
                f"labels of shape {labels.shape}, {labels.dtype}: give one integer for all, or "
                f"one for each of the {num_images} images."
            )
        draws = -(-num_images // DRAWN_AT_ONCE)
        labels = np.broadcast_to(labels, (num_images,))
        labels = np.pad(labels, (0, draws * DRAWN_AT_ONCE - num_images), "edge")
    return _draws(model, num_images, seed, labels)


def _draws(model, num_images, seed, labels):
    for number, start in enumerate(range(0, num_images, DRAWN_AT_ONCE)):
        arguments = {"seed": draw_seed(seed, number)}
        if labels is not None:
            arguments["labels"] = labels[start : start + DRAWN_AT_ONCE]
        yield model.sample(DRAWN_AT_ONCE, **arguments)


def _stored(source, num_images):
    if isinstance(source, tf.data.Dataset):
        return (batch[0] if isinstance(batch, tuple | list) else batch for batch in source)
    images = getattr(source, "examples", source)
    if not isinstance(images, np.ndarray | tf.Tensor | tf.Variable):
        raise ValueError(
            f"source of type {type(source).__name__}: give an array of images, a tf.data.Dataset "
            "of batches, a data set with examples, or a model with sample and value_range."
        )
    if len(images.shape) != 4:
        raise ValueError(f"images of shape {tuple(images.shape)}: give (N, H, W, C).")
    if num_images is not None and num_images > len(images):
        raise ValueError(f"num_images={num_images}: the source has {len(images)} images.")
    starts = range(0, len(images), DRAWN_AT_ONCE)
    return (images[start : start + DRAWN_AT_ONCE] for start in starts)


def _rebatched(batches, num_images, value_range, block_size):
    waiting, count = [], 0  # parts of the next block; images seen
    for batch in batches:
        batch = to_bytes(batch, value_range)
        if waiting and batch.shape[1:] != waiting[0].shape[1:]:
            raise ValueError(
                f"images of {batch.shape[1:]} after {waiting[0].shape[1:]}: give one size."
            )
        batch = batch if num_images is None else batch[: num_images - count]
        count += len(batch)
        waiting.append(batch)
        while sum(map(len, waiting)) >= block_size:
            images = np.concatenate(waiting)
            yield images[:block_size]
            waiting = [images[block_size:]]
        if count == num_images:
            break
    if num_images is not None and count < num_images:
        raise ValueError(f"num_images={num_images}: the source gave {count} images.")
    if waiting and sum(map(len, waiting)):
        yield np.concatenate(waiting)
