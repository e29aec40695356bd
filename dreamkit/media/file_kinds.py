"""What a file is, by its first bytes: to say so where it is not what it was given as.

Nothing is unpacked, and no pickle is loaded: of a large file, its beginning and its end are looked at.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from dreamkit.media import files

_HEAD, _TAIL = 16 << 10, 64 << 10  # bytes that are read; a zip archive lists its files at its end
_ANY_SIZE = 1 << 62
_ENOUGH = 256  # bytes that a longer field of a message needs to be judged by its beginning


class Field(NamedTuple):
    """A field of a message in protobuf's wire format; of a long one, the part that was read."""

    number: int
    value: int | bytes


@dataclass(frozen=True)
class _Sample:
    """What is known of a file or a folder."""

    path: str
    head: bytes = b""
    tail: bytes = b""
    size: int = 0
    is_folder: bool = False

    @cached_property
    def text(self) -> str:
        """The beginning as a text; empty if it is not one."""
        if self.head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return self.head.decode("utf-16", "replace").lstrip("\ufeff")
        return "" if b"\0" in self.head else self.head.decode("utf-8-sig", "replace")

    @cached_property
    def fields(self) -> list[Field]:
        return _fields(self.head)

    @cached_property
    def members(self) -> list[str]:
        """Names of files in a zip archive: the first, and those listed at its end."""
        if not self.head.startswith((b"PK\3\4", b"PK\5\6")):
            return []
        listed = re.finditer(rb"PK\x01\x02.{24}(..).{16}", self.tail, re.DOTALL)
        names = [_name(self.tail, each.end(), each[1]) for each in listed]
        return [_name(self.head, 30, self.head[26:28]), *names]

    def has(self, *members: str) -> bool:
        """Whether the folder has these files, or the archive files whose names end so."""
        if self.is_folder:
            return all(os.path.isfile(os.path.join(self.path, each)) for each in members)
        return all(any(f"/{name}".endswith(f"/{each}") for name in self.members) for each in members)


def _name(data: bytes, start: int, length: bytes) -> str:
    return data[start : start + int.from_bytes(length, "little")].decode("utf-8", "replace")


# ------------------------------------------------------------------------ protobuf, which has no magic number


