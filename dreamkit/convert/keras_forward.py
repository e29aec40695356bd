"""Computes the operations of a Keras model: as they are, or on pictures of any size.

For a picture of any size, a vector `(n, c)` is a map `(n, 1, 1, c)`. A Dense layer is a convolution of such
maps, and behind a Flatten of a map of h x w positions it is a convolution of h x w: both give its scores.
Only for a child process: it loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dreamkit.convert.keras_graph import (
    ELEMENTWISE,
    GLOBAL_POOLINGS,
    IDENTITIES,
    RESHAPES,
    Graph,
    Operation,
    is_one_position,
)
from dreamkit.errors import first_line


class NotPossibleError(Exception):
    """An operation cannot be computed for a picture of this size."""


def scores_before_probabilities(graph: Graph) -> Operation | None:
    """The operation whose own softmax or sigmoid is left out, because the scores before it are the head."""
    operation, _ = graph.scores
    if operation is None or not operation.gives_probabilities or not hasattr(operation.layer, "activation"):
        return None
    return operation


@contextmanager
def linear(operation: Operation) -> Iterator[None]:
    """Leaves out the activation function of a layer."""
    activation = operation.layer.activation
    operation.layer.activation = lambda values: values
    try:
        yield
    finally:
        operation.layer.activation = activation


class FreeSize:
    """The operations of a model for pictures of any size.

    Attributes:
        failures: why an operation cannot be computed, for the first of each branch.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._split = scores_before_probabilities(graph)
        self.failures: dict[Operation, str] = {}
        # The height and width of the map that a tensor was before a Flatten, until a Dense layer takes it.
        self._flat: dict[int, tuple[int, int]] = {}

    def __call__(self, picture: Any, *, shapes_only: bool = False) -> dict[Operation, Any]:
        """The maps, NHWC, that can be computed from a batch of pictures as the model takes them.

        With `shapes_only`, the weights of Dense layers, which can be most of a network, are zeros.
        """
        values = {self._graph.picture: picture}
        maps = {}
        for operation in self._graph.operations:
            if operation in self.failures or any(each not in values for each in operation.inputs):
                continue
            try:
                inputs = [values[each] for each in operation.inputs]
                results = self._results(operation, inputs, shapes_only)
            except NotPossibleError as error:
                self.failures[operation] = str(error)
                continue
            if operation is not self._split:  # what follows would take scores for probabilities
                values.update(zip(operation.outputs, results, strict=True))
            if len(results[0].shape) == 4 and operation.outputs[0] not in self._flat:
                maps[operation] = results[0]
        return maps

    def _results(self, operation: Operation, values: Sequence[Any], shapes_only: bool) -> list[Any]:
        kind, flat = operation.type, self._flat.get(operation.inputs[0])
        if kind == "Dense" and len(operation.input_shapes[0]) == 2:
            return [self._dense(operation, values[0], flat or (1, 1), shapes_only)]
        if flat and kind in IDENTITIES:
            self._flat[operation.outputs[0]] = flat
            return [values[0]]
        if any(each in self._flat for each in operation.inputs):
            raise NotPossibleError("it is behind a Flatten")
        if operation is self._split:
            with linear(operation):
                return _call(operation, values)
        if kind in GLOBAL_POOLINGS:
            (pooled,) = _call(operation, values)
            return [pooled if len(pooled.shape) == 4 else pooled[:, None, None, :]]
        if kind in RESHAPES:
            return [self._reshaped(operation, values[0])]
        if all(len(each) != 2 for each in (*operation.input_shapes, *operation.output_shapes)):
            return _call(operation, values)
        return _call_for_each_position(operation, values)

    def _dense(self, operation: Operation, values: Any, size: tuple[int, int], shapes_only: bool) -> Any:
        """A Dense layer for vectors, as a convolution of `size`."""
        import tensorflow as tf

        layer = operation.layer
        kernel = tf.zeros(layer.kernel.shape) if shapes_only else tf.convert_to_tensor(layer.kernel)
        kernel = tf.cast(kernel, layer.compute_dtype)
        channels, units = kernel.shape[0] // (size[0] * size[1]), kernel.shape[1]
        kernel = tf.reshape(kernel, (*size, channels, units))
        scores = tf.nn.conv2d(tf.cast(values, layer.compute_dtype), kernel, 1, "VALID")
        if layer.use_bias:
            scores = tf.nn.bias_add(scores, tf.cast(tf.convert_to_tensor(layer.bias), scores.dtype))
        return scores if operation is self._split or layer.activation is None else layer.activation(scores)

    def _reshaped(self, operation: Operation, values: Any) -> Any:
        import tensorflow as tf

        (shape,), (result,) = operation.input_shapes, operation.output_shapes
        if is_one_position(shape) and is_one_position(result):
            return values
        if len(shape) == 4 and len(result) == 2 and None not in shape[1:]:
            self._flat[operation.outputs[0]] = (int(shape[1] or 0), int(shape[2] or 0))
            return values
        # A channel shuffle: height and width stay.
        if len(shape) > 3 and shape[1:3] == result[1:3] and None not in result[3:]:
            return tf.reshape(values, tf.concat([tf.shape(values)[:3], result[3:]], 0))
        raise NotPossibleError("it depends on the size of the picture")


