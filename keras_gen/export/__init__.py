"""SavedModels: written for TensorFlow Serving, and read back without Keras."""

from keras_gen.export.load import ExportedModel, load_exported
from keras_gen.export.save import export_model
from keras_gen.export.signatures import MAX_IMAGES

__all__ = ["MAX_IMAGES", "ExportedModel", "export_model", "load_exported"]
