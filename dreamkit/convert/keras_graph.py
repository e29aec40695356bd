"""A functional or sequential Keras model as one list of operations, with the models inside it opened.

It works with Keras 3 and with tf_keras, and imports neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from itertools import count
from typing import Any

Shape = tuple[int | None, ...]

CONVOLUTIONS = "Conv2D", "DepthwiseConv2D", "SeparableConv2D"
GLOBAL_POOLINGS = "GlobalAveragePooling2D", "GlobalMaxPooling2D"
RESHAPES = "Flatten", "Reshape"
# They return what they get, except in training.
IDENTITIES = (
    *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("ActivityRegularization", "Identity"),
)
ELEMENTWISE = (
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "BatchNormalization"),
    *IDENTITIES,
)
_PROBABILITIES = "softmax", "sigmoid"


@dataclass(frozen=True, eq=False)
class Operation:
    """One call of a layer. Tensors are numbers that are unique in the graph.

    Attributes:
        path: the names of the models that it is in, and its own.
        layer: a Keras layer, or an operation of `keras.ops`.
        inputs, outputs: its tensors.
        input_shapes, output_shapes: their shapes in the original model.
        arguments: makes the arguments of the call from the values of `inputs`.
    """

    path: tuple[str, ...]
    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    arguments: Callable[[Sequence[Any]], tuple[Sequence[Any], dict[str, Any]]]

    @property
    def type(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__

    @property
    def activation(self) -> str:
        """The name of the layer's activation function; `linear` if it has none."""
        if self.type == "Softmax":
            return "softmax"
        return getattr(getattr(self.layer, "activation", None), "__name__", "linear")

    @property
    def gives_probabilities(self) -> bool:
        """Whether its activation function is softmax or sigmoid, whose gradients vanish."""
        return self.activation in _PROBABILITIES

    @property
    def keeps_scores(self) -> bool:
        """Whether it computes nothing but what a softmax, a sigmoid, a pooling or no operation computes."""
        if self.type in ("Activation", "Softmax"):
            return self.activation in ("linear", *_PROBABILITIES)
        if self.type in RESHAPES:
            (shape,), (result,) = self.input_shapes, self.output_shapes
            return is_one_position(shape) and is_one_position(result)
        return self.type in IDENTITIES or self.type in GLOBAL_POOLINGS

    def call(self, values: Sequence[Any]) -> list[Any]:
        """The outputs of the layer, which is not in training, for the values of its inputs."""
        args, kwargs = self.arguments(values)
        if "training" in signature(self.layer.call).parameters:
            kwargs = {**kwargs, "training": False}
        result = self.layer(*args, **kwargs)
        return list(result) if isinstance(result, list | tuple) else [result]


@dataclass(frozen=True)
class Graph:
    """The operations of a model in an order in which they can be computed.

    Attributes:
        picture: the tensor of its input.
        outputs: the tensors of its outputs.
        operations: the calls of its layers and of those of the models inside it.
    """

    picture: int
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]

    @cached_property
    def names(self) -> Mapping[str, Operation]:
        """Each layer's first call by its name: the layer's own, or `inner/layer` where two layers clash."""
        first: dict[int, Operation] = {}
        for each in self.operations:
            first.setdefault(id(each.layer), each)
        counts = Counter(each.path[-1] for each in first.values())
        names: dict[str, Operation] = {}
        for each in first.values():
            name = each.path[-1] if counts[each.path[-1]] == 1 else "/".join(each.path)
            names.setdefault(name, each)
        return names

    @cached_property
    def producers(self) -> Mapping[int, Operation]:
        """The operation that computes each tensor."""
        return {tensor: each for each in self.operations for tensor in each.outputs}

    def has_scores(self, operation: Operation) -> bool:
        """Whether each output of `operation` is a sum over all positions that a Dense layer, or a convolution
        of one position, weights; possibly behind elementwise layers."""
        if operation.type == "Dense":
            return True
        if not is_one_position(operation.output_shapes[0]):
            return False
        if operation.type in CONVOLUTIONS:
            return True
        if operation.type in ELEMENTWISE or (operation.type in RESHAPES and operation.keeps_scores):
            before = self.producers.get(operation.inputs[0])
            return before is not None and self.has_scores(before)
        return False

    @cached_property
    def scores(self) -> tuple[Operation | None, bool]:
        """The operation whose output, behind which only `keeps_scores` operations follow, is the model's only
        output; and whether it computes scores of classes beyond doubt, not features."""
        if len(self.outputs) != 1:
            return None, False
        operation = self.producers.get(self.outputs[0])
        certain = False
        while operation is not None and len(operation.inputs) == 1 and operation.keeps_scores:
            certain = certain or operation.gives_probabilities
            operation = self.producers.get(operation.inputs[0])
        if operation is None:
            return None, False
        return operation, certain or operation.gives_probabilities or self.has_scores(operation)


