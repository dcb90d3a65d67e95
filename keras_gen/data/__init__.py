"""Data sets and the input pipeline whose order is a pure function of (seed, step).

`load(name_or_folder)` gives a `DataSet`; `DataSet.batches` gives its batches. Neither
tensorflow-datasets nor scikit-learn is imported before a set that needs it is loaded.
"""

from .dataset import DataSet
from .errors import DataError, DataUnavailableError
from .loading import EMBEDDED, load, load_or_stand_in
from .points import PointSet
from .shapes import draw_shapes

__all__ = [
    "EMBEDDED",
    "DataError",
    "DataSet",
    "DataUnavailableError",
    "PointSet",
    "draw_shapes",
    "load",
    "load_or_stand_in",
]
