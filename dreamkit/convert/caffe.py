"""Caffe models: a prototxt, which describes a network, and a caffemodel, which holds its weights.

Read as Caffe itself would for testing: layers of the training phase, losses and accuracies are left out.
"""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.protobuf import Enum, Field, Message, Record, parse_text, parse_wire, with_defaults
from dreamkit.errors import ConvertError, did_you_mean, first_line, shown

Weight = NDArray[np.float32]

MOST_TEXT = 8 << 20  # bytes of a prototxt; ResNet-152's has 120,000
MOST_MEAN = 256 << 20  # bytes of a mean image; one of 256 pixels has 800,000
MOST_AXES = 32  # of one blob, as in Caffe


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer, ready to be computed.

    `params` is its type's parameter message with the defaults filled in, `{}` for a type without one.
    `weights` is empty where the network was read without a caffemodel. `line` is the prototxt's.
    """

    name: str
    type: str
    line: int
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()


@dataclass(frozen=True, eq=False)
class Net:
    """A network: layers in the order they are computed, each blob written by one of them or an input.

    A layer that works in place gives its blob a second value. The last one keeps the blob's name, as
    Caffe's blob holds it in the end; an earlier one is called `blob@layer` after the layer that wrote
    it, so of `conv1` with an in-place ReLU, `conv1` is what the ReLU returned and `conv1@conv1` what
    went in. `inputs` are those that some layer reads, with the shape the prototxt gives.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    layers: tuple[Layer, ...]

    @property
    def blobs(self) -> tuple[str, ...]:
        """What the layers write, in order."""
        return tuple(top for layer in self.layers for top in layer.tops)


def _skipped(*names: str) -> dict[str, Field]:
    """Fields that matter to training alone: they may be there, and nobody looks."""
    return {name: Field(-1 - place, "skip", True) for place, name in enumerate(names)}


# What follows are caffe.proto's own names, numbers and defaults. The numbers matter only on the wire,
# where a caffemodel is read for its layers' names and weights alone.
_UINT = Field(-1, "uint64")
_UINTS = Field(-1, "uint64", repeated=True)
_ENGINE = _skipped("engine")
_FILLERS = _skipped("weight_filler", "bias_filler")


def _int(default: int) -> Field:
    return Field(-1, "int64", default=default)


def _float(default: float) -> Field:
    return Field(-1, "float", default=default)


def _bool(default: bool) -> Field:
    return Field(-1, "bool", default=default)


def _enum(default: str, **values: int) -> Field:
    return Field(-1, Enum(values), default=default)


