"""What is used of TensorFlow beyond its public API: all of it, but for two names in `models/graphdef.py`.

What is imported at the top is all that a kept step needs: `engine/tensorflow_import.py` imports no more. The
rest is imported where it is used: the modules for graphs take half as long as all of these.
TensorFlow may change it in any release, so dreamkit allows only the minor versions that are tested, and
`tests/test_tensorflow_private.py` names what a release has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.framework import function_pb2, node_def_pb2, types_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2, saved_model_pb2
from tensorflow.python.eager import context, execute
from tensorflow.python.framework import constant_op, dtypes, errors_impl, op_def_registry, ops
from tensorflow.python.ops import gen_functional_ops

FunctionDef = function_pb2.FunctionDef
RewriterConfig = rewriter_config_pb2.RewriterConfig
_NOT_NUMBERS = {types_pb2.DT_STRING, types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
_HARMLESS_TEXTS = frozenset(
    {
        *("equation", "bad_indices_policy", "message", "interpolation", "fill_mode", "kernel_type"),
        *("activation_mode", "fused_ops", "data_format", "src_format", "dst_format"),
    }
)  # attributes of operations that compute; the others name files, addresses and functions
_MOST_FORGOTTEN = 64 << 20  # bytes of functions that are forgotten and not freed yet
_PREPARED = 4 << 20  # bytes that TensorFlow keeps for any function, beside its constants
_forgotten: list[int] = []  # the bytes of each
FLOAT = dtypes.float32.as_datatype_enum
ConfigProto = config_pb2.ConfigProto
OpError = errors_impl.OpError
ResourceExhaustedError = errors_impl.ResourceExhaustedError
AbortedError = errors_impl.AbortedError
CollectionDef = meta_graph_pb2.CollectionDef
SavedModelDef = saved_model_pb2.SavedModel


def tensor(array: NDArray[Any]) -> Any:
    """An eager tensor with the numbers of `array`."""
    return constant_op.constant(array)


def call(name: str, arguments: Sequence[Any], outputs: Sequence[int], config: bytes) -> list[Any]:
    """The results, of types `outputs`, of a registered function under a serialised ConfigProto."""
    found: list[Any] = gen_functional_ops.partitioned_call(
        args=arguments, Tout=outputs, f=name, config_proto=config
    )
    return found


def depthwise(pixels: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The correlation of each channel of `(n, height, width, channels)` with its own
    `(rows, columns, channels, 1)`, where the kernel lies inside."""
    from tensorflow.python.ops import gen_nn_ops

    found: NDArray[np.float32] = gen_nn_ops.depthwise_conv2d_native(
        input=tensor(pixels), filter=tensor(kernel), strides=[1, 1, 1, 1], padding="VALID"
    ).numpy()
    return found


