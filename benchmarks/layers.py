"""A training step of single layers: ours and Keras' of the same function.

    python -m benchmarks.layers

`Conv2D` and `Conv2DTranspose` take a convolution apart whose images have few channels;
`BatchNormalization` is one kernel of TensorFlow; `Dropout` draws 16 bits for an input, not a float.
Each row alternates the two on the same inputs, forwards and backwards, with the gradient in the
inputs.
"""

import keras
import tensorflow as tf
import tyro

from benchmarks.operations import median_times, training_step
from keras_gen.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dropout

# what it is: the size of the inputs, our layer and Keras', and their arguments
ROWS = {
    "7x7 from 128 channels to 1": ((64, 28, 28, 128), Conv2D, (1, 7, 1, "same")),
    "7x7 from 64 channels to 3": ((4, 64, 64, 64), Conv2D, (3, 7, 1, "same")),
    "3x3 from 64 channels to 1": ((64, 28, 28, 64), Conv2D, (1, 3, 1, "same")),
    "5x5 transposed, stride 2, 64 channels to 1": (
        (256, 14, 14, 64),
        Conv2DTranspose,
        (1, 5, 2, "same"),
    ),
    "5x5, stride 2, 1 channel to 64": ((256, 28, 28, 1), Conv2D, (64, 5, 2, "same")),
    "3x3 from 1 channel to 64": ((64, 28, 28, 1), Conv2D, (64, 3, 1, "same")),
    "5x5, stride 2, 3 channels to 32": ((64, 64, 64, 3), Conv2D, (32, 5, 2, "same")),
    "batch normalization": ((256, 14, 14, 64), BatchNormalization, ()),
    "batch normalization of vectors": ((256, 12_544), BatchNormalization, ()),
    "dropout of 0.3": ((256, 14, 14, 64), Dropout, (0.3,)),
}


def main(rounds: int = 15):
    """Prints milliseconds of both and the ratio of medians, in float32 and bfloat16.

    Args:
        rounds: how often each is timed.
    """
    print("| layer | inputs | precision | Keras | ours | ratio |")
    print("| --- " * 6 + "|")
    for name, (size, ours, arguments) in ROWS.items():
        named = ours.__name__
        for precision in ("float32", "mixed_bfloat16"):
            steps = {}
            for kind in (getattr(keras.layers, named), ours):
                layer = kind(*arguments, dtype=precision)
                layer.build((None, *size[1:]))
                weights = [weight.value for weight in layer.trainable_variables]
                training = {"training": True} if ours in (BatchNormalization, Dropout) else {}
                steps[kind] = training_step(
                    lambda inputs, layer=layer, training=training: layer(inputs, **training),
                    weights,
                )
            inputs = tf.cast(tf.random.normal(size), precision.removeprefix("mixed_"))
            theirs, own = median_times(steps, inputs, rounds).values()
            sizes = "x".join(map(str, size))
            times = f"{theirs:.1f} ms | {own:.1f} ms | {theirs / own:.2f}"
            print(f"| {name} | {sizes} | {precision} | {times} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
