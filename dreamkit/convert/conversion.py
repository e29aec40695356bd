"""Converts a network of another framework: read it, build a SavedModel, compare the two, and keep it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from dreamkit.convert import (
    keras_application,
    keras_model,
    onnx_model,
    sandbox,
    saved_model,
    tensorflow_file,
    tensorflow_model,
    text_tower,
    verify,
)
from dreamkit.convert.caffe.net import format_shape
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.caffe.to_onnx import supported_blobs, to_onnx
from dreamkit.convert.exported import ExportedModel
from dreamkit.convert.feature_maps import FeatureMap, Kept, default_layer, find_head
from dreamkit.convert.model_folder import new_folder, write_record
from dreamkit.convert.onnx_model import PreparedModel
from dreamkit.convert.options import BYTES, GREY, ConversionOptions
from dreamkit.convert.parity import Report
from dreamkit.convert.text_tower import TextFiles
from dreamkit.errors import ConvertError, DreamkitWarning, did_you_mean, shown
from dreamkit.installation import extra_command
from dreamkit.models import converted
from dreamkit.models.providers import Preprocess
from dreamkit.models.text_tower import FOLDER


@dataclass(frozen=True)
class ConvertedModel:
    """A converted network.

    Attributes:
        folder: where it is.
        layers: the layers to dream by default.
        report: its comparison with the original.
        megabytes: the most memory that one process used.
        kept: one line about what was kept of the original, or an empty string.
        preprocess: from pixels to what it takes, where the file decides.
        checked: one line about another comparison, or an empty string.
    """

    folder: Path
    layers: Sequence[str]
    report: Report
    megabytes: int
    kept: str = ""
    preprocess: Preprocess | None = None
    checked: str = ""


def from_caffe(
    prototxt: Path,
    caffemodel: Path,
    folder: Path,
    options: ConversionOptions,
    on_stage: sandbox.OnStage,
    *,
    overwrite: bool = False,
) -> ConvertedModel:
    """Converts a Caffe model and writes it to `folder`, whole or not at all.

    If a layer has an unknown type, the network is converted without everything that depends on it, provided
    that `options.layers` are given.

    Args:
        on_stage: called with a line about each stage, such as "writing the SavedModel".
        overwrite: whether to replace a model in `folder`.

    Raises:
        ConvertError: it cannot be converted, or the result differs from the original.
    """
    _check_installed("onnx", "onnx2tf", "onnxruntime", "cv2")
    on_stage(f"reading {Path(caffemodel).name}")
    files = prototxt, caffemodel
    with _scratch_folder() as scratch:
        # A function of its own, so that only names of the network stay in memory.
        model = _prepare_caffe(prototxt, caffemodel, options, scratch)
        return _convert(model, files, folder, options, scratch, on_stage, overwrite, caffe_files=files)


def _prepare_caffe(
    prototxt: Path, caffemodel: Path, options: ConversionOptions, scratch: Path
) -> PreparedModel:
    """A Caffe model as an ONNX file."""
    net = read_net(prototxt, caffemodel)
    if len(net.inputs) != 1:
        raise ConvertError(f"{prototxt} has {len(net.inputs)} inputs; dreamkit feeds one picture")
    (shape,) = net.inputs.values()
    if len(shape) != 4 or shape[1] != 3:
        raise ConvertError(
            f"{prototxt} takes {format_shape(shape)}; dreamkit feeds batch x 3 x height x width"
        )
    blobs = list(net.blobs)
    if options.layers:
        chosen = {*supported_blobs(net), *options.layers}
        blobs = [blob for blob in blobs if blob in chosen]
    model = to_onnx(net, blobs)
    left_out = len(net.blobs) - len(blobs)
    if left_out:
        warnings.warn(
            f"{left_out} blobs are left out because they depend on unknown layers",
            DreamkitWarning,
            stacklevel=3,
        )
    return onnx_model.prepare(model, str(prototxt), scratch, (shape[2], shape[3]))


def from_onnx(
    file: Path,
    folder: Path,
    options: ConversionOptions,
    on_stage: sandbox.OnStage,
    *,
    overwrite: bool = False,
    source: str = "",
    labels: Sequence[str] = (),
    text: TextFiles | None = None,
) -> ConvertedModel:
    """Converts an ONNX model of a convolutional network; see `from_caffe`.

    Args:
        source: what messages call it; its path without one.
        labels: the names of its classes, if `options` have none. They are dropped if they do not fit.
        text: the text tower whose embeddings are those of its last layer.
    """
    _check_installed("onnx", "onnx2tf", "onnxruntime")
    if text is not None:
        text.check()
    called = source or str(file)
    with _scratch_folder() as scratch:
        model = onnx_model.prepare_file(
            file,
            scratch,
            on_stage,
            options.fill,
            options.preprocess.order,
            source=source,
            fixed_size=options.fixed_size,
        )
        _check_kept(model.kept, model.maps, called, options)
        options = _for_input(options, model.original, called)
        last = list(model.maps.values())[-1]
        if not options.labels and last.is_end and last.channels == len(labels):
            options = replace(options, labels=labels)
        return _convert(model, (file,), folder, options, scratch, on_stage, overwrite, text=text)


def from_exported(
    export: Callable[[Path, sandbox.OnStage], ExportedModel],
    folder: Path,
    options: Callable[[ExportedModel], ConversionOptions],
    on_stage: sandbox.OnStage,
    *,
    overwrite: bool = False,
) -> ConvertedModel:
    """Converts the ONNX file that `export` writes into the folder that it gets, which is removed afterwards.

    `options` are those for the exported model; for the others, see `from_onnx`.
    """
    _check_installed("onnx", "onnx2tf", "onnxruntime")  # before the model is fetched and exported
    with _scratch_folder() as scratch:
        model = export(scratch, on_stage)
        result = from_onnx(
            model.file,
            folder,
            options(model),
            on_stage,
            overwrite=overwrite,
            source=model.source,
            labels=model.labels,
            text=model.text,
        )
    return replace(result, checked=model.checked)


def from_keras(
    file: Path,
    folder: Path,
    options: ConversionOptions,
    on_stage: sandbox.OnStage,
    *,
    overwrite: bool = False,
) -> ConvertedModel:
    """Converts a functional or sequential Keras model, `.keras` or `.h5`; see `from_caffe`."""
    keras_model.check_file(file)
    with new_folder(folder, overwrite=overwrite) as new:
        saved = new / converted.SAVED_MODEL
        model = keras_model.save(file, saved, options, on_stage)
        head = model.head_for(options.labels)
        layers = _check_layers(model.maps, replace(options, labels=()))
        report = keras_model.compare(file, saved, model, options, on_stage)
        write_record(new, options, layers, model.size, model.maps, (file,), report, head=head)
    return replace(_finish(folder, layers, report), kept=model.kept)


def from_application(
    name: str,
    weights: str | Path,
    folder: Path,
    options: ConversionOptions,
    on_stage: sandbox.OnStage,
    *,
    overwrite: bool = False,
) -> ConvertedModel:
    """Converts a network of Keras Applications with its classifier; see `from_caffe`.

    `weights` is a file, `imagenet` or `random`. The network's own preprocessing is used unless `options` give
    another one, and the names of ImageNet's classes unless they give others.
    """
    with _scratch_folder() as scratch:
        application = keras_application.save(name, weights, scratch, on_stage)
        options = replace(
            options,
            preprocess=application.preprocess if options.is_default else options.preprocess,
            labels=options.labels or application.labels,
            description=options.description or f"{name} of Keras Applications, with its classifier",
        )
        done = from_keras(application.file, folder, options, on_stage, overwrite=overwrite)
    return replace(done, preprocess=options.preprocess)


def from_tensorflow(
    path: Path,
    folder: Path,
    options: ConversionOptions,
    on_stage: sandbox.OnStage,
    *,
    signature: str | None = None,
    overwrite: bool = False,
) -> ConvertedModel:
    """Converts a SavedModel folder or a frozen GraphDef file; see `from_caffe`.

    `signature` is that of a SavedModel which has several.
    """
    sources = tensorflow_file.sources(path)
    options = replace(options, description=options.description or f"converted from {Path(path).name}")
    with new_folder(folder, overwrite=overwrite) as new:
        saved = new / converted.SAVED_MODEL
        model = tensorflow_model.save(path, saved, options, signature, on_stage)
        _check_kept(model.kept, model.maps, str(path), options)
        layers = _check_layers(model.maps, options)
        if model.type == "uint8":
            _check_bytes(str(path), options)
        report = tensorflow_model.compare(path, saved, model, options, signature, on_stage)
        write_record(new, options, layers, model.size, model.maps, sources, report)
    done = _finish(folder, layers, report)
    kept = _what_was_kept(model.kept, model.maps, options)
    return replace(done, kept=kept, preprocess=BYTES if model.type == "uint8" else None)


def _convert(
    model: PreparedModel,
    sources: Sequence[Path],
    folder: Path,
    options: ConversionOptions,
    scratch: Path,
    on_stage: sandbox.OnStage,
    overwrite: bool,
    caffe_files: tuple[Path, Path] | None = None,
    text: TextFiles | None = None,
) -> ConvertedModel:
    """Converts an ONNX file, and compares the result with it and with `caffe_files`."""
    layers = _check_layers(model.maps, options)
    embedding = "" if text is None else _embedding(model.maps)
    with new_folder(folder, overwrite=overwrite) as new:
        saved = new / converted.SAVED_MODEL
        entry = None
        if text is not None:
            channels = model.maps[embedding].channels
            entry = text_tower.add(text, new / FOLDER, embedding, channels, on_stage)
        with _hint_of_fixed_size(model):
            saved_model.save(model, saved, scratch, on_stage)
            report = verify.compare(saved, model, options.preprocess, on_stage, caffe_files)
        head = None if entry is None else ""  # an embedding is no class scores
        write_record(new, options, layers, model.size, model.maps, sources, report, head=head, text=entry)
    kept = "" if model.kept is None else _what_was_kept(model.kept, model.maps, options, embedding)
    return replace(_finish(folder, layers, report), kept=kept, preprocess=options.preprocess)


def _what_was_kept(
    kept: Kept, maps: Mapping[str, FeatureMap], options: ConversionOptions, embedding: str = ""
) -> str:
    """One line about what was kept, and about the layer of a picture's `embedding` or of the class scores."""
    if embedding:
        return f"{kept}; texts are compared with {shown(embedding)}, {maps[embedding].channels} numbers"
    name = find_head(maps, labelled=bool(options.labels))
    if not name:
        return f"{kept}; it has no head of class scores"
    return f"{kept}; the head is {shown(name)}, {maps[name].channels} classes"


