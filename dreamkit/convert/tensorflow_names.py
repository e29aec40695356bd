"""Names of layers for the tensors of a TensorFlow graph: `block1_conv1`, as the program that made it said.

TensorFlow names each operation by its scopes, as in `StatefulPartitionedCall/model/block1_conv1/Relu`. The
operations of one layer are in one scope, and the last of them gives its result.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from dreamkit.models.safe_operations import words

_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")
_NUMBER = re.compile(r"_\d+$")
# Keras 3 makes `conv_1` of `conv`, and `conv_1_2` of a `conv_1` beside it.
_ADDED = re.compile(r"(?<=_1)_2$|_1$")
_VERSION = re.compile(r"V\d$")  # of the type of an operation
# What Keras, TF-Slim and TensorFlow name the operations of a layer, besides their types.
_PARTS = words(
    """
    add clip_by_value concat conv convolution depthwise div dropout mul pow sub truediv
    """
)
_INNER = frozenset({"batchnorm", "BatchNorm", "moments"})  # scopes within a layer
_SEPARABLE = "separable_conv2d"
# No layer has two of these.
_HEAVY = words(
    """
    AvgPool Concat ConcatV2 Conv2D Conv2DBackpropInput DepthwiseConv2dNative MatMul MaxPool
    """
)
_ANSWERS = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "Identity"})


def layer_names(tensors: Sequence[str], operations: Mapping[str, str], ends: set[str]) -> dict[str, str]:
    """The tensors that are worth a name, by their names, in their order.

    `operations` are the types of the operations that compute the `tensors`, and `ends` the tensors behind
    which nothing but an answer follows. A tensor within a layer has no name, and neither has a softmax within
    the layer of the scores that it takes.
    """
    groups: dict[str, list[str]] = {}
    for each in tensors:
        groups.setdefault(_scope(each, operations[each]), []).append(each)
    named: dict[str, str] = {}
    whole = False  # whether some tensors have their whole names
    for scope, members in groups.items():
        heavy = Counter(operations[each] for each in members if operations[each] in _HEAVY)
        if max(heavy.values(), default=0) > 1:
            whole = True
            named.update({_CALLS.sub("", each): each for each in members})
        else:
            named[scope] = _result(members, operations, ends)
    short = _without_common_scopes(list(named), whole=whole)
    places = {each: place for place, each in enumerate(tensors)}
    found = {name: named[long] for long, name in short.items()}
    return dict(sorted(found.items(), key=lambda pair: places[pair[1]]))


def _scope(name: str, operation: str) -> str:
    """The scope of the layer that an operation is in; its own name if it is not named after its type."""
    *scopes, last = _CALLS.sub("", name).partition(":")[0].split("/")
    plain = _NUMBER.sub("", last)
    # Keras has MaxPool2d and AvgPool2D for MaxPool and AvgPool, and Add for AddV2.
    kind = re.escape(_VERSION.sub("", operation))
    is_type = re.fullmatch(rf"{kind}(V\d|\dd)?", plain, re.IGNORECASE) is not None
    if not scopes or not (is_type or plain == _SEPARABLE or plain in _PARTS):
        return "/".join([*scopes, last])
    if len(scopes) > 1 and (scopes[-1] in _INNER or (plain == "depthwise" and scopes[-1] == _SEPARABLE)):
        scopes.pop()
    return "/".join(scopes)


def _result(members: Sequence[str], operations: Mapping[str, str], ends: set[str]) -> str:
    """The tensor that a layer returns, before a softmax or sigmoid that makes the answer of the network."""
    found = list(members)
    while len(found) > 1 and found[-1] in ends and operations[found[-1]] in _ANSWERS:
        found.pop()
    return found[-1]


def _without_common_scopes(names: Sequence[str], *, whole: bool) -> dict[str, str]:
    """Names without the scopes that all have, and without the numbers that TensorFlow adds to all.

    Unless there are `whole` names, layers that differ without their scopes have none, as where a model is
    inside another.
    """
    parts = {name: name.split("/") for name in names}
    while all(len(each) > 1 for each in parts.values()) and len({each[0] for each in parts.values()}) == 1:
        parts = {name: each[1:] for name, each in parts.items()}
    if all(_ADDED.search(part) for each in parts.values() for part in each):
        plain = {name: [_ADDED.sub("", part) for part in each] for name, each in parts.items()}
        if len({tuple(each) for each in plain.values()}) == len(parts):
            parts = plain
    if not whole and len({each[-1] for each in parts.values()}) == len(parts):
        parts = {name: each[-1:] for name, each in parts.items()}
    return {name: "/".join(each) for name, each in parts.items()}
