"""VAE/GAN (Larsen et al. 2016, arXiv:1512.09300) on MNIST, with arithmetic on an attribute.

    python recipes/vae_gan_mnist.py
    python recipes/vae_gan_mnist.py --data lpc_sprites --image-size 32 16 --attribute hair

Measured time, machine and result: results/vae_gan_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "adversarial_autoencoders", "title": "VAE/GAN", "paper": "arXiv:1512.09300"}


def main(
    data: str = "mnist",
    image_size: int | tuple[int, int] = 28,
    attribute: str = "ink",
    hidden_units: tuple[int, ...] = (1000, 1000),
    feature_weight: float = 1.0,
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a VAE/GAN, measures it and moves a test image along an attribute.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images, or height and width.
        attribute: what the arithmetic adds: a factor of the set, or ink, the mean of the pixels.
        hidden_units: of the encoder and the discriminator, backwards of the decoder.
        feature_weight: weight of the likelihood of features beside the GAN in the decoder's loss.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, latents and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.

    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.latent import latent_arithmetic, save_arithmetic
    from keras_gen.metrics import evaluate_into, save_reconstructions
    from keras_gen.metrics.codes import code_metrics
    from keras_gen.models import VAEGAN
    from keras_gen.training import Run

    run = Run("vae_gan_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    plus, minus = most_and_least(train, attribute)  # a wrong name must not cost a training

    with run.strategy.scope():
        model = VAEGAN(train.example_shape, 8, hidden_units, hidden_units, 1, feature_weight)
        model.compile()
    epochs = 50 if steps is None and epochs is None else epochs
    run.fit(model, train, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        result = latent_arithmetic(model, plus, minus, most_and_least(test, attribute)[1][:1])
        save_arithmetic(result, model.value_range, run.folder / "attribute.png", attribute)
        metrics = evaluate_into(run.folder, model, test, train, seed=seed)
        run.finish(model, metrics | code_metrics(model, train, test, seed))
    return run


def most_and_least(data, attribute):
    """The tenth of the images, one at least, with most of an attribute and that with least."""
    import numpy as np

    from keras_gen.training import RunError

    values = {"ink": data.examples.mean(axis=(1, 2, 3)), **data.factors}
    if attribute not in values:
        raise RunError(f"--attribute {attribute}: give one of {', '.join(values)}.")
    order = np.argsort(values[attribute], kind="stable")[::-1]
    most, least = -(-len(order) // 10), max(len(order) // 10, 1)
    return data.examples[order[:most]], data.examples[order[-least:]]


if __name__ == "__main__":
    command_line(main)
