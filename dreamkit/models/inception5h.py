"""Google's Inception of 2014, the network of the DeepDream notebook, from TensorFlow's own archive."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.errors import ModelError, first_line
from dreamkit.models import architecture, graphdef
from dreamkit.models.architecture import INPUT, Operation
from dreamkit.models.providers import ModelProvider, Preprocess, Weights
from dreamkit.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from dreamkit.models.architecture import Architecture

PREPROCESS = Preprocess(mean=(117.0, 117.0, 117.0))
HEAD = "softmax2_pre_activation"
LAYERS, GUIDE_LAYERS, CONCEPT_LAYERS = {"mixed4c": 1.0}, {"mixed3b": 1.0}, ("mixed4c", "mixed5a")
_GRAPH = "tensorflow_inception_graph.pb"
_MOST_BYTES = 64 << 20  # the graph has 53,884,595
_CLASSES = 1008  # of which the last seven were never trained
_BLOCKS = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}
"""Channels of each block's convolutions: 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce."""
MAIN_LAYERS = tuple(_BLOCKS)
_POOLS = {"mixed4a": "maxpool4", "mixed5a": "maxpool10"}  # before these blocks
_LABELS = Path(__file__).with_name("imagenet_labels.txt")


def labels() -> tuple[str, ...]:
    """The names of the classes, from Google's archive."""
    known = _LABELS.read_text(encoding="utf-8").splitlines()
    return (*known, *[""] * (_CLASSES - len(known)))


def plan() -> Architecture:
    """The network's operations, and arrays of zeros in the shapes of its weights."""
    import numpy as np

    operations: list[Operation] = []
    arrays: dict[str, NDArray[Any]] = {}
    channels = {INPUT: 3}

    def add(name: str, kind: str, *inputs: str, **options: Any) -> str:
        operations.append(Operation(name, kind, inputs, options))
        channels.setdefault(name, sum(channels[each] for each in inputs))
        return name

    def convolution(name: str, before: str, size: int, count: int, stride: int = 1) -> str:
        linear = f"{name}_pre_relu"
        arrays[f"{linear}/kernel"] = np.zeros((size, size, channels[before], count), np.float32)
        arrays[f"{linear}/bias"] = np.zeros(count, np.float32)
        channels[linear] = count
        return add(name, "relu", add(linear, "convolution", before, stride=stride, padding="same"))

    def pool(name: str, before: str, stride: int = 2) -> str:
        return add(name, "max_pool", before, size=3, stride=stride, padding="same")

    def normalised(name: str, before: str) -> str:
        return add(name, "response_normalisation", before, radius=5, bias=2.0, alpha=1e-4, beta=0.5)

    x = normalised("localresponsenorm0", pool("maxpool0", convolution("conv2d0", INPUT, 7, 64, 2)))
    x = convolution("conv2d2", convolution("conv2d1", x, 1, 64), 3, 192)
    x = pool("maxpool1", normalised("localresponsenorm1", x))
    for block, (one, before_three, three, before_five, five, reduced) in _BLOCKS.items():
        if block in _POOLS:
            x = pool(_POOLS[block], x)
        branches = (
            convolution(f"{block}_1x1", x, 1, one),
            convolution(f"{block}_3x3", convolution(f"{block}_3x3_bottleneck", x, 1, before_three), 3, three),
            convolution(f"{block}_5x5", convolution(f"{block}_5x5_bottleneck", x, 1, before_five), 5, five),
            convolution(f"{block}_pool_reduce", pool(f"{block}_pool", x, 1), 1, reduced),
        )
        x = add(block, "concatenate", *branches)
    arrays[f"{HEAD}/kernel"] = np.zeros((1, 1, channels[x], _CLASSES), np.float32)
    arrays[f"{HEAD}/bias"] = np.zeros(_CLASSES, np.float32)
    add(HEAD, "convolution", x, stride=1, padding="same")
    return operations, arrays


def graph(path: Path) -> bytes:
    """The frozen graph in the archive at `path`, or the file itself if it is not an archive.

    Raises:
        ModelError: the archive is damaged, has no such graph, or one that is too large.
    """
    if not zipfile.is_zipfile(path):
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path} is too large for the graph of inception5h, and is not a zip archive")
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_GRAPH) as file:
            data = file.read(_MOST_BYTES + 1)  # the size in the archive may be wrong
    except KeyError as error:
        raise ModelError(f"{path} does not hold {_GRAPH}, so it is not the archive of inception5h") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # RuntimeError: a password, or an unknown compression
        raise ModelError(f"{path} is a damaged archive ({first_line(error)[:120]})") from error
    if len(data) > _MOST_BYTES:
        raise ModelError(f"{path} holds a {_GRAPH} that is too large for inception5h")
    return data


def read(weights: Path | None) -> Architecture:
    return plan() if weights is None else graphdef.read(graph(weights), str(weights))


def load(weights: Path | None) -> keras.Model:
    return architecture.model(*read(weights), name="inception5h")


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    yield ModelProvider(
        name="inception5h",
        load=load,
        preprocess=PREPROCESS,
        layers=LAYERS,
        guide_layers=GUIDE_LAYERS,
        concept_layers=CONCEPT_LAYERS,
        weights=Weights(
            url="https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip",
            hash="sha256:d13569f6a98159de37e92e9c8ec4dae8f674fbf475f69fe6199b514f756d4364",
            file_name="inception5h.zip",
            megabytes=49,
        ),
        licence="Apache-2.0",
        description="Google's network of 2015, of the first DeepDreams: animals, towers and arcades",
        main_layers=MAIN_LAYERS,
        head=HEAD,
        labels=labels(),
    )
