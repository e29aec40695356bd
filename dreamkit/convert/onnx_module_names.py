"""Names of PyTorch modules for the tensors of an ONNX file.

`torch.onnx.export(..., dynamo=True)` names tensors after its own operations, such as `getitem_96`, and writes
beside each node in which modules it was computed. `dynamo=False` has the modules in the names of nodes, such
as `/layer3/layer3.1/conv2/Conv`. From that, tensors get the names that people know:

- What a module returns is called after the module, such as `layer3.1.conv2`.
- Where several modules return the same tensor, the outermost one names it: the last ReLU of the block
  `layer3.1` is `layer3.1`. A mere row of blocks, such as `layer3`, names nothing, so that all its blocks are
  called alike.
- Any other tensor is called after its module and its operation, such as `layer3.1.add`.

Further tensors of the same name get `_1`, `_2` and so on, in the order of the file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dreamkit.convert.onnx_rewrites import copy, graphs_in, inputs_of

if TYPE_CHECKING:
    import onnx

_SCOPES = "pkg.torch.onnx.name_scopes"  # the key under which the exporter keeps the modules of a node
_ADDED = "_output_0"  # by PyTorch's older exporter to the name of a node, for the tensor that it computes
_UNFIT = re.compile(r"[^\w.-]")  # for --layers, where commas, colons and equals signs have a meaning


def with_module_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with tensors that are called after PyTorch's modules; as it is if the file names none."""
    nodes = model.graph.node
    in_names = any(node.output and node.output[0] == f"{node.name}{_ADDED}" for node in nodes)
    scopes_of = _scopes_in_name if in_names else _scopes
    found = {place: scopes_of(node) for place, node in enumerate(nodes)}
    scopes = {place: each for place, each in found.items() if each is not None}
    if not any(scopes.values()):
        return model
    names = _unique(model, _Modules(model, scopes).names())
    result = copy(model)
    for node in result.graph.node:
        _rename(node, names)
    for value in (*result.graph.output, *result.graph.value_info):
        value.name = names.get(value.name, value.name)
    return result


def _scopes(node: onnx.NodeProto) -> tuple[str, ...] | None:
    """The modules in which a node was computed, outermost first, but the network; None if unknown."""
    written = next((each.value for each in node.metadata_props if each.key == _SCOPES), "")
    try:
        scopes = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        return None
    return tuple(each for each in scopes[:-1] if each)  # the last one is the operation


def _scopes_in_name(node: onnx.NodeProto) -> tuple[str, ...] | None:
    """As `_scopes`, from the name of a node: `/layer3/layer3.1/conv2/Conv`."""
    if not node.name.startswith("/"):
        return None
    return tuple(_whole_names(node.name.split("/")[1:-1]))


def _whole_names(parts: Sequence[str]) -> Iterator[str]:
    """The modules in the name of a node, whose parts are those of modules within modules.

    The parts of a row have the row's name in front: `block`, `block.3`, `block.3.0`.
    """
    outer = last = ""
    for part in parts:
        if not part.startswith(f"{last}.") or not last:
            outer = f"{outer}.{last}".lstrip(".")
        last = part
        yield f"{outer}.{last}".lstrip(".")


class _Modules:
    """The modules of a network and the tensors that they return."""

    def __init__(self, model: onnx.ModelProto, scopes: Mapping[int, tuple[str, ...]]) -> None:
        self._scopes = scopes
        self._nodes = model.graph.node
        self._results = {each.name for each in model.graph.output}
        self._readers: dict[str, list[int]] = {}
        for place, node in enumerate(self._nodes):
            for name in inputs_of(node):
                self._readers.setdefault(name, []).append(place)
        self._parts: dict[str, set[str]] = {}  # of each module
        self._computing = {
            chain[-1] for chain in scopes.values() if chain
        }  # those with operations of their own
        for chain in scopes.values():
            for outer, inner in pairwise(("", *chain)):
                self._parts.setdefault(outer, set()).add(inner)

    def names(self) -> Iterator[tuple[str, str]]:
        """The name of each tensor, and the one that it should have. Several can share one."""
        returned = {name: self._returning(place, name) for place, name in self._tensors()}
        last = {module: name for name, modules in returned.items() for module in modules}
        for place, name in self._tensors():
            chain, modules = self._scopes[place], returned[name]
            outermost = [each for each in modules if last[each] == name and not self._is_row(each)]
            if modules:
                yield name, (outermost or modules[-1:])[0]
            else:
                yield name, ".".join([*chain[-1:], self._nodes[place].op_type.lower()])

    def _tensors(self) -> Iterator[tuple[int, str]]:
        return ((place, name) for place in self._scopes for name in self._nodes[place].output if name)

    def _returning(self, place: int, name: str) -> tuple[str, ...]:
        """The modules that return a tensor, outermost first. Whatever reads it is outside of them."""
        chain = self._scopes[place]
        if name in self._results:
            return chain
        readers = [self._scopes.get(reader, ()) for reader in self._readers.get(name, ())]
        return chain[min((_shared(chain, each) for each in readers), default=0) :]

    def _is_row(self, module: str) -> bool:
        """Whether a module only calls its parts, which are numbered, and one of them has parts itself."""
        parts = self._parts.get(module, set())
        return (
            module not in self._computing
            and all(each.rpartition(".")[2].isdecimal() for each in parts)
            and any(self._parts.get(each) for each in parts)
        )


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many modules at the start of two chains are the same."""
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


def _unique(model: onnx.ModelProto, wanted: Iterator[tuple[str, str]]) -> dict[str, str]:
    """New names by old ones, each of them once."""
    pairs = [(name, _UNFIT.sub("_", new)) for name, new in wanted]
    renamed = {name for name, _ in pairs}
    graph = model.graph
    taken = {each.name for each in (*graph.input, *graph.initializer)}
    taken.update(name for node in graph.node for name in node.output if name not in renamed)
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for name, base in pairs:
        new = base
        while new in taken:
            counts[base] = counts.get(base, 0) + 1
            new = f"{base}_{counts[base]}"
        taken.add(new)
        names[name] = new
    return names


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Renames the tensors of a node, also where graphs inside it read them."""
    node.input[:] = [names.get(each, each) for each in node.input]
    node.output[:] = [names.get(each, each) for each in node.output]
    for graph in graphs_in(node):
        for inner in graph.node:
            _rename(inner, names)
        for value in graph.output:
            value.name = names.get(value.name, value.name)