_SHAPE: Message = {"dim": Field(1, "int64", repeated=True)}
_WINDOW: Message = {
    **dict.fromkeys(("kernel_size", "pad", "stride", "dilation"), _UINTS),
    **{f"{name}_{side}": _UINT for name in ("kernel", "pad", "stride") for side in "hw"},
}
_LOG: Message = {"base": _float(-1.0), "scale": _float(1.0), "shift": _float(0.0)}
_PARAMS: dict[str, Message] = {
    "batch_norm_param": {
        "use_global_stats": Field(-1, "bool"),
        "eps": _float(1e-5),
        **_skipped("moving_average_fraction"),
    },
    "bias_param": {"axis": _int(1), "num_axes": _int(1), **_skipped("filler")},
    "concat_param": {"axis": _int(1), "concat_dim": _UINT},
    "convolution_param": {
        **_WINDOW,
        "num_output": _UINT,
        "bias_term": _bool(True),
        "group": Field(-1, "uint64", default=1),
        "axis": _int(1),
        **_FILLERS,
        **_ENGINE,
        **_skipped("force_nd_im2col"),
    },
    "crop_param": {"axis": _int(2), "offset": _UINTS},
    "dropout_param": {**_skipped("dropout_ratio")},
    "dummy_data_param": {
        "shape": Field(-1, _SHAPE, repeated=True),
        **dict.fromkeys(("num", "channels", "height", "width"), _UINTS),
        **_skipped("data_filler"),
    },
    "eltwise_param": {
        "operation": _enum("SUM", PROD=0, SUM=1, MAX=2),
        "coeff": Field(-1, "float", repeated=True),
        **_skipped("stable_prod_grad"),
    },
    "elu_param": {"alpha": _float(1.0)},
    "exp_param": _LOG,
    "flatten_param": {"axis": _int(1), "end_axis": _int(-1)},
    "inner_product_param": {
        "num_output": _UINT,
        "bias_term": _bool(True),
        "axis": _int(1),
        "transpose": _bool(False),
        **_FILLERS,
    },
    "input_param": {"shape": Field(-1, _SHAPE, repeated=True)},
    "log_param": _LOG,
    "lrn_param": {
        "local_size": Field(-1, "uint64", default=5),
        "alpha": _float(1.0),
        "beta": _float(0.75),
        "k": _float(1.0),
        "norm_region": _enum("ACROSS_CHANNELS", ACROSS_CHANNELS=0, WITHIN_CHANNEL=1),
        **_ENGINE,
    },
    "memory_data_param": dict.fromkeys(("batch_size", "channels", "height", "width"), _UINT),
    "permute_param": {"order": _UINTS},
    "pooling_param": {
        **{name: kind for name, kind in _WINDOW.items() if name != "dilation"},
        "pool": _enum("MAX", MAX=0, AVE=1, STOCHASTIC=2),
        "global_pooling": _bool(False),
        **_ENGINE,
    },
    "power_param": {"power": _float(1.0), "scale": _float(1.0), "shift": _float(0.0)},
    "prelu_param": {"channel_shared": _bool(False), **_skipped("filler")},
    "relu_param": {"negative_slope": _float(0.0), **_ENGINE},
    "reshape_param": {"shape": Field(-1, _SHAPE), "axis": _int(0), "num_axes": _int(-1)},
    "scale_param": {
        "axis": _int(1),
        "num_axes": _int(1),
        "bias_term": _bool(False),
        **_skipped("filler", "bias_filler"),
    },
    "sigmoid_param": {**_ENGINE},
    "slice_param": {"axis": _int(1), "slice_dim": _UINT, "slice_point": _UINTS},
    "softmax_param": {"axis": _int(1), **_ENGINE},
    "tanh_param": {**_ENGINE},
    "transform_param": {"crop_size": _UINT, "*": Field(-1, "skip", True)},
    "data_param": {"batch_size": _UINT, "crop_size": _UINT, "*": Field(-1, "skip", True)},
    "image_data_param": {
        "batch_size": _UINT,
        "crop_size": _UINT,
        "is_color": _bool(True),
        **dict.fromkeys(("new_height", "new_width"), _UINT),
        "*": Field(-1, "skip", True),
    },
}

