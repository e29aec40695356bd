"""An ONNX model as a TensorFlow SavedModel, built by onnx2tf in a child process."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dreamkit.convert import fixed_size, sandbox
from dreamkit.convert.onnx_model import PreparedModel
from dreamkit.errors import ConvertError

PIXELS = "pixels"  # the argument of the signature


def save(model: PreparedModel, folder: Path, scratch: Path, on_stage: sandbox.OnStage) -> None:
    """Writes an ONNX model to `folder` as a SavedModel whose outputs have their original names.

    It takes float32 `(n, height, width, 3)` of any size and returns NHWC. `scratch` is a folder for
    temporary files.

    Raises:
        ConvertError: onnx2tf cannot convert the model.
    """
    own: dict[str, Any]
    if model.places is None:
        module = __name__
        own = {
            "scratch": scratch,
            "names": list(model.names),
            "multiples": [model.maps[name].multiple for name in model.names],
        }
    else:
        module = fixed_size.__name__
        own = {
            "places": fixed_size.plain(model.places),
            "strides": [model.maps[name].stride for name in model.places],
        }
    sandbox.call(
        f"{module}:convert_and_write",
        on_stage,
        model_bytes=model.file.stat().st_size,
        file=model.file,
        folder=folder,
        size=model.size,
        **own,
    )


def convert_and_write(
    on_stage: sandbox.OnStage,
    file: str,
    folder: str,
    scratch: str,
    names: Sequence[str],
    multiples: Sequence[int],
    size: Sequence[int],
) -> None:
    """In the child process: see `save`. `names` are the names of the outputs in order, and `multiples` the
    sizes of pictures that have them."""
    on_stage("building a TensorFlow graph (onnx2tf)")
    os.chdir(scratch)  # onnx2tf writes to the current folder
    model = _run_onnx2tf(file, scratch, size)
    if len(model.outputs) != len(names):
        raise ConvertError(
            f"onnx2tf returned {len(model.outputs)} outputs of {len(names)}; the model cannot be converted"
        )
    on_stage("writing the SavedModel")
    write(_padded(model, multiples), names, folder, model.variables)


def _padded(model: Any, multiples: Sequence[int]) -> Callable[[Any], Any]:
    """The function to the outputs of a model, each from pixels that are padded below and at the right, with
    what the preprocessing makes of the mean, to a multiple of its own."""
    import tensorflow as tf

    if set(multiples) == {1}:
        return lambda pixels: model(pixels, training=False)
    parts = {
        multiple: type(model)(  # of whichever Keras onnx2tf uses
            model.inputs,
            [output for output, own in zip(model.outputs, multiples, strict=True) if own == multiple],
        )
        for multiple in sorted(set(multiples))
    }

    def forward(pixels: Any) -> list[Any]:
        height, width = tf.unstack(tf.shape(pixels)[1:3])
        found = {}
        for multiple, part in parts.items():
            below, right = -height % multiple, -width % multiple
            padded = tf.pad(pixels, [[0, 0], [0, below], [0, right], [0, 0]])
            found[multiple] = iter(tf.nest.flatten(part(padded, training=False)))
        return [next(found[multiple]) for multiple in multiples]

    return forward


def _run_onnx2tf(file: str, scratch: str, size: Sequence[int]) -> Any:
    """The model as a Keras model."""
    import onnx
    import onnx2tf

    graph = onnx.load(file).graph
    (picture,) = (each.name for each in graph.input)
    operations = {node.name: node.op_type for node in graph.node}
    del graph  # and the weights
    options = {} if version("onnx2tf").startswith("1.") else {"tflite_backend": "tf_converter"}
    try:
        return onnx2tf.convert(
            input_onnx_file_path=file,
            output_folder_path=os.path.join(scratch, "onnx2tf"),
            shape_hints=[f"{picture}:1,3,{size[0]},{size[1]}"],
            not_use_onnxsim=True,
            # Only the model is needed; TFLite files would take ten times as long.
            disable_model_save=True,
            # Keras' grouped convolutions are functions that are neither saved nor folded.
            disable_group_convolution=True,
            non_verbose=True,
            **options,
        )
    except (Exception, SystemExit) as error:
        operation = _failed_operation(error, operations)
        if operation and not isinstance(error, MemoryError):
            error.add_note(f"the operation {operation} cannot be converted; export the model without it")
        raise


def _failed_operation(error: BaseException, operations: Mapping[str, str]) -> str | None:
    """The type of the operation that onnx2tf could not convert. `operations` are types by node."""
    name = operations.get(str(getattr(error, "onnx_op_name", "")))
    files = [Path(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [each.stem for each in files if each.parts[-3:-1] == ("onnx2tf", "ops")]  # one for each type
    return name or next(reversed(modules), None)


def write(forward: Callable[[Any], Any], names: Sequence[str], folder: str, variables: Sequence[Any]) -> None:
    """Writes `forward`, from a batch of pixels to outputs in the order of `names`, to `folder`."""
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
