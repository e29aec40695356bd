"""The numbers of a dream: octaves, tiles, gradients, updates. TensorFlow is imported in `tf` alone."""