# The types we know, and the field that holds each one's parameters.
_TYPES = {
    "AbsVal": "",
    "BatchNorm": "batch_norm_param",
    "Bias": "bias_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Crop": "crop_param",
    "Data": "data_param",
    "Deconvolution": "convolution_param",
    "Dropout": "dropout_param",
    "DummyData": "dummy_data_param",
    "ELU": "elu_param",
    "Eltwise": "eltwise_param",
    "Exp": "exp_param",
    "Flatten": "flatten_param",
    "ImageData": "image_data_param",
    "InnerProduct": "inner_product_param",
    "Input": "input_param",
    "LRN": "lrn_param",
    "Log": "log_param",
    "MemoryData": "memory_data_param",
    "PReLU": "prelu_param",
    "Permute": "permute_param",
    "Pooling": "pooling_param",
    "Power": "power_param",
    "ReLU": "relu_param",
    "Reshape": "reshape_param",
    "Scale": "scale_param",
    "Sigmoid": "sigmoid_param",
    "Slice": "slice_param",
    "Softmax": "softmax_param",
    "Split": "",
    "TanH": "tanh_param",
}
# V1 had an enumeration of types: its names and numbers, and what they are called today.
_V1_TYPES = {
    "NONE": (0, ""),
    "ABSVAL": (35, "AbsVal"),
    "ACCURACY": (1, "Accuracy"),
    "ARGMAX": (30, "ArgMax"),
    "BNLL": (2, "BNLL"),
    "CONCAT": (3, "Concat"),
    "CONTRASTIVE_LOSS": (37, "ContrastiveLoss"),
    "CONVOLUTION": (4, "Convolution"),
    "DATA": (5, "Data"),
    "DECONVOLUTION": (39, "Deconvolution"),
    "DROPOUT": (6, "Dropout"),
    "DUMMY_DATA": (32, "DummyData"),
    "EUCLIDEAN_LOSS": (7, "EuclideanLoss"),
    "ELTWISE": (25, "Eltwise"),
    "EXP": (38, "Exp"),
    "FLATTEN": (8, "Flatten"),
    "HDF5_DATA": (9, "HDF5Data"),
    "HDF5_OUTPUT": (10, "HDF5Output"),
    "HINGE_LOSS": (28, "HingeLoss"),
    "IM2COL": (11, "Im2col"),
    "IMAGE_DATA": (12, "ImageData"),
    "INFOGAIN_LOSS": (13, "InfogainLoss"),
    "INNER_PRODUCT": (14, "InnerProduct"),
    "LRN": (15, "LRN"),
    "MEMORY_DATA": (29, "MemoryData"),
    "MULTINOMIAL_LOGISTIC_LOSS": (16, "MultinomialLogisticLoss"),
    "MVN": (34, "MVN"),
    "POOLING": (17, "Pooling"),
    "POWER": (26, "Power"),
    "RELU": (18, "ReLU"),
    "SIGMOID": (19, "Sigmoid"),
    "SIGMOID_CROSS_ENTROPY_LOSS": (27, "SigmoidCrossEntropyLoss"),
    "SILENCE": (36, "Silence"),
    "SOFTMAX": (20, "Softmax"),
    "SOFTMAX_LOSS": (21, "SoftmaxWithLoss"),
    "SPLIT": (22, "Split"),
    "SLICE": (33, "Slice"),
    "TANH": (23, "TanH"),
    "WINDOW_DATA": (24, "WindowData"),
    "THRESHOLD": (31, "Threshold"),
}
_DATA_TYPES = ("Input", "DummyData", "MemoryData", "Data", "ImageData", "WindowData", "HDF5Data")
_DROPPED_TYPES = ("Accuracy", "Silence", "HDF5Output")  # and every ...Loss

_PHASE = Field(-1, Enum({"TRAIN": 0, "TEST": 1}))
_WORDS = Field(-1, "string", repeated=True)
_RULE: Message = {
    "phase": _PHASE,
    "min_level": Field(-1, "int64"),
    "max_level": Field(-1, "int64"),
    "stage": _WORDS,
    "not_stage": _WORDS,
}
_LAYER_PARTS: Message = {
    "name": Field(-1, "string"),
    "bottom": _WORDS,
    "top": _WORDS,
    "include": Field(-1, _RULE, repeated=True),
    "exclude": Field(-1, _RULE, repeated=True),
    **{name: Field(-1, message) for name, message in _PARAMS.items()},
    # Another program's layers bring parameters of their own.
    "*_param": Field(-1, "skip", True),
    **_skipped("param", "blobs", "loss_weight", "blob_share_mode", "blobs_lr", "weight_decay"),
}
_LAYER: Message = {
    **_LAYER_PARTS,
    "type": Field(-1, "string"),
    "phase": _PHASE,
    **_skipped("propagate_down"),
}
_V1_LAYER: Message = {
    **_LAYER_PARTS,
    "type": Field(-1, Enum({name: number for name, (number, _) in _V1_TYPES.items()})),
    **_skipped("layer"),
}
_NET: Message = {
    "name": Field(-1, "string"),
    "input": _WORDS,
    "input_dim": Field(-1, "int64", repeated=True),
    "input_shape": Field(-1, _SHAPE, repeated=True),
    "state": Field(-1, {"phase": _PHASE, "level": _int(0), "stage": _WORDS}),
    "layer": Field(-1, _LAYER, repeated=True),
    "layers": Field(-1, _V1_LAYER, repeated=True),
    **_skipped("force_backward", "debug_info"),
}

_BLOB: Message = {
    "num": Field(1, "int64"),
    "channels": Field(2, "int64"),
    "height": Field(3, "int64"),
    "width": Field(4, "int64"),
    "data": Field(5, "float", repeated=True),
    "shape": Field(7, _SHAPE),
    "double_data": Field(8, "double", repeated=True),
}
_MODEL: Message = {
    "layers": Field(
        2,
        {
            "layer": Field(1, {"name": Field(1, "string")}),
            "name": Field(4, "string"),
            "blobs": Field(6, _BLOB, repeated=True),
        },
        repeated=True,
    ),
    "layer": Field(100, {"name": Field(1, "string"), "blobs": Field(7, _BLOB, repeated=True)}, repeated=True),
}
_TOO_OLD = "is in the format of 2013 (V0); Caffe's own upgrade_net_proto_text and _binary bring it up to date"


