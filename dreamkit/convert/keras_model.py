"""A Keras model in a file as a SavedModel for pictures of any size, built and compared in child processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamkit.convert import keras_file, keras_forward, keras_graph, sandbox, saved_model, verify
from dreamkit.convert.activations import Activations
from dreamkit.convert.feature_maps import DEFAULT_SIDE, FeatureMap, Kept, comparison_sizes
from dreamkit.convert.keras_input import picture_input
from dreamkit.convert.keras_maps import FreeSizeModel
from dreamkit.convert.options import ConversionOptions
from dreamkit.convert.parity import Report
from dreamkit.errors import ConvertError, shown
from dreamkit.models.providers import Preprocess

check_file = keras_file.check_file


@dataclass(frozen=True)
class KerasModel:
    """A Keras model that is now a SavedModel.

    Attributes:
        size: the height and width for which it was made.
        maps: its feature maps.
        head: the map of class scores, or an empty string if it has none.
        scores: the map behind which the original computes nothing more, or an empty string; with labels, it
            is the head.
        kept: one line about what was kept of the original.
    """

    size: tuple[int, int]
    maps: Mapping[str, FeatureMap]
    head: str
    scores: str
    kept: str

    def head_for(self, labels: Sequence[str]) -> str:
        """The head, if the classes have these labels.

        Raises:
            ConvertError: there are no scores of as many classes.
        """
        if not labels:
            return self.head
        if not self.scores:
            raise ConvertError(
                f"there are {len(labels)} labels, but no scores of classes that can be dreamed; "
                "leave out --labels"
            )
        if len(labels) != self.maps[self.scores].channels:
            raise ConvertError(
                f"there are {len(labels)} labels and {self.maps[self.scores].channels} classes in "
                f"{shown(self.scores)}; give a file with one line for each class"
            )
        return self.scores


def save(file: Path, folder: Path, options: ConversionOptions, on_stage: sandbox.OnStage) -> KerasModel:
    """Writes the model in `file` to `folder` as a SavedModel.

    The common least side of the layers to dream by default is found, and that of all layers.

    Raises:
        ConvertError: the model cannot be read or dreamed.
    """
    result = sandbox.call(
        f"{__name__}:read_and_write",
        on_stage,
        model_bytes=file.stat().st_size,
        file=file,
        folder=folder,
        layers=list(options.layers) if options.layers else None,
        order=options.preprocess.order,
        fill=options.fill,
    )
    height, width = result["size"]
    maps = {name: FeatureMap(**each) for name, each in result["maps"].items()}
    return KerasModel((height, width), maps, result["head"], result["scores"], result["kept"])


def compare(
    file: Path, folder: Path, model: KerasModel, options: ConversionOptions, on_stage: sandbox.OnStage
) -> Report:
    """Compares the SavedModel in `folder` with the model in `file` as Keras computes it.

    Raises:
        ConvertError: they differ.
    """
    result = sandbox.call(
        f"{__name__}:compare_with_keras",
        on_stage,
        model_bytes=file.stat().st_size,
        file=file,
        folder=folder,
        min_sizes={name: each.min_size for name, each in model.maps.items()},
        preprocess=asdict(options.preprocess),
        fill=options.fill,
    )
    report = Report.from_dict(result)
    report.check()
    return report


def read_and_write(
    on_stage: sandbox.OnStage,
    file: str,
    folder: str,
    layers: list[str] | None,
    order: str,
    fill: float | None,
) -> dict[str, Any]:
    """In the child process: see `save`."""
    on_stage("reading the Keras model")
    model = keras_file.load(file)
    prepare = picture_input(model, file, order, fill)
    graph = keras_graph.graph(model)
    converted = FreeSizeModel(graph, prepare)
    maps = converted.feature_maps(file, layers)
    kept, total = converted.count_kept(maps)
    if Kept((kept, total)).is_little and not layers:
        raise ConvertError(
            f"only {kept} of the {total} convolutions of {file} can be dreamed{converted.where_it_stops}; "
            "name the layers that you want with --layers"
        )
    operation, certain = graph.scores
    scores = next((name for name in maps if graph.names[name] is operation), "")
    head = scores if certain else ""
    where = converted.where_it_stops if kept < total or not head else ""
    on_stage("writing the SavedModel")
    saved_model.write(converted.forward(list(maps)), list(maps), folder, model.variables)
    return {
        "size": _size(model),
        "maps": {name: asdict(each) for name, each in maps.items()},
        "head": head,
        "scores": scores,
        "kept": f"kept {kept} of {total} convolutions{where}; "
        + (_head_line(head, maps[head].channels) if head else "there is no head"),
    }


def _head_line(head: str, classes: int) -> str:
    return f"the head is {shown(head)}, {classes} {'class' if classes == 1 else 'classes'}"


def compare_with_keras(
    on_stage: sandbox.OnStage,
    file: str,
    folder: str,
    min_sizes: Mapping[str, int],
    preprocess: Mapping[str, Any],
    fill: float | None,
) -> dict[str, Any]:
    """In the child process: see `compare`.

    At its original size the model computes itself, and each layer's output is recorded. It refuses other
    sizes, so there its layers are called one after another; what depends on the original size is left out.
    """
    model = keras_file.load(file)
    graph = keras_graph.graph(model)
    oracle, base = keras_file.framework(model)
    prepare = picture_input(model, file, str(preprocess["order"]), fill)
    operations = {name: graph.names[name] for name in min_sizes}
    size = _size(model)
    comparison = verify.Comparison(folder, min_sizes, Preprocess(**preprocess), size, on_stage)

    def compute_itself(batch: Any, names: list[str]) -> Activations:
        picture = prepare(np.moveaxis(batch, 1, -1))
        maps = keras_forward.recorded_maps(model, graph, picture, base, operations)
        return {name: _nchw(maps[name]) for name in names}

    def compute_layers(batch: Any, names: list[str]) -> Activations:
        maps = keras_forward.original_maps(graph, prepare(np.moveaxis(batch, 1, -1)))
        return {name: _nchw(maps[operations[name]]) for name in names}

    comparison.run(oracle, compute_itself, size, comparison.names_at(size))
    for each in comparison_sizes(size):
        possible = keras_forward.original_maps(graph, prepare(np.zeros((1, *each, 3), np.float32)))
        names = [name for name in comparison.names_at(each) if operations[name] in possible]
        if names:
            comparison.run(oracle, compute_layers, each, names)
        else:
            comparison.remarks.append(f"nothing was compared at {each[1]} x {each[0]}: no layer exists there")
    return comparison.result()


def _nchw(values: Any) -> Any:
    return np.moveaxis(np.asarray(values, np.float32), -1, 1)


def _size(model: Any) -> tuple[int, int]:
    """The height and width for which a model was made."""
    _, height, width, _ = model.inputs[0].shape
    return height or DEFAULT_SIDE, width or DEFAULT_SIDE
