"""SavedModel folders and GraphDef files, looked at as data: what they are, and which signature is meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamkit.convert.files import refuse_other_kinds
from dreamkit.errors import ConvertError, did_you_mean, first_line, shown
from dreamkit.models import safe_operations

WANTED = "a SavedModel folder or a frozen GraphDef (.pb)"
MAX_BYTES = 8 << 30  # of the weights
_MAX_GRAPH = (1 << 31) - 1  # of a protobuf message
_MAX_NUMBERS = 1 << 31  # in all constants
_SERVING, _SERVE_TAG = "serving_default", "serve"
_INTERNAL = "__saved_model_"  # before the names of signatures that initialise


def sources(path: Path) -> list[Path]:
    """The files that a network at `path` is read from.

    Raises:
        ConvertError: there is nothing of the kind, or it is too large.
    """
    if not os.path.exists(path):
        raise ConvertError(f"cannot read {path}; give {WANTED}")
    found = _of_folder(path) if os.path.isdir(path) else [path]
    if found == [path]:
        refuse_other_kinds(path, "graph", WANTED)
    for each in found:
        if not os.path.isfile(each) or not os.access(each, os.R_OK):
            raise ConvertError(f"cannot read {each}; give {WANTED}")
    if found[0].stat().st_size > _MAX_GRAPH or sum(each.stat().st_size for each in found) > MAX_BYTES:
        raise ConvertError(
            f"{path} is too large: a graph can have 2 GB, and its weights {MAX_BYTES >> 30} GB"
        )
    return found


def _of_folder(folder: Path) -> list[Path]:
    try:
        names = set(os.listdir(folder))
    except OSError as error:
        raise ConvertError(f"cannot read {folder} ({first_line(error)})") from error
    if "tfhub_module.pb" in names:
        raise ConvertError(
            f"{folder} is a module of TensorFlow Hub for TensorFlow 1; load it there and save a SavedModel "
            "with one signature"
        )
    if "saved_model.pb" not in names:
        raise ConvertError(f"{folder} {_what_else(names)}")
    weights = folder / "variables"
    parts = sorted(weights.glob("variables.*")) if weights.is_dir() else []
    return [folder / "saved_model.pb", *parts]


def _what_else(names: set[str]) -> str:
    """What a folder is that is not a SavedModel, and what to do."""
    if not names:
        return f"is an empty folder; give {WANTED}"
    if "saved_model.pbtxt" in names:
        return "has its graph as text (saved_model.pbtxt); save it in the binary form"
    if "checkpoint" in names or any(name.endswith((".index", ".ckpt")) for name in names):
        return (
            "is a checkpoint, which holds weights without their network; load it there and save a SavedModel"
        )
    return f"has no saved_model.pb; give {WANTED}"


@dataclass(frozen=True)
class SavedGraph:
    """The graph of a SavedModel, as data.

    Attributes:
        message: the SavedModel, in which nothing writes files any more.
        signature: the name of the one to use.
        tags: of the graph.
        has_variables: whether it has weights beside the graph.
    """

    message: Any
    signature: str
    tags: tuple[str, ...]
    has_variables: bool


def parsed(message: Any, file: str) -> Any:
    """The protobuf message of the class of `message` in a file.

    Raises:
        ConvertError: the file is damaged or does not hold one.
    """
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(Path(file).read_bytes())
    except (DecodeError, OSError) as error:
        raise ConvertError(f"{file} is damaged or not a TensorFlow graph; give {WANTED}") from error
    return message


def read_graph(file: str) -> Any:
    """The GraphDef in a file, with nothing in it but arithmetic on constants.

    Raises:
        ConvertError: it is damaged, has variables, or an operation that is not allowed.
    """
    import tensorflow as tf

    graph_def = parsed(tf.compat.v1.GraphDef(), file)
    if not graph_def.node:
        raise ConvertError(f"{file} is damaged or not a TensorFlow graph; give {WANTED}")
    if any(node.op in safe_operations.VARIABLES for node in safe_operations.nodes(graph_def)):
        raise ConvertError(
            f"{file} has variables, whose values are in another file: it is not frozen; give the SavedModel "
            "folder, or freeze the graph first"
        )
    _refuse(safe_operations.problem(graph_def, saved_model=False), file)
    _check_constants(graph_def, file)
    return graph_def


def read_saved_model(folder: str, signature: str | None) -> SavedGraph:
    """The graph in a SavedModel folder.

    Raises:
        ConvertError: it is damaged, has an operation that is not allowed, or its signature is not clear.
    """
    from dreamkit.engine.tf import private

    file = os.path.join(folder, "saved_model.pb")
    message = parsed(private.SavedModelDef(), file)
    graphs = [each for each in message.meta_graphs if _SERVE_TAG in each.meta_info_def.tags]
    if not graphs and len(message.meta_graphs) == 1:
        graphs = list(message.meta_graphs)
    if not graphs:
        raise ConvertError(f"{folder} has no graph for serving; save the network with a serving signature")
    (graph, *_) = graphs
    _refuse(safe_operations.problem(graph.graph_def, saved_model=True), folder)
    _check_constants(graph.graph_def, folder)
    for node in safe_operations.nodes(graph.graph_def):
        if node.op in safe_operations.WRITES:
            # Nothing can depend on it but the order of what remains, because it has no results.
            node.op = "NoOp"
            node.attr.clear()
            node.input[:] = [each for each in node.input if each.startswith("^")]
    del message.meta_graphs[:]
    message.meta_graphs.append(graph)
    nodes = safe_operations.nodes(graph.graph_def)
    has_variables = any(node.op in safe_operations.VARIABLES for node in nodes)
    if has_variables and not os.path.isfile(os.path.join(folder, "variables", "variables.index")):
        raise ConvertError(f"{folder} has no weights: variables/variables.index is missing; copy it whole")
    name = _signature(graph.signature_def, folder, signature)
    return SavedGraph(message, name, tuple(graph.meta_info_def.tags), has_variables)


def _signature(signatures: Mapping[str, Any], folder: str, asked: str | None) -> str:
    """The name of the signature to use."""
    found = {name: each for name, each in signatures.items() if not name.startswith(_INTERNAL)}
    if asked is not None:
        if asked not in found:
            raise ConvertError(f"{folder} has no signature {shown(asked)}; {did_you_mean(asked, found)}")
        return asked
    if not found:
        raise ConvertError(f"{folder} has no signature; save the network with one, from pixels to scores")
    if _SERVING in found or len(found) == 1:
        return _SERVING if _SERVING in found else next(iter(found))
    raise ConvertError(
        f"{folder} has several signatures: {shown(', '.join(sorted(found)))}; choose one with --signature"
    )


def _refuse(problem: str, file: str) -> None:
    if problem:
        raise ConvertError(f"{file} {problem}; save the network alone, from pixels to scores")


def _check_constants(graph_def: Any, file: str) -> None:
    """Refuses constants that would fill the memory: a file can give one number for any shape."""
    numbers = 0
    for node in safe_operations.nodes(graph_def):
        if node.op != "Const":
            continue
        count = 1
        for side in node.attr["value"].tensor.tensor_shape.dim:
            count *= max(0, side.size)
        numbers += count
    if numbers > _MAX_NUMBERS:
        raise ConvertError(f"{file} has constants of {numbers} numbers, more than any network needs")
