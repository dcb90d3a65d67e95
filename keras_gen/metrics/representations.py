"""Features to probe: of a trained network, of k-means on patches, of PCA, and the pixels.

The first are those of Radford, Metz and Chintala, 2016, arXiv:1511.06434, section 5.1: the
activations of all convolutional layers of a discriminator, each max-pooled to a 4x4 grid,
flattened and concatenated. The others are what they are compared with. All are learned without
labels.

Shapes: images (N, H, W, C); features float32 (N, D).
"""

import keras
import numpy as np

_PIXEL_VARIANCE = 10.0  # added to a patch's variance, in units of 8-bit levels
_WHITENING = 0.1  # added to the eigenvalues of the normalized patches' covariance
_ENCODED = 64  # images whose patches are encoded at a time


def convolutional_features(
    network, images, value_range=None, pool=4, layer_names=None, batch_size=256
):
    """Activations of the convolutional layers, max-pooled to a grid, flattened, concatenated.

    Of each Conv2D layer the output after its activation counts, with batch normalization (in
    inference mode) between the two. Pooling regions are those of adaptive pooling: region i of n
    goes from floor(i H / n) to ceil((i + 1) H / n). Smaller maps stay as they are.

    Args:
        network: a functional `keras.Model` of images, such as `model.discriminator`.
        images: `(N, H, W, C)`, floats in the network's value range, or uint8.
        value_range: for uint8 images, the `(low, high)` of the network that 0 and 255 become.
        pool: side of the grid.
        layer_names: names of the layers whose outputs to take, for networks in which layers hold
            the convolutions; None to find them as above.
        batch_size: images passed through the network at a time.

    Returns:
        float32 `(N, D)`, `D = pool^2 * (channels of all layers)`: 28,672 for the paper's.

    Raises:
        ValueError: the network has no such layers, a layer's output is not `(B, H, W, C)`, or
            uint8 images come without a range.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8 and value_range is None:
        raise ValueError("value_range: uint8 images need the range that the network takes.")
    if layer_names is None:
        outputs = _activations(network)
    else:
        outputs = [network.get_layer(name).output for name in layer_names]
    if not outputs or any(len(output.shape) != 4 for output in outputs):
        raise ValueError(
            f"network {network.name!r}: outputs of shapes {[each.shape for each in outputs]}; "
            "give a functional model with Conv2D layers, or layer_names of layers with outputs "
            "(B, H, W, C)."
        )
    pooled = [
        keras.layers.Flatten()(
            keras.layers.AdaptiveMaxPooling2D((min(pool, each.shape[1]), min(pool, each.shape[2])))(
                each
            )
        )
        for each in outputs
    ]
    pooled = [keras.ops.cast(each, "float32") for each in pooled]
    joined = pooled[0] if len(pooled) == 1 else keras.ops.concatenate(pooled, axis=-1)
    extractor = keras.Model(network.inputs, joined)
    features = np.empty((len(images), joined.shape[-1]), "float32")
    for at in range(0, len(images), batch_size):
        batch = images[at : at + batch_size]
        if batch.dtype == np.uint8:
            low, high = value_range
            batch = (batch / 255.0 * (high - low) + low).astype("float32")
        features[at : at + batch_size] = extractor.predict_on_batch(batch)
    return features


def kmeans_features(
    train_images, test_images, num_centroids=400, patch_size=6, num_patches=100_000, seed=0
):
    """Single-layer k-means features.

    Coates, Ng and Lee, 2011, An Analysis of Single-Layer Networks in Unsupervised Feature
    Learning (AISTATS). Patches of 8-bit levels are freed of their mean and divided by
    sqrt(variance + 10), whitened with ZCA (0.1 added to the eigenvalues), and encoded by how far
    they are nearer to a centroid than to the centroids on average:

        f_k = max(0, mean_j |x - c_j| - |x - c_k|)            ("triangle")

    summed over the four quadrants of the image. The paper's best has 1,600 centroids and up to
    400,000 patches, and ordinary k-means; here it is scikit-learn's MiniBatchKMeans.

    Args:
        train_images: uint8 `(N, H, W, C)`: patches, whitening and centroids come from them.
        test_images: uint8 `(M, H, W, C)`.
        num_centroids: K.
        patch_size: side of a patch; patches are taken at every position.
        num_patches: patches that the centroids are learned from.
        seed: of the choice of patches and the first centroids.

    Returns:
        `(train_features, test_features)`: `(N, 4 K)` and `(M, 4 K)`.

    Raises:
        ValueError: images of another type, or smaller than two patches a side.
    """
    from sklearn.cluster import MiniBatchKMeans

    for images in (train_images, test_images):
        small = min(images.shape[1:3]) < patch_size + 1
        if images.dtype != np.uint8 or images.ndim != 4 or small:
            raise ValueError(
                f"images of type {images.dtype} and shape {images.shape}: give uint8 (N, H, W, C) "
                f"with sides above patch_size={patch_size}."
            )
    generator = np.random.default_rng(seed)
    patches = _normalized(_random_patches(train_images, patch_size, num_patches, generator))
    mean, whitening = _whitening(patches)
    kmeans = MiniBatchKMeans(num_centroids, batch_size=4096, n_init=3, random_state=seed)
    centroids = kmeans.fit((patches - mean) @ whitening).cluster_centers_.astype("float32")
    return tuple(
        _encoded(images, patch_size, mean, whitening, centroids)
        for images in (train_images, test_images)
    )


def pca_features(train_images, test_images, num_components=100):
    """Projections on the first principal components of the training images' pixels.

    Args:
        train_images: `(N, H, W, C)`; mean and components come from them.
        test_images: `(M, H, W, C)`, in the same range.
        num_components: D, at most min(N, H W C).

    Returns:
        `(train_features, test_features)`: `(N, D)` and `(M, D)`.
    """
    from sklearn.decomposition import PCA

    # The eigenvalues of the covariance: exact, and fast for many images of few pixels.
    pca = PCA(num_components, svd_solver="covariance_eigh")
    train, test = pixel_features(train_images, test_images)
    return pca.fit_transform(train), pca.transform(test)


def pixel_features(train_images, test_images):
    """The pixels: `(N, H W C)` and `(M, H W C)`, uint8 images as multiples of 1/255."""

    def flat(images):
        images = np.asarray(images)
        scale = 255.0 if images.dtype == np.uint8 else 1.0
        return images.reshape(len(images), -1).astype("float32") / np.float32(scale)

    return flat(train_images), flat(test_images)


def _activations(network):
    """The output of each Conv2D layer after its normalization and activation."""
    after = {}
    for layer in network.layers:
        for tensor in keras.tree.flatten(layer.input):
            after.setdefault(id(tensor), []).append(layer)
    outputs = []
    for layer in network.layers:
        # A wrapper, such as spectral normalization, holds the convolution as its `layer`.
        if isinstance(getattr(layer, "layer", layer), keras.layers.Conv2D):
            outputs.append(_activated(layer, after))
    return outputs


def _activated(layer, after):
    following = after.get(id(layer.output), [])
    while len(following) == 1 and isinstance(following[0], _NORMALIZATIONS):
        following = after.get(id(following[0].output), [])
    if len(following) == 1 and isinstance(following[0], _ACTIVATIONS):
        return following[0].output
    return layer.output  # with the layer's own activation, where it has one


_NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
)
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)


def _random_patches(images, size, count, generator):
    """float32 `(count, size * size * C)`, of 8-bit levels."""
    height, width = images.shape[1] - size + 1, images.shape[2] - size + 1
    which = generator.integers(len(images), size=count)
    rows, columns = generator.integers(height, size=count), generator.integers(width, size=count)
    offsets = np.arange(size)
    patches = images[
        which[:, None, None], (rows[:, None] + offsets)[..., None], columns[:, None, None] + offsets
    ]
    return patches.reshape(count, -1).astype("float32")


def _normalized(patches):
    """Frees each row of its brightness and contrast."""
    patches = patches - patches.mean(axis=-1, keepdims=True)
    return patches / np.sqrt(patches.var(axis=-1, ddof=1, keepdims=True) + _PIXEL_VARIANCE)


def _whitening(patches):
    """Mean `(P,)` and symmetric matrix `(P, P)` of ZCA."""
    values, vectors = np.linalg.eigh(np.cov(patches.astype("float64"), rowvar=False))
    matrix = (vectors / np.sqrt(values + _WHITENING)) @ vectors.T
    return patches.mean(axis=0), matrix.astype("float32")


def _encoded(images, size, mean, whitening, centroids):
    """Triangle activations summed over quadrants, `(N, 4 K)`."""
    features = np.empty((len(images), 4 * len(centroids)), "float32")
    for at in range(0, len(images), _ENCODED):
        chunk = images[at : at + _ENCODED].astype("float32")
        windows = np.lib.stride_tricks.sliding_window_view(chunk, (size, size), axis=(1, 2))
        windows = np.moveaxis(windows, 3, -1)  # (B, H', W', size, size, C)
        patches = windows.reshape(-1, size * size * images.shape[-1])
        codes = _triangle((_normalized(patches) - mean) @ whitening, centroids)
        codes = codes.reshape(*windows.shape[:3], -1)  # (B, H', W', K)
        half = codes.shape[1] // 2, codes.shape[2] // 2
        quadrants = [
            codes[:, rows, columns].sum(axis=(1, 2))
            for rows in (slice(half[0]), slice(half[0], None))
            for columns in (slice(half[1]), slice(half[1], None))
        ]
        features[at : at + _ENCODED] = np.concatenate(quadrants, axis=1)
    return features


def _triangle(patches, centroids):
    """`max(0, mean_j |x - c_j| - |x - c_k|)`, `(rows, K)`."""
    distances = patches @ (-2.0 * centroids.T)
    distances += np.square(patches).sum(axis=1, keepdims=True)
    distances += np.square(centroids).sum(axis=1)
    np.sqrt(np.maximum(distances, 0.0, out=distances), out=distances)
    np.subtract(distances.mean(axis=1, keepdims=True), distances, out=distances)
    return np.maximum(distances, 0.0, out=distances)
