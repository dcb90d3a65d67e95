"""Vanishing gradients: the better the discriminator, the less the minimax loss tells.

    python recipes/vanishing_gradients.py
    python recipes/vanishing_gradients.py --generator-steps 3000

A DCGAN is trained a little and then stands still, while a discriminator and a critic with gradient
penalty are trained against it: figures 2 and 3 of Arjovsky and Bottou 2017 (arXiv:1701.04862). Two
Gaussians, for which the best discriminator is known, stand beside it in closed form. Measured time,
machine and result: results/vanishing_gradients.json. What to see: docs/vanishing_gradients.md.
"""

from keras_gen.training import command_line


def main(
    data: str = "mnist",
    image_size: int = 28,
    filters: int = 16,
    generator_steps: int = 200,
    batch_size: int = 64,
    steps: int = 1000,
    means: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
    scale: float = 1.0,
    strict_data: bool = False,
    seed: int = 0,
    out: str | None = None,
):
    """Measures the gradients of a generator that stands still while its judges learn.

    Args:
        data: a TFDS name, a folder of images, or an embedded set: digits, shapes.
        image_size: side of the images; a multiple of 4.
        filters: of the DCGAN, as in its recipe.
        generator_steps: steps of the DCGAN before it is held.
        batch_size: images in a batch.
        steps: of the discriminator and of the critic, after that.
        means: distances of the two Gaussians.
        scale: their deviation.
        strict_data: stop where the data cannot be had, instead of going on with a small set.
        seed: decides weights, noise and the order of the data.
        out: folder for pictures and numbers. Default: runs/vanishing_gradients/TIME.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    from keras_gen.data import load_or_stand_in
    from keras_gen.lab.vanishing import compare, save_gradients, save_slopes, watch
    from keras_gen.models import DCGAN
    from keras_gen.training import Demonstration

    demonstration = Demonstration(
        "vanishing_gradients", arguments, title="Vanishing gradients", paper="arXiv:1701.04862"
    )
    images = load_or_stand_in(
        data, image_size=image_size, value_range=DCGAN.value_range, strict=strict_data
    )
    model = DCGAN(images.example_shape, filters=filters)
    model.compile()
    batches = images.batches(batch_size, seed=seed)
    model.fit(batches, steps_per_epoch=generator_steps, shuffle=False, verbose=0)

    fresh = images.batches(batch_size, seed=seed, start_step=generator_steps)
    readings = watch(model.generator, model.draw_latents, fresh, steps, seed=seed)
    metrics = compare(readings, means, scale)

    demonstration.open(images)
    save_gradients(readings, demonstration.folder / "gradients.png")
    save_slopes(means, scale, demonstration.folder / "slopes.png")
    demonstration.finish(metrics)
    return demonstration


if __name__ == "__main__":
    command_line(main)