def _fields(data: bytes) -> list[Field]:
    """The fields with which a message begins, up to the end of `data`; none if it is not a message.

    The last one may be cut off, but not so early that it tells nothing.
    """
    found, place = [], 0
    try:
        while (start := place) < len(data):
            tag, place = _varint(data, place)
            number, kind = tag >> 3, tag & 7
            value: int | bytes
            if kind == 0:
                value, place = _varint(data, place)
            elif kind in (1, 2, 5):
                length, place = _varint(data, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
                value, place = data[place : place + length], place + length
            else:
                return []
            if not 0 < number < 1 << 29:
                return []
            if place <= len(data) or len(data) - start >= _ENOUGH:
                found.append(Field(number, value))
    except IndexError:  # `data` ends within a number
        pass
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, place


# What a value must be, and the numbers of the fields for which that holds.
_Schema: TypeAlias = Mapping[Callable[[int | bytes], bool], Collection[int]]


def _number(value: int | bytes) -> bool:
    return isinstance(value, int)


def _data(value: int | bytes) -> bool:
    return isinstance(value, bytes)


def _string(value: int | bytes) -> bool:
    if not isinstance(value, bytes):
        return False
    text = value.decode("utf-8", "replace")
    return text.isprintable() and "\ufffd" not in text


def _message(value: int | bytes) -> bool:
    return isinstance(value, bytes) and bool(_fields(value))


def _follows(fields: list[Field], schema: _Schema) -> bool:
    """Whether there are fields, and none that `schema` does not allow."""
    return bool(fields) and all(
        any(each.number in numbers and check(each.value) for check, numbers in schema.items())
        for each in fields
    )


def _begins_with_string(value: int | bytes) -> bool:
    """Whether the first field with a length is a string, as in a layer of Caffe: its name or its input."""
    fields = _fields(value) if isinstance(value, bytes) else []
    strings = [each.value for each in fields if isinstance(each.value, bytes)]
    return bool(strings) and _string(strings[0])


_ONNX: _Schema = {_number: (1, 5), _string: (2, 3, 4), _message: (7,), _data: (6, 8, 14, 20, 25, 26)}
_CAFFE: _Schema = {_string: (1, 3), _begins_with_string: (2, 100), _number: (4, 5, 7), _data: (6, 8)}
_MEAN: _Schema = {_number: (1, 2, 3, 4), _data: (5,)}
_NODE: _Schema = {_string: (1, 2, 3, 4), _data: (5, 6, 7)}  # of a GraphDef
_FEATURE: _Schema = {_string: (1, 2), _data: (3,)}  # an input or output of a Core ML model


def _is_node(value: int | bytes) -> bool:
    return isinstance(value, bytes) and _follows(_fields(value), _NODE)


_GRAPH: _Schema = {_is_node: (1,), _number: (3,), _data: (2, 4)}


def _numbers(sample: _Sample) -> set[int]:
    return {each.number for each in sample.fields}


def _is_onnx(sample: _Sample) -> bool:
    version = sample.fields[0] if sample.fields else Field(0, 0)
    return (
        version.number == 1
        and version.value in range(1, 100)
        and _follows(sample.fields, _ONNX)
        and not _numbers(sample).isdisjoint((7, 8))
    )


def _is_caffemodel(sample: _Sample) -> bool:
    return _follows(sample.fields, _CAFFE) and not _numbers(sample).isdisjoint((2, 100))


def _is_mean(sample: _Sample) -> bool:
    return [each.number for each in sample.fields[:5]] == [1, 2, 3, 4, 5] and _follows(
        sample.fields[:5], _MEAN
    )


def _is_graph(sample: _Sample) -> bool:
    return _follows(sample.fields, _GRAPH) and sample.fields[0].number == 1


def _first_inside(sample: _Sample) -> int | bytes:
    """The first field within the second field of a SavedModel or a Core ML model; both begin alike."""
    if len(sample.fields) < 2 or [each.number for each in sample.fields[:2]] != [1, 2]:
        return b""
    version, second = (each.value for each in sample.fields[:2])
    if not isinstance(version, int) or not 0 < version < 100 or not isinstance(second, bytes):
        return b""
    inside = _fields(second)
    return inside[0].value if inside and inside[0].number == 1 else b""


def _is_core_ml(sample: _Sample) -> bool:
    feature = _first_inside(sample)
    return isinstance(feature, bytes) and _follows(_fields(feature), _FEATURE)


def _is_saved_model(sample: _Sample) -> bool:
    return sample.fields[:1] == [Field(1, 1)] and _message(_first_inside(sample))


# ------------------------------------------------------------------------------------------------- all kinds


def _magic(*magic: bytes, at: int = 0) -> Callable[[_Sample], bool]:
    return lambda sample: sample.head.startswith(magic, at)


def _text(pattern: str) -> Callable[[_Sample], bool]:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda sample: compiled.match(sample.text) is not None


def _folder(*names: str) -> Callable[[_Sample], bool]:
    return lambda sample: sample.is_folder and sample.has(*names)


def _is_safetensors(sample: _Sample) -> bool:
    return sample.head[8:9] == b"{" and int.from_bytes(sample.head[:8], "little") <= sample.size - 8


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        what: its name in a message, with its article.
        test: whether a file is of this kind and of none before it in the table.
        advice: what to do with such a file; by default to give another one.
    """

    what: str
    test: Callable[[_Sample], bool]
    advice: str = "give {wanted}"


_CONVERT = "run: dreamkit convert {} --name NAME"
_EXPORT = "export the original model as {}"
_TO_ONNX = "to ONNX with torch.onnx.export"
_UNPACK = "unpack it, and give {wanted}"
# Comments and a declaration may stand before what tells.
_PROLOG = r"(?>\s++|<!--(?>.*?-->)|<\?(?>.*?\?>))*+"

KINDS: Mapping[str, Kind] = {
    "saved_model": Kind(
        "a SavedModel folder", _folder("saved_model.pb"), _CONVERT.format("tensorflow {path}")
    ),
    "core_ml_folder": Kind("a Core ML package", _folder("Manifest.json"), _EXPORT.format("ONNX")),
    "folder": Kind("a folder", lambda sample: sample.is_folder),
    "empty": Kind("empty", lambda sample: not sample.head, "download it again"),
    "lfs": Kind(
        "a Git LFS pointer, not the file itself",
        _text(r"version https://git-lfs\.github\.com/spec/"),
        "run git lfs pull",
    ),
    "annex": Kind(
        "a git-annex pointer, not the file itself",
        _text(r"(?:\S{0,200}/)?annex/objects/"),
        "run git annex get {path}",
    ),
    "html": Kind(
        "an HTML page",
        _text(_PROLOG + r"<(?:!doctype\s+html|html|head|body|script)\b"),
        "the download needs a login, or the link is of a page: download the file itself",
    ),
    "openvino": Kind(
        "an OpenVINO model",
        _text(_PROLOG + r"<net\s[^>]*\bversion="),
        _EXPORT.format("ONNX"),
    ),
    "xml": Kind("an XML file", _text(r"\s*+(?:<\?xml\b|<[A-Za-z][\w:.-]*+[^<>]*+>)")),
    "json": Kind("a JSON file", _text(r'\s*+(?:\{\s*+["}]|\[\s*+["\[{\]\d-])')),
    "graph_text": Kind(
        "a TensorFlow graph as text",
        _text(r"\s*+(?:node\s*\{|saved_model_schema_version\s*:)"),
        "save it in the binary form",
    ),
    "prototxt": Kind(
        "a prototxt",
        _text(r"(?:[^\n]*+\n)*?[ \t]*+(?:layers?|input_shape)\s*+\{"),
        _CONVERT.format("caffe {path} NET.caffemodel"),
    ),
    "keras": Kind(
        "a .keras file",
        lambda sample: sample.has("config.json", "model.weights.h5"),
        _CONVERT.format("keras {path}"),
    ),
    "torchscript": Kind(
        "a TorchScript archive, which is a program",
        lambda sample: sample.has("constants.pkl") and any("/code/" in name for name in sample.members),
        f"export the original model {_TO_ONNX}",
    ),
    "torch": Kind(
        "a PyTorch file, which is a program in part",
        lambda sample: (
            sample.head.startswith((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"))  # a pickle
            or any(map(sample.has, ("data.pkl", "archive_format", "serialized_exported_program.json")))
        ),
        f"export it {_TO_ONNX}",
    ),
    "npz": Kind(
        "a NumPy archive (npz)", lambda sample: any(name.endswith(".npy") for name in sample.members)
    ),
    "zip": Kind("a zip file", _magic(b"PK\3\4", b"PK\5\6"), _UNPACK),
    "hdf5": Kind("an HDF5 file", _magic(b"\x89HDF")),
    "npy": Kind("a NumPy array (npy)", _magic(b"\x93NUMPY")),
    "tflite": Kind("a TFLite file", _magic(b"TFL3", at=4), _EXPORT.format(".keras or ONNX")),
    "gguf": Kind("a GGUF file, which holds a language model", _magic(b"GGUF")),
    "png": Kind("a PNG picture", _magic(b"\x89PNG\r\n\x1a\n")),
    "jpeg": Kind("a JPEG picture", _magic(b"\xff\xd8\xff")),
    "gif": Kind("a GIF picture", _magic(b"GIF87a", b"GIF89a")),
    "webp": Kind("a WebP picture", lambda sample: sample.head[:4] + sample.head[8:12] == b"RIFFWEBP"),
    "pdf": Kind("a PDF", _magic(b"%PDF-")),
    "gzip": Kind("a gzip archive", _magic(b"\x1f\x8b\x08"), _UNPACK),
    "tar": Kind("a tar archive", _magic(b"ustar", at=257), _UNPACK),
    "7z": Kind("a 7z archive", _magic(b"7z\xbc\xaf\x27\x1c"), _UNPACK),
    "rar": Kind("a RAR archive", _magic(b"Rar!\x1a\x07"), _UNPACK),
    "safetensors": Kind(
        "a safetensors file, which holds weights without their network",
        _is_safetensors,
        f"load them into their model and export it {_TO_ONNX}",
    ),
    "onnx": Kind("an ONNX file", _is_onnx, _CONVERT.format("onnx {path}")),
    "core_ml": Kind("a Core ML model", _is_core_ml, _EXPORT.format("ONNX")),
    "saved_model_file": Kind(
        "the graph of a SavedModel", _is_saved_model, "give its folder to dreamkit convert tensorflow"
    ),
    "graph": Kind("a TensorFlow GraphDef", _is_graph, _CONVERT.format("tensorflow {path}")),
    "caffemodel": Kind("a caffemodel", _is_caffemodel, _CONVERT.format("caffe NET.prototxt {path}")),
    "mean": Kind("a mean image of Caffe", _is_mean, "give it with --mean-file"),
}


def describe(
    path: str | os.PathLike[str], expected: Collection[str] = (), wanted: str = "the file of a network"
) -> str | None:
    """What the file or folder at `path` is and what to do, as in "is a PDF; give an ONNX file".

    None if it is not of a known kind, is of a kind in `expected` (keys of `KINDS`), or cannot be read.
    `wanted` is what should be given instead.
    """
    try:
        sample = _sample(path)
    except (OSError, ValueError):  # ValueError: no file can have that name
        return None
    name = next((name for name, kind in KINDS.items() if kind.test(sample)), None)
    if name is None or name in expected:
        return None
    advice = KINDS[name].advice.format(path=shlex.quote(os.fspath(path)), wanted=wanted)
    return f"is {KINDS[name].what}; {advice}"


def _sample(path: str | os.PathLike[str]) -> _Sample:
    where = os.fspath(path)
    if os.path.isdir(where):
        return _Sample(where, is_folder=True)
    if os.path.islink(where) and not os.path.exists(where):
        link = os.readlink(where).encode(errors="replace")  # git-annex's, to a file that is elsewhere
        return _Sample(where, link, size=len(link))
    with files.opened(where, _ANY_SIZE) as file:
        head = file.read(_HEAD)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _TAIL))
        return _Sample(where, head, file.read(_TAIL), size)
