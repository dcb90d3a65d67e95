"""Data sets and the input pipeline whose order is a pure function of (seed, step).

`load(name_or_folder)` gives a `DataSet`; `DataSet.batches` gives its batches. Neither
tensorflow-datasets nor scikit-learn is imported before a set that needs it is loaded.
"""

from keras_gen.data.binarization import BINARIZATIONS, binarize, check_pixels
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError, DataUnavailableError
from keras_gen.data.loading import EMBEDDED, load, load_or_stand_in
from keras_gen.data.points import PointSet
from keras_gen.data.shapes import draw_shapes

__all__ = [
    "BINARIZATIONS",
    "EMBEDDED",
    "DataError",
    "DataSet",
    "DataUnavailableError",
    "PointSet",
    "binarize",
    "check_pixels",
    "draw_shapes",
    "load",
    "load_or_stand_in",
]
