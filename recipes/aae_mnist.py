"""Adversarial autoencoder (Makhzani et al. 2015, arXiv:1511.05644) on MNIST.

    python recipes/aae_mnist.py
    python recipes/aae_mnist.py --prior mixture       or swiss_roll: codes in the plane, a picture
    python recipes/aae_mnist.py --prior mixture --informed --num-labels 10000

Codes of 8 numbers and a Gaussian of deviation 5 are the paper's for MNIST. With few labels, see
recipes/semi_supervised_aae_mnist.py. Measured results: results/aae_mnist*.json.
"""

from keras_gen.training import Options, RunOptions, command_line

ABOUT = {"family": "adversarial_autoencoders", "title": "AAE", "paper": "arXiv:1511.05644"}


def main(
    data: str = "mnist",
    image_size: int = 28,
    prior: str = "normal",
    informed: bool = False,
    num_labels: int | None = None,
    hidden_units: tuple[int, ...] = (1000, 1000),
    batch_size: int = 100,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains an adversarial autoencoder and measures its samples and codes.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images.
        prior: normal, or in the plane mixture or swiss_roll.
        informed: give each class a part of the prior in the plane.
        num_labels: how many labels say which, equally many of each class; None for all.
        hidden_units: units of the hidden layers of all three networks.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 50 epochs where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, latents, which labels are known and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras.optimizers import Adam, schedules

    from keras_gen.data import hide_labels, load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into, save_reconstructions
    from keras_gen.metrics.codes import code_metrics, save_code_space
    from keras_gen.metrics.parzen import parzen_metrics
    from keras_gen.models import AAE, LabelInformedAAE
    from keras_gen.training import Run, RunError, total_steps

    if num_labels is not None and not informed:
        raise RunError(f"--num-labels {num_labels} is for labels: add --informed, or leave it.")
    run = Run("aae_mnist", arguments, **ABOUT)
    load = {"image_size": image_size, "value_range": (0.0, 1.0), "strict": options.strict_data}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    shown = hide_labels(train, num_labels, seed) if informed else train

    epochs = 50 if steps is None and epochs is None else epochs
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size))
    with run.strategy.scope():
        if informed:
            model = LabelInformedAAE(train.example_shape, train.num_classes, hidden_units, prior)
        else:
            latent_dim, scale = (8, 5.0) if prior == "normal" else (2, 1.0)
            model = AAE(train.example_shape, latent_dim, hidden_units, prior, scale)
        # A discriminator at a draw has noise for a gradient: at a constant rate codes never rest.
        rates = [schedules.CosineDecay(2e-4, total) for _ in range(3)]
        adams = [Adam(rate, beta_1=beta) for rate, beta in zip(rates, (0.9, 0.5, 0.5), strict=True)]
        model.compile(*adams)
    run.fit(model, shown, batch_size=batch_size, steps=total, labels=informed)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_reconstructions(model, test, run.folder / "reconstructions.png")
        if model.latent_dim == 2:
            save_code_space(model, test, run.folder / "codes.png")
        metrics = evaluate_into(run.folder, model, test, train, seed=seed)
        metrics |= code_metrics(model, train, test, seed) | parzen_metrics(model, train, test)
        run.finish(model, metrics)
    return run


if __name__ == "__main__":
    command_line(main)
