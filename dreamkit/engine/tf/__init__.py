"""The parts of the engine that import TensorFlow."""

from dreamkit.engine import process

process.import_tensorflow()
