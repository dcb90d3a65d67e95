"""SAGAN (Zhang et al. 2019, arXiv:1805.08318) on Fashion-MNIST, drawn by class.

    python recipes/sagan_fashion_mnist.py
    python recipes/sagan_fashion_mnist.py --data cifar10 --filters 64

The outer blocks of the paper's networks, a quarter as wide.
Result: results/sagan_fashion_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "gans", "title": "SAGAN", "paper": "arXiv:1805.08318"}


def main(
    data: str = "fashion_mnist",
    image_size: int | None = None,
    preset: str = "small",
    filters: int | None = None,
    attention_size: int | None = None,
    learning_rates: tuple[float, float] = (4e-4, 1e-4),
    classifier: str | None = None,
    judged: int = 10_000,
    passes: int = 100,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a SAGAN, asks a classifier what it draws, and truncates its latents.

    Args:
        data: a labelled set: a TFDS name, a folder with a folder for each class, digits, shapes.
        image_size: side of the images, 128 at most. Default: as they are.
        preset: small or paper; see the model's from_preset.
        filters: channels for a width of 1. Default: the preset's.
        attention_size: side of the maps that attention is over; 0 for none. Default: the preset's.
        learning_rates: of discriminator and generator, the paper's.
        classifier: mnist, fashion_mnist or the file of a trained classifier. Default: that of data.
        judged: samples that the classifier judges.
        passes: batches that standing statistics are means over.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 16_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import conditional_metrics_into, evaluate_into, find_judge
    from keras_gen.models import SAGAN
    from keras_gen.training import Run

    run = Run("sagan_fashion_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "strict": options.strict_data}
    images, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    judge = find_judge(images.name, images.num_classes, classifier)
    with run.strategy.scope():
        changes = {"filters": filters, "attention_size": attention_size}
        changes = {name: value for name, value in changes.items() if value is not None}
        model = SAGAN.from_preset(preset, images.example_shape, images.num_classes, **changes)
        model.compile(*(keras.optimizers.Adam(r, beta_1=0.0, beta_2=0.9) for r in learning_rates))
    steps = 16_000 if steps is None and epochs is None else steps
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs, labels=True)

    if run.is_chief:
        model.collect_statistics(passes, seed=seed)
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        metrics = evaluate_into(run.folder, model, test, images, seed=seed)
        metrics |= conditional_metrics_into(run.folder, model, test, judge, judged, passes, seed)
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
