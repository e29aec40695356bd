"""ONNX models that are kept whole, for the one size of picture for which they were made.

Vision transformers and other networks whose operations mix all places of a picture take one size. They are
converted as they are, and larger pictures are cut into windows of that size: see `windows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert import sandbox
from dreamkit.convert.feature_maps import FeatureMap, Kept
from dreamkit.convert.onnx_feature_maps import Ends, count_convolutions, find_kinds
from dreamkit.errors import ConvertError

if TYPE_CHECKING:
    import onnx

Layout = Literal["first", "last", "tokens", "flat"]
_MOST_EXTRA = 16  # tokens beside those of the picture, such as the class token and registers
_MOVES = frozenset(
    {
        *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout", "Slice"),
        *("Gather", "Split", "Expand", "Cast", "Pad", "Shape", "Constant", "ConstantOfShape"),
    }
)  # operations that compute no new values
_PARTS = frozenset(
    ("Mul", "Div", "Sub", "Erf", "Tanh", "Pow", "Sqrt", "Sigmoid", "Clip", "Reciprocal", "Softmax")
)  # operations that a larger one, such as GELU, is written with
_LARGE = 1024  # numbers of an initializer that is kept as a variable
_BLOCKS = ((0.25, 0.25), (0.3, 0.75), (0.75, 0.35), (0.6, 0.6))  # centres of changed parts of a picture
_TOLERANCE = 0.12  # of a side, between a change of the picture and the largest change of a map


@dataclass(frozen=True)
class Place:
    """How a tensor holds a map.

    Attributes:
        layout: `first` (batch x channels x height x width), `last` (batch x height x width x channels),
            `tokens` (batch x tokens x channels, row by row), or `flat` (channels alone).
        height, width: of the map.
        extra: tokens before those of the map.
    """

    layout: Layout
    height: int = 1
    width: int = 1
    extra: int = 0

    def as_map(self, values: Any) -> Any:
        """An array or tensor as `(height, width, channels)`, for a batch of one."""
        if self.layout == "last":
            return values[0]
        library: Any = np if isinstance(values, np.ndarray) else import_module("tensorflow")
        if self.layout == "first":
            return library.transpose(values[0], (1, 2, 0))
        tokens = values[0, self.extra :] if self.layout == "tokens" else values
        return library.reshape(tokens, (self.height, self.width, -1))


def mixes_places(model: onnx.ModelProto) -> bool:
    """Whether a model multiplies what it computes with what it computes, as attention does."""
    follows = {each.name for each in model.graph.input}  # tensors whose values follow the picture's
    for node in model.graph.node:
        read = [name in follows for name in node.input]
        if node.op_type in ("MatMul", "Einsum") and sum(read) > 1:
            return True
        if any(read) and node.op_type != "Shape":
            follows.update(node.output)
    return False


def describe(
    model: onnx.ModelProto, size: tuple[int, int], *, whole_numbers: bool = False
) -> tuple[dict[str, FeatureMap], dict[str, Place], Kept]:
    """The maps of a model that takes RGB pictures of one size, how its tensors hold them, and what is kept.

    A tensor is a map if it changes most where the picture is changed. `whole_numbers` says that the model
    takes 0 to 255.

    Raises:
        ConvertError: an operation is not known, or there is no map.
    """
    kinds, ends = find_kinds(model), Ends(model)
    maps: dict[str, FeatureMap] = {}
    places: dict[str, Place] = {}
    for name, responses in _measure(model, size, whole_numbers=whole_numbers).items():
        place = _place_of(responses, size)
        if place is None:
            continue
        channels = place.as_map(responses[0]).shape[-1]
        stride = 0 if place.layout == "flat" else size[0] // place.height
        places[name] = place
        maps[name] = FeatureMap(channels, stride, max(size), kinds[name], ends.is_end(name))
    if not any(each.stride for each in maps.values()):
        raise ConvertError("no tensor of the model follows the places of the picture")
    off_grid = _off_grid(maps)
    for name in off_grid:
        del maps[name], places[name]
    count = count_convolutions(model)
    return maps, places, Kept((count, count), size=size, off_grid=len(off_grid))


def _off_grid(maps: Mapping[str, FeatureMap]) -> list[str]:
    """The maps whose stride is no multiple of a smaller one, as where 7 x 7 tokens are halved to 4 x 4."""
    kept: list[int] = []
    for stride in sorted({each.stride for each in maps.values() if each.stride}):
        if not any(stride % each for each in kept):
            kept.append(stride)
    return [name for name, each in maps.items() if each.stride and each.stride not in kept]


def _candidates(model: onnx.ModelProto) -> Iterator[str]:
    """The tensors that a whole operation computes, but for products of attention."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    weights = {each.name for each in model.graph.initializer}

    producers = {name: node.op_type for node in model.graph.node for name in node.output}

    def is_move(node: onnx.NodeProto) -> bool:
        is_roll = node.op_type == "Concat" and {producers.get(name) for name in node.input} == {"Slice"}
        is_attention = node.op_type in ("MatMul", "Einsum") and weights.isdisjoint(node.input)
        return node.op_type in _MOVES or is_roll or is_attention

    def is_part(node: onnx.NodeProto) -> bool:
        is_bias = node.op_type == "Add" and not weights.isdisjoint(node.input)
        return is_bias or node.op_type in _PARTS

    for node in model.graph.node:
        if is_move(node):
            continue
        for name in node.output:
            following = readers.get(name, [])
            if not following or not all(map(is_part, following)):
                yield name


