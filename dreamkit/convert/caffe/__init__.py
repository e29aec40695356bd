"""Caffe models without Caffe: read a prototxt and a caffemodel, and write the network as ONNX.

Modules, from the bottom up: `protobuf` (messages as data), `text_format` and `wire_format` (their two
formats), `schema` (Caffe's messages), `net` (a network in memory), `prototxt` and `caffemodel` (the two
files), `reader` (both together). `to_onnx` converts a network: `onnx_layers` maps each layer type to a
function in `convolution`, `pooling`, `normalization`, `elementwise` or `shapes`. `opencv` computes the
original network for comparison.
"""
