"""Controllable generation (Shen et al. 2020, arXiv:1907.10786) on a frozen DCGAN of LPC sprites.

    python recipes/controllable_gan_sprites.py

The DCGAN learns from images alone. A classifier of their factors then finds directions in its
latents and measures what else moves along. Result: results/controllable_gan_sprites.json.
"""

import dataclasses
import warnings

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "gans", "title": "Controllable generation", "paper": "arXiv:1907.10786"}


def main(
    data: str = "lpc_sprites",
    image_size: tuple[int, int] = (32, 16),
    filters: int = 32,
    classifier_steps: int = 1000,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a DCGAN, finds the directions of its images' factors and measures entanglement.

    Args:
        data: a set with labelled factors: lpc_sprites, shapes (with --image-size 32 32).
        image_size: height and width, multiples of 4; the figures fill the middle half.
        filters: channels beside the images; layers further in have two, four, ... times as many.
        classifier_steps: training steps of the classifier.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 8000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.export import export_model
    from keras_gen.latent.control import study_control
    from keras_gen.metrics.factors import factor_accuracy, train_factor_classifier
    from keras_gen.models import DCGAN
    from keras_gen.training import Run

    run = Run("controllable_gan_sprites", arguments, **ABOUT)
    train, test = (load_split(data, image_size, s, options.strict_data) for s in ("train", "test"))
    with run.strategy.scope():
        model = DCGAN(train.example_shape, 64, filters, 5, "normal", ema_decay=0.999)
        model.compile()
    if steps is None and epochs is None:
        steps = 8000
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        reader, judge = (
            train_factor_classifier(train, steps=classifier_steps, seed=seed + n) for n in (0, 1)
        )
        accuracy = factor_accuracy(judge, test)
        metrics = study_control(model, reader, run.folder, judge=judge, names=train.factor_names)
        protocol = f"mean of {', '.join(accuracy)} on {len(test):,} {test.name} test images"
        metrics["factor_accuracy"] = (sum(accuracy.values()) / len(accuracy), protocol)
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, metrics)
    return run


def load_split(name, image_size, split, strict):
    """A set with labelled factors; where it cannot be had, the embedded shapes."""
    from keras_gen.data import DataUnavailableError, load
    from keras_gen.models import DCGAN

    try:
        return load(name, split=split, image_size=image_size, value_range=DCGAN.value_range)
    except DataUnavailableError as error:
        if strict:
            raise
        warnings.warn(f"{error} Going on with the embedded shapes instead.", stacklevel=2)
        return dataclasses.replace(load("shapes", split=split), stand_in_for=name)


if __name__ == "__main__":
    command_line(main)
