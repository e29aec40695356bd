"""An ONNX model of a convolutional network, prepared for conversion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.convert import fixed_size as fixed_sizes
from dreamkit.convert import sandbox
from dreamkit.convert.feature_maps import DEFAULT_SIDE, MAX_SIDE, FeatureMap, Kept
from dreamkit.convert.files import refuse_other_kinds
from dreamkit.convert.fixed_size import Place, mixes_places
from dreamkit.convert.onnx_constants import with_constants, without_copies_of_weights
from dreamkit.convert.onnx_feature_maps import count_kept, find_feature_maps, find_shapes
from dreamkit.convert.onnx_forms import PictureInput, in_float32, with_recent_operators, with_rgb_input
from dreamkit.convert.onnx_layouts import is_inner, on_maps
from dreamkit.convert.onnx_module_names import with_module_names
from dreamkit.convert.onnx_rewrites import copy, with_outputs, with_plain_names
from dreamkit.convert.onnx_strides import without_strides
from dreamkit.errors import ConvertError, first_line, shown

if TYPE_CHECKING:
    import onnx

MAX_BYTES = (1 << 31) - 1  # of a protobuf message


@dataclass(frozen=True)
class PreparedModel:
    """An ONNX file with one input, batch x 3 x height x width, in which only the 3 is fixed.

    Attributes:
        file: where it is. All names in it are plain, because converters refuse some characters.
        names: the original name of each output, with its name in the file.
        size: the height and width for which the model was made.
        maps: the outputs, all of which are feature maps.
        original: the ONNX file that it comes from, if it does.
        kept: how much of the original it is.
        places: how its tensors hold the maps, if it takes only the size for which it was made.
    """

    file: Path
    names: Mapping[str, str]
    size: tuple[int, int]
    maps: Mapping[str, FeatureMap]
    original: Original | None = None
    kept: Kept | None = None
    places: Mapping[str, Place] | None = None


@dataclass(frozen=True)
class Original:
    """An ONNX file, to compare with.

    Attributes:
        file: where it is.
        picture: its input.
        layouts: the order of those of its tensors that are maps here and not there: `flat` or `last`.
    """

    file: Path
    picture: PictureInput
    layouts: Mapping[str, str]


def prepare(
    model: onnx.ModelProto, description: str, folder: Path, size: tuple[int, int] | None = None
) -> PreparedModel:
    """Writes `model` to `folder` in the form that conversion needs; for arguments see `free_size`.

    Raises:
        ConvertError: it cannot be dreamed, or the file cannot be written.
    """
    return _prepare(model, description, folder, size)[0]


def _prepare(
    model: onnx.ModelProto, description: str, folder: Path, size: tuple[int, int] | None
) -> tuple[PreparedModel, onnx.ModelProto]:
    """See `prepare`; also returns the prepared model under its original names."""
    freed, size, maps = free_size(model, description, size)
    plain, names = with_plain_names(freed)
    file = folder / "plain.onnx"
    write(plain, file)
    return PreparedModel(file, names, size, maps), freed


def prepare_file(
    path: Path,
    folder: Path,
    on_stage: sandbox.OnStage,
    fill: float | None = None,
    order: str = "RGB",
    *,
    source: str = "",
    fixed_size: bool = False,
) -> PreparedModel:
    """Prepares an ONNX file in a child process, because a damaged file can crash ONNX.

    Messages call it `source`; without one, its path. `fill` is the value of a fourth channel, and `order`
    that of the colours, RGB or BGR. With `fixed_size`, and where attention would be lost otherwise, the model
    is kept whole for the size of its pictures.

    Raises:
        ConvertError: the file cannot be read, is not an ONNX model, or the model cannot be dreamed.
    """
    refuse_other_kinds(path, "onnx", "an ONNX file")
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise ConvertError(f"cannot read {path}; give the path of an ONNX file")
    result = sandbox.call(
        f"{__name__}:read_and_prepare",
        on_stage,
        model_bytes=os.path.getsize(path),
        path=Path(path),
        description=source or str(path),
        folder=folder,
        fill=fill,
        order=order,
        fixed_size=fixed_size,
    )
    maps = {name: FeatureMap(**each) for name, each in result["maps"].items()}
    height, width = result["size"]
    original = Original(Path(path), PictureInput(**result["picture"]), result["layouts"])
    kept: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in result["kept"].items()
    }
    places = result.get("places")
    return PreparedModel(
        Path(result["file"]),
        result["names"],
        (height, width),
        maps,
        original,
        Kept(**kept),
        None if places is None else {name: fixed_sizes.Place(**each) for name, each in places.items()},
    )


def read_and_prepare(
    on_stage: sandbox.OnStage,
    path: str,
    description: str,
    folder: str,
    fill: float | None,
    order: str,
    fixed_size: bool,
) -> dict[str, Any]:
    """In the child process: see `prepare_file`."""
    on_stage(f"reading {os.path.basename(path)}")
    recent = with_recent_operators(read(Path(path), description), description)
    wrapped, picture = with_rgb_input(recent, description, fill, order)
    size = _size(wrapped)
    if fixed_size:
        return _prepared_whole(wrapped, picture, size, folder)
    for_any_size = partial(_prepared_for_any_size, recent, wrapped, picture, size, description, folder)
    found = None if mixes_places(wrapped) else for_any_size()
    if found is not None and not Kept(**found["kept"]).is_little:
        return found
    try:
        return _prepared_whole(wrapped, picture, size, folder)
    except ConvertError as error:  # what can be kept for any size is better than nothing
        found = found or for_any_size()
        found["kept"]["not_whole"] = str(error)
        return found


def _prepared_whole(
    model: onnx.ModelProto, picture: PictureInput, size: tuple[int, int], folder: str
) -> dict[str, Any]:
    """`model`, whole, for pictures of one size: see `fixed_sizes`."""
    model = without_copies_of_weights(model)
    maps, places, kept = fixed_sizes.describe(model, size, whole_numbers=picture.type == "uint8")
    file = Path(folder, "whole.onnx")
    write(model, file)
    return {
        "file": str(file),
        "names": {name: name for name in maps},
        "size": size,
        "maps": {name: asdict(each) for name, each in maps.items()},
        "picture": asdict(picture),
        "layouts": {},
        "kept": asdict(kept),
        "places": fixed_sizes.plain(places),
    }


def _prepared_for_any_size(
    recent: onnx.ModelProto,
    wrapped: onnx.ModelProto,
    picture: PictureInput,
    size: tuple[int, int],
    description: str,
    folder: str,
) -> dict[str, Any]:
    """`recent`, as `wrapped` to take RGB, without what takes one size only."""
    constant = without_strides(with_constants(wrapped, size), size)
    shapes = find_shapes(constant, size)
    model, layouts = on_maps(constant, shapes)
    prepared, freed = _prepare(model, description, Path(folder), None)
    kept = count_kept(recent, freed, {name for name, shape in shapes.items() if len(shape) == 4})
    return {
        "file": str(prepared.file),
        "names": prepared.names,
        "size": prepared.size,
        "maps": {name: asdict(each) for name, each in prepared.maps.items()},
        "picture": asdict(picture),
        "layouts": layouts,
        "kept": asdict(kept),
    }


def read_original(file: Path, outputs: Sequence[str]) -> onnx.ModelProto:
    """The model in an ONNX file as it is, in 32-bit floats, with those of `outputs` that it computes."""
    import onnx

    model = in_float32(read(file, str(file)))
    computed = {output for node in model.graph.node for output in node.output}
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in outputs if name in computed
    )
    return model


def read(path: Path, description: str) -> onnx.ModelProto:
    """The model in an ONNX file, including weights in files beside it; see `onnx_module_names` for its names.

    `description` names the file in error messages.

    Raises:
        ConvertError: the file cannot be read, is damaged, is not an ONNX model or is too old.
    """
    import onnx
    import onnx.inliner

    if os.path.getsize(path) > MAX_BYTES:
        raise ConvertError(f"{description} is larger than 2 GB, the limit of an ONNX file; give an ONNX file")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    # The errors of protobuf and ONNX have no common base.
    except Exception as error:
        raise ConvertError(
            f"{description} is damaged or not an ONNX model ({first_line(error)[:200]})"
        ) from error
    return with_module_names(model)


def write(model: onnx.ModelProto, file: Path) -> None:
    """Writes `model` to a file.

    Raises:
        ConvertError: it is larger than an ONNX file can be, or cannot be written.
    """
    import onnx

    if model.ByteSize() > MAX_BYTES:
        raise ConvertError(
            "the network is larger than 2 GB, the limit of an ONNX file, and cannot be converted"
        )
    try:
        onnx.save(model, file)
    except OSError as error:
        raise ConvertError(f"cannot write {file} ({first_line(error)}); make room, or set TMPDIR") from error


def free_size(
    model: onnx.ModelProto, description: str, size: tuple[int, int] | None = None
) -> tuple[onnx.ModelProto, tuple[int, int], dict[str, FeatureMap]]:
    """`model` for pictures of any size, the size for which it was made, and its outputs: feature maps.

    A model can be exported for one size. What a Reshape fixes to that size, such as a classifier, is left
    out. With `size`, the height and width for which it was made, only its own outputs can be feature maps;
    otherwise every tensor can. `description` names the model in error messages.

    Raises:
        ConvertError: it does not take one batch of RGB pictures, or has no feature maps at other sizes.
    """
    from onnx import TensorProto, helper

    _picture_input(model, description)
    names = [output.name for output in model.graph.output]
    if size is None:
        size = _size(model)
        nodes = [node for node in model.graph.node if not is_inner(node)]
        names = [output for node in nodes for output in node.output if output]
    if max(size) > MAX_SIDE:
        raise ConvertError(
            f"{description} is made for pictures of {size[1]} x {size[0]}; at most {MAX_SIDE} on each side "
            "can be converted: write a smaller size into it"
        )
    freed = copy(model)
    picture = _picture_input(freed, description)
    for axis, symbol in ((0, "batch"), (2, "height"), (3, "width")):
        picture.type.tensor_type.shape.dim[axis].dim_param = symbol
    del freed.graph.value_info[:]
    maps = find_feature_maps(freed, picture.name, names, size)
    if not maps:
        raise ConvertError(
            f"{description} has no feature maps, batch x channels x height x width, whose size follows that "
            "of the picture; give a convolutional network"
        )
    del freed.graph.output[:]
    freed.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", each.channels, None, None])
        for name, each in maps.items()
    )
    return with_outputs(freed, list(maps)), size, maps


def _size(model: onnx.ModelProto) -> tuple[int, int]:
    """The height and width of the pictures that a model takes."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    return dims[2].dim_value or DEFAULT_SIDE, dims[3].dim_value or DEFAULT_SIDE


def _picture_input(model: onnx.ModelProto, description: str) -> Any:
    """The input of `model`, which must be a batch of RGB pictures."""
    from onnx import TensorProto

    initializers = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in initializers]
    if len(inputs) != 1:
        raise ConvertError(f"{description} has {len(inputs)} inputs; dreamkit feeds one picture")
    tensor = inputs[0].type.tensor_type
    dims = tensor.shape.dim
    if tensor.elem_type != TensorProto.FLOAT or len(dims) != 4 or dims[1].dim_value != 3:
        shape = " x ".join(each.dim_param or str(each.dim_value) for each in dims)
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ConvertError(
            f"{description} takes {kind} {shown(shape) or 'of unknown shape'}; dreamkit feeds pictures, "
            "float batch x 3 x height x width"
        )
    return inputs[0]
