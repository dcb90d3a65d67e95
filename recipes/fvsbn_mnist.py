"""Fully visible sigmoid belief network on binarized MNIST: the cheapest autoregressive model.

    python recipes/fvsbn_mnist.py

Published: 96.58 nats, dynamic binarization (pytorch-generative). Measured time, machine and result:
results/fvsbn_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    binarization: str = "dynamic",
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=2000),
):
    """Trains an FVSBN, measures its likelihood on the test split and draws from it.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        binarization: static, dynamic, or threshold.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 60,000 where epochs is not given either.
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
    from keras_gen.models import FVSBN
    from keras_gen.training import Run, total_steps

    run = Run(
        "fvsbn_mnist",
        arguments,
        family="autoregressive",
        title="FVSBN",
        paper="arXiv:1502.03509",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    check_pixels("bernoulli", binarization)
    splits = [load_or_stand_in(data, split=split, **load) for split in ("train", "test")]
    train, test = (binarize(split, binarization, seed) for split in splits)
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 60_000)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, total)

    with run.strategy.scope():
        model = FVSBN(train.example_shape)
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
