"""WGAN with gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028) on MNIST.

    python recipes/wgan_gp_mnist.py
    python recipes/wgan_gp_mnist.py --one-sided

The paper's training: Adam(1e-4, 0, 0.9), five critic steps, penalty weight 10, batches of 64. Half
of DCGAN's filters, for a step takes five passes of the critic, each with a second derivative.
Measured time, machine and result: results/wgan_gp_mnist.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    latent_dim: int = 128,
    filters: int = 32,
    critic_steps: int = 5,
    penalty_weight: float = 10.0,
    one_sided: bool = False,
    ema_decay: float | None = None,
    batch_size: int = 64,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(),
):
    """Trains a WGAN-GP, draws samples and exports it for serving.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        latent_dim: size of a latent.
        filters: channels beside the images; layers further in have two, four, ... times as many.
        critic_steps: critic steps in each training step, each with a batch of its own.
        penalty_weight: weight of the gradient penalty.
        one_sided: penalize norms above 1 only.
        ema_decay: decay of the generator's moving average; None for none.
        batch_size: images in a batch, over all replicas.
        steps: training steps in all; 3_000 where epochs is not given either.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights, noise and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.export import export_model
    from keras_gen.metrics import evaluate_into
    from keras_gen.models import WGANGP
    from keras_gen.training import Run

    run = Run("wgan_gp_mnist", arguments, family="gans", title="WGAN-GP", paper="arXiv:1704.00028")
    load = {"value_range": WGANGP.value_range, "strict": options.strict_data}
    images, test_images = (
        load_or_stand_in(data, split=split, image_size=image_size, **load)
        for split in ("train", "test")
    )

    with run.strategy.scope():
        model = WGANGP(
            images.example_shape,
            latent_dim,
            filters,
            5,
            critic_steps,
            penalty_weight,
            one_sided,
            ema_decay=ema_decay,
        )
        model.compile()
    if steps is None and epochs is None:
        steps = 3_000
    run.fit(model, images, batch_size=batch_size, steps=steps, epochs=epochs)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        run.finish(model, evaluate_into(run.folder, model, test_images, images, seed=seed))
    return run


if __name__ == "__main__":
    command_line(main)
