"""Compiled steps that come with dreamkit: those of built-in networks, without their weights.

To trace a network and to differentiate it takes all of TensorFlow and Keras, and seconds. What comes out
depends on the weights by the numbers in its constants alone. So `scripts/package_steps.py` does it once, and
keeps the step with its constants empty, each with a note which array of the weights file fills it. A step
that is filled is equal to the traced one. Where anything differs from what was traced, there is none.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.tf import private, rewrites
from dreamkit.engine.tf.model_info import ModelInfo
from dreamkit.errors import DreamkitError
from dreamkit.models import architecture, inception5h, inception_v3, pocket
from dreamkit.models.providers import ModelProvider

Arrays: TypeAlias = Mapping[str, Any]  # arrays, or what becomes one and has a shape
FOLDER = Path(__file__).with_name("steps")
INDEX = FOLDER / "index.json"
_SUFFIX = ".step"
_NOTE = "_filled_with"  # the attribute of an empty constant
_PACKAGE = Path(__file__).parents[2]
# The files of dreamkit that decide what is traced.
_SOURCES = (
    *("engine/tf/compiled_step.py", "engine/tf/gradients.py", "engine/tf/graph.py"),
    *("engine/tf/model_source.py", "engine/tf/network.py", "engine/tf/private.py"),
    *("engine/tf/provider_source.py", "engine/tf/rewrites.py"),
    *("engine/tf/objectives/mean.py", "engine/tf/objectives/mean_square.py"),
    *("models/architecture.py", "models/inception5h.py", "models/inception_v3.py", "models/layers.py"),
    *("models/pocket.py", "models/providers.py"),
)
_FILE_ERRORS = (
    *(DreamkitError, OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
_EPSILON = np.float32(1e-3)  # of Keras' batch normalisation
_SCALE = np.float32(1 / 127.5)  # of the pixels that Inception v3 takes

# How a network's weights file is read, by the function that loads the network.
READERS: dict[Any, Callable[[Path], architecture.Architecture]] = {
    pocket.load: pocket.read,
    inception5h.load: inception5h.read,
    inception_v3.load: inception_v3.read,
}


def _share(variance: NDArray[Any]) -> NDArray[np.float32]:
    """What batch normalisation multiplies by."""
    return private.rsqrt(variance + _EPSILON)


FILLINGS: dict[str, Callable[..., NDArray[Any]]] = {
    "array": lambda array: array,
    "blocks": rewrites.kernel_of_blocks,
    # Of a convolution that multiplies as batch normalisation does behind it; the first one scales pixels too.
    "folded-kernel": lambda kernel, variance: kernel * _share(variance),
    "folded-first-kernel": lambda kernel, variance: kernel * _SCALE * _share(variance),
    "folded-offset": lambda beta, mean, variance: beta - mean * _share(variance),
}
"""What a constant is of the arrays that its note names."""


class PackagedSteps:
    """The packaged steps of one network, with its weights file."""

    def __init__(self, entry: Mapping[str, Any], read: Callable[[], architecture.Architecture]) -> None:
        """`entry` is that of the network in the index; `read` reads the weights file."""
        self._entry, self._read = entry, read
        self._arrays: Arrays | None = None  # until a step has them
        self._fits: bool | None = None  # whether they are those of the network that was traced

    def info(self, digest: str) -> ModelInfo | None:
        """The network's description, with the hash of its weights; None where their structure is another."""
        return ModelInfo(dict(self._entry["channels"]), digest) if self._weights_fit() else None

    def stride(self, layer: str) -> int | None:
        """As `LayerProbe.stride`; None where it is not known."""
        found = self._entry["strides"].get(layer)
        return int(found) if found is not None and self._weights_fit() else None

    def step(self, key: str) -> Any:
        """The FunctionDef of the step under a key of the cache; None where it is not packaged."""
        name = self._entry["steps"].get(key)
        empty = None if name is None else unpacked(name)
        arrays = None if empty is None else self._weights()
        self._arrays = None
        if arrays is None:
            return None
        try:
            return filled(empty, arrays)
        except _FILE_ERRORS:  # of arrays that are read only now
            self._fits = False
            return None

    def _weights_fit(self) -> bool:
        if self._fits is None:
            self._weights()
        return bool(self._fits)

    def _weights(self) -> Arrays | None:
        """The arrays of the weights file, if they are those of the network that was traced."""
        if self._arrays is None and self._fits is not False:
            try:
                operations, arrays = self._read()
                self._fits = structure(operations, arrays) == self._entry["structure"]
            except _FILE_ERRORS:  # what is wrong, the provider itself says when it loads the network
                self._fits = False
            self._arrays = arrays if self._fits else None
        return self._arrays


