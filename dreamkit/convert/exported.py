"""The record of an ONNX file that a converter wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dreamkit.convert.text_tower import TextFiles
from dreamkit.models.providers import Preprocess


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """An ONNX file that a converter wrote, and what it knows about the network.

    Attributes:
        file: where it is.
        source: what messages call the network, such as `timm:resnet18`.
        preprocess: from pixels to what the network takes; None if the converter does not know.
        labels: the names of its classes, in order. They are dropped if the class scores cannot be kept.
        description, licence: one line each.
        checked: a line for the user about what the converter compared, or empty.
        text: the text tower of a contrastive pair, if the network is the picture's tower of one.
    """

    file: Path
    source: str
    preprocess: Preprocess | None = None
    labels: Sequence[str] = ()
    description: str = ""
    licence: str = ""
    checked: str = ""
    text: TextFiles | None = None
