"""All of the engine that imports TensorFlow."""

from dreamkit.engine import process

process.import_tensorflow()
