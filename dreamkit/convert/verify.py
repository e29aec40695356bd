"""Whether a converted network computes what the original does, blob by blob.

Pictures go through the network as it will be dreamed, from pixels on, and through programs that share
nothing with it: OpenCV's importer of Caffe models at the size the network was made for, ONNX Runtime at
others. The error of a blob is max|a - b| / max|b|.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.convert import onnx_runtime, sandbox
from dreamkit.convert.activations import Activations
from dreamkit.convert.caffe import opencv
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.onnx_model import Plain
from dreamkit.errors import ConvertError
from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel

LIMIT = 1e-4
# Chelsea by Stefan van der Walt (CC0) and a Falcon 9 by SpaceX (public domain), as scikit-image has them.
PICTURES = tuple(sorted((Path(__file__).parent / "pictures").glob("*.jpg")))

Compute = Callable[[NDArray[np.float32]], Activations]


@dataclass(frozen=True)
class Run:
    """One column of the table: who was asked, at which height and width; `errors` by blob."""

    oracle: str
    size: tuple[int, int]
    errors: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What was compared, and what came out. `remarks` say what was not compared, and why."""

    runs: tuple[Run, ...]
    remarks: tuple[str, ...] = ()
    limit: float = LIMIT

    @property
    def worst(self) -> tuple[str, float]:
        """The blob that differs most, and by how much."""
        return max(
            ((name, error) for run in self.runs for name, error in run.errors.items()),
            key=lambda pair: pair[1],
        )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table: a header, then each blob's errors, empty where it was not compared."""
        yield ("BLOB", *(f"{run.oracle}, {run.size[1]} x {run.size[0]}" for run in self.runs))
        for name in dict.fromkeys(name for run in self.runs for name in run.errors):
            yield (name, *(f"{run.errors[name]:.1e}" if name in run.errors else "" for run in self.runs))

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Report:
        """A report out of plain JSON values."""
        runs = (Run(run["oracle"], (run["size"][0], run["size"][1]), run["errors"]) for run in answer["runs"])
        return cls(tuple(runs), tuple(answer["remarks"]))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "limit": self.limit,
            "runs": [asdict(run) for run in self.runs],
            "remarks": list(self.remarks),
        }


def sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The three sizes at which ONNX Runtime is asked: a smaller one, one a little and one much larger."""
    height, width = size
    return [
        (max(1, round(0.61 * height)), max(1, round(0.53 * width))),
        (height + 1, width + 17),
        (round(1.29 * height), round(1.18 * width)),
    ]


def pixels(size: tuple[int, int]) -> NDArray[np.float32]:
    """The package's pictures at this height and width, RGB 0 to 255, `(n, height, width, 3)`."""
    made = []
    for path in PICTURES:
        with Image.open(path) as image:
            made.append(np.asarray(image.convert("RGB").resize(size[::-1]), np.float32))
    return np.stack(made)


def check(
    folder: Path,
    plain: Plain,
    preprocess: Preprocess,
    tell: sandbox.Tell,
    caffe_files: tuple[Path, Path] | None = None,
) -> Report:
    """Compares the SavedModel in `folder` with the model it was made of.

    `caffe_files` are the prototxt and the caffemodel, where that came from them.

    Raises:
        ConvertError: a blob differs by more than `LIMIT`; the worst is named.
    """
    answer = sandbox.call(
        f"{__name__}:against_originals",
        tell,
        model_bytes=plain.file.stat().st_size,
        folder=folder,
        file=plain.file,
        maps={name: each.min_size for name, each in plain.maps.items()},
        plain=plain.names,
        size=plain.size,
        preprocess=asdict(preprocess),
        caffe_files=caffe_files,
    )
    return accepted(Report.of(answer))


def accepted(report: Report) -> Report:
    """`report`, if nothing in it is beyond the limit."""
    name, error = report.worst
    if not math.isfinite(error):
        raise ConvertError(
            f"{name} is not a number somewhere, in the original or here; are the mean and the scale right, "
            "and the weights whole? Nothing was kept"
        )
    if error > LIMIT:
        raise ConvertError(
            f"the converted network does not compute what the original does: {name} differs by {error:.1e} "
            f"of its largest value, more than {LIMIT:.0e}; nothing was kept"
        )
    return report


