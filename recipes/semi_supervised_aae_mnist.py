"""Semi-supervised adversarial autoencoder (Makhzani et al. 2015, arXiv:1511.05644) on MNIST.

    python recipes/semi_supervised_aae_mnist.py                       100 labels
    python recipes/semi_supervised_aae_mnist.py --num-labels 1000

A batch is 100 images without labels and 100 with, drawn from the few again and again. Measured
results: results/semi_supervised_aae_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {
    "family": "adversarial_autoencoders",
    "title": "Semi-supervised AAE",
    "paper": "arXiv:1511.05644",
}


def main(
    data: str = "mnist",
    image_size: int = 28,
    num_labels: int = 100,
    latent_dim: int = 10,
    hidden_units: tuple[int, ...] = (1000, 1000),
    input_noise: float = 0.3,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a semi-supervised adversarial autoencoder and counts its errors on the test split.

    Args:
        data: a labelled TFDS name or folder, or an embedded set: digits, shapes.
        image_size: side of the images.
        num_labels: how many labels are known, equally many of each class; at least batch_size.
        latent_dim: size of a style.
        hidden_units: units of the hidden layers of all networks.
        input_noise: deviation of the noise on the encoder's images in training.
        batch_size: images without a label in a batch, over all replicas, and as many with.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, which labels are known and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in, semi_supervised
    from keras_gen.export import export_model
    from keras_gen.metrics import save_reconstructions
    from keras_gen.metrics.codes import classification_error
    from keras_gen.metrics.conditional import save_class_grid
    from keras_gen.models import SemiSupervisedAAE
    from keras_gen.training import Run

    run = Run("semi_supervised_aae_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    shown = semi_supervised(train, num_labels, seed)

    with run.strategy.scope():
        sizes = (latent_dim, hidden_units, input_noise)
        model = SemiSupervisedAAE(train.example_shape, train.num_classes, *sizes)
        model.compile()
    epochs = 50 if steps is None and epochs is None else epochs
    run.fit(model, shown, batch_size=batch_size, steps=steps, epochs=epochs, labels=True)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        save_class_grid(model, run.folder / "classes.png", train.label_names)
        run.finish(model, classification_error(model, test, num_labels))
    return run


if __name__ == "__main__":
    command_line(main)
