"""Gumbel-softmax GAN (Kusner and Hernandez-Lobato 2016, arXiv:1611.04051) on a grammar's strings.

    python recipes/gumbel_gan_grammar.py
    python recipes/gumbel_gan_grammar.py --straight-through --temperatures 1.5 1.0 --input-noise 0.3

The share of grammatical strings over the training, beside that of an LSTM trained by maximum
likelihood: sequences.png, gan.txt, lstm.txt. Measured: results/gumbel_gan_grammar.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "grammar",
    temperatures: tuple[float, float] = (2.0, 1.0),
    annealing_steps: int = 3000,
    input_noise: float = 0.5,
    straight_through: bool = False,
    measure_every: int = 250,
    batch_size: int = 200,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains the GAN, then an LSTM by maximum likelihood, and measures the strings of both.

    Args:
        data: grammar, the only set whose strings are recognised.
        temperatures: that of the first training step, and that from annealing_steps on.
        annealing_steps: training steps over which the temperature falls.
        input_noise: deviation of the noise on what the discriminator sees.
        straight_through: the discriminator sees one-hot strings in training too.
        measure_every: training steps between measurements.
        batch_size: strings in a batch, over all replicas.
        steps: training steps of either in all; 3000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise, the strings and their order.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import grammar, load
    from keras_gen.export import export_model
    from keras_gen.metrics.sequences import SequenceProgress, save_sequence_curves
    from keras_gen.models import GumbelGAN, SequenceLSTM
    from keras_gen.training import Run

    run = Run(
        "gumbel_gan_grammar", arguments, family="gans", title="Gumbel GAN", paper="arXiv:1611.04051"
    )
    train, test = (load(data, split=s, value_range=(0, 1), seed=seed) for s in ("train", "test"))
    how = {"real_images": test.examples, "language": grammar, "every": measure_every, "seed": seed}
    curves = {name: SequenceProgress(run.folder / name, **how) for name in ("gan", "lstm")}

    with run.strategy.scope():
        settings = (*temperatures, annealing_steps, input_noise, straight_through)
        model = GumbelGAN(train.example_shape, 32, "non_saturating", *settings)
        model.compile()
    steps = 3000 if steps is None and epochs is None else steps
    extra = [curves["gan"]] if run.is_chief else []
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, extra=extra)

    if run.is_chief:
        keras.utils.set_random_seed(seed)  # a resumed run comes to the same LSTM
        lstm = SequenceLSTM(train.example_shape)
        lstm.compile()
        batches = train.batches(batch_size, seed=seed).take(int(model.train_steps))
        lstm.fit(batches, callbacks=[curves["lstm"]], shuffle=False, verbose=0)
        nll = lstm.evaluate(test.evaluation_batches(250), verbose=0, return_dict=True)["nll_nats"]
        protocol = f"LSTM by maximum likelihood, test split; entropy {grammar.ENTROPY_NATS:.3f}"
        metrics = curves["gan"].metrics() | {"baseline_nll_nats": (nll, protocol)}
        metrics |= curves["lstm"].metrics(["grammatical_share"], prefix="baseline_")
        save_sequence_curves(curves, run.folder / "sequences.png")
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
