"""Google's Inception of 2014, the network of the DeepDream notebook, as TensorFlow's tutorial carried it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.errors import ModelError
from dreamkit.hookspecs import hookimpl
from dreamkit.models import architecture, graphdef
from dreamkit.providers import ModelProvider, Preprocess, Weights

if TYPE_CHECKING:
    import keras

PREPROCESS = Preprocess(mean=(117.0, 117.0, 117.0))
HEAD = "softmax2_pre_activation"
LAYERS = {"mixed4c": 1.0}
_GRAPH = "tensorflow_inception_graph.pb"
_MOST_BYTES = 64 << 20  # the graph has 53,884,595
_CLASSES = 1008  # of which the last seven were never trained
_LABELS = Path(__file__).with_name("imagenet_labels.txt")


def labels() -> tuple[str, ...]:
    """What the classes are called, as Google's archive says."""
    known = _LABELS.read_text(encoding="utf-8").splitlines()
    return (*known, *[""] * (_CLASSES - len(known)))


def graph(path: Path) -> bytes:
    """The frozen graph of the archive at `path`, or the file itself where it is no archive.

    Raises:
        ModelError: the archive holds no such graph, or one that is too large.
    """
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        if _GRAPH not in archive.namelist() or archive.getinfo(_GRAPH).file_size > _MOST_BYTES:
            raise ModelError(f"{path} holds no {_GRAPH} of Google's size")
        return archive.read(_GRAPH)


def load(weights: Path | None) -> keras.Model:
    if weights is None:
        raise ModelError("inception5h is read from its archive")
    return architecture.model(*graphdef.read(graph(weights), str(weights)), name="inception5h")


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    yield ModelProvider(
        name="inception5h",
        load=load,
        preprocess=PREPROCESS,
        layers=LAYERS,
        weights=Weights(
            url="https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip",
            hash="sha256:d13569f6a98159de37e92e9c8ec4dae8f674fbf475f69fe6199b514f756d4364",
            file_name="inception5h.zip",
        ),
        licence="Apache-2.0",
        description="Google's network of 2015, of the first DeepDreams: animals, towers and arcades",
        head=HEAD,
        labels=labels(),
    )
