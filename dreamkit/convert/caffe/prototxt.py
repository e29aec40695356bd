"""The description of a Caffe network: a prototxt, in protobuf's text format.

It is read as Caffe reads it for the TEST phase, and without the layers that only training needs: losses,
accuracies and what depends on labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dreamkit.convert.caffe import schema
from dreamkit.convert.caffe.net import Layer, Net, format_shape
from dreamkit.convert.caffe.protobuf import Record, with_defaults
from dreamkit.convert.caffe.text_format import parse_text
from dreamkit.convert.files import read_file, refuse_other_kinds
from dreamkit.errors import ConvertError, did_you_mean, shown

MAX_BYTES = 8 << 20  # of a prototxt; ResNet-152's has 120,000


def read_prototxt(path: Path) -> Net:
    """The network that a prototxt describes, without weights.

    Raises:
        ConvertError: the file cannot be read, is not a prototxt or describes an impossible network.
    """
    return _NetBuilder(path, parse_text(read_text(path), schema.NET, str(path))).build()


def read_text(path: Path) -> str:
    """The text of a prototxt.

    Raises:
        ConvertError: the file cannot be read or is not a text.
    """
    refuse_other_kinds(path, "prototxt", "the prototxt of a Caffe network")
    data = read_file(path, "prototxt", MAX_BYTES)
    if b"\0" in data:
        raise ConvertError(f"{path} is not a text file; give the prototxt first and the caffemodel second")
    # A comment in another encoding does no harm.
    return data.decode("utf-8-sig", "replace")


class _NetBuilder:
    """Builds a `Net` from the record of a prototxt."""

    def __init__(self, path: Path, record: Record) -> None:
        self._path, self._record = path, record
        self._inputs: dict[str, tuple[int, ...]] = {}
        self._layers: list[Layer] = []
        self._current: dict[str, str] = {}  # blob -> the name of its current value
        self._absent: dict[str, str] = {}  # blob -> why inference does not have it
        self._writes_left: Counter[str] = Counter()  # blob -> how often it will still be written
        self._names: set[str] = set()  # of all values

    def build(self) -> Net:
        records = self._test_layers()
        self._count_writes([record for record, _ in records])
        self._add_declared_inputs()
        for record, type_ in records:
            if type_ in schema.DATA_TYPES:
                self._add_data_layer(record, type_)
            elif type_ in schema.TRAINING_TYPES or type_.endswith("Loss"):
                self._leave_out(record.get("top", []), f"{_describe(record, type_)} is only for training")
            else:
                self._add_layer(record, type_)
        if not self._layers:
            reason = next(iter(self._absent.values()), "is it the prototxt of a network?")
            raise ConvertError(f"{self._path} has no layers that can be computed; {reason}")
        read = {bottom for layer in self._layers for bottom in layer.bottoms}
        inputs = {name: shape for name, shape in self._inputs.items() if name in read}
        if not inputs:
            raise ConvertError(f"{self._path} has no input that a layer reads; add input: and input_shape")
        return Net(self._record.get("name", ""), inputs, tuple(self._layers))

    def _fail(self, line: int, problem: str) -> NoReturn:
        raise ConvertError(f"{self._path}, line {line}: {problem}")

    def _test_layers(self) -> list[tuple[Record, str]]:
        """The layers of the TEST phase, each with today's name of its type."""
        new, old = self._record.get("layer", []), self._record.get("layers", [])
        if new and old:
            self._fail(old[0].line, "the file has both layer and layers; Caffe reads only one of them")
        state = net_state(self._record)
        found = []
        for record in new or old:
            if "layer" in record.skipped:
                self._fail(record.line, f"this layer {schema.V0_FORMAT}")
            if not is_included(record, state):
                continue
            type_ = record.get("type", "")
            if old and type_:
                type_ = schema.V1_TYPES[type_][1]
            if not type_:
                self._fail(record.line, f"layer {shown(record.get('name', ''))} has no type")
            found.append((record, type_))
        return found

    def _count_writes(self, records: Sequence[Record]) -> None:
        """Counts how often each blob is written, to tell its last value from earlier ones."""
        self._writes_left.update(self._record.get("input", []))
        for record in records:
            self._writes_left.update(record.get("top", []))
        self._names = set(self._writes_left)

    def _write(self, blob: str, layer: str, line: int) -> str:
        """Names the value that `layer` writes to `blob`, and makes it the current one."""
        if not blob:
            self._fail(line, f"layer {shown(layer)} has a top without a name")
        self._writes_left[blob] -= 1
        name = blob
        if self._writes_left[blob]:
            name, count = f"{blob}@{layer}", 1
            while name in self._names:
                count += 1
                name = f"{blob}@{layer}@{count}"
            self._names.add(name)
        self._current[blob] = name
        return name

    def _add_declared_inputs(self) -> None:
        """Adds the inputs that `input:` declares."""
        names = self._record.get("input", [])
        shapes = [each.get("dim", []) for each in self._record.get("input_shape", [])]
        dims = self._record.get("input_dim", [])
        if dims and not shapes:
            shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
        if names and not shapes:
            self._fail(1, f"input {shown(names[0])} has no shape; add input_shape {{ dim: 1 dim: 3 ... }}")
        if names and (len(shapes) != len(names) or (dims and len(dims) != 4 * len(names))):
            self._fail(
                1,
                f"{len(names)} inputs have {len(shapes)} shapes; each needs an input_shape or four input_dim",
            )
        for name, shape in zip(names, shapes, strict=False):
            self._add_input(name, shape, "input", 1)

    def _add_input(self, blob: str, shape: Sequence[int], layer: str, line: int) -> None:
        if blob in self._current:
            self._fail(line, f"blob {shown(blob)} is written twice")
        if not shape or len(shape) > schema.MAX_AXES or any(not 0 < size < 1 << 31 for size in shape):
            self._fail(
                line,
                f"input {shown(blob)} has the shape {format_shape(shape)}; sizes must be above 0, as in "
                "1 3 224 224",
            )
        self._inputs[self._write(blob, layer, line)] = tuple(shape)

    def _add_data_layer(self, record: Record, type_: str) -> None:
        """Turns the tops of a layer that reads data into inputs, as far as their shapes are known."""
        tops, shapes = record.get("top", []), _data_shapes(record, type_)
        if type_ in ("Input", "DummyData") and len(shapes) == 1:
            shapes *= len(tops)
        for top, shape in zip(tops, shapes, strict=False):
            self._add_input(top, shape, record.get("name", ""), record.line)
        reason = f"{_describe(record, type_)} gives no shape; write it as an Input with an input_param"
        self._leave_out(tops[len(shapes) :], reason)

    def _leave_out(self, tops: Sequence[str], reason: str) -> None:
        """Notes blobs that inference does not have, such as labels."""
        self._absent.update(dict.fromkeys(tops, reason))
        self._writes_left.subtract(tops)

    def _add_layer(self, record: Record, type_: str) -> None:
        name, line = record.get("name", ""), record.line
        bottoms, tops = record.get("bottom", []), record.get("top", [])
        missing = [bottom for bottom in bottoms if bottom not in self._current]
        for bottom in missing:
            if bottom not in self._absent:
                hint = did_you_mean(shown(bottom), map(shown, self._current))
                self._fail(
                    line,
                    f"layer {shown(name)} reads blob {shown(bottom)}, which is not written before; {hint}",
                )
        if missing:  # what depends on labels is only for training too
            self._leave_out(tops, self._absent[missing[0]])
            return
        reads = tuple(self._current[bottom] for bottom in bottoms)
        for place, top in enumerate(tops):
            in_place = place < len(bottoms) and bottoms[place] == top
            if top in tops[:place] or (top in self._current and not in_place):
                self._fail(line, f"layer {shown(name)} writes blob {shown(top)}, which is already written")
        writes = tuple([self._write(top, name, line) for top in tops])
        param = schema.PARAM_FIELDS.get(type_, "")
        params = with_defaults(record.get(param, {}), schema.PARAMS[param]) if param else {}
        self._layers.append(Layer(name, type_, line, reads, writes, params))


