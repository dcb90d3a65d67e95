"""RealNVP (Dinh et al. 2017, arXiv:1605.08803) on MNIST of 8 bits.

    python recipes/real_nvp_mnist.py

Quoted for MNIST: 1.06 bits per dimension, in tables of later papers. Measured time, machine and
result: results/real_nvp_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    scales: int = 3,
    filters: int = 24,
    num_blocks: int = 2,
    margin: float = 0.05,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=500),
):
    """Trains RealNVP, measures its likelihood on the test split and draws from it.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        scales: how many; each but the last halves the sides.
        filters: channels of the residual blocks at the first scale; each scale doubles them.
        num_blocks: residual blocks of each network.
        margin: of the logit that pixels pass.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 16,000 where epochs is not given either.
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
    from keras_gen.models import RealNVP
    from keras_gen.training import Run, total_steps, warmed_cosine

    run = Run(
        "real_nvp_mnist", arguments, family="flows", title="RealNVP", paper="arXiv:1605.08803"
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 16_000)
    # Clipped: one image that a flow finds impossible has a gradient that outweighs all others.
    optimizer = keras.optimizers.Adam(warmed_cosine(4e-3, total), global_clipnorm=500.0)

    with run.strategy.scope():
        model = RealNVP(train.example_shape, scales, filters, num_blocks, margin)
        model.compile(optimizer)
    run.fit(model, train, batch_size=batch_size, steps=total)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_temperatures(model, run.folder / "temperatures.png", seed=seed)
        run.finish(model, flow_metrics(model, test, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
