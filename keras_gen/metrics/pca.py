"""Principal component analysis as a baseline: the best linear autoencoder."""

import numpy as np

from keras_gen.metrics.representations import pixel_features


def pca_reconstructions(train_images, images, num_components):
    """What a projection on the first principal components leaves of images.

    No linear autoencoder with a code of that size has a smaller squared error on the training
    images. Values beyond [0, 1] are cut off, which can only bring them nearer to the images.

    Args:
        train_images: `(N, H, W, C)`, uint8 or in [0, 1]; mean and components come from them.
        images: `(M, H, W, C)`, the same.
        num_components: size of the code, at most min(N, H W C).

    Returns:
        float32 `(M, H, W, C)` in [0, 1].

    Raises:
        ValueError: more components than that.
    """
    from sklearn.decomposition import PCA

    train, pixels = pixel_features(train_images, images)
    if not 1 <= num_components <= min(train.shape):
        raise ValueError(
            f"num_components={num_components}: give 1 to {min(train.shape)}, as {len(train)} "
            f"training images of {train.shape[1]} values have no more."
        )
    # The eigenvalues of the covariance: exact, and fast for many images of few pixels.
    pca = PCA(num_components, svd_solver="covariance_eigh").fit(train)
    reconstructions = pca.inverse_transform(pca.transform(pixels))
    return np.clip(reconstructions, 0.0, 1.0).astype("float32").reshape(images.shape)
