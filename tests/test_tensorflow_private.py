"""What dreamkit uses of TensorFlow beyond its public API still does what it relies on.

A failure here says that the installed TensorFlow has changed something: mend `engine/tf/private.py`, or leave
that version out in pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT

from dreamkit.engine.tf import private

VERSION = f"TensorFlow {tf.__version__} has changed it"


@pytest.fixture
def doubled():
    """A concrete function `x -> 2 x + v` with a variable in it."""
    variable = tf.Variable(3.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")], autograph=False)
    def function(x):
        return tf.identity(2.0 * x + variable, "y")

    yield function.get_concrete_function()
    assert variable is not None  # it lives as long as the test: a function does not keep its variables


def test_a_variable_becomes_a_constant(doubled):
    frozen = private.freeze(doubled)
    assert frozen.captured_inputs == [], VERSION
    assert frozen(tf.constant([1.0]))[0].numpy().tolist() == [5.0], VERSION


def _calls_a_function(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: 2 * x)


@pytest.mark.parametrize(
    "more",
    [
        lambda x: tf.io.write_file("name", "text"),
        lambda x: tf.strings.length(tf.io.read_file("name")),
        lambda x: tf.io.matching_files("*"),
        lambda x: tf.numpy_function(lambda each: each, [x], tf.float32),
        lambda x: tf.numpy_function(lambda each: each, [x], tf.float32, stateful=False),
        lambda x: tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name="name"),
        lambda x: tf.raw_ops.DebugIdentity(input=x, debug_urls=["file:///name"]),
        lambda x: tf.random.normal([1]),
        lambda x: tf.print(x),
        lambda x: tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[]),
        _calls_a_function,
    ],
)
def test_a_function_that_does_more_than_compute_is_told(more):
    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)], autograph=False)
    def function(x):
        with tf.control_dependencies([each for each in [more(x)] if each is not None]):
            return tf.identity(x)

    assert not private.computes_only(function.get_concrete_function().function_def), VERSION


def test_a_function_that_computes_is_told(doubled):
    assert private.computes_only(private.freeze(doubled).function_def), VERSION
    assert private.parse_function(b"no function") is None, VERSION
    unknown = private.freeze(doubled).function_def
    unknown.node_def[0].op = "some_function"
    assert not private.computes_only(unknown), VERSION


def test_a_function_is_added_called_and_removed(doubled):
    private.add_function("dreamkit_test", private.freeze(doubled).function_def.SerializeToString())
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    (found,) = tf.raw_ops.PartitionedCall(
        args=[tf.constant([1.0])],
        Tout=[tf.float32],
        f="dreamkit_test",
        config_proto=config.SerializeToString(),
    )
    np.testing.assert_array_equal(found.numpy(), [5.0], VERSION)
    assert private.get_function("dreamkit_test").signature.name == "dreamkit_test", VERSION
    private.remove_function("dreamkit_test")
    private.remove_function("dreamkit_test")  # twice is no harm
    with pytest.raises(tf.errors.OpError):
        private.get_function("dreamkit_test")


def test_a_function_is_a_graph(doubled):
    graph = private.function_graph(private.freeze(doubled).function_def)
    assert "AddV2" in {node.op for node in graph.node}, VERSION


def test_grappler_folds_constants():
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
        tf.add(x, tf.constant([1.0, 2.0]) * 3.0, name="y")
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph.as_graph_def())
    kept = private.CollectionDef()
    kept.node_list.value.extend(["x:0", "y:0"])
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.optimizers.append("constfold")
    config.graph_options.rewrite_options.meta_optimizer_iterations = private.RewriterConfig.ONE
    config.graph_options.rewrite_options.min_graph_nodes = -1
    found = private.optimize(config, meta_graph)
    assert "Mul" not in {node.op for node in found.node}, VERSION


def test_the_names_of_graphdef_are_public_ones():
    """Which lie in modules that can be imported without the rest."""
    from tensorflow.core.framework import graph_pb2
    from tensorflow.python.framework import tensor_util

    assert graph_pb2.GraphDef is tf.compat.v1.GraphDef
    assert tensor_util.MakeNdarray is tf.make_ndarray


def test_nothing_else_uses_tensorflows_own_modules():
    uses = re.compile(r"tensorflow\.(python|core)\b|from tensorflow import (python|core)\b")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "dreamkit").rglob("*.py")
        if "node_modules" not in path.parts and uses.search(path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == [
        "dreamkit/engine/tensorflow_import.py",
        "dreamkit/engine/tf/private.py",
        "dreamkit/models/graphdef.py",
    ]


def test_only_tested_minor_versions_are_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (bound,) = (each for each in project["dependencies"] if each.startswith("tensorflow"))
    above = re.search(r"<2\.(\d+)", bound)
    assert above, bound
    installed = int(tf.__version__.split(".")[1])
    assert installed < int(above[1]), f"TensorFlow {tf.__version__} is not allowed by {bound}"