def read(prototxt: Path, caffemodel: Path | None) -> Net:
    """The network that `prototxt` describes, with the weights of `caffemodel` where one is given.

    Raises:
        ConvertError: a file cannot be read, is damaged or no Caffe model, describes what cannot be, or
            the two do not belong together. A layer type nobody knows is no error here.
    """
    record = parse_text(_text(prototxt), _NET, str(prototxt))
    return _Reader(prototxt, record, caffemodel).net()


def read_mean(path: Path) -> tuple[float, ...]:
    """The mean of each channel of a mean image (`.binaryproto`), in the order the file has, BGR as a rule.

    Raises:
        ConvertError: the file cannot be read or is no such image.
    """
    blob = parse_wire(memoryview(read_small(path, "mean file", MOST_MEAN)), _BLOB, str(path))
    image = _array(blob, f"mean file {path}: it")
    if image.ndim not in (3, 4) or (image.ndim == 4 and len(image) != 1) or not image.size:
        raise ConvertError(f"mean file {path} holds an array of {_sizes(image.shape)}; one image is expected")
    return tuple(float(each) for each in image.reshape(*image.shape[-3:]).mean((1, 2), np.float64))


def without_k(prototxt: Path) -> str:
    """The text of a prototxt in which no LRN has a `k`, for readers that pass over it.

    (k + s)^-b is k^-b (1 + s / k)^-b: an LRN with its alpha over k, and a Power behind it.
    """
    text = _text(prototxt)
    record = parse_text(text, _NET, str(prototxt))
    state = with_defaults(record.get("state", {}), _NET["state"].kind)
    for layer in reversed([*record.get("layer", []), *record.get("layers", [])]):
        params = with_defaults(layer.get("lrn_param", {}), _PARAMS["lrn_param"])
        k, old = params["k"], layer.get("type") == "LRN" and "layers" in record
        if layer.get("type") != "LRN" or not k > 0 or k == 1 or params["norm_region"] != "ACROSS_CHANNELS":
            continue
        if not _included(layer, state):
            continue
        name, top = layer.get("name", ""), next(iter(layer.get("top", [])), "")
        lrn, power = ("LRN", "POWER") if old else ('"LRN"', '"Power"')
        between = _quoted(f"{top}:k")
        bottoms = " ".join(f"bottom: {_quoted(each)}" for each in layer.get("bottom", []))
        body = (
            f"name: {_quoted(f'{name}:k')} type: {lrn} {bottoms} top: {between} lrn_param {{ "
            f"local_size: {params['local_size']} alpha: {params['alpha'] / k!r} "
            f"beta: {params['beta']!r} }} }} "
            f"{'layers' if old else 'layer'} {{ name: {_quoted(name)} type: {power} bottom: {between} "
            f"top: {_quoted(top)} power_param {{ scale: {k ** -params['beta']!r} }}"
        )
        begin, end = layer.span
        text = f"{text[:begin]}{body} {text[end:]}"
    return text


