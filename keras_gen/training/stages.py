"""What a growing model can draw at the end of each of its stages."""

import keras

from keras_gen.artifacts.pictures import image_grid, save_image
from keras_gen.training.callbacks import tolerated


class StageGrids(keras.callbacks.Callback):
    """Draws the same latents at the end of each stage and of the training.

    When a stage begins it shows what the one before has learned, for nothing of its own is faded in
    yet: that is the picture.

    Args:
        folder: where to, `<side>x<side>.png` for each stage; made if missing.
        seed: of the latents.
        num_images: how many.
    """

    def __init__(self, folder, seed, num_images=64):
        super().__init__()
        self.folder, self.seed, self.num_images = folder, seed, num_images
        self._stage = None

    def on_train_begin(self, logs=None):
        """Looks which stage the model is in."""
        self._stage = self.model.stage

    def on_train_batch_end(self, batch, logs=None):
        """Draws when a stage has ended."""
        if self.model.stage != self._stage:
            self._draw()
            self._stage = self.model.stage

    def on_train_end(self, logs=None):
        """Draws the stage that the training ends in."""
        self._draw()

    def _draw(self):
        side = self.model.sides[self._stage]
        path = self.folder / f"{side}x{side}.png"
        images = self.model.sample(self.num_images, seed=self.seed)
        with tolerated(path):
            self.folder.mkdir(exist_ok=True)
            save_image(image_grid(images, self.model.value_range), path)
