"""CycleGAN (Zhu et al. 2017, arXiv:1703.10593) between facades and their label maps.

    python recipes/cyclegan_facades.py
    python recipes/cyclegan_facades.py --data cycle_gan/horse2zebra --image-size 256 --preset paper
    python recipes/cyclegan_facades.py --data path/to/folder     with trainA, trainB, testA, testB

Photographs to label maps and back, of 128x128 pixels, one of each in a batch as in the paper. What
it looks like is in translations.png of the run. Result: results/cyclegan_facades.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "gans", "title": "CycleGAN", "paper": "arXiv:1703.10593"}


def main(
    data: tuple[str, ...] = ("facades_unpaired128",),
    image_size: int = 128,
    preset: str = "small",
    cycle_weight: float = 10.0,
    identity_weight: float = 0.0,
    pool_size: int = 50,
    decay_steps: int = 8_000,
    batch_size: int = 1,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a CycleGAN between two domains without pairs and translates held-out images.

    Args:
        data: a TFDS name or folder with trainA, trainB, testA and testB; or two names or folders.
        image_size: side of the images; a multiple of 4.
        preset: small, or paper: 64 filters and 6 or 9 residual blocks.
        cycle_weight: of the cycle losses.
        identity_weight: of the identity loss, as a share of that; in the paper 0.5 for paintings.
        pool_size: translations of each domain that are kept for the discriminators.
        decay_steps: steps in which the rate falls from 2e-4 to 0, after as many at 2e-4.
        batch_size: images of each domain in a batch, over all replicas.
        steps: training steps in all; twice decay_steps where epochs is not given either.
        epochs: passes through the larger domain in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_unpaired
    from keras_gen.export import export_model
    from keras_gen.metrics.likelihood_report import first_images
    from keras_gen.metrics.translation import save_translations, translation_metrics
    from keras_gen.models.gans.cyclegan import CycleGAN, LinearDecay
    from keras_gen.training import Run

    run = Run("cyclegan_facades", arguments, **ABOUT)
    load = {"image_size": image_size, "strict": options.strict_data}
    train, test = (load_unpaired(data, split=split, **load) for split in ("train", "test"))
    rate = LinearDecay(2e-4, 2 * decay_steps)

    with run.strategy.scope():
        model = CycleGAN.from_preset(
            preset,
            train.example_shape,
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
            pool_size=pool_size,
        )
        model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)))
    model.keep_exemplars(first_images(train.a, 64))
    steps = 2 * decay_steps if steps is None and epochs is None else steps
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_translations(model, test, run.folder / "translations.png")
        run.finish(model, translation_metrics(model, test))
    return run


if __name__ == "__main__":
    command_line(main)