def is_one_position(shape: Shape) -> bool:
    """Whether a tensor of this shape holds one vector for a picture: `(n, c)` or `(n, 1, 1, c)`."""
    return len(shape) == 2 or (len(shape) == 4 and shape[1:3] == (1, 1))


def graph(model: Any) -> Graph:
    """The operations of a functional or sequential model with one input."""
    return _Opening().graph(model)


@dataclass
class _Opening:
    """Collects the operations of a model and of the models inside it."""

    operations: list[Operation] = field(default_factory=list)
    tensors: Iterator[int] = field(default_factory=count)

    def graph(self, model: Any) -> Graph:
        picture = next(self.tensors)
        outputs = self.open(model, [picture], ())
        return Graph(picture, tuple(outputs), tuple(self.operations))

    def open(self, model: Any, inputs: Sequence[int], path: tuple[str, ...]) -> list[int]:
        """Adds the operations of `model` for the tensors `inputs`; returns the tensors of its outputs."""
        model = _functional(model)
        known = {id(tensor): number for tensor, number in zip(model.inputs, inputs, strict=True)}
        by_depth = model._nodes_by_depth
        for node in (node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]):
            layer, arguments, inbound = _read(node)
            if node.is_input or any(id(each) not in known for each in inbound):
                continue
            numbers = [known[id(each)] for each in inbound]
            outbound = _flat(node.outputs)
            inner_path = (*path, str(layer.name))
            inner = _functional(layer)
            if inner is not None and len(inner.inputs) == len(numbers):
                results = self.open(layer, numbers, inner_path)
            else:
                results = [next(self.tensors) for _ in outbound]
                operation = Operation(
                    inner_path,
                    layer,
                    tuple(numbers),
                    tuple(results),
                    tuple(tuple(each.shape) for each in inbound),
                    tuple(tuple(each.shape) for each in outbound),
                    arguments,
                )
                self.operations.append(operation)
            known.update((id(each), number) for each, number in zip(outbound, results, strict=True))
        return [known[id(each)] for each in model.outputs]


def _functional(layer: Any) -> Any:
    """The functional model that a layer is or, as a sequential model of Keras 3, has; otherwise None."""
    model = getattr(layer, "_functional", None) or layer
    return model if hasattr(model, "_nodes_by_depth") else None


def _read(node: Any) -> tuple[Any, Callable[[Sequence[Any]], Any], list[Any]]:
    """The layer of a node of Keras 3 or tf_keras, the function to its arguments, and its tensors."""
    if hasattr(node, "arguments"):
        inbound = list(node.arguments.keras_tensors)
        return (
            node.operation,
            lambda values: node.arguments.fill_in(
                {id(tensor): value for tensor, value in zip(inbound, values, strict=True)}
            ),
            inbound,
        )
    inbound = list(node.keras_inputs)

    def arguments(values: Sequence[Any]) -> Any:
        # `map_arguments` takes one value from the list for each time that a tensor is used.
        return node.map_arguments(
            {str(id(tensor)): [value] * len(inbound) for tensor, value in zip(inbound, values, strict=True)}
        )

    return node.layer, arguments, inbound


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
