"""PixelCNN (van den Oord et al. 2016, arXiv:1601.06759) on binarized MNIST.

    python recipes/pixel_cnn_mnist.py
    python recipes/pixel_cnn_mnist.py --data cifar10 --image-size 32 --binarization none
        --likelihood categorical --filters 96 --head-filters 192

Published: 81.45 nats after 457 epochs, dynamic binarization (pytorch-generative), of a network that
is wider. Measured time, machine and result: results/pixel_cnn_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "dynamic",
    filters: int = 32,
    num_blocks: int = 15,
    head_filters: int = 32,
    likelihood: str = "bernoulli",
    batch_size: int = 16,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=2000),
):
    """Trains a PixelCNN, measures its likelihood on the test split and draws from it.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, threshold, or none for 8-bit pixels.
        filters: channels between residual blocks.
        num_blocks: residual blocks.
        head_filters: channels of the two layers behind them.
        likelihood: bernoulli; for 8-bit pixels categorical or logistic_mixture.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 54,000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, binarization and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import binarize, check_pixels, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import exact_likelihood_metrics, save_drawing, save_inpaintings
    from keras_gen.models import PixelCNN
    from keras_gen.training import Run, total_steps, warmed_cosine

    run = Run(
        "pixel_cnn_mnist",
        arguments,
        family="autoregressive",
        title="PixelCNN",
        paper="arXiv:1601.06759",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    check_pixels(likelihood, binarization)
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 54_000)
    rate = warmed_cosine(5e-3, total)

    with run.strategy.scope():
        sizes = (filters, num_blocks, head_filters, likelihood)
        model = PixelCNN(train.example_shape, *sizes)
        model.compile(keras.optimizers.Adam(rate))
    run.fit(model, train, batch_size=batch_size, steps=total)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_inpaintings(model, test, run.folder / "inpainting.png")
        save_drawing(model.sample(16, seed=seed), model.value_range, run.folder / "drawing.gif")
        run.finish(model, exact_likelihood_metrics(model, test))
    return run


if __name__ == "__main__":
    command_line(main)
