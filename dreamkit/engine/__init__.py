"""Where numbers are computed: the only folder that imports TensorFlow."""

from __future__ import annotations

import os

# Both are read when TensorFlow and Keras are imported, so they are set before any module here does.
# oneDNN's kernels take a third off a step on processors for which TensorFlow leaves them off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
