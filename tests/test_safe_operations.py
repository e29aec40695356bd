"""What a SavedModel from anyone may hold: nothing that does more than compute, however it is hidden."""

from __future__ import annotations

import re

import pytest
import tensorflow as tf

from dreamkit.engine.tf import private
from dreamkit.models import safe_operations


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A SavedModel with variables, a function that computes, and one that writes a file."""
    folder = tmp_path_factory.mktemp("saved")
    pixels = tf.TensorSpec([None, None, None, 3], name="pixels")
    module = tf.Module()
    module.kernel = tf.Variable(tf.ones([1, 1, 3, 4]))

    @tf.function(input_signature=[pixels], autograph=False)
    def serve(pixels):
        return {"map": tf.nn.conv2d(pixels, module.kernel, 1, "SAME")}

    @tf.function(input_signature=[], autograph=False)
    def write():
        tf.io.write_file(str(folder / "written"), "by a stranger")
        return tf.constant(1)

    module.serve, module.write = serve, write
    tf.saved_model.save(module, str(folder / "net"), signatures=serve)
    return private.SavedModelDef.FromString((folder / "net" / "saved_model.pb").read_bytes())


@pytest.fixture
def harmless(saved):
    """The same, without the function that writes."""
    copy = private.SavedModelDef()
    copy.CopyFrom(saved)
    graph = copy.meta_graphs[0]
    (writes,) = writers(graph)
    del graph.object_graph_def.concrete_functions[writes]
    for each in graph.object_graph_def.nodes:
        if writes in each.function.concrete_functions:
            each.function.concrete_functions.remove(writes)
    (place,) = (i for i, each in enumerate(functions(graph)) if each.signature.name == writes)
    del functions(graph)[place]
    return copy


def functions(graph):
    return graph.graph_def.library.function


def with_operation(graph, operation):
    return [each for each in functions(graph) if any(node.op == operation for node in each.node_def)]


def writers(graph):
    return [each.signature.name for each in with_operation(graph, "WriteFile")]


def computing(graph):
    return with_operation(graph, "Conv2D")[0]


def test_a_network_with_variables_is_loaded(harmless):
    assert any(node.op == "SaveV2" for node in safe_operations.nodes(harmless.meta_graphs[0].graph_def))
    assert safe_operations.problem_when_loaded(harmless) == ""


def test_an_object_that_writes_is_not_loaded(saved):
    assert "which can read or write files" in safe_operations.problem_when_loaded(saved)


def test_a_function_that_an_object_names_need_not_be_in_the_list_of_functions(saved):
    copy = private.SavedModelDef()
    copy.CopyFrom(saved)
    graph = copy.meta_graphs[0]
    del graph.object_graph_def.concrete_functions[writers(graph)[0]]
    assert "the operation WriteFile" in safe_operations.problem_when_loaded(copy)


def call_saving(graph):
    call = computing(graph).node_def.add(name="more", op="PartitionedCall")
    call.attr["f"].func.name = with_operation(graph, "SaveV2")[0].signature.name


def save_in_a_gradient(graph):
    added = graph.graph_def.library.gradient.add(function_name=computing(graph).signature.name)
    added.gradient_func = with_operation(graph, "SaveV2")[0].signature.name


def write_where_it_computes(graph):
    computing(graph).node_def.add(name="more", op="WriteFile")


def run_python(graph):
    computing(graph).node_def.add(name="more", op="EagerPyFunc")


def two_of_a_name(graph):
    functions(graph).add().CopyFrom(computing(graph))


def replaced(graph):
    computing(graph).attr["api_implements"].s = b"other"


def hidden(graph):
    functions(graph).add().signature.name = "WriteFile"


def initialised(graph):
    graph.object_graph_def.nodes.add().resource.device = ""


def with_a_file(graph):
    graph.object_graph_def.nodes.add().asset.asset_file_def_index = 0


def saved_by_itself(graph):
    graph.object_graph_def.nodes[0].saveable_objects["a"].save_function = 1


def of_tensorflow_1(graph):
    graph.ClearField("object_graph_def")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (call_saving, "the operation .*which can read or write files"),
        (save_in_a_gradient, "the operation .*which can read or write files"),
        (write_where_it_computes, "the operation WriteFile .*which can read or write files"),
        (run_python, "the operation EagerPyFunc .*which runs Python code"),
        (two_of_a_name, "has functions that hide others"),
        (hidden, "has functions that hide others"),
        (replaced, "has functions that replace each other"),
        (initialised, "has objects that run code"),
        (with_a_file, "has objects that run code"),
        (saved_by_itself, "has objects that run code"),
        (of_tensorflow_1, "was not saved by TensorFlow 2"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_may_do_more_is_not_loaded(harmless, change, message):
    change(harmless.meta_graphs[0])
    assert re.search(message, safe_operations.problem_when_loaded(harmless))


def test_one_graph_is_loaded(harmless):
    harmless.meta_graphs.add()
    assert safe_operations.problem_when_loaded(harmless) == "has 2 graphs"


def test_every_operation_that_is_allowed_is_one_of_tensorflows():
    allowed = safe_operations.PURE | safe_operations.VARIABLES | safe_operations.WRITES
    assert [name for name in sorted(allowed) if private.op_def_registry.get(name) is None] == []
