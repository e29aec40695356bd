"""Programs that compute a network independently of us: OpenCV's importer of Caffe models, and ONNX Runtime.

Both read files and may be brought down by them: call them in a child process. A batch is float32, NCHW,
and what the network eats, mean and scale done.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.caffe import Net
from dreamkit.errors import ConvertError, first_line

Maps = Mapping[str, NDArray[np.float32]]

# What OpenCV computes otherwise than Caffe, or does not read at all.
_NOT_OPENCVS = ("Bias", "Exp", "Log")


def opencv_version() -> str:
    """Raises:
    ConvertError: OpenCV is not installed, cannot be loaded or reads no Caffe models.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConvertError(
            f"OpenCV cannot be loaded ({first_line(error)}); install dreamkit[convert], and on a server "
            "without a screen put opencv-python-headless<5 in the place of opencv-python"
        ) from error
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise ConvertError(f"OpenCV {cv2.__version__} reads no Caffe models; install opencv-python<5")
    return f"OpenCV {cv2.__version__}"


def beyond_opencv(net: Net) -> set[str]:
    """The blobs on which OpenCV's word is no proof: it passes over parameters of a layer they depend on."""
    beyond: set[str] = set()
    for layer in net.layers:
        params = layer.params
        odd = layer.type in _NOT_OPENCVS
        odd = odd or (layer.type == "InnerProduct" and params["transpose"])
        odd = odd or (layer.type == "Slice" and not params["slice_point"])
        if odd or beyond.intersection(layer.bottoms):
            beyond.update(layer.tops)
    return beyond


def opencv(prototxt: Path, caffemodel: Path, net: Net, inputs: Maps) -> Maps:
    """Every blob of `net`, computed by OpenCV from the two files.

    Raises:
        ConvertError: OpenCV does not read them.
    """
    import cv2

    try:
        oracle = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
        oracle.enableFusion(False)
        for name, array in inputs.items():
            oracle.setInput(array, name)
        # It calls a convolution by its top's name, gives a maximum's places too and a split's one part.
        known = set(oracle.getLayerNames())
        names = [layer.name if layer.name in known else layer.tops[0] for layer in net.layers]
        answers: Any = dict(zip(names, oracle.forwardAndRetrieve(names), strict=True))
    except cv2.error as error:
        raise ConvertError(f"OpenCV does not read this network ({first_line(error)[:200]})") from error
    return {
        top: answers[name][min(place, len(answers[name]) - 1)]
        for name, layer in zip(names, net.layers, strict=True)
        for place, top in enumerate(layer.tops)
    }


def runtime(model: bytes) -> Any:
    """An ONNX Runtime session of a serialised model, as it stands: its optimiser changes what it computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compute(session: Any, inputs: Maps) -> Maps:
    """The outputs of an ONNX Runtime session by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))
