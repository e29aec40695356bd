"""Compares a converted network with its original, blob by blob.

Photographs go through the converted network from pixels on, and through programs that share no code with
it: OpenCV's importer of Caffe models at the original size, and ONNX Runtime at others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.convert import onnx_runtime, sandbox
from dreamkit.convert.activations import Activations
from dreamkit.convert.caffe import opencv
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.feature_maps import comparison_sizes, rounded_up
from dreamkit.convert.fixed_size import Place, maps_of_windows, plain
from dreamkit.convert.onnx_forms import PictureInput
from dreamkit.convert.onnx_model import PreparedModel, read_original
from dreamkit.convert.onnx_rewrites import with_outputs
from dreamkit.convert.parity import Report, Run, relative_error
from dreamkit.errors import ConvertError
from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel

if TYPE_CHECKING:
    import onnx

# Chelsea by Stefan van der Walt (CC0) and a Falcon 9 by SpaceX (public domain), from scikit-image.
PICTURES = tuple(sorted((Path(__file__).parent / "pictures").glob("*.jpg")))

# From a batch that the network takes, NCHW, and names of blobs to those blobs of the original.
Compute = Callable[[NDArray[np.float32], list[str]], Activations]


def photographs(size: tuple[int, int]) -> NDArray[np.float32]:
    """The package's photographs at this height and width: RGB 0 to 255, `(n, height, width, 3)`."""
    arrays = []
    for path in PICTURES:
        with Image.open(path) as image:
            arrays.append(np.asarray(image.convert("RGB").resize(size[::-1]), np.float32))
    return np.stack(arrays)


def compare(
    folder: Path,
    model: PreparedModel,
    preprocess: Preprocess,
    on_stage: sandbox.OnStage,
    caffe_files: tuple[Path, Path] | None = None,
) -> Report:
    """Compares the SavedModel in `folder` with the model from which it was built.

    `caffe_files` are the prototxt and the caffemodel if the model comes from Caffe.

    Raises:
        ConvertError: they differ.
    """
    result = sandbox.call(
        f"{__name__}:compare_with_originals",
        on_stage,
        model_bytes=model.file.stat().st_size,
        folder=folder,
        file=model.file,
        min_sizes={name: each.min_size for name, each in model.maps.items()},
        multiples={name: each.multiple for name, each in model.maps.items()},
        plain_names=model.names,
        size=model.size,
        preprocess=asdict(preprocess),
        caffe_files=caffe_files,
        original=model.original and asdict(model.original),
        places=model.places and plain(model.places),
    )
    report = Report.from_dict(result)
    report.check()
    return report


class Comparison:
    """The runs and remarks of a comparison so far. Only for a child process: it loads TensorFlow."""

    def __init__(
        self,
        folder: str,
        min_sizes: Mapping[str, int],
        preprocess: Preprocess,
        size: tuple[int, int],
        on_stage: sandbox.OnStage,
        *,
        multiples: Mapping[str, int] | None = None,
    ) -> None:
        """`min_sizes` is the least side of each map, and `size` the original height and width.

        The original has a map for pictures of its multiple in `multiples`, or else for all.
        """
        from dreamkit.engine.tf import network

        # As it is loaded afterwards, so that what is refused then is refused now.
        saved = SavedModel(path=Path(folder), outputs={name: name for name in min_sizes}, is_trusted=False)
        provider = ModelProvider(name="converted", load=lambda _: saved, preprocess=preprocess, layers={})
        self._network = network.load(provider, None)
        self._min_sizes, self._preprocess, self._multiples = min_sizes, preprocess, multiples or {}
        self._size, self._on_stage = size, on_stage
        self._runs: list[Run] = []
        self.remarks: list[str] = []

    def names_at(self, size: tuple[int, int]) -> list[str]:
        """The maps that exist for a picture of this height and width."""
        return [
            name
            for name, least in self._min_sizes.items()
            if least <= min(size) and not any(side % self._multiples.get(name, 1) for side in size)
        ]

    def run(self, oracle: str, compute: Compute, size: tuple[int, int], names: list[str]) -> None:
        """Compares the maps `names` with `compute` at this height and width."""
        self._on_stage(f"comparing with {oracle} at {size[1]} x {size[0]}")
        activations = self._network.activations(names)
        pixels = photographs(size)
        # One size is compared as a batch, the smallest because it needs least memory.
        batches = [pixels] if size[0] < self._size[0] else np.split(pixels, len(pixels))
        errors = dict.fromkeys(names, 0.0)
        for batch in batches:
            prepared = np.moveaxis(self._preprocess(batch), -1, 1)
            expected = compute(np.ascontiguousarray(prepared, np.float32), names)
            for name, found in zip(names, activations(batch), strict=True):
                _check_size(name, found, expected[name], oracle)
                errors[name] = max(errors[name], relative_error(found, expected[name]))
        self._runs.append(Run(oracle, size, errors))

    def result(self) -> dict[str, Any]:
        """The comparison for `Report.from_dict`.

        Raises:
            ConvertError: nothing was compared.
        """
        if not self._runs:
            raise ConvertError("there is nothing to compare the converted network with; nothing was kept")
        return {"runs": [asdict(each) for each in self._runs], "remarks": self.remarks}


def _check_size(name: str, found: NDArray[np.float32], expected: NDArray[np.float32], oracle: str) -> None:
    """Refuses maps `found`, NHWC, that are of another size than those `expected`, NCHW.

    Raises:
        ConvertError: they are.
    """
    if found.size == expected.size:
        return
    ours, theirs = found.shape[1:], (*expected.shape[2:], expected.shape[1])
    of_ours, of_theirs = (" x ".join(map(str, each)) for each in (ours, theirs))
    raise ConvertError(
        f"{name} is {of_ours} (height x width x channels) in the converted network and {of_theirs} by "
        f"{oracle}; nothing was kept"
    )


