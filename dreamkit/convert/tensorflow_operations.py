"""Operations of TensorFlow, by how their results depend on the size of what they read."""

from __future__ import annotations

from dreamkit.models.safe_operations import words

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
