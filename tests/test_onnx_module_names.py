"""Tensors of ONNX files that PyTorch exported are called after PyTorch's modules."""

from __future__ import annotations

import numpy as np
import pytest

from dreamkit.convert import onnx_model, onnx_runtime
from dreamkit.convert.onnx_module_names import with_module_names

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
TensorProto, helper, numpy_helper = onnx.TensorProto, onnx.helper, onnx.numpy_helper

KEY = "pkg.torch.onnx.name_scopes"


def node(kind, inputs, output, scopes, **attributes):
    """A node as the exporter writes it: `scopes` are the modules, with the operation last."""
    made = helper.make_node(kind, inputs.split(), [output], name=f"node_{output}", **attributes)
    if scopes is not None:
        made.metadata_props.add(key=KEY, value=repr(["", *scopes.split(), "op"]))
    return made


def model(*nodes, result="last", weights=()):
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, [None] * 4)],
            [numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), name) for name in weights],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def names(*nodes, **given):
    return [name for each in with_module_names(model(*nodes, **given)).graph.node for name in each.output]


BLOCKS = [
    node("Conv", "x w", "getitem", "stages stages.0 stages.0.conv"),
    node("Relu", "getitem", "relu", "stages stages.0 stages.0.act"),
    node("Add", "relu x", "add_1", "stages stages.0"),
    node("Relu", "add_1", "relu_1", "stages stages.0 stages.0.act"),
    node("Conv", "relu_1 w", "getitem_3", "stages stages.1 stages.1.conv"),
    node("Add", "getitem_3 relu_1", "add_2", "stages stages.1"),
    node("Relu", "add_2", "relu_2", "stages stages.1 stages.1.act"),
    node("Relu", "relu_2", "last", ""),
]


def test_what_a_module_returns_is_called_after_it():
    found = names(*BLOCKS, weights=["w"])
    assert found[:2] == ["stages.0.conv", "stages.0.act"]
    assert found[4] == "stages.1.conv"


def test_the_outermost_module_names_a_tensor_and_a_row_of_blocks_does_not():
    found = names(*BLOCKS, weights=["w"])
    assert found[3] == "stages.0"
    assert found[6] == "stages.1"


def test_what_no_module_returns_is_called_after_its_operation():
    found = names(*BLOCKS, weights=["w"])
    assert (found[2], found[5], found[7]) == ("stages.0.add", "stages.1.add", "relu")


def test_a_row_of_layers_names_what_it_returns():
    found = names(
        node("Conv", "x w", "val_0", "head head.0"),
        node("Relu", "val_0", "last", "head head.1"),
        weights=["w"],
    )
    assert found == ["head.0", "head"]


def test_a_module_that_is_called_again_has_numbers():
    calls = [
        node("Relu", "x", "a", "act"),
        node("Sigmoid", "a", "b", "between"),
        node("Relu", "b", "last", "act"),
    ]
    assert names(*calls) == ["act", "between", "act_1"]


def test_what_is_read_inside_a_module_alone_is_called_after_its_operation():
    parts = [node("HardSigmoid", "x", "a", "swish"), node("Mul", "a x", "last", "swish")]
    assert names(*parts) == ["swish.hardsigmoid", "swish"]


def test_names_are_unique_and_take_none_that_the_file_has():
    found = names(
        node("Relu", "x", "a", "w"),
        node("Relu", "a", "w_2", None),
        node("Conv", "w_2 w", "last", "w"),
        weights=["w"],
    )
    assert found == ["w_1", "w_2", "w_3"]


def test_names_fit_into_a_list_of_layers():
    assert names(node("Relu", "x", "last", "a:b=1,c")) == ["a_b_1_c"]


def test_a_name_that_only_differs_in_an_unfit_character_is_unique():
    assert names(node("Relu", "x", "a", "a:b"), node("Relu", "a", "last", "a=b")) == ["a_b", "a_b_1"]


def test_files_without_modules_stay_as_they_are():
    plain = model(node("Relu", "x", "a", None), node("Relu", "a", "last", None))
    assert with_module_names(plain) is plain


@pytest.mark.parametrize("value", ["", "[", "['a'", "{'a': 1}", "[1, 2]", "__import__('os')", "(" * 10000])
def test_damaged_notes_are_passed_over(value):
    damaged = node("Relu", "x", "last", None)
    damaged.metadata_props.add(key=KEY, value=value)
    assert names(damaged) == ["last"]


def test_graphs_inside_a_node_read_the_new_names():
    inner = helper.make_graph(
        [helper.make_node("Relu", ["a"], ["y"])],
        "inner",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    condition = helper.make_node(
        "Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)), name="condition"
    )
    branch = helper.make_node("If", ["c"], ["last"], then_branch=inner, else_branch=inner)
    renamed = with_module_names(model(node("Relu", "x", "a", "act"), condition, branch))
    assert renamed.graph.node[0].output[0] == "act"
    assert renamed.graph.node[2].attribute[0].g.node[0].input[0] == "act"
    onnx.checker.check_model(renamed, full_check=True)


def test_the_file_is_read_with_these_names_and_computes_the_same(tmp_path):
    file = tmp_path / "net.onnx"
    onnx.save(model(*BLOCKS, weights=["w"]), file)
    prepared = onnx_model.prepare_file(file, tmp_path, lambda stage: None)
    assert {"stages.0", "stages.1", "stages.1.conv", "relu"} <= set(prepared.maps)
    picture = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    renamed = onnx_model.read_original(file, ["stages.0"])
    old = onnx.load(file)
    del old.graph.output[:]
    old.graph.output.append(helper.make_empty_tensor_value_info("relu_1"))
    found, expected = (
        onnx_runtime.compute(onnx_runtime.session(each.SerializeToString()), {"x": picture})
        for each in (renamed, old)
    )
    np.testing.assert_array_equal(found["stages.0"], expected["relu_1"])


def old_node(kind, inputs, name, output=None, **attributes):
    """A node as PyTorch's older exporter writes it, with the modules in its name."""
    return helper.make_node(kind, inputs.split(), [output or f"{name}_output_0"], name=name, **attributes)


def test_modules_are_in_the_names_of_nodes_of_the_older_exporter():
    rest = "/features/features.1/block"
    nodes = [
        old_node("Conv", "x w", "/features/features.0/Conv"),
        old_node("Conv", "/features/features.0/Conv_output_0 w", f"{rest}/block.0/block.0.0/Conv"),
        old_node("Relu", f"{rest}/block.0/block.0.0/Conv_output_0", f"{rest}/block.0/block.0.2/Relu"),
        old_node("Conv", f"{rest}/block.0/block.0.2/Relu_output_0 w", f"{rest}/block.1/Conv"),
        old_node(
            "Add",
            f"{rest}/block.1/Conv_output_0 /features/features.0/Conv_output_0",
            "/features/features.1/Add",
        ),
        old_node("Relu", "/features/features.1/Add_output_0", "/relu_1/Relu"),
        old_node("Conv", "/relu_1/Relu_output_0 w", "/fc/Conv", output="last"),
    ]
    assert names(*nodes, weights=["w"]) == [
        "features.0",
        "features.1.block.0.0",
        "features.1.block.0",
        "features.1.block.1",
        "features.1",
        "relu_1",
        "fc",
    ]


def test_slashes_alone_are_no_modules():
    """Only where the exporter's own names are, whatever else has slashes in its names."""
    plain = model(old_node("Relu", "x", "/a/b/Relu", output="last"))
    assert with_module_names(plain) is plain
