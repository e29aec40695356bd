"""A convolutional network as data: a list of operations, from which Keras models are built.

A convolution may be factorised into up to three linear ones without a bias between them: `down` (1 x 1, to
few channels), `core` (the kernel itself) and `up` (1 x 1, to all of its channels). It is still one layer.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dreamkit.errors import shown

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

INPUT = "input"
_OPERATIONS, _SCALE = "operations", ":scale"
_MOST_BYTES = 1 << 30  # of a file, and of its arrays
FACTORS = ("down", "core", "up")
_PARTS = ("kernel", *FACTORS, "bias")  # of a convolution
KINDS = {
    "convolution": ("stride", "padding"),
    "relu": (),
    "max_pool": ("size", "stride", "padding"),
    "average_pool": ("size", "stride", "padding"),
    "response_normalisation": ("radius", "bias", "alpha", "beta"),
    "concatenate": (),
}
"""Every kind of operation and its options. `padding` is `same` or `valid`, as TensorFlow pads."""


@dataclass(frozen=True)
class Operation:
    """One layer.

    Attributes:
        name: the layer's.
        kind: a key of `KINDS`.
        inputs: the names of the operations that it reads, or `INPUT` for the picture.
        options: the options that `KINDS` lists for its kind.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


if TYPE_CHECKING:
    Architecture: TypeAlias = tuple[list[Operation], dict[str, NDArray[Any]]]  # as `model` takes them


def to_json(operations: Sequence[Operation]) -> str:
    """The operations as JSON, one list each: name, kind, inputs, options."""
    return json.dumps([[each.name, each.kind, each.inputs, dict(each.options)] for each in operations])


def from_json(text: str) -> list[Operation]:
    """The operations in the JSON of `to_json`.

    Raises:
        ValueError: the text is not of that form.
    """
    try:
        found = [
            Operation(name, kind, tuple(inputs), dict(options))
            for name, kind, inputs, options in json.loads(text)
        ]
        known = {INPUT}
        for each in found:
            if not _is_valid(each, known):
                raise ValueError(f"operation {each.name!r:.60}")
            known.add(each.name)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is not an architecture ({error})") from error
    if not found:
        raise ValueError("it is not an architecture (it has no operations)")
    return found


def _is_valid(operation: Operation, known: Container[str]) -> bool:
    """Whether an operation reads only `known` ones, and has the options of its kind."""
    inputs, options = operation.inputs, operation.options
    numbers = [value for key, value in options.items() if key != "padding"]
    return (
        isinstance(operation.name, str)
        and operation.name not in known
        and set(options) == set(KINDS.get(operation.kind, (None,)))
        and (len(inputs) == 1 or (operation.kind == "concatenate" and len(inputs) > 1))
        and all(isinstance(name, str) and name in known for name in inputs)
        and options.get("padding", "same") in ("same", "valid")
        and all(isinstance(each, int | float) and 0 <= each < 1e6 for each in numbers)
        and all(
            isinstance(options.get(key, 1), int) and options.get(key, 1) > 0 for key in ("size", "stride")
        )
    )


def cut(operations: Sequence[Operation], names: Sequence[str]) -> list[Operation]:
    """The operations that the layers `names` need, in order."""
    needed = set(names)
    for each in reversed(operations):
        if each.name in needed:
            needed.update(each.inputs)
    return [each for each in operations if each.name in needed]


def joins(operations: Sequence[Operation]) -> list[str]:
    """The layers that several branches end in, from the picture inwards."""
    return [each.name for each in operations if each.kind == "concatenate"]


def model(operations: Sequence[Operation], arrays: Mapping[str, NDArray[Any]], name: str) -> keras.Model:
    """The Keras model of `operations` for pictures `(n, height, width, 3)` of any size.

    Args:
        operations: in order; the last one is the model's output.
        arrays: for each convolution `NAME/kernel` or some of `NAME/down`, `NAME/core`, `NAME/up`, each
            `(height, width, in, out)`, and `NAME/bias` `(out,)`.
        name: the model's.

    Raises:
        KeyError: an array is missing.
        ValueError: the shape of an array does not fit its place.
    """
    import keras

    from dreamkit.models import layers

    tensors: dict[str, Any] = {INPUT: keras.Input((None, None, 3), name=INPUT)}
    for each in operations:
        inputs = [tensors[name] for name in each.inputs]
        options = dict(each.options)
        match each.kind:
            case "convolution":
                keys = factors(each.name, arrays)
                _check_shapes(each.name, keys, arrays, inputs[0].shape[-1])
                layer = layers.Convolution(keys, arrays, name=each.name, **options)
            case "relu":
                layer = keras.layers.ReLU(name=each.name)
            case "max_pool":
                layer = keras.layers.MaxPooling2D(
                    _sized(options), options["stride"], options["padding"], name=each.name
                )
            case "average_pool":
                layer = keras.layers.AveragePooling2D(
                    _sized(options), options["stride"], options["padding"], name=each.name
                )
            case "response_normalisation":
                layer = layers.ResponseNormalisation(name=each.name, **options)
            case "concatenate":
                layer = keras.layers.Concatenate(name=each.name)
            case _:
                raise KeyError(each.kind)
        tensors[each.name] = layer(inputs if each.kind == "concatenate" else inputs[0])
    return keras.Model(tensors[INPUT], tensors[operations[-1].name], name=name)


