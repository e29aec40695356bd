"""The parts of the engine that import TensorFlow."""

from dreamkit.engine import tensorflow_import

tensorflow_import.import_tensorflow()