def _measure(
    model: onnx.ModelProto, size: tuple[int, int], *, whole_numbers: bool
) -> dict[str, list[NDArray[np.float32]]]:
    """How much each candidate changes with each of `_BLOCKS` of a picture, in the order of the model."""
    import tensorflow as tf

    from dreamkit.convert.onnx_graph import evaluate

    (picture,) = (each.name for each in model.graph.input)
    names = list(_candidates(model))

    @tf.function(input_signature=[tf.TensorSpec([1, 3, *size], tf.float32)], autograph=False)
    def computed(pixels: Any) -> dict[str, Any]:
        values = evaluate(model, {picture: pixels})
        found = {name: values[name] for name in names}
        return {name: each for name, each in found.items() if tf.is_tensor(each) and each.dtype == tf.float32}

    random = np.random.default_rng(0)

    def noise() -> NDArray[np.float32]:
        values = random.normal(size=(1, 3, *size)).astype(np.float32)
        return np.round(127 + 50 * values.clip(-2, 2)) if whole_numbers else values

    before = noise()
    plain = {name: each.numpy() for name, each in computed(tf.constant(before)).items()}
    responses: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names if name in plain}
    for block in _BLOCKS:
        changed = before.copy()
        rows, columns = (
            slice(round((centre - 1 / 16) * side), round((centre + 1 / 16) * side))
            for centre, side in zip(block, size, strict=True)
        )
        changed[:, :, rows, columns] = noise()[:, :, rows, columns]
        for name, each in computed(tf.constant(changed)).items():
            responses[name].append(np.abs(each.numpy() - plain[name]))
    return responses


def _place_of(responses: Sequence[NDArray[np.float32]], size: tuple[int, int]) -> Place | None:
    """How a tensor with these responses holds a map, or None if it holds none."""
    nearest: dict[Place, float] = {}
    for place in _readings(responses[0].shape, size):
        if place.layout == "flat":
            return place
        pairs = zip(responses, _BLOCKS, strict=True)
        distance = float(np.mean([_distance(place.as_map(each), block) for each, block in pairs]))
        if distance <= _TOLERANCE + 0.5 / min(place.height, place.width):
            nearest[place] = distance
    return min(nearest, key=lambda place: nearest[place], default=None)


def _readings(shape: Sequence[int], size: tuple[int, int]) -> Iterator[Place]:
    """The ways in which a tensor of this shape can hold a map of a picture of this size."""
    if len(shape) < 2 or shape[0] != 1:
        return
    if len(shape) == 2 or (len(shape) == 4 and tuple(shape[2:]) == (1, 1)):
        yield Place("flat")
        return
    for stride in _common_divisors(size):
        height, width = size[0] // stride, size[1] // stride
        if height * width == 1:
            continue
        if len(shape) == 4 and tuple(shape[2:]) == (height, width):
            yield Place("first", height, width)
        if len(shape) == 4 and tuple(shape[1:3]) == (height, width):
            yield Place("last", height, width)
        extra = shape[1] - height * width
        if len(shape) == 3 and 0 <= extra <= _MOST_EXTRA and shape[2] > 1:
            yield Place("tokens", height, width, extra)