def _quoted(name: str) -> str:
    """`name` as a text in a prototxt."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in name) + '"'


def _escaped(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def _text(path: Path) -> str:
    data = read_small(path, "prototxt", MOST_TEXT)
    if b"\0" in data:
        raise ConvertError(f"{path} is not a text; give the prototxt first and the caffemodel second")
    # A comment in some old encoding harms nobody.
    return data.decode("utf-8-sig", "replace")


def read_small(path: Path, what: str, most: int) -> bytes:
    """What is in a small file.

    Raises:
        ConvertError: it cannot be read, is no regular file or holds more than `most` bytes.
    """
    try:
        _check_regular(path, what)
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise ConvertError(f"cannot read {what} {path} ({first_line(error)})") from error
    if len(data) > most:
        raise ConvertError(f"{path} is too large for a {what}; is it the caffemodel?")
    return data


def _check_regular(path: Path, what: str) -> None:
    """A pipe may never end, and a device never stop."""
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if os.path.isdir(path) else "no regular file"
        raise ConvertError(f"cannot read {what} {path}: it is {kind}; give the path of a file")


class _Reader:
    """Builds a `Net` of what a prototxt says."""

    def __init__(self, path: Path, record: Record, caffemodel: Path | None) -> None:
        self._path, self._record, self._caffemodel = path, record, caffemodel
        self._inputs: dict[str, tuple[int, ...]] = {}
        self._layers: list[Layer] = []
        self._now: dict[str, str] = {}  # a blob's name -> what its present value is called
        self._absent: dict[str, str] = {}  # a blob's name -> why there is none of that name

    def net(self) -> Net:
        records = self._kept()
        self._find_names(records)
        self._old_inputs()
        for record, type_ in records:
            if type_ in _DATA_TYPES:
                self._data_layer(record, type_)
            elif type_ in _DROPPED_TYPES or type_.endswith("Loss"):
                self._leave_out(record.get("top", []), f"{self._told(record, type_)} is for training alone")
            else:
                self._layer(record, type_)
        if not self._layers:
            why = next(iter(self._absent.values()), "is it the prototxt of a network?")
            raise ConvertError(f"{self._path} describes no layers that can be computed; {why}")
        read = {bottom for layer in self._layers for bottom in layer.bottoms}
        inputs = {name: shape for name, shape in self._inputs.items() if name in read}
        if not inputs:
            raise ConvertError(f"{self._path} has no input that a layer reads; add input: and input_shape")
        layers = tuple(self._layers)
        if self._caffemodel is not None:
            layers = tuple(_with_weights(layers, Path(self._caffemodel)))
        return Net(self._record.get("name", ""), inputs, layers)

    def _fail(self, line: int, problem: str) -> NoReturn:
        raise ConvertError(f"{self._path}, line {line}: {problem}")

    def _kept(self) -> list[tuple[Record, str]]:
        """The layers of the testing phase, each with its type's name of today."""
        new, old = self._record.get("layer", []), self._record.get("layers", [])
        if new and old:
            self._fail(old[0].line, "both layer and layers are used; Caffe reads a file of one kind")
        state = with_defaults(self._record.get("state", {}), _NET["state"].kind)
        kept = []
        for record in new or old:
            if "layer" in record.skipped:
                self._fail(record.line, f"this layer {_TOO_OLD}")
            type_ = record.get("type", "")
            if old and type_:
                type_ = _V1_TYPES[type_][1]
            if not type_ and _included(record, state):
                self._fail(record.line, f"layer {shown(record.get('name', ''))} has no type")
            if _included(record, state):
                kept.append((record, type_))
        return kept

    def _find_names(self, records: list[tuple[Record, str]]) -> None:
        """Counts how often each blob is written, so that its last value can be told from earlier ones."""
        self._writes = Counter(self._record.get("input", []))
        for record, _ in records:
            self._writes.update(record.get("top", []))
        self._taken = set(self._writes)

    def _write(self, blob: str, layer: str, line: int) -> str:
        """What the value of `blob` is called that `layer` writes."""
        if not blob:
            self._fail(line, f"layer {shown(layer)} has a top without a name")
        self._writes[blob] -= 1
        name = blob
        if self._writes[blob]:
            name = f"{blob}@{layer}"
            count = 1
            while name in self._taken:
                count += 1
                name = f"{blob}@{layer}@{count}"
            self._taken.add(name)
        self._now[blob] = name
        return name

    def _old_inputs(self) -> None:
        """`input:` with its shape beside it."""
        names = self._record.get("input", [])
        shapes = [each.get("dim", []) for each in self._record.get("input_shape", [])]
        dims = self._record.get("input_dim", [])
        if dims and not shapes:
            shapes = [dims[at : at + 4] for at in range(0, len(dims), 4)]
        if names and shapes and (len(shapes) != len(names) or (dims and len(dims) != 4 * len(names))):
            self._fail(
                1,
                f"{len(names)} inputs have {len(shapes)} shapes; "
                "each input needs an input_shape, or four input_dim",
            )
        if names and not shapes:
            self._fail(1, f"input {shown(names[0])} has no shape; add input_shape {{ dim: 1 dim: 3 ... }}")
        for name, shape in zip(names, shapes, strict=False):
            self._input(name, shape, "input", 1)

    def _input(self, blob: str, shape: list[int], layer: str, line: int) -> None:
        if blob in self._now:
            self._fail(line, f"blob {shown(blob)} is written twice")
        if not shape or len(shape) > MOST_AXES or any(not 0 < size < 1 << 31 for size in shape):
            self._fail(
                line, f"input {shown(blob)} has the shape {_sizes(shape)}; give sizes above 0, as 1 3 224 224"
            )
        self._inputs[self._write(blob, layer, line)] = tuple(shape)

    def _data_layer(self, record: Record, type_: str) -> None:
        """A layer that Caffe would fill by itself becomes inputs, where its shapes can be told."""
        name, tops = record.get("name", ""), record.get("top", [])
        shapes = _data_shapes(record, type_)
        if type_ in ("Input", "DummyData") and len(shapes) == 1:
            shapes *= len(tops)
        for top, shape in zip(tops, shapes, strict=False):
            self._input(top, shape, name, record.line)
        why = f"{self._told(record, type_)} gives no shape; write it as an Input with its input_param"
        self._leave_out(tops[len(shapes) :], why)

    def _told(self, record: Record, type_: str) -> str:
        return f"layer {shown(record.get('name', ''))}, line {record.line}, a {shown(type_)},"

    def _leave_out(self, tops: list[str], why: str) -> None:
        """Notes blobs, as labels, that nothing writes here."""
        self._absent.update(dict.fromkeys(tops, why))
        self._writes.subtract(tops)

    def _layer(self, record: Record, type_: str) -> None:
        name, line = record.get("name", ""), record.line
        bottoms, tops = record.get("bottom", []), record.get("top", [])
        missing = [bottom for bottom in bottoms if bottom not in self._now]
        for bottom in missing:
            if bottom not in self._absent:
                known = did_you_mean(shown(bottom), map(shown, self._now))
                self._fail(
                    line, f"layer {shown(name)} reads blob {shown(bottom)}, not written before; {known}"
                )
        if missing:  # what is made of labels matters to training alone
            self._leave_out(tops, self._absent[missing[0]])
            return
        reads = tuple(self._now[bottom] for bottom in bottoms)
        for place, top in enumerate(tops):
            in_place = place < len(bottoms) and bottoms[place] == top
            if top in tops[:place] or (top in self._now and not in_place):
                self._fail(line, f"layer {shown(name)} writes blob {shown(top)}, which is written before")
        writes = tuple([self._write(top, name, line) for top in tops])
        param = _TYPES.get(type_, "")
        params = with_defaults(record.get(param, {}), _PARAMS[param]) if param else {}
        self._layers.append(Layer(name, type_, line, reads, writes, params))


