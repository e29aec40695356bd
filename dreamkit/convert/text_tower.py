"""The text tower of a contrastive pair such as CLIP: checked beside the picture's tower, and copied."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dreamkit.convert import onnx_model, sandbox
from dreamkit.convert.files import refuse_other_kinds
from dreamkit.errors import ConvertError, ModelError, shown
from dreamkit.media import paths
from dreamkit.models import converted
from dreamkit.models.text_tower import TOKENIZER, TOWER, TextEncoder, TextInputs, check_installed

if TYPE_CHECKING:
    import onnx

_TOKENS = 4  # of a text to try, where a tower takes any number
_MOST_BYTES = 64 << 20  # of a tokenizer; that of a language of many has 17 million


class TextFiles(NamedTuple):
    """What a text tower comes in.

    Attributes:
        tower: an ONNX file.
        tokenizer: a tokenizer.json, as the library `tokenizers` reads it.
    """

    tower: Path
    tokenizer: Path

    def check(self) -> None:
        """Refuses files that are certainly wrong, before anything is converted.

        Raises:
            ConvertError: a file cannot be read or is of another kind, or a package is missing.
        """
        try:
            check_installed()
        except ModelError as error:
            raise ConvertError(str(error)) from None
        for file, what in ((self.tower, "an ONNX file"), (self.tokenizer, f"a {TOKENIZER}")):
            if not os.path.isfile(file) or not os.access(file, os.R_OK):
                raise ConvertError(f"cannot read {shown(str(file), 200)}; give the path of {what}")
        refuse_other_kinds(self.tower, "onnx", "the text tower as an ONNX file")
        if os.path.getsize(self.tokenizer) > _MOST_BYTES:
            raise ConvertError(f"{self.tokenizer} is too large for a {TOKENIZER}; give the tokenizer's file")


def add(
    files: TextFiles, folder: Path, layer: str, channels: int, on_stage: sandbox.OnStage
) -> dict[str, Any]:
    """Copies a text tower to `folder`, and returns its entry in the record.

    Args:
        layer: the layer of the picture's embedding.
        channels: how many that layer has.

    Raises:
        ConvertError: the files are damaged, do not belong together or do not fit the layer.
    """
    inputs = sandbox.call(
        f"{__name__}:check_and_write",
        on_stage,
        model_bytes=os.path.getsize(files.tower),
        tower=files.tower,
        tokenizer=files.tokenizer,
        folder=folder,
        layer=layer,
        channels=channels,
    )
    return {
        "layer": layer,
        "inputs": inputs,
        "sources": {file.name: paths.digest(file) for file in files},
        "files": converted.hashes(folder),
    }


def check_and_write(
    on_stage: sandbox.OnStage, tower: str, tokenizer: str, folder: str, layer: str, channels: int
) -> dict[str, Any]:
    """In a child process: see `add`."""
    name = os.path.basename(tower)
    on_stage(f"reading {name}")
    model = onnx_model.read(Path(tower), tower)
    ids, mask, length, kind = _inputs(model, name)
    os.makedirs(folder)
    _remove_notes(model)
    onnx_model.write(model, Path(folder, TOWER))
    shutil.copyfile(tokenizer, Path(folder, TOKENIZER))
    try:
        encoder = TextEncoder(Path(folder))
        inputs = TextInputs(ids=ids, type=kind, output="", length=length, mask=mask)
        output = _output(encoder, name, inputs, layer, channels)
        inputs = replace(inputs, output=output)
        on_stage("comparing two texts")
        one, other = (encoder.values(_repeated(encoder.words - k, inputs), inputs)[output] for k in (1, 2))
    except ModelError as error:
        raise ConvertError(f"{name}: {error}") from error
    if (one == other).all():
        raise ConvertError(
            f"{name} gives all texts the same numbers; is {os.path.basename(tokenizer)} its own?"
        )
    return inputs.to_dict()


def _inputs(model: onnx.ModelProto, name: str) -> tuple[str, str, int | None, str]:
    """The inputs of a text tower: of tokens and of the mask, their length and the type of the tokens."""
    from onnx import TensorProto

    weights = {each.name for each in model.graph.initializer}
    found = {each.name: each.type.tensor_type for each in model.graph.input if each.name not in weights}
    whole = {TensorProto.INT32: "int32", TensorProto.INT64: "int64"}
    masks = [each for each in found if "mask" in each.lower()]
    ids = [each for each, kind in found.items() if kind.elem_type in whole and each not in masks]
    if len(ids) != 1 or len(masks) > 1 or len(found) != len(ids) + len(masks):
        listed = ", ".join(
            f"{shown(each)} ({TensorProto.DataType.Name(kind.elem_type).lower()})"
            for each, kind in found.items()
        )
        raise ConvertError(
            f"{name} takes {shown(listed, 200) or 'nothing'}; a text tower takes one input of token numbers, "
            "int32 or int64, and an attention_mask at most. Is it the picture's tower?"
        )
    lengths = set()
    for each, kind in found.items():
        dims = kind.shape.dim
        if len(dims) != 2 or dims[0].dim_value not in (0, 1):
            shape = " x ".join(dim.dim_param or str(dim.dim_value) for dim in dims)
            raise ConvertError(
                f"{name} takes {shown(each)} of the shape {shown(shape)}; export it for one text, 1 x tokens"
            )
        lengths.add(dims[1].dim_value)
    return ids[0], (masks or [""])[0], max(lengths) or None, whole[found[ids[0]].elem_type]


def _output(encoder: TextEncoder, name: str, inputs: TextInputs, layer: str, channels: int) -> str:
    """The output that is the embedding, found with the tokenizer's last token."""
    try:
        found = encoder.values(_repeated(encoder.words - 1, inputs), inputs)
    except ModelError as error:
        raise ConvertError(
            f"{name} does not take token {encoder.words - 1}, the last one of the tokenizer; give the "
            f"tokenizer that belongs to it ({error})"
        ) from error
    for output, values in found.items():
        if values.shape == (1, channels) and values.dtype.kind == "f":
            return output
    shapes = ", ".join(
        f"{shown(output)} {' x '.join(map(str, each.shape))}" for output, each in found.items()
    )
    raise ConvertError(
        f"{name} gives {shown(shapes, 200)}; {shown(layer)}, the last layer of the picture's tower, has "
        f"{channels} channels, so the embedding must be 1 x {channels}. Export both towers with their "
        "projections"
    )


def _repeated(token: int, inputs: TextInputs) -> tuple[list[int], list[int]]:
    """A text of one token, again and again, and its mask; every tokenizer has such texts."""
    length = inputs.length or _TOKENS
    return [token] * length, [1] * length


def _remove_notes(model: onnx.ModelProto) -> None:
    """Removes what an exporter noted beside the computation, such as paths of files."""
    del model.metadata_props[:]
    for each in (model, model.graph, *model.graph.node):
        each.doc_string = ""
    for node in (*model.graph.node, *model.graph.value_info):
        del node.metadata_props[:]
