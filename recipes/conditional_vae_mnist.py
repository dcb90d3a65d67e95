"""Conditional VAE (Sohn et al. 2015; Kingma et al. 2014, arXiv:1406.5298) on binarized MNIST.

    python recipes/conditional_vae_mnist.py
    python recipes/conditional_vae_mnist.py --latent-dim 50     better likelihood, worse samples
    python recipes/conditional_vae_mnist.py --data fashion_mnist

Measured time, machine and results: results/conditional_vae_mnist*.json. Four numbers for the style
where the paper has 50: from so small a prior nearly every sample is a good one.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "autoencoders", "title": "Conditional VAE", "paper": "arXiv:1406.5298"}


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "dynamic",
    latent_dim: int = 4,
    hidden_units: tuple[int, ...] = (500, 500),
    classifier: str | None = None,
    judged: int = 10_000,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a VAE that is told the class, and asks a classifier what it draws.

    Args:
        data: a labelled TFDS name or folder, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, threshold, or none for grey pixels.
        latent_dim: size of a latent.
        hidden_units: units of the encoder's hidden layers.
        classifier: mnist, fashion_mnist or the file of a trained classifier. Default: that of data.
        judged: samples that the classifier judges.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import binarize, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import get_extractor
    from keras_gen.metrics.conditional import (
        conditional_accuracy,
        conditional_likelihoods,
        save_class_grid,
    )
    from keras_gen.models import ConditionalVAE
    from keras_gen.training import Run

    run = Run("conditional_vae_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)

    with run.strategy.scope():
        model = ConditionalVAE(train.example_shape, train.num_classes, latent_dim, hidden_units)
        model.compile()
    epochs = 50 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, labels=True)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_class_grid(model, run.folder / "classes.png", train.label_names)
        metrics = conditional_likelihoods(model, test, seed=seed)
        classifier = classifier or {"digits": "mnist"}.get(train.name, train.name)
        extractor = get_extractor(classifier)
        metrics["conditional_accuracy"] = conditional_accuracy(model, extractor, judged, seed)
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
