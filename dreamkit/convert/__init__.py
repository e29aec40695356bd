"""Networks of other frameworks as models for dreamkit.

`conversion` is the entry point. It reads a network (`caffe`, `onnx_model`, `keras_model`), builds a
SavedModel (`saved_model`), compares it with the original (`verify`, `parity`) and keeps it (`model_folder`).
Whatever can crash on a foreign file runs in a child process (`sandbox`).
"""
