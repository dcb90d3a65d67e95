"""Autoencoders beside principal component analysis, the best linear autoencoder."""

import numpy as np

from keras_gen.artifacts import save_labelled_grid
from keras_gen.metrics.likelihood import reconstruction_error
from keras_gen.metrics.likelihood_report import first_images
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
        ValueError: more components than that, or fewer than one.
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


def autoencoder_metrics(model, train, test):
    """Measures what an autoencoder's codes lose of held-out images, and what PCA loses.

    Args:
        model: has `reconstruct` and `latent_dim`; its `value_range` is (0, 1).
        train: the data set of images that it was trained on; PCA is fitted to it.
        test: held-out images in the value range (0, 1).

    Returns:
        `{name: (value, protocol)}`, as `Run.finish` takes it: what `reconstruction_error` gives,
        and `pca_mse`, the squared error per pixel of PCA with codes of the same size.
    """
    images = first_images(test, len(test))
    protocol = f"{len(test):,} {test.name} {test.split} images, grey pixels, "
    protocol += f"codes of {model.latent_dim} numbers"
    errors = reconstruction_error(model, images)
    by_pca = pca_reconstructions(train.examples, images, model.latent_dim)
    return {name: (error, protocol) for name, error in errors.items()} | {
        "pca_mse": (np.mean((by_pca - images) ** 2), f"{protocol}, clipped to [0, 1]")
    }


def save_reconstructions_beside_pca(model, train, test, path, num_images=12):
    """Draws the first images of a set over what the model and what PCA make of them, as PNG.

    Args:
        model: as for `autoencoder_metrics`.
        train: likewise.
        test: likewise.
        path: where to.
        num_images: how many.
    """
    images = first_images(test, num_images)
    by_pca = pca_reconstructions(train.examples, images, model.latent_dim)
    rows = np.stack([images, model.reconstruct(images), by_pca])
    names = ["image", "autoencoder", "PCA"]
    save_labelled_grid(rows, model.value_range, path, row_labels=names)
