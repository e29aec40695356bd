"""A Caffe network from its two files."""

from __future__ import annotations

from pathlib import Path

from dreamkit.convert.caffe.caffemodel import add_weights
from dreamkit.convert.caffe.net import Net
from dreamkit.convert.caffe.prototxt import read_prototxt


def read_net(prototxt: Path, caffemodel: Path | None) -> Net:
    """The network that `prototxt` describes, with the weights in `caffemodel` if one is given.

    Raises:
        ConvertError: a file cannot be read, is damaged or is not a Caffe file; the network is impossible;
            or the two files do not belong together. An unknown layer type is not an error here.
    """
    net = read_prototxt(prototxt)
    return net if caffemodel is None else add_weights(net, caffemodel)
