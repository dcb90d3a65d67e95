"""What each trick of GAN training does, alone, on one network: a table.

    python -m benchmarks.gan_hacks
    python -m benchmarks.gan_hacks --steps 3000 --seeds 3

Every row trains `HackedGAN` on MNIST's training split and is measured by the classifier's features
against the test split, as the recipes are. The first row is the DCGAN without any trick.
"""

import time

import keras
import numpy as np
import tyro

from keras_gen.data import load_or_stand_in
from keras_gen.metrics import evaluate_samples
from keras_gen.models import HackedGAN
from keras_gen.models.gans.hacked_gan import HACKS

_METRICS = ("fd_mnist", "precision", "recall", "class_entropy_nats")
# name -> arguments of the model, learning rates of discriminator and generator
ROWS = {
    "none (DCGAN, normal latents)": ({}, (2e-4, 2e-4)),
    **{name: ({"hacks": (name,)}, (2e-4, 2e-4)) for name in HACKS},
    "spherical latents": ({"latent_distribution": "spherical"}, (2e-4, 2e-4)),
    "uniform latents": ({"latent_distribution": "uniform"}, (2e-4, 2e-4)),
    "two time scales": ({}, (4e-4, 1e-4)),
    "ema": ({"ema_decay": 0.999}, (2e-4, 2e-4)),
}


def main(
    data: str = "mnist",
    filters: int = 16,
    steps: int = 1_500,
    batch_size: int = 128,
    seeds: int = 2,
    images: int = 5_000,
):
    """Prints a row for each trick: means over seeds, and the range of FD.

    Args:
        data: mnist, or digits where it is missing.
        filters: channels beside the images.
        steps: training steps of each.
        batch_size: images in a batch.
        seeds: runs of each, from seed 0 on.
        images: generated images that are measured, and test images.
    """
    load = {"image_size": 28, "value_range": HackedGAN.value_range}
    train, test = (load_or_stand_in(data, split=split, **load) for split in ("train", "test"))
    print(f"{steps:,} steps of {batch_size}, {filters} filters, seeds 0 to {seeds - 1}")
    print("| trick | " + " | ".join(_METRICS) + " | FD by seed | seconds |")
    print("| --- " * (len(_METRICS) + 3) + "|")
    for name, (arguments, rates) in ROWS.items():
        start, runs = time.perf_counter(), []
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            model = HackedGAN(train.example_shape, filters=filters, **arguments)
            model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
            batches = train.batches(batch_size, seed=seed)
            model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
            found = evaluate_samples(model, test, extractor="mnist", num_images=images, seed=seed)
            runs.append([found.metrics[metric][0] for metric in _METRICS])
        means = " | ".join(f"{value:.3f}" for value in np.mean(runs, axis=0))
        by_seed = ", ".join(f"{run[0]:.2f}" for run in runs)
        seconds = time.perf_counter() - start
        print(f"| {name} | {means} | {by_seed} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
