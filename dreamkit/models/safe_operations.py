"""The operations that a TensorFlow graph from a file may have. All others are refused: they may do more than
compute."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any

from dreamkit.errors import shown


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_FILES = re.compile(
    r"File|ImmutableConst|^Debug|^Print|Summary|Reader|Dataset|DecodeProto|Iterator|^Recv|^Send"
)

_ARITHMETIC = words(
    """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BiasAdd BiasAddV1
    Bincount Bucketize Ceil ClipByValue Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp Div DivNoNan
    Elu Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual InvertPermutation
    IsFinite IsInf IsNan L2Loss LeakyRelu Less LessEqual Lgamma Log Log1p LogSoftmax
    LogicalAnd LogicalNot LogicalOr Max Maximum Mean Min Minimum Mod Mul MulNoNan Neg NotEqual Pow
    Prod RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus
    Softsign Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod Xdivy Xlogy
    """
)
_LAYERS = words(
    """
    AdjustContrastv2 AdjustHue AdjustSaturation AvgPool AvgPool3D BatchMatMul BatchMatMulV2
    BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpaceND Conv2D Conv2DBackpropInput Conv3D
    Conv3DBackpropInputV2 CropAndResize DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dilation2D Einsum ExtractImagePatches FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3 LRN MatMul MaxPool
    MaxPool3D MaxPoolV2 MaxPoolWithArgmax MirrorPad Pad PadV2 ResizeArea ResizeBicubic ResizeBilinear
    ResizeNearestNeighbor RGBToHSV ScaleAndTranslate SpaceToBatchND SpaceToDepth
    """
)
_ARRAYS = words(
    """
    BroadcastArgs BroadcastTo Cast CombinedNonMaxSuppression Concat ConcatV2 Const DynamicStitch Empty
    EnsureShape ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN LinSpace LowerBound
    MatrixBandPart MatrixDiag MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiagV3
    NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 OneHot OnesLike Pack
    Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN
    Size Slice Split SplitV Squeeze StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin
    TensorScatterSub TensorScatterUpdate Tile TopK TopKV2 Transpose Unique UniqueV2 Unpack
    UnsortedSegmentSum UpperBound Where ZerosLike
    """
)
FLOW = words(
    """
    Enter Exit If LoopCond Merge NextIteration PartitionedCall StatefulPartitionedCall StatelessIf
    StatelessWhile Switch While
    """
)
_INNER = words(  # of branches and loops, and what passes its input on
    """
    Assert CheckNumerics NoOp Placeholder PlaceholderWithDefault PreventGradient StopGradient
    TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArrayV3
    TensorArrayWriteV3 TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem
    TensorListStack
    """
)
_RANDOM = words(
    """
    RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomUniformV2
    StatelessRandomGetKeyCounter StatelessRandomNormalV2 TruncatedNormal Multinomial
    StatelessTruncatedNormalV2
    """
)
PURE = _ARITHMETIC | _LAYERS | _ARRAYS | FLOW | _INNER | _RANDOM
VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
# What stands beside variables: TensorFlow itself reads their values, and `WRITES` is taken out before.
_WEIGHTS = words(
    """
    Assign AssignAddVariableOp AssignSub AssignSubVariableOp AssignAdd AssignVariableOp
    DestroyResourceOp DisableCopyOnRead IsVariableInitialized ReadVariableOp
    ShardedFilename StaticRegexFullMatch StringJoin VarIsInitializedOp VariableShape MutexLock
    MutexV2 ConsumeMutexLock
    """
)
_READS = frozenset({"RestoreV2"})
WRITES = frozenset({"SaveV2", "MergeV2Checkpoints"})


def nodes(graph_def: Any) -> Iterator[Any]:
    """The nodes of a GraphDef and of the functions in it."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def problem(graph_def: Any, *, saved_model: bool) -> str:
    """What is wrong with a graph that may do more than compute; empty for any other.

    A `saved_model` may have variables and read them. It may also have what writes them, which the caller
    must not run.
    """
    allowed = {*PURE, *VARIABLES, *_names(graph_def)}
    return _problem(nodes(graph_def), allowed | _WEIGHTS | _READS | WRITES if saved_model else allowed)


def problem_when_loaded(saved: Any) -> str:
    """What is wrong with a SavedModel, as a message, that `tf.saved_model.load` must not load; empty for any
    other.

    Only functions that nothing can call may touch a file: TensorFlow adds two to save and to restore weights,
    and its loader uses neither. Objects that run code while they are loaded are refused, and so are functions
    that TensorFlow may take for others.
    """
    if len(saved.meta_graphs) != 1:
        return f"has {len(saved.meta_graphs)} graphs"
    (graph,) = saved.meta_graphs
    if not graph.HasField("object_graph_def"):
        return "was not saved by TensorFlow 2"
    functions = graph.graph_def.library.function
    if len(_names(graph.graph_def)) < len(functions):
        return "has functions that hide others"
    if any("api_implements" in each.attr for each in functions):
        return "has functions that replace each other"
    for each in graph.object_graph_def.nodes:
        if each.WhichOneof("kind") in ("resource", "asset") or each.saveable_objects:
            return "has objects that run code when it is loaded"
    called = {*_called(graph)}
    allowed = {*PURE, *VARIABLES, *_WEIGHTS, *_names(graph.graph_def)}
    found = _problem(graph.graph_def.node, allowed | _READS | WRITES)
    for each in functions:
        is_called = each.signature.name in called
        found = found or _problem(each.node_def, allowed if is_called else allowed | _READS | WRITES)
    return found


def _called(graph: Any) -> Iterator[str]:
    """The names of the functions of a SavedModel to which an object, a gradient or a function refers."""
    objects, library = graph.object_graph_def, graph.graph_def.library
    yield from objects.concrete_functions
    for each in objects.nodes:
        yield from each.function.concrete_functions
        yield each.bare_concrete_function.concrete_function_name
        yield each.captured_tensor.concrete_function
    for each in (*library.gradient, *library.registered_gradients):
        yield each.gradient_func
    for function in library.function:
        for node in function.node_def:
            yield node.op
            for value in node.attr.values():
                yield value.func.name
                yield from (each.name for each in value.list.func)


def _names(graph_def: Any) -> set[str]:
    """The names of the functions of a graph, which are operations in it; none whose name tells of files."""
    names = {each.signature.name for each in graph_def.library.function}
    return {name for name in names if name.startswith("__") or not _why(name)}


def _problem(nodes: Iterable[Any], allowed: Container[str]) -> str:
    for node in nodes:
        if node.op not in allowed:
            why = _why(node.op) or "which is not one of TensorFlow's operations for networks"
            return f"has the operation {shown(node.op)} ({shown(node.name)}), {why}"
    return ""


def _why(operation: str) -> str:
    """What an operation does that is more than to compute; empty where its name does not tell."""
    if operation in _PYTHON:
        return "which runs Python code"
    if operation in _READS | WRITES or _FILES.search(operation):
        return "which can read or write files"
    return ""
