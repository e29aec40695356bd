"""An ONNX model as a TensorFlow SavedModel, by onnx2tf, in a child process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dreamkit.convert import sandbox
from dreamkit.convert.onnx_model import Plain
from dreamkit.errors import ConvertError

PIXELS = "pixels"  # the signature's argument


def save(plain: Plain, folder: Path, scratch: Path, tell: sandbox.Tell) -> None:
    """Writes an ONNX model to `folder` as a SavedModel with the outputs' own names.

    It takes float32 batches `(n, height, width, 3)` of any size and returns NHWC. `scratch` is a folder for
    files that are needed for a while.

    Raises:
        ConvertError: onnx2tf cannot convert the model.
    """
    sandbox.call(
        f"{__name__}:build",
        tell,
        model_bytes=plain.file.stat().st_size,
        file=plain.file,
        folder=folder,
        scratch=scratch,
        names=list(plain.names),
        size=plain.size,
    )


def build(
    tell: sandbox.Tell, file: str, folder: str, scratch: str, names: Sequence[str], size: Sequence[int]
) -> None:
    """In the child: `file` as a SavedModel. `names` are what its outputs are to be called."""
    tell("building a TensorFlow graph (onnx2tf)")
    # It writes where it is, and this way into the scratch folder.
    os.chdir(scratch)
    import onnx
    import onnx2tf

    (picture,) = (each.name for each in onnx.load(file).graph.input)

    options: dict[str, Any] = (
        {} if version("onnx2tf").startswith("1.") else {"tflite_backend": "tf_converter"}
    )
    model = onnx2tf.convert(
        input_onnx_file_path=file,
        output_folder_path=os.path.join(scratch, "onnx2tf"),
        shape_hints=[f"{picture}:1,3,{size[0]},{size[1]}"],
        not_use_onnxsim=True,
        # The model is all we want of it: writing TFLite files takes ten times as long.
        disable_model_save=True,
        # Keras' grouped convolutions hide in functions that are neither saved nor folded.
        disable_group_convolution=True,
        non_verbose=True,
        **options,
    )
    if len(model.outputs) != len(names):
        raise ConvertError(
            f"onnx2tf returned {len(model.outputs)} outputs of {len(names)}; the model cannot be converted"
        )
    tell("writing the SavedModel")
    write(lambda pixels: model(pixels, training=False), names, folder, model.variables)


def write(forward: Callable[[Any], Any], names: Sequence[str], folder: str, variables: Sequence[Any]) -> None:
    """Writes what `forward` returns of a batch to `folder`, each output under its name."""
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name=PIXELS)], autograph=False
    )
    def serve(pixels: Any) -> dict[str, Any]:
        return dict(zip(names, tf.nest.flatten(forward(pixels)), strict=True))

    module = tf.Module()
    module.held = list(variables)
    module.serve = serve
    tf.saved_model.save(module, folder, signatures=serve)
