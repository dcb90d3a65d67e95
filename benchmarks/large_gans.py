"""Step time and peak memory of the large GANs: of their small presets, and of the paper's.

    python -m benchmarks.large_gans cyclegan_digits
    python -m benchmarks.large_gans progan_paper --steps 1

One row a process, because the peak is the process'. Noise stands for images: a step's time does not
depend on what it sees. The time is that of the processor, too: on a machine that others use, the
second number says more. Of models that grow it is the step of the last stage.
"""

import math
import time
from typing import Annotated, Literal

import keras
import numpy as np
import tensorflow as tf
import tyro

from keras_gen.models import SAGAN, BigGAN, CycleGAN, ProGAN, StyleGAN
from keras_gen.training.environment import peak_memory_mib


def biggan_paper():
    """BigGAN as in the paper, 128x128, at a batch of 1 and one discriminator step."""
    return BigGAN(discriminator_steps=1), 1


def biggan_small():
    """BigGAN of `biggan_fashion_mnist`: 28x28, batches of 64."""
    return BigGAN.from_preset("small", (28, 28, 1), 10), 64


def cyclegan_digits():
    """CycleGAN of `cyclegan_mnist_usps`: 32x32, batches of 8."""
    return CycleGAN.from_preset("small", (32, 32, 1)), 8


def cyclegan_facades():
    """CycleGAN of `cyclegan_facades`: 128x128, batches of 1."""
    return CycleGAN.from_preset("small", (128, 128, 3)), 1


def cyclegan_paper():
    """CycleGAN as in the paper: 256x256, batches of 1."""
    return CycleGAN.from_preset("paper", (256, 256, 3)), 1


def progan_paper():
    """ProGAN as in the paper, 1024x1024, at a batch of 1."""
    return ProGAN(phase_images=0), 1


def progan_small():
    """ProGAN of `progan_sprites`: 64x64, batches of 16."""
    return ProGAN.from_preset("small", (64, 64, 3), phase_images=0), 16


def sagan_paper():
    """SAGAN as in the paper, 128x128, at a batch of 1."""
    return SAGAN(), 1


def sagan_small():
    """SAGAN of `sagan_fashion_mnist`: 28x28, batches of 64."""
    return SAGAN.from_preset("small", (28, 28, 1), 10), 64


def stylegan_paper():
    """StyleGAN as in the paper, 1024x1024, at a batch of 1."""
    return StyleGAN(phase_images=0), 1


def stylegan_small():
    """StyleGAN of `stylegan_sprites`: 64x64, batches of 16."""
    return StyleGAN.from_preset("small", (64, 64, 3), phase_images=0), 16


ROWS = {
    row.__name__: row
    for row in (
        biggan_paper,
        biggan_small,
        cyclegan_digits,
        cyclegan_facades,
        cyclegan_paper,
        progan_paper,
        progan_small,
        sagan_paper,
        sagan_small,
        stylegan_paper,
        stylegan_small,
    )
}


def main(row: Annotated[Literal[tuple(ROWS)], tyro.conf.Positional], steps: int = 10):
    """Trains a row's model for some steps, after one that builds its graph.

    Args:
        row: which model.
        steps: how many steps are timed.
    """
    keras.utils.set_random_seed(0)
    model, batch_size = ROWS[row]()
    model.compile()
    shape = (batch_size * model.batches_per_step, *model.image_shape)
    data = np.random.default_rng(0).uniform(*model.value_range, shape).astype("float32")
    if model.conditional:
        data = (data, np.arange(len(data)) % model.num_classes)
    data = tf.data.Dataset.from_tensors(data).repeat()
    model.fit(data, steps_per_epoch=1, verbose=0)
    before = time.perf_counter(), time.process_time()
    model.fit(data, steps_per_epoch=steps, verbose=0)
    seconds, processor = time.perf_counter() - before[0], time.process_time() - before[1]
    count = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    print(
        f"{row}: {count:,} parameters, batch {batch_size}: {seconds / steps:.3f} s a step "
        f"({processor / steps:.3f} s of processor time), peak {peak_memory_mib():,.0f} MiB"
    )


if __name__ == "__main__":
    tyro.cli(main)