def original_maps(graph: Graph, picture: Any) -> dict[Operation, Any]:
    """The outputs of the operations, each computed by its layer alone, for a picture of any size.

    Those that the model cannot compute for this size are left out.
    """
    values = {graph.picture: picture}
    maps = {}
    split = scores_before_probabilities(graph)
    for operation in graph.operations:
        if any(each not in values for each in operation.inputs):
            continue
        try:
            if operation is split:
                with linear(operation):
                    maps[operation] = _call(operation, [values[each] for each in operation.inputs])[0]
                continue
            results = _call(operation, [values[each] for each in operation.inputs])
        except NotPossibleError:
            continue
        values.update(zip(operation.outputs, results, strict=True))
        maps[operation] = results[0]
    return maps


def recorded_maps(
    model: Any, graph: Graph, picture: Any, base: type[Any], operations: Mapping[str, Operation]
) -> dict[str, Any]:
    """The outputs of `operations` by name, while the model computes itself.

    `base` is the class whose `__call__` all its layers share.
    """
    outputs: dict[int, Any] = {}
    call = base.__call__
    split = scores_before_probabilities(graph)

    def recording(layer: Any, *args: Any, **kwargs: Any) -> Any:
        result = call(layer, *args, **kwargs)
        outputs.setdefault(id(layer), result)
        return result

    base.__call__ = recording
    try:
        if split is None:
            model(picture, training=False)
        else:
            activation = split.layer.activation

            def record_scores(scores: Any) -> Any:
                outputs.setdefault(id(split.layer), scores)  # before its layer returns
                return activation(scores)

            split.layer.activation = record_scores
            try:
                model(picture, training=False)
            finally:
                split.layer.activation = activation
    finally:
        base.__call__ = call
    return {name: outputs[id(each.layer)] for name, each in operations.items() if id(each.layer) in outputs}


def _call(operation: Operation, values: Sequence[Any]) -> list[Any]:
    try:
        return operation.call(values)
    # Keras, TensorFlow and Python raise errors of any type for a shape that does not fit.
    except Exception as error:
        raise NotPossibleError(first_line(error)[:150]) from error


def _call_for_each_position(operation: Operation, values: Sequence[Any]) -> list[Any]:
    """Calls a layer that takes vectors with those of all positions."""
    import tensorflow as tf

    if any(len(each) != 2 for each in operation.output_shapes):
        if len(operation.output_shapes[0]) == 4:  # such as Multiply of a map and a vector
            return _call(operation, values)
        raise NotPossibleError("it does not return a map")
    if any(len(each) != 2 for each in operation.input_shapes):
        raise NotPossibleError("it depends on the size of the picture")
    if operation.type not in ELEMENTWISE and any(each.shape[1:3] != (1, 1) for each in values):
        raise NotPossibleError("its inputs have several positions")
    positions = tf.shape(values[0])[:3]
    vectors = [tf.reshape(each, (-1, each.shape[-1])) for each in values]
    return [
        tf.reshape(each, tf.concat([positions, [each.shape[-1]]], 0)) for each in _call(operation, vectors)
    ]
