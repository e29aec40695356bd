"""Nodes of a TensorFlow GraphDef, made one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_MADE = "dreamkit/"  # before the names of nodes that no file has


class Nodes(dict[str, Any]):
    """The nodes of a graph by name, each after those that it reads. Only for a child process.

    `type_of` gives the TensorFlow type of a tensor that is there.
    """

    def __init__(self, type_of: Callable[[str], Any]) -> None:
        super().__init__()
        self._type_of = type_of

    def keep(self, node: Any) -> None:
        """Adds a node."""
        self[node.name] = node

    def keep_with(self, node: Any, place: int, vector: str, of_type: str = "") -> None:
        """Adds a copy of a node with `vector`, of int32, as its input number `place`.

        `of_type` is the attribute that has the type of that input, if there is one.
        """
        import tensorflow as tf

        made = copy.deepcopy(node)
        made.input[place] = vector
        if of_type:
            made.attr[of_type].type = tf.int32.as_datatype_enum
        self.keep(made)

    def make(self, name: str, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds a node and returns its name. An attribute is a type, a number, a text or a list of numbers."""
        import tensorflow as tf

        node = tf.compat.v1.NodeDef(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            if isinstance(value, tf.DType):
                node.attr[key].type = value.as_datatype_enum
            elif isinstance(value, np.ndarray):
                node.attr[key].tensor.CopyFrom(tf.make_tensor_proto(value))
            elif isinstance(value, bool):
                node.attr[key].b = value
            elif isinstance(value, int):
                node.attr[key].i = value
            elif isinstance(value, bytes):
                node.attr[key].s = value
            else:
                node.attr[key].list.i.extend(value)
        self.keep(node)
        return name

    def vector(self, name: str, *values: int) -> str:
        """Adds a constant vector, for the node `name`."""
        return self._constant(name, np.array(values, np.int32))

    def number(self, name: str, value: int) -> str:
        """Adds a constant number, for the node `name`."""
        return self._constant(name, np.array(value, np.int32))

    def _constant(self, name: str, value: Any) -> str:
        import tensorflow as tf

        return self.make(f"{_MADE}{name}", "Const", [], dtype=tf.int32, value=value)

    def same(self, name: str, of: str) -> str:
        """Adds a node with the values of another."""
        return self.make(name, "Identity", [of], T=self._type_of(name))

    def transposed(self, name: str, matrix: str) -> str:
        """Adds the transpose of a matrix, for the node `name`."""
        import tensorflow as tf

        axes = self.vector(f"{name}/axes", 1, 0)
        kind = self._type_of(matrix)
        return self.make(f"{_MADE}{name}/transposed", "Transpose", [matrix, axes], T=kind, Tperm=tf.int32)

    def reshaped(self, name: str, of: str, sizes: Sequence[int]) -> str:
        """Adds the values of a tensor in a shape, for the node `name`."""
        import tensorflow as tf

        shape = self.vector(f"{name}/to", *sizes)
        kind = self._type_of(name)
        return self.make(f"{_MADE}{name}/reshaped", "Reshape", [of, shape], T=kind, Tshape=tf.int32)

    def sizes(self, name: str, of: str, first: int, end: int) -> str:
        """Adds a vector of the sizes of a tensor, from the axis `first` to that before `end`."""
        import tensorflow as tf

        name = f"{name}/sizes_{first}"
        shape = self.make(f"{_MADE}{name}/all", "Shape", [of], T=self._type_of(of), out_type=tf.int32)
        bounds = [
            self.vector(f"{name}/{part}", value)
            for part, value in (("first", first), ("end", end), ("step", 1))
        ]
        return self.make(f"{_MADE}{name}", "StridedSlice", [shape, *bounds], T=tf.int32, Index=tf.int32)

    def joined(self, name: str, *vectors: str) -> str:
        """Adds vectors of sizes one after another, for the node `name`."""
        import tensorflow as tf

        inputs = [*vectors, self.number(f"{name}/axis", 0)]
        count = len(vectors)
        return self.make(f"{_MADE}{name}/joined", "ConcatV2", inputs, N=count, T=tf.int32, Tidx=tf.int32)

    def times(self, name: str, sizes: str, factors: Sequence[int]) -> str:
        """Adds sizes times constant factors, for the node `name`."""
        import tensorflow as tf

        by = self.vector(f"{name}/factors", *factors)
        return self.make(f"{_MADE}{name}/times", "Mul", [sizes, by], T=tf.int32)
