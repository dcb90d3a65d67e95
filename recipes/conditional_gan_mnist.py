"""Conditional GAN (Mirza and Osindero 2014, arXiv:1411.1784) on MNIST.

    python recipes/conditional_gan_mnist.py
    python recipes/conditional_gan_mnist.py --data fashion_mnist

The paper's dense networks, with batch normalization. Measured time, machine and result:
results/conditional_gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 100,
    classifier: str | None = None,
    judged: int = 10_000,
    ema_decay: float | None = 0.999,
    simultaneous: bool = False,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a conditional GAN, and asks a classifier what it draws.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        latent_dim: size of a latent.
        classifier: mnist, fashion_mnist or the file of a trained classifier. Default: that of data.
        judged: samples that the classifier judges.
        ema_decay: decay of the generator's moving average; None for none.
        simultaneous: move both networks at once, by one pass of the discriminator: faster.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 30_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into, get_extractor
    from keras_gen.metrics.conditional import conditional_accuracy, save_class_grid
    from keras_gen.models import ConditionalGAN
    from keras_gen.training import Run

    run = Run(
        "conditional_gan_mnist",
        arguments,
        family="gans",
        title="Conditional GAN",
        paper="arXiv:1411.1784",
    )
    load = {"value_range": ConditionalGAN.value_range, "strict": options.strict_data}
    images, test_images = (
        load_or_stand_in(data, split=split, image_size=image_size, **load)
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = ConditionalGAN(
            images.example_shape,
            images.num_classes,
            latent_dim,
            ema_decay=ema_decay,
            simultaneous=simultaneous,
        )
        model.compile()
    if steps is None and epochs is None:
        steps = 30_000
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs, labels=True)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_class_grid(model, run.folder / "requested.png", images.label_names)
        metrics = evaluate_into(run.folder, model, test_images, images, seed=seed)
        extractor = get_extractor(classifier or {"digits": "mnist"}.get(images.name, images.name))
        metrics["conditional_accuracy"] = conditional_accuracy(model, extractor, judged, seed)
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