@contextmanager
def _hint_of_fixed_size(model: PreparedModel) -> Iterator[None]:
    """Errors say what else to try for an ONNX file that was not kept whole."""
    try:
        yield
    except ConvertError as error:
        if model.original is None or model.places is not None:
            raise
        height, width = model.size
        raise ConvertError(
            f"{error}. Try --fixed-size: it keeps the whole network for pictures of {width} x {height} and "
            "cuts larger ones into windows"
        ) from error


def _for_input(
    options: ConversionOptions, original: onnx_model.Original | None, source: str
) -> ConversionOptions:
    """The options with another default for a network that takes grey pictures or whole numbers."""
    if original is None:
        return options
    if original.picture.type == "uint8":
        _check_bytes(source, options)
    if options.is_default and original.picture.type == "uint8":
        return replace(options, preprocess=BYTES)
    if options.is_default and original.picture.channels == 1:
        return replace(options, preprocess=GREY)
    return options


def _check_bytes(source: str, options: ConversionOptions) -> None:
    """Refuses a preprocessing for a network that takes whole numbers."""
    if not options.is_default:
        raise ConvertError(
            f"{source} takes whole numbers from 0 to 255; leave out --order, --mean and --scale"
        )


def _check_kept(
    kept: Kept | None, maps: Mapping[str, FeatureMap], source: str, options: ConversionOptions
) -> None:
    """Refuses a model of which little was kept, unless layers of it are named."""
    if kept and kept.is_little and not options.layers:
        raise ConvertError(
            f"{source} cannot be converted as a whole: {kept}. To dream what was kept, name its layers: "
            f"--layers {shown(default_layer(maps))}"
        )


