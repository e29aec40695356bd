"""Convolutions that are fused with what follows them: the same numbers, by fewer operations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
import tiny

from dreamkit.engine.tf import compiled_step, fusion, network, private
from dreamkit.engine.tf.compiled_step import CompiledStep, ObjectiveSpec
from dreamkit.plugins import registry

_RANDOM = np.random.default_rng(0)
KERNEL = _RANDOM.normal(0, 0.3, (3, 3, 3, 4)).astype(np.float32)
OFFSET = _RANDOM.normal(0, 0.3, 4).astype(np.float32)
PIXELS = _RANDOM.uniform(0, 255, (2, 12, 9, 3)).astype(np.float32)


def convolved(pixels):
    return tf.nn.conv2d(pixels / 255, KERNEL, 1, "SAME")


def with_relu(pixels):
    return [tf.nn.relu(tf.nn.bias_add(convolved(pixels), OFFSET))]


def folded(pixels):
    """As batch normalisation leaves it: the offset has four axes."""
    return [tf.nn.relu(OFFSET.reshape(1, 1, 1, 4) + convolved(pixels))]


def without_relu(pixels):
    return [tf.tanh(tf.nn.bias_add(convolved(pixels), OFFSET))]


def read_before_relu(pixels):
    before = tf.nn.bias_add(convolved(pixels), OFFSET)
    return [tf.nn.relu(before) + tf.square(before)]


def read_before_offset(pixels):
    before = convolved(pixels)
    return [tf.nn.relu(tf.nn.bias_add(before, OFFSET)) + before]


def offset_by_places(pixels):
    """No offset of channels: it differs from row to row."""
    return [tf.nn.relu(convolved(pixels) + np.ones((1, 12, 1, 4), np.float32))]


def sum_of_two(pixels):
    return [tf.nn.relu(convolved(pixels) + convolved(pixels / 2))]


def shifted(pixels):
    """One number for all channels."""
    return [tf.nn.relu(convolved(pixels) + np.float32(0.1))]


def shifted_with_axes(pixels):
    return [tf.nn.relu(convolved(pixels) + np.full((1, 1, 1, 1), 0.1, np.float32))]


def spread(pixels):
    """Of one channel the sum makes four."""
    return [tf.nn.relu(tf.nn.conv2d(pixels / 255, KERNEL[..., :1], 1, "SAME") + OFFSET.reshape(1, 1, 1, 4))]


def in_16_bits(pixels):
    kernel, offset = (tf.cast(each, tf.bfloat16) for each in (KERNEL, OFFSET))
    found = tf.nn.conv2d(tf.cast(pixels / 255, tf.bfloat16), kernel, 1, "SAME")
    return [tf.cast(tf.nn.relu(tf.nn.bias_add(found, offset)), tf.float32)]


def definition_of(forward):
    spec = ObjectiveSpec("layer", registry.installed(registry.OBJECTIVES).get("mean-square"))
    return compiled_step.function_def(compiled_step.build_step(forward, ["layer"], [spec], 0))


def operations(step):
    return Counter(node.op for node in private.get_function(step._name).node_def)


@pytest.mark.parametrize(
    ("forward", "fused", "kinds"),
    [
        (with_relu, 1, [b"BiasAdd", b"Relu"]),
        (folded, 1, [b"BiasAdd", b"Relu"]),
        (without_relu, 1, [b"BiasAdd"]),
        (read_before_relu, 1, [b"BiasAdd"]),
        (read_before_offset, 0, None),
        (offset_by_places, 0, None),
        (sum_of_two, 0, None),
        (shifted, 0, None),
        (shifted_with_axes, 0, None),
        (spread, 0, None),
        (in_16_bits, 0, None),
    ],
)
def test_a_fused_step_computes_the_same(forward, fused, kinds):
    definition = definition_of(forward)
    fused_definition = fusion.fused(definition)
    steps = [CompiledStep(each.SerializeToString()) for each in (definition, fused_definition)]
    plain, found = ([each.numpy() for each in step(tf.constant(PIXELS), tf.ones(1))] for step in steps)
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6 * np.abs(one).max())
    assert np.abs(plain[0]).max() > 0
    assert operations(steps[1])["_FusedConv2D"] == fused
    for node in fused_definition.node_def:
        if node.op == "_FusedConv2D":
            assert list(node.attr["fused_ops"].list.s) == kinds


def test_what_no_result_needs_is_left_out():
    definition = definition_of(with_relu)
    assert any(node.op == "Conv2DBackpropFilter" for node in definition.node_def)
    found = fusion.fused(definition)
    assert not any(node.op == "Conv2DBackpropFilter" for node in found.node_def)
    read = {name.lstrip("^").partition(":")[0] for node in found.node_def for name in node.input}
    read |= {value.partition(":")[0] for value in found.ret.values()}
    assert {node.name for node in found.node_def} <= read


def test_the_definition_itself_is_not_changed():
    definition = definition_of(folded)
    before = definition.SerializeToString(deterministic=True)
    fusion.fused(definition)
    assert definition.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(("precision", "fused"), [("float32", 2), ("mixed", 0)])
def test_a_network_fuses_its_steps(precision, fused):
    spec = ObjectiveSpec("second", tiny.objective("mean"))
    step = network.load(tiny.provider(), None)._step((spec,), 0, precision)
    assert operations(step)["_FusedConv2D"] == fused


def test_a_step_for_a_gpu_is_not_fused(monkeypatch):
    monkeypatch.setattr(private, "has_gpu", lambda: True)
    spec = ObjectiveSpec("second", tiny.objective("mean"))
    step = network.load(tiny.provider(), None)._step((spec,), 0, "float32")
    assert operations(step)["_FusedConv2D"] == 0
