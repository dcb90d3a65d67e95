"""What the suite writes for people: files that are never half there, pictures and curves."""

from keras_gen.artifacts.files import write_atomic, write_json
from keras_gen.artifacts.pictures import (
    image_grid,
    point_cloud,
    save_animation,
    save_curves,
    save_figure,
    save_frames,
    save_image,
    save_labelled_grid,
)

__all__ = [
    "image_grid",
    "point_cloud",
    "save_animation",
    "save_curves",
    "save_figure",
    "save_frames",
    "save_image",
    "save_labelled_grid",
    "write_atomic",
    "write_json",
]