def compare_with_originals(
    on_stage: sandbox.OnStage,
    folder: str,
    file: str,
    min_sizes: Mapping[str, int],
    multiples: Mapping[str, int],
    plain_names: Mapping[str, str],
    size: Sequence[int],
    preprocess: Mapping[str, Any],
    caffe_files: Sequence[str] | None,
    original: Mapping[str, Any] | None,
    places: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """In the child process: see `compare`."""
    import onnx

    original_size = size[0], size[1]
    comparison = Comparison(
        folder, min_sizes, Preprocess(**preprocess), original_size, on_stage, multiples=multiples
    )
    sizes = comparison_sizes(original_size)
    if places is not None and original is not None:
        _compare_windows(
            comparison,
            original_size,
            sizes[1:],
            original,
            {name: Place(**each) for name, each in places.items()},
        )
        return comparison.result()
    largest = max(multiples.values(), default=1)
    if largest > 1:  # sizes that have all maps
        sizes += [rounded_up(each, largest) for each in sizes]
    if original is not None:
        _compare_with_file(comparison, original_size, original)
    elif caffe_files is None or not _compare_with_opencv(comparison, original_size, *map(Path, caffe_files)):
        sizes = [original_size, *sizes]
    _compare_with_onnx_runtime(comparison, sizes, onnx.load(file), plain_names)
    return comparison.result()


def _compare_with_file(comparison: Comparison, size: tuple[int, int], original: Mapping[str, Any]) -> None:
    """Compares with an ONNX file as it is, at the size for which it was made."""
    picture, layouts = PictureInput(**original["picture"]), original["layouts"]
    model = read_original(Path(original["file"]), comparison.names_at(size))
    names = [each.name for each in model.graph.output]
    session = onnx_runtime.session(model.SerializeToString())

    def compute(batch: NDArray[np.float32], names: list[str]) -> Activations:
        outputs = onnx_runtime.compute(session, {picture.name: picture.from_rgb(batch)})
        return {name: _as_map(outputs[name], layouts.get(name)) for name in names}

    comparison.run(f"{onnx_runtime.version()} of the file", compute, size, names)


def _compare_windows(
    comparison: Comparison,
    window: tuple[int, int],
    larger: Sequence[tuple[int, int]],
    original: Mapping[str, Any],
    places: Mapping[str, Place],
) -> None:
    """Compares with an ONNX file that takes one size, at that size and on windows of larger pictures."""
    picture = PictureInput(**original["picture"])
    model = read_original(Path(original["file"]), list(places))
    names = [each.name for each in model.graph.output]
    session = onnx_runtime.session(model.SerializeToString())

    def tensors(batch: NDArray[np.float32]) -> Activations:
        return onnx_runtime.compute(session, {picture.name: picture.from_rgb(batch)})

    def compute(batch: NDArray[np.float32], names: list[str]) -> Activations:
        (one,) = batch
        return maps_of_windows(tensors, one, window, {name: places[name] for name in names})

    for size in (window, *larger):
        comparison.run(f"{onnx_runtime.version()} of the file", compute, size, names)


def _as_map(values: NDArray[np.float32], layout: str | None) -> NDArray[np.float32]:
    """A tensor as batch x channels x height x width."""
    if layout == "flat":
        return values.reshape(*values.shape[:2], *[1] * (4 - min(2, values.ndim)))
    return np.moveaxis(values, -1, 1) if layout == "last" else values


def _compare_with_opencv(
    comparison: Comparison, size: tuple[int, int], prototxt: Path, caffemodel: Path
) -> bool:
    """Compares with OpenCV; returns whether it could read the network."""
    version = opencv.version()
    net = read_net(prototxt, caffemodel)
    (picture,) = net.inputs
    unsupported = opencv.unsupported_blobs(net)
    names = [name for name in comparison.names_at(size) if name not in unsupported]
    with tempfile.TemporaryDirectory() as scratch:
        without_k = Path(scratch, "without_k.prototxt")
        without_k.write_text(opencv.prototxt_without_k(prototxt), encoding="utf-8")

        def compute(batch: NDArray[np.float32], _names: list[str]) -> Activations:
            return opencv.compute(without_k, caffemodel, net, {picture: batch})

        try:
            if names:
                comparison.run(version, compute, size, names)
        except ConvertError as error:
            comparison.remarks.append(f"not compared with OpenCV: {error}")
            return False
    if unsupported:
        comparison.remarks.append(
            f"{len(unsupported)} blobs were not compared with OpenCV: they depend on parameters "
            "that it ignores"
        )
    return bool(names)


def _compare_with_onnx_runtime(
    comparison: Comparison,
    sizes: Sequence[tuple[int, int]],
    model: onnx.ModelProto,
    plain_names: Mapping[str, str],
) -> None:
    """Compares with ONNX Runtime at each of `sizes`."""
    (picture,) = (each.name for each in model.graph.input)
    session: Any = None
    session_names: list[str] = []  # the maps that `session` computes; larger sizes share one

    def compute(batch: NDArray[np.float32], names: list[str]) -> Activations:
        outputs = onnx_runtime.compute(session, {picture: batch})
        return {name: outputs[plain_names[name]] for name in names}

    for size in sizes:
        names = comparison.names_at(size)
        if not names:
            comparison.remarks.append(f"nothing was compared at {size[1]} x {size[0]}: no blob exists there")
            continue
        if names != session_names:
            part = with_outputs(model, [plain_names[name] for name in names])
            session, session_names = onnx_runtime.session(part.SerializeToString()), names
        comparison.run(onnx_runtime.version(), compute, size, names)