def _common_divisors(size: tuple[int, int]) -> Iterable[int]:
    return (each for each in range(1, min(size) + 1) if not size[0] % each and not size[1] % each)


def _distance(response: NDArray[np.float32], block: tuple[float, float]) -> float:
    """How far the largest change of a map lies from the changed block, as a share of the side."""
    total: NDArray[np.float32] = response.sum(-1)
    if not total.any():
        return 1.0
    places = np.unravel_index(int(total.argmax()), total.shape)
    return max(
        abs((int(place) + 0.5) / int(side) - centre)
        for place, side, centre in zip(places, total.shape, block, strict=True)
    )


def convert_and_write(
    on_stage: sandbox.OnStage,
    file: str,
    folder: str,
    size: Sequence[int],
    places: Mapping[str, Mapping[str, Any]],
    strides: Sequence[int],
) -> None:
    """In a child process: writes the model in `file` to `folder` as a SavedModel for pictures of any size."""
    import onnx
    import tensorflow as tf
    from onnx import numpy_helper

    from dreamkit.convert.onnx_graph import evaluate
    from dreamkit.convert.saved_model import write
    from dreamkit.convert.windows import on_windows

    on_stage("building a TensorFlow graph")
    model = onnx.load(file)
    (picture,) = (each.name for each in model.graph.input)
    found = {name: Place(**each) for name, each in places.items()}

    # Constants would be in memory several times, and in the file for each function.
    weights = {
        each.name: tf.Variable(numpy_helper.to_array(each), trainable=False)
        for each in model.graph.initializer
        if each.data_type == onnx.TensorProto.FLOAT and np.prod(each.dims) >= _LARGE
    }

    def network(pixels: Any) -> list[Any]:
        given = {name: tf.convert_to_tensor(each) for name, each in weights.items()}
        values = evaluate(model, {picture: tf.transpose(pixels, [2, 0, 1])[None], **given})
        return [place.as_map(values[name]) for name, place in found.items()]

    on_stage("writing the SavedModel")
    write(on_windows(network, (size[0], size[1]), strides), list(found), folder, list(weights.values()))


def maps_of_windows(
    compute: Any, picture: NDArray[np.float32], size: tuple[int, int], places: Mapping[str, Place]
) -> dict[str, NDArray[np.float32]]:
    """The maps of a picture, `(channels, height, width)`, one window after another, to compare with.

    `compute` is a function from one window `(1, channels, height, width)` to the model's tensors by name.
    Maps are `(1, channels, height, width)`.
    """
    unit = max(size[0] // each.height for each in places.values() if each.layout != "flat")
    picture = np.pad(picture, [(0, 0), *((0, -side % unit) for side in picture.shape[1:])], "symmetric")
    starts = [
        [k * (side - window) // unit // max(count - 1, 1) * unit for k in range(count)]
        for side, window in zip(picture.shape[1:], size, strict=True)
        for count in [-(-side // window)]
    ]
    tensors = {
        (top, left): compute(picture[None, :, top : top + size[0], left : left + size[1]])
        for top in starts[0]
        for left in starts[1]
    }
    found = {}
    for name, place in places.items():
        windows = {key: place.as_map(each[name]) for key, each in tensors.items()}
        if place.layout == "flat":
            joined = np.mean(list(windows.values()), axis=0)
        else:
            stride = size[0] // place.height
            height, width = (side // stride for side in picture.shape[1:])
            joined = np.empty((height, width, next(iter(windows.values())).shape[-1]), np.float32)
            for row in range(height):
                top = _of_nearest(starts[0], row * stride // unit * unit + unit / 2, size[0])
                for column in range(width):
                    left = _of_nearest(starts[1], column * stride // unit * unit + unit / 2, size[1])
                    inside = row - top // stride, column - left // stride
                    joined[row, column] = windows[top, left][inside]
        found[name] = np.moveaxis(joined, -1, 0)[None]
    return found


def _of_nearest(starts: Sequence[int], centre: float, window: int) -> int:
    """The start of the window whose centre is nearest."""
    return min(starts, key=lambda start: abs(start + window / 2 - centre))


def plain(places: Mapping[str, Place]) -> dict[str, dict[str, Any]]:
    """As plain values, for another process."""
    return {name: asdict(each) for name, each in places.items()}