class Comparison:
    """In the child: the runs and remarks of a `Report` in the making.

    `maps` are the names of what is compared, each with the least side that it needs.
    """

    def __init__(
        self,
        folder: str,
        maps: Mapping[str, int],
        preprocess: Preprocess,
        size: tuple[int, int],
        tell: sandbox.Tell,
    ) -> None:
        from dreamkit.engine.tf import network

        saved = SavedModel(path=Path(folder), outputs={name: name for name in maps})
        provider = ModelProvider(name="converted", load=lambda _: saved, preprocess=preprocess, layers={})
        self._network = network.load(provider, None)
        self._maps, self._preprocess, self._size, self._tell = maps, preprocess, size, tell
        self._runs: list[Run] = []
        self.remarks: list[str] = []

    def among(self, size: tuple[int, int]) -> list[str]:
        """The maps there are of a picture of this height and width."""
        return [name for name, least in self._maps.items() if least <= min(size)]

    def run(self, oracle: str, compute: Compute, size: tuple[int, int], among: Sequence[str]) -> None:
        """Compares the maps `among` with what `compute` gives: both of NCHW batches."""
        self._tell(f"comparing with {oracle} at {size[1]} x {size[0]}")
        activations = self._network.activations(among)
        pictures = pixels(size)
        # The smallest go through together, so that batches are seen too, and the rest one by one.
        batches = [pictures] if size[0] < self._size[0] else np.split(pictures, len(pictures))
        errors = dict.fromkeys(among, 0.0)
        for batch in batches:
            eaten = np.moveaxis(self._preprocess(batch), -1, 1)
            wanted = compute(np.ascontiguousarray(eaten, np.float32))
            for name, got in zip(among, activations(batch), strict=True):
                errors[name] = max(errors[name], error(got, wanted[name]))
        self._runs.append(Run(oracle, size, errors))

    def result(self) -> dict[str, Any]:
        """As plain JSON values, for `Report.of`."""
        if not self._runs:
            raise ConvertError("there is nothing to compare the converted network with; nothing was kept")
        return {"runs": [asdict(each) for each in self._runs], "remarks": self.remarks}


def against_originals(
    tell: sandbox.Tell,
    folder: str,
    file: str,
    maps: Mapping[str, int],
    plain: Mapping[str, str],
    size: Sequence[int],
    preprocess: Mapping[str, Any],
    caffe_files: Sequence[str] | None,
) -> dict[str, Any]:
    """In the child: see `check`."""
    own = size[0], size[1]
    comparison = Comparison(folder, maps, Preprocess(**preprocess), own, tell)
    asked = caffe_files is not None and _ask_opencv(comparison, own, *map(Path, caffe_files))
    _ask_runtime(comparison, sizes(own) if asked else [own, *sizes(own)], file, plain)
    return comparison.result()


def _ask_opencv(comparison: Comparison, size: tuple[int, int], prototxt: Path, caffemodel: Path) -> bool:
    """Compares with OpenCV; whether it read the network at all."""
    version = opencv.version()
    net = read_net(prototxt, caffemodel)
    (given,) = net.inputs
    beyond = opencv.unsupported_blobs(net)
    among = [name for name in comparison.among(size) if name not in beyond]
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch, "without_k.prototxt")
        text.write_text(opencv.prototxt_without_k(prototxt), encoding="utf-8")

        def compute(batch: NDArray[np.float32]) -> Activations:
            return opencv.compute(text, caffemodel, net, {given: batch})

        try:
            if among:
                comparison.run(version, compute, size, among)
        except ConvertError as wrong:
            comparison.remarks.append(f"not compared with OpenCV: {wrong}")
            return False
    if beyond:
        comparison.remarks.append(
            f"{len(beyond)} blobs were not compared with OpenCV: it passes over parameters they depend on"
        )
    return bool(among)


def _ask_runtime(
    comparison: Comparison, at: Sequence[tuple[int, int]], file: str, plain: Mapping[str, str]
) -> None:
    """Compares with ONNX Runtime at each of the sizes `at`."""
    import onnx

    from dreamkit.convert import onnx_model

    model = onnx.load(file)
    (given,) = (each.name for each in model.graph.input)
    session: Any = None
    ready: list[str] = []  # the maps that the session was made for: the larger sizes share one
    for size in at:
        among = comparison.among(size)
        if not among:
            comparison.remarks.append(f"no blob exists at {size[1]} x {size[0]}, so none was compared there")
            continue
        if among != ready:
            part = onnx_model.cut(model, [plain[name] for name in among])
            session, ready = onnx_runtime.session(part.SerializeToString()), among

        def compute(
            batch: NDArray[np.float32], session: Any = session, among: Sequence[str] = among
        ) -> Activations:
            answers = onnx_runtime.compute(session, {given: batch})
            return {name: answers[plain[name]] for name in among}

        comparison.run(onnx_runtime.version(), compute, size, among)


def error(got: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    """The largest difference of maps NHWC from maps NCHW, as a share of the largest number of these."""
    moved = np.moveaxis(got, -1, 1)
    if moved.size != want.size or not np.isfinite(want).all():
        return float("inf")
    differs = float(np.abs(moved.reshape(want.shape) - want, dtype=np.float64).max())
    most = float(np.abs(want).max())
    if not np.isfinite(differs):
        return float("inf")
    return differs / most if most else differs and float("inf")
