"""The operations that a TensorFlow file may have. All others are refused: they may do more than compute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dreamkit.errors import ConvertError, shown


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_FILES = re.compile(
    r"File|ImmutableConst|^Debug|^Print|Summary|Reader|Dataset|DecodeProto|Iterator|^Recv|^Send"
)

_ARITHMETIC = words(
    """
    Abs Add AddN AddV2 All Any ArgMax ArgMin BiasAdd BiasAddV1 Bucketize Ceil ClipByValue Cos Cosh
    Cumsum Div DivNoNan Elu Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual
    InvertPermutation IsFinite IsInf IsNan L2Loss LeakyRelu Less LessEqual Log Log1p LogSoftmax
    LogicalAnd LogicalNot LogicalOr Max Maximum Mean Min Minimum Mod Mul MulNoNan Neg NotEqual Pow
    Prod RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus
    Softsign Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod Xdivy Xlogy
    """
)
_LAYERS = words(
    """
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization
    BatchToSpaceND Conv1D Conv2D Conv2DBackpropInput Conv3D CropAndResize DepthToSpace
    DepthwiseConv2dNative Dilation2D Einsum ExtractImagePatches FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 LRN MatMul MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax MirrorPad Pad PadV2
    ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor SpaceToBatchND SpaceToDepth
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
    """
)
_ARRAYS = words(
    """
    BroadcastArgs BroadcastTo Cast Concat ConcatV2 Const DynamicStitch Empty EnsureShape ExpandDims
    Fill Gather GatherNd GatherV2 Identity IdentityN LinSpace MatrixDiag NonMaxSuppressionV2
    NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 CombinedNonMaxSuppression OneHot
    OnesLike Pack Range Rank Reshape Reverse ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN
    Size Slice Split SplitV Squeeze StridedSlice TensorScatterUpdate Tile TopK TopKV2 Transpose
    Unique UniqueV2 Unpack Where ZerosLike
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
# What reads and writes weights: TensorFlow reads them, and `WRITES` is taken out before.
_WEIGHTS = words(
    """
    Assign AssignAddVariableOp AssignSub AssignSubVariableOp AssignAdd AssignVariableOp
    DestroyResourceOp DisableCopyOnRead IsVariableInitialized ReadVariableOp RestoreV2
    ShardedFilename StaticRegexFullMatch StringJoin VarIsInitializedOp VariableShape MutexLock
    MutexV2 ConsumeMutexLock
    """
)
WRITES = frozenset({"SaveV2", "MergeV2Checkpoints"})

# By how their results depend on the size of what they read.
CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2", "Einsum")
ELEMENTWISE = words(
    """
    Abs Cast Ceil Cos Elu Erf Erfc Exp Expm1 Floor Identity LeakyRelu Log Log1p Neg OnesLike
    Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Softplus Softsign Sqrt Square Tanh
    ZerosLike
    Add AddN AddV2 BiasAdd BiasAddV1 ClipByValue Div DivNoNan Equal FloorDiv Greater GreaterEqual
    Less LessEqual LogicalAnd LogicalNot LogicalOr Maximum Minimum Mul MulNoNan NotEqual Pow RealDiv
    Select SelectV2 SquaredDifference Sub
    """
)
REDUCTIONS = ("Max", "Mean", "Min", "Prod", "Sum")
SHAPED = ("Reshape", "Squeeze", "ExpandDims")
RESIZES = ("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor")


def nodes(graph_def: Any) -> Iterator[Any]:
    """The nodes of a GraphDef and of the functions in it."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def check(graph_def: Any, file: str, *, saved_model: bool) -> None:
    """Refuses a graph that does more than compute. A `saved_model` may have variables, and read them.

    Raises:
        ConvertError: it has an operation that is not on the list.
    """
    allowed = {*PURE, *VARIABLES, *(each.signature.name for each in graph_def.library.function)}
    if saved_model:
        allowed |= _WEIGHTS | WRITES
    for node in nodes(graph_def):
        if node.op in allowed:
            continue
        if node.op in _PYTHON:
            why = "which runs Python code"
        elif _FILES.search(node.op):
            why = "which can read or write files"
        else:
            why = "which is not one of TensorFlow's operations for networks"
        raise ConvertError(
            f"{file} has the operation {shown(node.op)} ({shown(node.name)}), {why}; save the network alone, "
            "from pixels to scores"
        )
