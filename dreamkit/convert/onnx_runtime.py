"""ONNX Runtime as a reference implementation of an ONNX model.

A damaged file can end the process: call it in a child process.
"""

from __future__ import annotations

from typing import Any

from dreamkit.convert.activations import Activations


def version() -> str:
    """Its name and version."""
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


def session(model: bytes) -> Any:
    """A session of a serialised model, unoptimised, because the optimiser changes the results."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def compute(session: Any, inputs: Activations) -> Activations:
    """The outputs of a session by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))
