"""Data sets and the input pipeline whose order is a pure function of (seed, step).

`load(name_or_folder)` gives a `DataSet`; `DataSet.batches` gives its batches. Neither
tensorflow-datasets nor scikit-learn is imported before a set that needs it is loaded.
"""

from keras_gen.data.binarization import BINARIZATIONS, binarize, check_pixels
from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError, DataUnavailableError
from keras_gen.data.faces import AGE_GROUPS, load_faces
from keras_gen.data.labels import label_by_factor, load_by_factor
from keras_gen.data.loading import EMBEDDED, load, load_or_stand_in
from keras_gen.data.points import PointSet
from keras_gen.data.semi_supervised import SemiSupervisedSet, hide_labels, semi_supervised
from keras_gen.data.shapes import draw_shapes
from keras_gen.data.unpaired import UnpairedSet, load_unpaired

__all__ = [
    "AGE_GROUPS",
    "BINARIZATIONS",
    "EMBEDDED",
    "DataError",
    "DataSet",
    "DataUnavailableError",
    "PointSet",
    "SemiSupervisedSet",
    "UnpairedSet",
    "binarize",
    "check_pixels",
    "draw_shapes",
    "hide_labels",
    "label_by_factor",
    "load",
    "load_by_factor",
    "load_faces",
    "load_or_stand_in",
    "load_unpaired",
    "semi_supervised",
]
