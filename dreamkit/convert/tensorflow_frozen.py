"""A network as TensorFlow has it: one flat graph from a batch of pictures to outputs, weights as constants.

Only for a child process: it loads TensorFlow.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert import tensorflow_file
from dreamkit.convert.feature_maps import DEFAULT_SIDE, MAX_SIDE
from dreamkit.convert.files import link_or_copy
from dreamkit.errors import ConvertError, first_line, shown

_PASSED_ON = ("StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape")
_TYPES = ("float32", "float16", "bfloat16", "float64", "uint8")
_OF_GPUS = b"NCHW"
_LARGE = 1024  # numbers; larger constants of floats are weights
PICTURE = "dreamkit_picture"  # the name of the input, where the graph is imported

# The outputs of the whole network, by its own signature, for what it takes.
Run = Callable[[NDArray[Any]], list[NDArray[Any]]]


@dataclass(frozen=True)
class FrozenGraph:
    """A network as one flat graph.

    Attributes:
        path: where it comes from, for messages.
        graph_def: its nodes, each after those that it reads. Nothing in it waits for anything but its inputs.
        weights: the values of those of its inputs that are weights.
        picture: the name of its input.
        channels: of the pictures.
        type: NumPy's name of the type of the pictures.
        batch: how many pictures it takes at once; 0 for any number.
        size: the height and width for which it was made.
        outputs: the names of its outputs.
        run: computes the outputs as the file has them, if that is another way than by this graph.
    """

    path: str
    graph_def: Any
    weights: Mapping[str, NDArray[Any]]
    picture: str
    channels: int
    type: str
    batch: int
    size: tuple[int, int]
    outputs: tuple[str, ...]
    run: Run | None = None

    def imported(self, shape: Sequence[int | None]) -> Any:
        """A `tf.Graph` of it without the values of its weights, for pictures of this shape.

        Raises:
            ConvertError: TensorFlow cannot compute it.
        """
        import tensorflow as tf

        graph = tf.Graph()
        with graph.as_default():
            picture = tf.compat.v1.placeholder(self.type, shape, PICTURE)
            try:
                tf.graph_util.import_graph_def(self.graph_def, {f"{self.picture}:0": picture}, name="")
            except (ValueError, TypeError, tf.errors.OpError) as error:
                raise ConvertError(
                    f"{self.path} is damaged, or of another version of TensorFlow ({first_line(error)[:150]})"
                ) from error
        return graph

    @cached_property
    def _variables(self) -> dict[str, Any]:
        """The weights, once for all functions."""
        import tensorflow as tf

        return {name: tf.Variable(value, trainable=False) for name, value in self.weights.items()}

    def function(self, names: Sequence[str]) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
        """The function to the tensors `names`, as TensorFlow computes them without any change."""
        import tensorflow as tf

        nodes = {node.name: node for node in self.graph_def.node}
        part = tf.compat.v1.GraphDef(versions=self.graph_def.versions)
        needed = in_order(nodes, [*names, self.picture], self.path)
        part.node.extend(nodes[name] for name in needed)
        part.library.CopyFrom(self.graph_def.library)
        weights = {name: self._variables[name] for name in needed if name in self.weights}

        @tf.function(autograph=False)
        def run(picture: Any) -> Any:
            values = {f"{name}:0": tf.convert_to_tensor(each) for name, each in weights.items()}
            return tf.graph_util.import_graph_def(
                part,
                {f"{self.picture}:0": picture, **values},
                return_elements=[name if ":" in name else f"{name}:0" for name in names],
                name="original",
            )

        return lambda batch: [each.numpy() for each in run(tf.constant(batch))]


def source(name: str) -> str:
    """The node that an input names: `name`, `name:1`, or `^name` to wait for it."""
    return name.lstrip("^").partition(":")[0]


def tensor(name: str) -> str:
    """The one way to write the name of a tensor: `name` for the first output, `name:1` for the second."""
    return name.removesuffix(":0")


def load(path: str, signature: str | None) -> FrozenGraph:
    """The network in a SavedModel folder or a GraphDef file.

    Raises:
        ConvertError: it cannot be read, or is not a network of one picture.
    """
    if os.path.isdir(path):
        return _of_saved_model(path, signature)
    if signature is not None:
        raise ConvertError(f"{path} is a GraphDef, which has no signatures; leave out --signature")
    return _of_graph(tensorflow_file.read_graph(path), path)


def _of_graph(graph_def: Any, path: str) -> FrozenGraph:
    read = {source(each) for node in graph_def.node for each in node.input}
    outputs = [node.name for node in graph_def.node if node.name not in read and node.op != "NoOp"]
    return _frozen(graph_def, path, outputs)


def _of_saved_model(path: str, signature: str | None) -> FrozenGraph:
    import tensorflow as tf

    from dreamkit.engine.tf import private

    saved = tensorflow_file.read_saved_model(path, signature)
    with tempfile.TemporaryDirectory() as folder:
        # TensorFlow reads what was checked, and the weights where they are.
        with open(os.path.join(folder, "saved_model.pb"), "wb") as file:
            file.write(saved.message.SerializeToString())
        weights = os.path.join(path, "variables")
        try:
            if os.path.isdir(weights):
                link_or_copy(weights, os.path.join(folder, "variables"))
            model = tf.saved_model.load(folder, tags=list(saved.tags))
            function = model.signatures[saved.signature]
            frozen = private.freeze(function)
        # TensorFlow raises errors of any type for a file that is damaged or incomplete.
        except Exception as error:
            raise ConvertError(
                f"{path} cannot be read by TensorFlow ({first_line(error)[:150]}); is it complete?"
            ) from error
    arguments = list(function.structured_input_signature[1])
    outputs = [tensor(each.name) for each in frozen.outputs]
    graph = _frozen(frozen.graph.as_graph_def(), path, outputs)

    def run(batch: NDArray[Any]) -> list[NDArray[Any]]:
        run.model = model  # type: ignore[attr-defined] # it keeps the variables alive
        found = function(**{arguments[0]: tf.constant(batch)})
        return [each.numpy() for each in tf.nest.flatten(found)]

    return replace(graph, run=run)


def _frozen(graph_def: Any, path: str, outputs: Sequence[str]) -> FrozenGraph:
    """The part of a graph that its outputs need.

    Raises:
        ConvertError: it is not a network of one picture.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}
    for node in nodes.values():
        node.input[:] = [tensor(each) for each in node.input if not each.startswith("^")]
        node.device = ""
        for name in [name for name in node.attr if name.startswith("_")]:
            del node.attr[name]
        if node.op in _PASSED_ON or (node.op == "PlaceholderWithDefault" and _rank(node) != 4):
            kind = node.attr["T" if "T" in node.attr else "dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = kind
        if node.attr["data_format"].s == _OF_GPUS and node.op != "BiasAdd":
            raise ConvertError(
                f"{path} computes {shown(node.name)} on batch x channels x height x width, which TensorFlow "
                "does on GPUs only; save the network with its channels last"
            )
        if not node.attr["data_format"].ByteSize():
            del node.attr["data_format"]
    order = in_order(nodes, outputs, path)
    pictures = [name for name in order if nodes[name].op in ("Placeholder", "PlaceholderWithDefault")]
    if len(pictures) != 1:
        names = shown(", ".join(pictures), 100)
        raise ConvertError(
            f"{path} has {len(pictures)} inputs{f': {names}' if names else ''}; dreamkit feeds one picture"
        )
    picture = nodes[pictures[0]]
    if picture.op == "PlaceholderWithDefault":
        kind = picture.attr["dtype"].type
        picture.op = "Placeholder"
        del picture.input[:]
        picture.attr["dtype"].type = kind
        order = in_order(nodes, outputs, path)
    needed = tf.compat.v1.GraphDef(versions=graph_def.versions)
    needed.node.extend(nodes[name] for name in order)
    needed.library.CopyFrom(graph_def.library)
    batch, height, width, channels, kind = _picture(picture, path)
    size = height or DEFAULT_SIDE, width or DEFAULT_SIDE
    if max(size) > MAX_SIDE:
        raise ConvertError(
            f"{path} is made for pictures of {size[1]} x {size[0]}; at most {MAX_SIDE} on each side can be "
            "converted"
        )
    weights = _take_weights(needed)
    named = tuple(map(tensor, outputs))
    return FrozenGraph(path, needed, weights, picture.name, channels, kind, batch, size, named)


def _take_weights(graph_def: Any) -> dict[str, NDArray[Any]]:
    """Makes inputs of the large constants of a graph, and returns their values."""
    import tensorflow as tf

    weights = {}
    for node in graph_def.node:
        if node.op != "Const" or not tf.dtypes.as_dtype(node.attr["dtype"].type).is_floating:
            continue
        value = node.attr["value"].tensor
        if np.prod([each.size for each in value.tensor_shape.dim], dtype=np.int64) < _LARGE:
            continue
        weights[node.name] = tf.make_ndarray(value)
        shape = tf.TensorShape(value.tensor_shape).as_proto()
        node.op = "Placeholder"
        del node.attr["value"]
        node.attr["shape"].shape.CopyFrom(shape)
    return weights


def _rank(node: Any) -> int:
    shape = node.attr["shape"].shape
    return -1 if shape.unknown_rank else len(shape.dim)


def in_order(nodes: Mapping[str, Any], outputs: Iterable[str], path: str) -> list[str]:
    """The nodes that `outputs` need, each after those that it reads.

    Raises:
        ConvertError: a node reads one that does not exist, or its own result.
    """
    order: dict[str, None] = {}
    open_: set[str] = set()
    waiting = [source(each) for each in outputs]
    waiting.reverse()
    while waiting:
        name = waiting[-1]
        if name in order:
            waiting.pop()
            continue
        if name not in nodes:
            raise ConvertError(f"{path} is damaged: {shown(name)} is read and does not exist")
        before = [each for each in map(source, nodes[name].input) if each not in order]
        if not before:
            order[name] = None
            open_.discard(name)
            waiting.pop()
        elif name in open_:
            raise ConvertError(f"{path} has a loop at {shown(name)}; dreamkit dreams networks without loops")
        else:
            open_.add(name)
            waiting.extend(reversed(before))
    return list(order)


def _picture(node: Any, path: str) -> tuple[int, int, int, int, str]:
    """Batch, height and width of an input, 0 for any; its channels, and its type."""
    import tensorflow as tf

    number = node.attr["dtype"].type
    kind = tf.dtypes.as_dtype(number).name if number else "values of no type"
    shape = node.attr["shape"].shape
    dims = [max(0, each.size) for each in shape.dim]
    if (shape.unknown_rank or not shape.dim) and kind in _TYPES:
        dims = [0, 0, 0, 3]  # as TensorFlow 1 writes them
    if len(dims) != 4 or dims[3] not in (0, 1, 3, 4) or kind not in _TYPES:
        takes = " x ".join(str(each or "any") for each in dims) or "one value"
        raise ConvertError(
            f"{path} takes {kind} {takes} ({shown(node.name)}); dreamkit feeds pictures, floats or uint8, "
            "batch x height x width x 1, 3 or 4 channels"
        )
    return dims[0], dims[1], dims[2], dims[3] or 3, kind
