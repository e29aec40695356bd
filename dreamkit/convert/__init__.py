"""Networks of other frameworks, read into what dreamkit can dream with. TensorFlow is not imported."""
