"""Conditional PixelCNN (van den Oord et al. 2016, arXiv:1606.05328) on binarized MNIST.

    python recipes/conditional_pixel_cnn_mnist.py

Measured: results/conditional_pixel_cnn_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "dynamic",
    filters: int = 24,
    classifier: str | None = None,
    num_layers: int = 12,
    judged: int = 10_000,
    batch_size: int = 16,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=2000),
):
    """Trains a PixelCNN that is told the class, measures it on the test split and draws from it.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, or threshold.
        filters: channels of a layer.
        classifier: mnist, fashion_mnist or a file of a trained one. Default: that of data.
        num_layers: layers of both stacks.
        judged: how many samples it judges.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 24,000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import binarize, check_pixels, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import exact_likelihood_metrics, get_extractor, save_inpaintings
    from keras_gen.metrics.conditional import conditional_accuracy, save_class_grid
    from keras_gen.models import ConditionalPixelCNN
    from keras_gen.training import Run, total_steps, warmed_cosine

    run = Run(
        "conditional_pixel_cnn_mnist",
        arguments,
        family="autoregressive",
        title="Conditional PixelCNN",
        paper="arXiv:1606.05328",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    check_pixels("bernoulli", binarization)
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 24_000)
    rate = warmed_cosine(5e-3, total)

    extractor = get_extractor(classifier or {"digits": "mnist"}.get(train.name, train.name))
    with run.strategy.scope():
        model = ConditionalPixelCNN(train.example_shape, train.num_classes, filters, num_layers)
        model.compile(keras.optimizers.Adam(rate))
    run.fit(model, train, batch_size=batch_size, steps=total, labels=True)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_inpaintings(model, test, run.folder / "inpainting.png")
        save_class_grid(model, run.folder / "classes.png", train.label_names)
        metrics = exact_likelihood_metrics(model, test)
        metrics["conditional_accuracy"] = conditional_accuracy(model, extractor, judged, seed)
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