def _check_shapes(name: str, keys: Sequence[str], arrays: Mapping[str, NDArray[Any]], channels: int) -> None:
    for key in keys:
        shape = arrays[key].shape
        if len(shape) != 4 or shape[2] != channels or 0 in shape:
            raise ValueError(f"{key} has the shape {shape} for {channels} channels")
        channels = shape[3]
    if arrays.get(f"{name}/bias", arrays[keys[-1]][0, 0, 0]).shape != (channels,):
        raise ValueError(f"{name}/bias does not have {channels} channels")


def _sized(options: Mapping[str, Any]) -> int:
    return int(options["size"])


def factors(name: str, arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """The keys of the kernels of convolution `name`, in the order of their application.

    Raises:
        KeyError: it has none.
    """
    keys = [f"{name}/kernel"] if f"{name}/kernel" in arrays else [f"{name}/{each}" for each in FACTORS]
    found = [key for key in keys if key in arrays]
    if not found:
        raise KeyError(f"{name}/kernel")
    return found


def read(path: Path) -> Architecture:
    """The operations and arrays of a file that `write` wrote; arrays are float32.

    Raises:
        ValueError, OSError: it is not such a file, or cannot be read.
    """
    import numpy as np

    from dreamkit.media import arrays

    found = arrays.read(path, _MOST_BYTES)
    try:
        operations = from_json(found.pop(_OPERATIONS).tobytes().decode())
    except KeyError as error:
        raise ValueError("it has no architecture") from error
    scales = {key.removesuffix(_SCALE): found.pop(key) for key in list(found) if key.endswith(_SCALE)}
    names = {each.name for each in operations if each.kind == "convolution"}
    for key in scales.keys() - found.keys():
        raise ValueError(f"there is a scale of {shown(key)!r}, but no such array")
    weights = {}
    for key, array in found.items():
        name, _, part = key.rpartition("/")
        if name not in names or part not in _PARTS:
            raise ValueError(f"its array {shown(key)!r} belongs to no layer")
        weights[key] = _unpacked(key, array, scales.get(key))
        if not np.isfinite(weights[key]).all():
            raise ValueError(f"{key} holds numbers that are not finite")
    return operations, weights


def _unpacked(key: str, array: NDArray[Any], scale: NDArray[Any] | None) -> NDArray[Any]:
    """An array as float32, from float16 or float32, or from int8 and the scale of each channel."""
    import numpy as np

    if scale is None and array.dtype in (np.float16, np.float32):
        return array.astype(np.float32)
    if scale is None or array.dtype != np.int8:
        raise ValueError(f"{key} is of type {array.dtype}, not float16 or float32, or int8 with a scale")
    if scale.dtype != np.float32 or scale.shape != array.shape[-1:]:
        raise ValueError(f"the scale of {key} is of type {scale.dtype} and shape {scale.shape}")
    unpacked: NDArray[Any] = array.astype(np.float32) * scale
    return unpacked


def write(
    path: Path,
    operations: Sequence[Operation],
    arrays: Mapping[str, NDArray[Any]],
    coarse: Iterable[str] = (),
) -> None:
    """Writes an npz file, whole or not at all: arrays in 16 bits, the kernels of the layers `coarse` in 8.

    Eight bits hold the nearest of 255 steps from minus to plus the largest number of a channel.
    """
    import numpy as np

    from dreamkit.media import atomic

    kept: dict[str, Any] = {_OPERATIONS: np.frombuffer(to_json(operations).encode(), np.uint8)}
    layers = set(coarse)
    for key, array in arrays.items():
        if key.partition("/")[0] in layers and array.ndim > 1:
            largest = np.abs(array.reshape(-1, array.shape[-1])).max(0)
            scale = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
            kept[key], kept[key + _SCALE] = np.rint(array / scale).astype(np.int8), scale
        else:
            kept[key] = array.astype(np.float16)
    atomic.write_with(path, lambda file: np.savez_compressed(file, **kept), overwrite=True)
