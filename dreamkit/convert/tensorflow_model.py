"""A TensorFlow network as a SavedModel for pictures of any size, built and compared in child processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert import sandbox, saved_model, tensorflow_file, tensorflow_frozen, verify
from dreamkit.convert.activations import Activations
from dreamkit.convert.feature_maps import FeatureMap, Kept, comparison_sizes, rounded_up
from dreamkit.convert.keras_input import PictureInput
from dreamkit.convert.options import ConversionOptions
from dreamkit.convert.parity import LIMIT, Report, relative_error
from dreamkit.convert.tensorflow_frozen import FrozenGraph
from dreamkit.convert.tensorflow_maps import FreeSizeModel
from dreamkit.errors import ConvertError
from dreamkit.models.providers import Preprocess


@dataclass(frozen=True)
class TensorFlowModel:
    """A TensorFlow network that is now a SavedModel for pictures of any size.

    Attributes:
        size: the height and width for which it was made.
        maps: its feature maps.
        tensors: the tensors of the file that they are.
        sized: those that the file computes at its own size only.
        kept: how much of the original it is.
        channels, type: of the pictures that the original takes.
    """

    size: tuple[int, int]
    maps: Mapping[str, FeatureMap]
    tensors: Mapping[str, str]
    sized: Sequence[str]
    kept: Kept
    channels: int
    type: str


def save(
    path: Path, folder: Path, options: ConversionOptions, signature: str | None, on_stage: sandbox.OnStage
) -> TensorFlowModel:
    """Writes the network at `path` to `folder` as a SavedModel for pictures of any size.

    Raises:
        ConvertError: the network cannot be read or dreamed.
    """
    result = sandbox.call(
        f"{__name__}:read_and_write",
        on_stage,
        model_bytes=_bytes(path),
        path=path,
        folder=folder,
        signature=signature,
        order=options.preprocess.order,
        fill=options.fill,
    )
    height, width = result["size"]
    convolutions, joins, stopped = result["kept"]
    return TensorFlowModel(
        (height, width),
        {name: FeatureMap(**each) for name, each in result["maps"].items()},
        result["tensors"],
        result["sized"],
        Kept(tuple(convolutions), tuple(joins), stopped),
        result["channels"],
        result["type"],
    )


def compare(
    path: Path,
    folder: Path,
    model: TensorFlowModel,
    options: ConversionOptions,
    signature: str | None,
    on_stage: sandbox.OnStage,
) -> Report:
    """Compares the SavedModel in `folder` with the network at `path` as TensorFlow computes it.

    Raises:
        ConvertError: they differ.
    """
    result = sandbox.call(
        f"{__name__}:compare_with_tensorflow",
        on_stage,
        model_bytes=_bytes(path),
        path=path,
        folder=folder,
        signature=signature,
        min_sizes={name: each.min_size for name, each in model.maps.items()},
        multiples={name: each.multiple for name, each in model.maps.items()},
        tensors={name: model.tensors[name] for name in model.maps},
        sized=model.sized,
        preprocess=asdict(options.preprocess),
        fill=options.fill,
    )
    report = Report.from_dict(result)
    report.check()
    return report


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in tensorflow_file.sources(path))


def read_and_write(
    on_stage: sandbox.OnStage,
    path: str,
    folder: str,
    signature: str | None,
    order: str,
    fill: float | None,
) -> dict[str, Any]:
    """In the child process: see `save`."""
    on_stage("reading the TensorFlow graph")
    frozen = tensorflow_frozen.load(path, signature)
    model = FreeSizeModel(frozen, _picture_input(frozen, path, order, fill))
    maps = model.feature_maps(path)
    kept = model.count_kept(maps)
    on_stage("writing the SavedModel")
    saved_model.write(model.forward(maps), list(maps), folder, model.variables)
    return {
        "size": frozen.size,
        "maps": {name: asdict(each) for name, each in maps.items()},
        "tensors": model.tensors,
        "sized": model.sized,
        "kept": [kept.convolutions, kept.joins, kept.stopped],
        "channels": frozen.channels,
        "type": frozen.type,
    }


def compare_with_tensorflow(
    on_stage: sandbox.OnStage,
    path: str,
    folder: str,
    signature: str | None,
    min_sizes: Mapping[str, int],
    multiples: Mapping[str, int],
    tensors: Mapping[str, str],
    sized: Sequence[str],
    preprocess: Mapping[str, Any],
    fill: float | None,
) -> dict[str, Any]:
    """In the child process: see `compare`.

    The original graph takes other sizes as it is, except for what it computes at its own size only.
    """
    import tensorflow as tf

    frozen = tensorflow_frozen.load(path, signature)
    prepare = _picture_input(frozen, path, str(preprocess["order"]), fill)
    comparison = verify.Comparison(
        folder, min_sizes, Preprocess(**preprocess), frozen.size, on_stage, multiples=multiples
    )

    def compute(batch: NDArray[np.float32], names: list[str]) -> Activations:
        taken = _taken(frozen, prepare, batch)
        function = frozen.function([tensors[name] for name in names])
        parts = [function(each[None]) for each in taken]  # it may be made for one picture at a time
        return {
            name: _nchw(np.concatenate(values))
            for name, values in zip(names, zip(*parts, strict=True), strict=True)
        }

    _check_run(frozen, _taken(frozen, prepare, _first_picture(frozen, preprocess)))
    oracle = f"TensorFlow {tf.__version__}"
    comparison.run(oracle, compute, frozen.size, comparison.names_at(frozen.size))
    sizes = comparison_sizes(frozen.size)
    largest = max(multiples.values())
    if largest > 1:  # sizes that have all maps
        sizes += [rounded_up(each, largest) for each in sizes]
    for each in sizes:
        names = [name for name in comparison.names_at(each) if name not in sized]
        if names:
            comparison.run(oracle, compute, each, names)
        else:
            comparison.remarks.append(f"nothing was compared at {each[1]} x {each[0]}: no layer exists there")
    return comparison.result()


def _first_picture(frozen: FrozenGraph, preprocess: Mapping[str, Any]) -> NDArray[np.float32]:
    pixels = verify.photographs(frozen.size)[:1]
    return np.moveaxis(Preprocess(**preprocess)(pixels), -1, 1)


def _check_run(frozen: FrozenGraph, taken: NDArray[Any]) -> None:
    """Refuses a flat graph that computes other outputs than the network in the file.

    Raises:
        ConvertError: it does.
    """
    if frozen.run is None:
        return
    expected = frozen.run(taken)
    found = frozen.function(frozen.outputs)(taken)
    worst = max(
        relative_error(np.moveaxis(_single(a), 1, -1), _single(b))
        for a, b in zip(sorted(found, key=np.size), sorted(expected, key=np.size), strict=True)
    )
    if worst > LIMIT:
        raise ConvertError(f"the graph differs from the network in the file by {worst:.1e}; nothing was kept")


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[None, None]


def _taken(frozen: FrozenGraph, prepare: PictureInput, batch: NDArray[np.float32]) -> NDArray[Any]:
    """What the network takes for a batch of preprocessed pictures, `(n, 3, height, width)`."""
    pictures = prepare(np.moveaxis(batch, 1, -1)).numpy()
    if frozen.type == "uint8":
        pictures = np.rint(pictures)
    import tensorflow as tf

    return np.asarray(pictures.astype(tf.dtypes.as_dtype(frozen.type).as_numpy_dtype))


def _nchw(values: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(values, np.float32)
    return np.moveaxis(values, -1, 1) if values.ndim == 4 else values.reshape(*values.shape[:2], 1, 1)


def _picture_input(frozen: FrozenGraph, path: str, order: str, fill: float | None) -> PictureInput:
    """The input of a network. Messages call it `path`.

    Raises:
        ConvertError: there are four channels and no `fill`, or a `fill` for no fourth channel.
    """
    if frozen.channels == 4 and fill is None:
        raise ConvertError(
            f"{path} takes four channels, and a picture has three; give the value of the fourth with "
            "--fill, in the network's own units, such as --fill 1"
        )
    if frozen.channels != 4 and fill is not None:
        raise ConvertError(
            f"{path} takes {frozen.channels} channels; leave out --fill, which is for a fourth one"
        )
    return PictureInput(frozen.channels, order, fill or 0.0)