def _included(record: Record, state: Mapping[str, Any]) -> bool:
    """Whether a layer is there in testing."""
    includes, excludes = record.get("include", []), record.get("exclude", [])
    if includes:
        return any(_applies(rule, state) for rule in includes)
    return not any(_applies(rule, state) for rule in excludes)


def _applies(rule: Record, state: Mapping[str, Any]) -> bool:
    stages = set(state["stage"])
    return (
        rule.get("phase", "TEST") == "TEST"
        and rule.get("min_level", state["level"]) <= state["level"] <= rule.get("max_level", state["level"])
        and stages.issuperset(rule.get("stage", []))
        and stages.isdisjoint(rule.get("not_stage", []))
    )


def _data_shapes(record: Record, type_: str) -> list[list[int]]:
    """The shapes of the first tops of a data layer, as far as it gives them."""
    if type_ in ("WindowData", "HDF5Data"):
        return []
    params = record.get(_TYPES[type_], {})
    if type_ in ("Input", "DummyData") and params.get("shape"):
        return [each.get("dim", []) for each in params["shape"]]
    if type_ == "DummyData":
        sides = [params.get(side, []) for side in ("num", "channels", "height", "width")]
        count = max(map(len, sides))
        if not all(len(side) in (1, count) for side in sides):
            return []
        return [[side[at % len(side)] for side in sides] for at in range(count)]
    if type_ == "MemoryData":
        shape = [params.get(side, 0) for side in ("batch_size", "channels", "height", "width")]
        return [shape] if all(shape) else []
    crop = record.get("transform_param", {}).get("crop_size") or params.get("crop_size")
    height, width = crop or params.get("new_height"), crop or params.get("new_width")
    channels = 3 if params.get("is_color", True) else 1
    return [[params.get("batch_size") or 1, channels, height, width]] if height and width else []


