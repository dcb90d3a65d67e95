"""Glow (Kingma and Dhariwal 2018, arXiv:1807.03039) on MNIST of 8 bits.

    python recipes/glow_mnist.py
    python recipes/glow_mnist.py --conditional     images of a requested class

Quoted for MNIST: 1.05 bits per dimension, in tables of later papers. Measured time, machine and
result: results/glow_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    levels: int = 2,
    flow_steps: int = 8,
    filters: int = 64,
    coupling: str = "affine",
    lu: bool = False,
    conditional: bool = False,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=500),
):
    """Trains Glow, measures its likelihood on the test split and draws from it.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        levels: how many; each halves the sides.
        flow_steps: steps of flow in each level.
        filters: channels of the hidden layers of couplings.
        coupling: affine or additive.
        lu: keep the kernels of 1x1 convolutions as LU decompositions.
        conditional: learn the images of each class.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 60,000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import flow_metrics, save_temperatures
    from keras_gen.models import Glow
    from keras_gen.training import Run, total_steps, warmed_cosine

    run = Run("glow_mnist", arguments, family="flows", title="Glow", paper="arXiv:1807.03039")
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 60_000)
    # Clipped: one image that a flow finds impossible has a gradient that outweighs all others.
    optimizer = keras.optimizers.Adam(warmed_cosine(4e-3, total), global_clipnorm=500.0)

    with run.strategy.scope():
        classes = train.num_classes if conditional else None
        sizes = (levels, flow_steps, filters)
        model = Glow(train.example_shape, *sizes, coupling, lu, classes)
        model.compile(optimizer)
    run.fit(model, train, batch_size=batch_size, steps=total, labels=conditional)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_temperatures(model, run.folder / "temperatures.png", seed=seed)
        run.finish(model, flow_metrics(model, test, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
