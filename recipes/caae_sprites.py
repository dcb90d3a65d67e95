"""CAAE (Zhang, Song and Qi 2017, arXiv:1702.08423) on LPC sprites: other hair, the same figure.

    python recipes/caae_sprites.py
    python recipes/caae_sprites.py --factor direction           turns the figures
    python recipes/caae_sprites.py --data path/to/UTKFace --image-size 128 128 --filters 64

Faces named age_gender_race_date.jpg grow old and young. Result: results/caae_sprites.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "adversarial_autoencoders", "title": "CAAE", "paper": "arXiv:1702.08423"}


def main(
    data: str = "lpc_sprites",
    factor: str | None = None,
    image_size: tuple[int, int] = (32, 16),
    latent_dim: int = 32,
    filters: int = 32,
    image_weight: float = 1e-2,
    code_weight: float = 1e-2,
    variation_weight: float = 0.0,
    asked: str = "random",
    learning_rate: float = 1e-3,
    classifier_steps: int = 1000,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a CAAE on one factor of the images, and asks a classifier what it draws.

    Args:
        data: lpc_sprites, shapes (with --image-size 32 32), or a folder of faces as UTKFace.
        factor: the one to progress along. Default: hair of sprites, age of faces, size of shapes.
        image_size: height and width, multiples of 4; the figures fill the middle half.
        latent_dim: size of a code.
        filters: channels of the encoder's first layer, a multiple of 4; all others follow.
        image_weight: weight of the image discriminator.
        code_weight: weight of the code discriminator.
        variation_weight: weight of the total variation.
        asked: own, as in the paper, or random: the labels that generated images are judged with.
        learning_rate: of encoder and generator; the paper's 2e-4 is that of the discriminators.
        classifier_steps: training steps of the classifier that judges.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 16000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_by_factor
    from keras_gen.export import export_model
    from keras_gen.metrics.factors import train_factor_classifier
    from keras_gen.metrics.progression import progression_metrics, save_progression
    from keras_gen.models import CAAE
    from keras_gen.training import Run

    run = Run("caae_sprites", arguments, **ABOUT)
    load = {"image_size": image_size, "strict": options.strict_data}
    train, test = (load_by_factor(data, factor, split=s, **load) for s in ("train", "test"))
    with run.strategy.scope():
        settings = (latent_dim, filters, image_weight, code_weight, variation_weight, asked)
        model = CAAE(train.example_shape, train.num_classes, *settings)
        model.compile(keras.optimizers.Adam(learning_rate, beta_1=0.5))
    steps = 16_000 if steps is None and epochs is None else steps
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, labels=True)

    if run.is_chief:
        judge = train_factor_classifier(train, steps=classifier_steps, seed=seed)
        metrics = progression_metrics(model, judge, test)
        save_progression(model, test, run.folder / "progression.png")
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
