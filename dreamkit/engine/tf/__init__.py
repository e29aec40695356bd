"""All of the engine that imports TensorFlow."""