def _describe(record: Record, type_: str) -> str:
    """A layer as the subject of an error message."""
    return f"layer {shown(record.get('name', ''))}, line {record.line}, a {shown(type_)},"


def net_state(record: Record) -> dict[str, Any]:
    """The level and stages of a network, for `is_included`."""
    return with_defaults(record.get("state", {}), schema.NET["state"].kind)


def is_included(record: Record, state: Mapping[str, Any]) -> bool:
    """Whether Caffe includes a layer in the TEST phase of a network with this `state`."""
    includes, excludes = record.get("include", []), record.get("exclude", [])
    if includes:
        return any(_rule_applies(rule, state) for rule in includes)
    return not any(_rule_applies(rule, state) for rule in excludes)


def _rule_applies(rule: Record, state: Mapping[str, Any]) -> bool:
    level, stages = state["level"], set(state["stage"])
    return (
        rule.get("phase", "TEST") == "TEST"
        and rule.get("min_level", level) <= level <= rule.get("max_level", level)
        and stages.issuperset(rule.get("stage", []))
        and stages.isdisjoint(rule.get("not_stage", []))
    )


def _data_shapes(record: Record, type_: str) -> list[list[int]]:
    """The shapes of the first tops of a data layer, as far as it gives them."""
    params = record.get(schema.PARAM_FIELDS.get(type_, ""), {})
    if type_ in ("Input", "DummyData") and params.get("shape"):
        return [each.get("dim", []) for each in params["shape"]]
    if type_ == "DummyData":
        return _dummy_shapes(params)
    if type_ == "MemoryData":
        shape = [params.get(side, 0) for side in ("batch_size", "channels", "height", "width")]
        return [shape] if all(shape) else []
    if type_ in ("Data", "ImageData"):
        return _image_shapes(record.get("transform_param", {}), params)
    return []


def _dummy_shapes(params: Mapping[str, Any]) -> list[list[int]]:
    sides = [params.get(side, []) for side in ("num", "channels", "height", "width")]
    count = max(map(len, sides))
    if not all(len(side) in (1, count) for side in sides):
        return []
    return [[side[place % len(side)] for side in sides] for place in range(count)]


def _image_shapes(transform: Mapping[str, Any], params: Mapping[str, Any]) -> list[list[int]]:
    crop = transform.get("crop_size") or params.get("crop_size")
    height, width = crop or params.get("new_height"), crop or params.get("new_width")
    channels = 3 if params.get("is_color", True) else 1
    return [[params.get("batch_size") or 1, channels, height, width]] if height and width else []