def of(provider: ModelProvider, weights: Path | None) -> PackagedSteps | None:
    """The packaged steps of a provider; None if there are none for it, this dreamkit and this TensorFlow."""
    read = READERS.get(provider.load)
    if read is None or weights is None:
        return None
    try:
        index = json.loads(INDEX.read_text(encoding="utf-8"))
        entry = index["networks"].get(provider.name)
        known = (index["tensorflow"], index["sources"])
    except (OSError, ValueError, KeyError):
        return None
    minor = ".".join(version("tensorflow").split(".")[:2])
    if entry is None or minor not in known[0] or entry["preprocess"] != repr(provider.preprocess):
        return None
    return PackagedSteps(entry, partial(read, weights)) if known[1] == sources() else None


def sources() -> str:
    """SHA-256 of the files of dreamkit that decide what is traced, whatever their line ends."""
    texts = ((_PACKAGE / name).read_text(encoding="utf-8") for name in _SOURCES)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def structure(operations: Iterable[architecture.Operation], arrays: Arrays) -> str:
    """SHA-256 of all of a network but the numbers of its weights."""
    shapes = sorted((key, list(array.shape)) for key, array in arrays.items())
    described = architecture.to_json(list(operations)) + json.dumps(shapes)
    return hashlib.sha256(described.encode()).hexdigest()


def emptied(definition: Any, arrays: Arrays, notes: Iterable[str]) -> Any:
    """A FunctionDef without the constants that `notes` give, each a filling and its arrays; in a copy."""
    result = private.FunctionDef()
    result.CopyFrom(definition)
    result.signature.name = "step"
    known = {_numbers(note, arrays): note for note in notes}
    for node in result.node_def:
        note = known.get(node.attr["value"].tensor.tensor_content) if node.op == "Const" else None
        if note is not None:
            node.attr["value"].tensor.tensor_content = b""
            node.attr[_NOTE].s = note.encode()
    return result


def filled(definition: Any, arrays: Arrays) -> Any:
    """The FunctionDef that `emptied` was given, with the numbers of `arrays`; in place."""
    for node in definition.node_def:
        if _NOTE in node.attr:
            node.attr["value"].tensor.tensor_content = _numbers(node.attr[_NOTE].s.decode(), arrays)
            del node.attr[_NOTE]
    return definition


def _numbers(note: str, arrays: Arrays) -> bytes:
    """The numbers of the constant with this note."""
    how, *keys = note.split(" ")
    given = (np.asarray(arrays[key]) for key in keys)
    return np.ascontiguousarray(FILLINGS[how](*given), np.float32).tobytes()


def packed(name: str, definition: Any) -> None:
    """Writes an emptied FunctionDef to the package."""
    import lzma  # makes them two fifths smaller than zlib does, which the wheel's size notices

    data = definition.SerializeToString(deterministic=True)
    (FOLDER / f"{name}{_SUFFIX}").write_bytes(lzma.compress(data, preset=9, check=lzma.CHECK_CRC32))


def unpacked(name: str) -> Any:
    """An emptied FunctionDef in the package; None where it is missing or damaged, or Python lacks LZMA."""
    try:
        import lzma
    except ImportError:
        return None
    try:
        data = lzma.decompress((FOLDER / f"{name}{_SUFFIX}").read_bytes())
    except (OSError, lzma.LZMAError):
        return None
    return private.parse_function(data)
