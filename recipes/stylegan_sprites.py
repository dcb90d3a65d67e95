"""StyleGAN (Karras et al. 2019, arXiv:1812.04948) on LPC sprites at 64x64.

    python recipes/stylegan_sprites.py

A sixteenth of the paper's channels at 64x64 and phases of 16,000 images; stages/, mixing.png,
noise.png, truncation.png. Time and result: results/stylegan_sprites.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "gans", "title": "StyleGAN", "paper": "arXiv:1812.04948"}


def main(
    data: str = "lpc_sprites",
    image_size: int = 64,
    preset: str = "small",
    filters: tuple[int, ...] | None = None,
    phase_images: int | None = None,
    mapping_layers: int = 8,
    mixing_probability: float = 0.9,
    r1_weight: float = 10.0,
    learning_rate: float = 2.5e-3,
    classifier_steps: int = 1000,
    path_pairs: int = 5_000,
    batch_size: int = 16,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a StyleGAN, draws its styles, noise and truncation, and measures path lengths.

    Args:
        data: a set with labelled factors, by which samples are judged: lpc_sprites, shapes.
        image_size: side of the images, a power of two.
        preset: small or paper; see the model's from_preset.
        filters: channels at each side from 4 to that of the images. Default: the preset's.
        phase_images: images in each phase of the growth; 0 for no growing. Default: the preset's.
        mapping_layers: layers of the mapping network.
        mixing_probability: share of the fake images that are made of two latents.
        r1_weight: weight of the gradient penalty on real images.
        learning_rate: of both networks; the paper's is 1e-3 up to 64x64, in longer trainings.
        classifier_steps: training steps of the classifier whose features samples are compared in.
        path_pairs: pairs of latents that the path length is measured between.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 21_500 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_by_factor
    from keras_gen.export import export_model
    from keras_gen.latent import save_style_pictures
    from keras_gen.metrics import FactorExtractor, evaluate_into, path_length_metrics
    from keras_gen.metrics.factors import train_factor_classifier
    from keras_gen.models import StyleGAN
    from keras_gen.training import Run, StageGrids

    run = Run("stylegan_sprites", arguments, **ABOUT)
    load = {"image_size": (image_size, image_size), "strict": options.strict_data}
    train, test = (load_by_factor(data, split=each, **load) for each in ("train", "test"))
    with run.strategy.scope():
        given = {"filters": filters, "phase_images": phase_images, "r1_weight": r1_weight}
        changes = {name: value for name, value in given.items() if value is not None}
        changes |= {"mixing_probability": mixing_probability, "mapping_layers": mapping_layers}
        model = StyleGAN.from_preset(preset, train.example_shape, **changes)
        model.compile(*(keras.optimizers.Adam(learning_rate, 0.0, 0.99, 1e-8) for _ in range(2)))
    steps = 21_500 if steps is None and epochs is None else steps
    extra = [StageGrids(run.folder / "stages", seed)] if run.is_chief else []
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, extra=extra)

    if run.is_chief:
        save_style_pictures(model, run.folder, seed)
        classifier = train_factor_classifier(train, steps=classifier_steps, seed=seed)
        extractor = FactorExtractor(classifier, test)
        metrics = evaluate_into(run.folder, model, test, train, extractor=extractor, seed=seed)
        metrics |= path_length_metrics(model, extractor, path_pairs, seed)
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