def _check_installed(*modules: str) -> None:
    """Names the packages that conversion needs and that are not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConvertError(
            f"converting needs {', '.join(missing)}, which is not installed; run: "
            f"{extra_command('convert')}. A separate environment is possible too: all installations share "
            "the converted models"
        )


def _embedding(maps: Mapping[str, FeatureMap]) -> str:
    """The layer of the picture's embedding: the last one, if it has one position and nothing follows it.

    Raises:
        ConvertError: it was not kept, or the last layer is a map.
    """
    name, last = list(maps.items())[-1]
    if last.is_end and last.stride == 0:
        return name
    raise ConvertError(
        f"a text needs the embedding of a whole picture, and {shown(name)}, the last layer that was kept, is "
        "not one; export the picture's tower with its projection, or try --fixed-size"
    )


def _check_layers(maps: Mapping[str, FeatureMap], options: ConversionOptions) -> list[str]:
    """The layers to dream by default, after a check of the layers and labels in `options`."""
    for name in options.layers or ():
        if name not in maps:
            raise ConvertError(f"there is no blob {shown(name)} to dream; {did_you_mean(name, maps)}")
    name, last = list(maps.items())[-1]
    if options.labels and not last.is_end:
        raise ConvertError(
            f"the class scores could not be kept, and labels name them; {shown(name)} is the last layer kept"
        )
    if options.labels and len(options.labels) != last.channels:
        raise ConvertError(
            f"there are {len(options.labels)} labels and {last.channels} channels in {shown(name)}, the last "
            "blob; give a file with one line for each class"
        )
    return list(options.layers or [default_layer(maps)])


def _finish(folder: Path, layers: Sequence[str], report: Report) -> ConvertedModel:
    """The result, after warnings about what was not compared."""
    for remark in report.remarks:
        warnings.warn(remark, DreamkitWarning, stacklevel=3)
    return ConvertedModel(folder, layers, report, sandbox.peak_memory() >> 20)


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dreamkit-convert-") as name:
        yield Path(name)