def _sizes(shape: Any) -> str:
    """A shape in words: 96 x 3 x 7 x 7."""
    return " x ".join(map(str, shape[:8])) + (" x ..." if len(shape) > 8 else "") if len(shape) else "()"


# ------------------------------------------------------------------------------------------- weights


def weights_of(layer: Layer) -> int | None:
    """How many arrays of weights a layer has in its caffemodel, None where its type is unknown."""
    if layer.type not in _TYPES:
        return None
    if layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
        return 2 if layer.params["bias_term"] else 1
    if layer.type == "Scale":
        return (len(layer.bottoms) == 1) + bool(layer.params["bias_term"])
    if layer.type == "Bias":
        return int(len(layer.bottoms) == 1)
    return {"BatchNorm": 3, "PReLU": 1}.get(layer.type, 0)


def _with_weights(layers: tuple[Layer, ...], path: Path) -> Iterator[Layer]:
    """The layers, each with its weights: copied once, out of a file that is mapped and not read."""
    try:
        _check_regular(path, "caffemodel")
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ConvertError(f"caffemodel {path} is empty; fetch it again")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ConvertError(f"cannot read caffemodel {path} ({first_line(error)})") from error
    # The map closes itself when the last view of it is gone.
    blobs = _blobs(memoryview(mapped), path)
    for layer in layers:
        found, wanted = blobs.get(layer.name, []), weights_of(layer)
        if wanted is None or wanted == len(found):
            arrays = tuple(
                _array(blob, f"caffemodel {path}: array {place} of layer {shown(layer.name)}")
                for place, blob in enumerate(found)
            )
        elif wanted == 0:
            arrays = ()  # as a Split inserted by Caffe, or a type that once had some
        else:
            held = f"holds {len(found)}" if found else f"has none under that name; {_held(layer.name, blobs)}"
            raise ConvertError(
                f"layer {shown(layer.name)}, line {layer.line}, a {layer.type}, "
                f"needs {wanted} arrays of weights; caffemodel {path} {held}"
            )
        yield Layer(layer.name, layer.type, layer.line, layer.bottoms, layer.tops, layer.params, arrays)


def _held(name: str, blobs: Mapping[str, Any]) -> str:
    return "it holds no weights at all" if not blobs else did_you_mean(shown(name), map(shown, blobs))


def _blobs(data: memoryview, path: Path) -> dict[str, list[Record]]:
    """What a caffemodel holds for each layer that has weights."""
    for magic, what in ((b"\x89HDF", "an HDF5 file"), (b"PK\3\4", "a zip file"), (b"name:", "a prototxt")):
        if data[: len(magic)] == magic:
            raise ConvertError(f"{path} is {what}; give a caffemodel in Caffe's binary format")
    model = parse_wire(data, _MODEL, str(path))
    if any("layer" in record for record in model.get("layers", [])):
        raise ConvertError(f"caffemodel {path} {_TOO_OLD}")
    records = [*model.get("layers", []), *model.get("layer", [])]
    if not records:
        raise ConvertError(f"{path} holds no layers; give a caffemodel")
    return {record.get("name", ""): record["blobs"] for record in records if "blobs" in record}


def _array(blob: Record, what: str) -> Weight:
    """One array, its shape checked against what the file really holds; `what` names it in messages."""
    given = blob.get("data", blob.get("double_data", np.empty(0, np.float32)))
    legacy = [blob.get(side, 0) for side in ("num", "channels", "height", "width")]
    shape = blob["shape"].get("dim", []) if "shape" in blob else legacy if any(legacy) else [len(given)]
    if len(shape) > MOST_AXES or any(size < 0 for size in shape) or prod(shape) != len(given):
        raise ConvertError(
            f"{what} is said to be {_sizes(shape)} and holds {len(given)} numbers; fetch it again"
        )
    return np.array(given, np.float32).reshape(shape)
