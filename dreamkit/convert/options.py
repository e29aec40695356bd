"""Options of a conversion: what the files of a network do not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dreamkit.models.providers import Preprocess

# The usual preprocessing of networks trained on ImageNet, by framework.
CAFFE = Preprocess(order="BGR", mean=(104.0, 117.0, 123.0))
TORCH = Preprocess(
    mean=(123.675, 116.28, 103.53), scale=(1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225))
)
KERAS = Preprocess()
GREY = Preprocess(scale=(1 / 255,) * 3)
BYTES = Preprocess()  # for a network that takes uint8
LUMINANCE = {"RGB": (0.299, 0.587, 0.114), "BGR": (0.114, 0.587, 0.299)}  # of the channels (ITU-R BT.601)


@dataclass(frozen=True, kw_only=True)
class ConversionOptions:
    """What a network's files do not say.

    Attributes:
        preprocess: from pixels to what the network takes.
        is_default: whether the user gave no part of it.
        layers: the layers to dream by default, or None to let dreamkit choose.
        labels: the names of its classes, in order.
        description, licence: one line each.
        fill: the value of a fourth channel of the input, after preprocessing; None if there is none.
        fixed_size: whether an ONNX model is kept whole for the size of its pictures, also where parts of it
            take any size.
    """

    preprocess: Preprocess
    is_default: bool = False
    layers: Sequence[str] | None = None
    labels: Sequence[str] = ()
    description: str = ""
    licence: str = ""
    fill: float | None = None
    fixed_size: bool = False
