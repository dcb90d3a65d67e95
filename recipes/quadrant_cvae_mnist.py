"""Completing digits of which one to three quadrants are seen (Sohn et al. 2015, section 5.1).

    python recipes/quadrant_cvae_mnist.py                    the lower left quadrant is seen
    python recipes/quadrant_cvae_mnist.py --seen-quadrants 2
    python recipes/quadrant_cvae_mnist.py --seen-quadrants 3

Pyro's tutorial reports 71.8, 51.0 and 24.2 nats for the missing pixels by one, two and three
quadrants (-ELBO, grey pixels), and 100.4, 61.9 and 25.4 for its baseline network. Measured time,
machine and results: results/quadrant_cvae_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    seen_quadrants: int = 1,
    code_dim: int = 200,
    baseline_epochs: int = 10,
    neighbours: int = 20,
    batch_size: int = 128,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains the network that guesses, then the CVAE on top of it; compares with neighbours.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        seen_quadrants: 1, 2 or 3.
        code_dim: size of a code.
        baseline_epochs: the first epochs, in which the baseline learns alone; then it stands still.
        neighbours: training images whose mean is the nearest-neighbour baseline.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 40 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics.completion import completion_metrics, save_completions
    from keras_gen.models import QuadrantCVAE
    from keras_gen.training import Run

    run = Run(
        "quadrant_cvae_mnist",
        arguments,
        family="autoencoders",
        title=f"CVAE, {seen_quadrants} of 4 quadrants seen",
        paper="Sohn, Lee and Yan 2015, NIPS",
    )
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    first_steps = [baseline_epochs * train.steps_per_epoch(batch_size)]
    rates = keras.optimizers.schedules.PiecewiseConstantDecay
    baseline_rate, networks_rate = (rates(first_steps, r) for r in ([1e-3, 0.0], [0.0, 1e-3]))

    with run.strategy.scope():
        model = QuadrantCVAE(train.example_shape, seen_quadrants, code_dim)
        adam = keras.optimizers.Adam
        model.compile(adam(baseline_rate), adam(networks_rate))
    model.keep_exemplars(train.examples[:64] / 255.0)
    if steps is None and epochs is None:
        epochs = 40
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_completions(model, train, test, run.folder / "completions.png", neighbours)
        run.finish(model, completion_metrics(model, train, test, neighbours, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
