"""ProGAN (Karras et al. 2018, arXiv:1710.10196) on LPC sprites at 64x64.

    python recipes/progan_sprites.py
    python recipes/progan_sprites.py --phase-images 0        without growing

The paper's training with a sixteenth of its channels at 64x64 and a fiftieth of its images in a
phase: Adam(1e-3, 0, 0.99), batches of 16. stages/*.png: the end of each stage. Measured time,
machine and result: results/progan_sprites.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "lpc_sprites",
    image_size: int = 64,
    preset: str = "small",
    filters: tuple[int, ...] | None = None,
    phase_images: int | None = None,
    group_size: int = 4,
    penalty_weight: float = 10.0,
    classifier_steps: int = 1000,
    path_pairs: int = 5_000,
    batch_size: int = 16,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a ProGAN, draws a grid at each stage and measures samples and path length.

    Args:
        data: a set with labelled factors, by which samples are judged: lpc_sprites, shapes.
        image_size: side of the images, a power of two.
        preset: small or paper; see the model's from_preset.
        filters: channels at each side from 4 to that of the images. Default: the preset's.
        phase_images: images in each phase of the growth; 0 for no growing. Default: the preset's.
        group_size: images in a group of the minibatch standard deviation.
        penalty_weight: weight of the gradient penalty.
        classifier_steps: training steps of the classifier whose features samples are compared in.
        path_pairs: pairs of latents that the path length is measured between.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 15_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_by_factor
    from keras_gen.export import export_model
    from keras_gen.metrics import FactorExtractor, evaluate_into, path_length_metrics
    from keras_gen.metrics.factors import train_factor_classifier
    from keras_gen.models import ProGAN
    from keras_gen.training import Run, StageGrids

    run = Run("progan_sprites", arguments, family="gans", title="ProGAN", paper="arXiv:1710.10196")
    load = {"image_size": (image_size, image_size), "strict": options.strict_data}
    train, test = (load_by_factor(data, split=each, **load) for each in ("train", "test"))
    with run.strategy.scope():
        changes = {"filters": filters, "phase_images": phase_images}
        changes = {name: value for name, value in changes.items() if value is not None}
        changes |= {"group_size": group_size, "penalty_weight": penalty_weight}
        model = ProGAN.from_preset(preset, train.example_shape, **changes)
        model.compile()
    steps = 15_000 if steps is None and epochs is None else steps
    extra = [StageGrids(run.folder / "stages", seed)] if run.is_chief else []
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs, extra=extra)

    if run.is_chief:
        classifier = train_factor_classifier(train, steps=classifier_steps, seed=seed)
        extractor = FactorExtractor(classifier, test)
        metrics = evaluate_into(run.folder, model, test, train, extractor=extractor, seed=seed)
        metrics |= path_length_metrics(model, extractor, path_pairs, seed)
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
