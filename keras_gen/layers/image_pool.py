"""A pool of generated images, so that a discriminator also sees those of earlier steps."""

import keras
import tensorflow as tf

from keras_gen.layers.checks import check_positive
from keras_gen.layers.replicas import gather_replicas, own_rows


@keras.saving.register_keras_serializable(package="keras_gen")
class ImagePool(keras.layers.Layer):
    """Keeps `size` images and swaps new ones for old.

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3, in the form of Zhu et al. 2017,
    arXiv:1703.10593. While the pool is not full, an image is kept and given back. Once it is, each
    image is given back with probability 1/2; else it takes the place of a random one in the pool,
    which is given in its stead. Images come one after the other, those of a batch too.

    The pool is one for all replicas: they gather their images, treat the global batch alike, and
    each takes the rows of its own images. So N replicas do what one device would. Images and count
    are weights: a checkpoint holds them.

    Args:
        size: how many images are kept.
        image_shape: `(H, W, C)`.

    Raises:
        ValueError: `size` is not positive.
    """

    def __init__(self, size, image_shape, **kwargs):
        super().__init__(**({"dtype": "float32"} | kwargs))
        check_positive(size=size)
        self.size, self.image_shape = size, tuple(image_shape)
        self.images = self._state("images", (size, *self.image_shape), "float32")
        self.count = self._state("count", (), "int32")
        self.built = True

    def _state(self, name, shape, dtype):
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size, "image_shape": self.image_shape}

    def query(self, images, seed):
        """Puts images in and takes as many out.

        Args:
            images: this replica's generated images, `(B, H, W, C)`.
            seed: `(2,)` integers, the same on all replicas.

        Returns:
            float32 `(B, H, W, C)`, through which no gradient flows.
        """
        images = tf.stop_gradient(tf.cast(images, "float32"))
        batch = gather_replicas(images)  # (N, H, W, C), of all replicas
        number = tf.range(tf.shape(batch)[0])
        seeds = tf.random.experimental.stateless_split(seed, 2)
        swapped = tf.random.stateless_uniform(tf.shape(number), seeds[0]) > 0.5
        place = tf.random.stateless_uniform(tf.shape(number), seeds[1], 0, self.size, "int32")

        # The sequence in closed form: an image may take out one that came in the same batch.
        filling = self.count.value + number < self.size
        place = tf.where(filling, self.count.value + number, place)
        stored = filling | swapped
        same_place = stored & (place == place[:, None])  # (N, N): image [j] was put where [i] is
        earlier = tf.where(same_place & (number < number[:, None]), number, -1)
        occupant = tf.reduce_max(earlier, axis=1)  # who is there when [i] comes, -1: an old image
        old = tf.gather(self.images.value, place)
        old = tf.where(_as_rows(occupant >= 0), tf.gather(batch, tf.maximum(occupant, 0)), old)
        given = tf.where(_as_rows(stored & ~filling), old, batch)

        there = stored & (place == tf.range(self.size)[:, None])  # (size, N)
        last = tf.reduce_max(tf.where(there, number, -1), axis=1)
        kept = tf.gather(batch, tf.maximum(last, 0))
        self.images.assign(tf.where(_as_rows(last >= 0), kept, self.images.value))
        self.count.assign(tf.minimum(self.count.value + tf.size(number), self.size))
        return own_rows(given, tf.shape(images)[0])


def _as_rows(mask):
    """`(N,)` as `(N, 1, 1, 1)`."""
    return mask[:, None, None, None]
