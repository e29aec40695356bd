"""All that is used of TensorFlow beyond its public API, in one place.

TensorFlow may change it in any release, so dreamkit allows only the minor versions that are tested, and
`tests/test_tensorflow_private.py` names what a release has changed.
"""

from __future__ import annotations

from typing import Any

from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import meta_graph_pb2, rewriter_config_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import convert_to_constants, function_def_to_graph
from tensorflow.python.grappler import tf_optimizer

FunctionDef = function_pb2.FunctionDef
RewriterConfig = rewriter_config_pb2.RewriterConfig
CollectionDef = meta_graph_pb2.CollectionDef


def add_function(definition: Any) -> None:
    """Registers a FunctionDef under its name, in the eager context of this process."""
    context.context().add_function_def(definition)


def get_function(name: str) -> Any:
    """The FunctionDef that is registered under a name."""
    return context.context().get_function_def(name)


def remove_function(name: str) -> None:
    """Forgets a function, if it is registered."""
    if context.context().has_function(name):
        context.context().remove_function(name)


def function_graph(definition: Any) -> Any:
    """A FunctionDef as a GraphDef."""
    graph_def, _ = function_def_to_graph.function_def_to_graph_def(definition)
    return graph_def


def freeze(function: Any) -> Any:
    """A concrete function with its variables as constants."""
    return convert_to_constants.convert_variables_to_constants_v2(function)


def optimize(config: Any, meta_graph: Any) -> Any:
    """The GraphDef that Grappler makes of a MetaGraphDef under a ConfigProto."""
    return tf_optimizer.OptimizeGraph(config, meta_graph)