def rsqrt(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """One by the square root, by the kernel that TensorFlow computes constants with."""
    (result,) = execute.execute(b"Rsqrt", 1, [tensor(array)], ("T", FLOAT), context.context())
    found: NDArray[np.float32] = result.numpy()
    return found


def on_device(name: str) -> AbstractContextManager[Any]:
    """Operations run on the device `name`, or if it is empty where TensorFlow chooses."""
    found: AbstractContextManager[Any] = context.device(name or None)
    return found


def gpus() -> list[str]:
    """The names of the GPUs that operations can run on."""
    return [each.name for each in context.context().list_logical_devices("GPU")]


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU. Its runtime does not start for it."""
    return bool(context.context().list_physical_devices("GPU"))


def threads() -> int:
    """The number of threads of one operation; 0 for TensorFlow's own choice."""
    return int(context.context().intra_op_parallelism_threads)


def limit_threads(number: int) -> None:
    """Limits operations to this many threads. Must be called before the first operation runs."""
    context.context().intra_op_parallelism_threads = number
    context.context().inter_op_parallelism_threads = number


class _Serialised:
    """The bytes of a FunctionDef, for what asks a FunctionDef for its bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        return self._data


def add_function(name: str, data: bytes) -> None:
    """Registers a serialised FunctionDef under this name, in the eager context of this process."""
    renamed = FunctionDef()
    renamed.signature.name = name
    # Of a field that a message's bytes have twice, the last one counts.
    context.context().add_function_def(_Serialised(data + renamed.SerializeToString()))


def get_function(name: str) -> Any:
    """The FunctionDef that is registered under a name."""
    return context.context().get_function_def(name)


def computes_only(definition: Any) -> bool:
    """Whether a FunctionDef does nothing but arithmetic on its arguments.

    None of its operations has a state, calls a function or takes a text, as all operations do that read or
    write files, run Python or reach other machines.
    """
    return all(_computes_only(node) for node in definition.node_def)


def _computes_only(node: Any) -> bool:
    harmless = _harmless_texts(node.op)
    if harmless is None:
        return False
    for name, value in node.attr.items():
        kind = value.WhichOneof("value")
        listed = value.list if kind == "list" else None
        if name.startswith("_"):  # a note of TensorFlow's own
            continue
        if kind in ("func", "placeholder") or (listed and listed.func):
            return False
        if kind == "type" and value.type in _NOT_NUMBERS:
            return False
        if listed and not _NOT_NUMBERS.isdisjoint(listed.type):
            return False
        if (kind == "s" or (listed and listed.s)) and name not in harmless:
            return False
    return True


@cache
def _harmless_texts(name: str) -> frozenset[str] | None:
    """The attributes of an operation that may be any text; None where it does more than compute."""
    operation = op_def_registry.get(name)
    if operation is None or operation.is_stateful:
        return None
    if any(each.type in _NOT_NUMBERS for each in (*operation.input_arg, *operation.output_arg)):
        return None
    limited = {each.name for each in operation.attr if each.HasField("allowed_values")}
    return _HARMLESS_TEXTS | limited


def node_copy(node: Any) -> Any:
    """A copy of a NodeDef."""
    found = node_def_pb2.NodeDef()
    found.CopyFrom(node)
    return found


def fused_convolution(convolution: Any, offset: str, kinds: Sequence[str]) -> Any:
    """A convolution's NodeDef that also does `kinds` (`BiasAdd`, `Relu`), with the offset of that input."""
    found = node_copy(convolution)
    found.op = "_FusedConv2D"
    found.input.append(offset)
    found.attr["num_args"].i = 1
    found.attr["TArgs"].list.type.append(convolution.attr["T"].type)
    found.attr["fused_ops"].list.s.extend(kind.encode() for kind in kinds)
    for attribute in op_def_registry.get(found.op).attr:
        if attribute.name not in found.attr:
            found.attr[attribute.name].CopyFrom(attribute.default_value)
    return found


def remove_function(name: str, size: int = 0) -> None:
    """Forgets a function of `size` bytes, if it is registered, and frees its memory, at once or with others.

    TensorFlow would keep what it prepared to run it, with the function's constants, until the process ends.
    It cannot forget that of one function alone: it prepares all others again when they run next, which takes
    up to half a second. So that is done for many small functions together.
    """
    if not context.context().has_function(name):
        return
    context.context().remove_function(name)
    _forgotten.append(size + _PREPARED)
    if sum(_forgotten) > _MOST_FORGOTTEN:
        _forgotten.clear()
        context.context().clear_kernel_cache()


def parse_function(data: bytes) -> Any:
    """A FunctionDef from its bytes; None where they are none."""
    try:
        return FunctionDef.FromString(data)
    except DecodeError:
        return None


def function_graph(definition: Any) -> Any:
    """A FunctionDef as a GraphDef."""
    from tensorflow.python.framework import function_def_to_graph

    graph_def, _ = function_def_to_graph.function_def_to_graph_def(definition)
    return graph_def


def graph_of(graph_def: Any, inputs: Mapping[str, Sequence[int]]) -> Any:
    """A GraphDef as a Graph with static shapes, in which float32 `inputs` have these shapes."""
    from tensorflow.python.framework import importer
    from tensorflow.python.ops import gen_array_ops

    with ops.Graph().as_default() as graph:
        given = {name: gen_array_ops.placeholder(FLOAT, shape) for name, shape in inputs.items()}
        importer.import_graph_def(graph_def, input_map=given, name="")
    return graph


def freeze(function: Any) -> Any:
    """A concrete function with its variables as constants."""
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(function)


def optimize(config: Any, meta_graph: Any) -> Any:
    """The GraphDef that Grappler makes of a MetaGraphDef under a ConfigProto."""
    from tensorflow.python.grappler import tf_optimizer

    return tf_optimizer.OptimizeGraph(config, meta_graph)
