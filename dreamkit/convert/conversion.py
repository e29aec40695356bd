"""From another framework's files to a network one can dream: read, build, compare, and only then keep."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from dreamkit.convert import keras_model, onnx_model, sandbox, to_tensorflow, verify
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.caffe.to_onnx import supported_blobs, to_onnx
from dreamkit.convert.files import read_file
from dreamkit.convert.maps import Map, head, middle
from dreamkit.convert.onnx_model import Plain
from dreamkit.errors import ConvertError, DreamkitWarning, did_you_mean, first_line, shown
from dreamkit.media import paths
from dreamkit.models import converted
from dreamkit.models.providers import Preprocess
from dreamkit.version import __version__

# What a network eats that was trained on ImageNet, by the framework it comes from. Mean and scale are in
# the order beside them.
CAFFE = Preprocess(order="BGR", mean=(104.0, 117.0, 123.0))
TORCH = Preprocess(
    mean=(123.675, 116.28, 103.53), scale=(1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225))
)
KERAS = Preprocess()
_VERSIONS_OF = (
    "tensorflow",
    "onnx2tf",
    "onnx",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "numpy",
)
_NEW = ".converting-"  # and the number of the process
_OLD = ".old"
_MOST_LABELS = 16 << 20  # bytes of a file of labels


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a user says of the network that is to be converted.

    Attributes:
        preprocess: what it eats.
        layers: what is dreamed by default; None for a choice of ours.
        labels: what its classes are called, in order.
        description, licence: a line each.
    """

    preprocess: Preprocess
    layers: Sequence[str] | None = None
    labels: Sequence[str] = ()
    description: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Converted:
    """A network that was converted.

    Attributes:
        folder: where it lies.
        layers: what is dreamed by default.
        report: how it compares with its original.
        megabytes: the most memory that any process took.
    """

    folder: Path
    layers: Sequence[str]
    report: verify.Report
    megabytes: int


def from_caffe(
    prototxt: Path,
    caffemodel: Path,
    folder: Path,
    wanted: Wanted,
    tell: sandbox.Tell,
    *,
    overwrite: bool = False,
) -> Converted:
    """Converts a Caffe model and keeps it in `folder`, whole or not at all.

    Where `wanted.layers` are given and some layer has a type that is unknown, they are converted without
    what depends on it.

    Raises:
        ConvertError: it cannot be converted, or the result does not compute what the original does.
    """
    _needs("onnx", "onnx2tf", "onnxruntime", "cv2")
    tell(f"reading {Path(caffemodel).name}")
    files = prototxt, caffemodel
    with _scratch() as scratch:
        plain = _plain_caffe(prototxt, caffemodel, wanted, scratch)
        return _convert(plain, files, folder, wanted, scratch, tell, overwrite=overwrite, caffe_files=files)


def _plain_caffe(prototxt: Path, caffemodel: Path, wanted: Wanted, scratch: Path) -> Plain:
    """A Caffe model as an ONNX file: all that stays of it in memory are names."""
    net = read_net(prototxt, caffemodel)
    if len(net.inputs) != 1:
        raise ConvertError(f"{prototxt} has {len(net.inputs)} inputs; dreamkit feeds one picture")
    (shape,) = net.inputs.values()
    if len(shape) != 4 or shape[1] != 3:
        raise ConvertError(
            f"{prototxt} takes {' x '.join(map(str, shape))}; dreamkit feeds batch x 3 x height x width"
        )
    blobs = list(net.blobs)
    if wanted.layers:
        known = {*supported_blobs(net), *wanted.layers}
        blobs = [blob for blob in blobs if blob in known]
    model = to_onnx(net, blobs)
    if len(blobs) < len(net.blobs):
        left = len(net.blobs) - len(blobs)
        warnings.warn(
            f"{left} blobs are left out: they depend on unknown layers", DreamkitWarning, stacklevel=3
        )
    return onnx_model.prepare(model, str(prototxt), scratch, (shape[2], shape[3]))


def from_onnx(
    file: Path, folder: Path, wanted: Wanted, tell: sandbox.Tell, *, overwrite: bool = False
) -> Converted:
    """Converts an ONNX model of a convolutional network; see `from_caffe`."""
    _needs("onnx", "onnx2tf", "onnxruntime")
    with _scratch() as scratch:
        plain = onnx_model.prepare_file(file, scratch, tell)
        return _convert(plain, (file,), folder, wanted, scratch, tell, overwrite=overwrite)


def from_keras(
    file: Path, folder: Path, wanted: Wanted, tell: sandbox.Tell, *, overwrite: bool = False
) -> Converted:
    """Converts a functional or sequential Keras model, `.keras`; see `from_caffe`."""
    keras_model.check(file)
    with kept_whole(folder, overwrite=overwrite) as home:
        saved = home / converted.SAVED_MODEL
        given = list(wanted.layers) if wanted.layers else None
        size, maps = keras_model.save(file, saved, given, tell)
        layers = _checked(maps, wanted)
        report = keras_model.compare(file, saved, maps, wanted.preprocess, tell)
        _write_record(home, size, maps, layers, (file,), wanted, report)
    return _told(Converted(folder, layers, report, sandbox.peak_memory() >> 20))


def _convert(
    plain: Plain,
    sources: Sequence[Path],
    folder: Path,
    wanted: Wanted,
    scratch: Path,
    tell: sandbox.Tell,
    *,
    overwrite: bool,
    caffe_files: tuple[Path, Path] | None = None,
) -> Converted:
    layers = _checked(plain.maps, wanted)
    with kept_whole(folder, overwrite=overwrite) as home:
        saved = home / converted.SAVED_MODEL
        to_tensorflow.save(plain, saved, scratch, tell)
        report = verify.check(saved, plain, wanted.preprocess, tell, caffe_files)
        _write_record(home, plain.size, plain.maps, layers, sources, wanted, report)
    return _told(Converted(folder, layers, report, sandbox.peak_memory() >> 20))


def _told(made: Converted) -> Converted:
    """`made`, after a warning of all that was not compared."""
    for remark in made.report.remarks:
        warnings.warn(remark, DreamkitWarning, stacklevel=3)
    return made


def _needs(*modules: str) -> None:
    """Says what to install where something is missing, before anything is done."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConvertError(
            f"converting needs {', '.join(missing)}, which this environment has not; run: pip install "
            "'dreamkit[convert]' (in a copy of its repository '.[convert]'), in an environment of its own if "
            "need be, since every dreamkit of yours finds what one converts"
        )


def _checked(maps: Mapping[str, Map], wanted: Wanted) -> list[str]:
    """The layers to dream by default, if those asked for are there and labels are as many as classes."""
    for name in wanted.layers or ():
        if name not in maps:
            raise ConvertError(f"there is no blob {shown(name)} to dream; {did_you_mean(name, maps)}")
    name, last = list(maps.items())[-1]
    if wanted.labels and len(wanted.labels) != last.channels:
        raise ConvertError(
            f"there are {len(wanted.labels)} labels and {last.channels} channels in {shown(name)}, the last "
            "blob; give a file of one line for each class"
        )
    return list(wanted.layers or [middle(maps)])


def read_labels(path: Path) -> list[str]:
    """The names of classes in a file of one line each: `tench`, `n01440764 tench` or `/a/airfield 0`.

    A WordNet number in front and the class's own number behind are left out.

    Raises:
        ConvertError: the file cannot be read or holds no names.
    """
    try:
        lines = read_file(path, "file of labels", _MOST_LABELS).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConvertError(f"{path} is no text; give one line for each class") from error
    labels = []
    for place, line in enumerate(line.strip() for line in lines if line.strip()):
        words = line.split()
        if len(words) > 1 and words[-1] == str(place):
            words = words[:-1]
        if len(words) > 1 and len(words[0]) == 9 and words[0][0] == "n" and words[0][1:].isdecimal():
            words = words[1:]
        labels.append(" ".join(words))
    if not labels:
        raise ConvertError(f"{path} holds no labels; give one line for each class")
    return labels


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dreamkit-convert-") as name:
        yield Path(name)


@contextmanager
def kept_whole(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new folder beside `folder` that takes its name once the block is done, and goes if it fails.

    Raises:
        ConvertError: `folder` is there and is not to be replaced, or cannot be written.
    """
    if folder.exists() and not overwrite:
        raise ConvertError(f"there is a converted model in {folder}; choose another name, or add --overwrite")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_stale(folder.parent)
        new = Path(tempfile.mkdtemp(prefix=f"{_NEW}{os.getpid()}-", dir=folder.parent))
    except OSError as error:
        raise ConvertError(
            f"cannot write to {folder.parent} ({first_line(error)}); set DREAMKIT_HOME to a folder that can "
            "be written"
        ) from error
    old = new.with_suffix(_OLD)
    try:
        yield new
        os.chmod(new, 0o755)  # mkdtemp's are for us alone
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        if old.exists():
            old.rename(folder)
        raise ConvertError(f"cannot write {folder} ({first_line(error)}); nothing was kept") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _clear_stale(parent: Path) -> None:
    """Removes what a conversion left that was killed: its process is gone."""
    if os.name != "posix":  # elsewhere there is no asking after a process without disturbing it
        return
    for path in parent.glob(f"{_NEW}*"):
        if path.suffix == _OLD:  # what was there before: it was nearly replaced, and is whole
            continue
        number = path.name.removeprefix(_NEW).partition("-")[0]
        try:
            os.kill(int(number), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
        except OSError:  # it is someone else's, and lives
            continue


def _write_record(
    home: Path,
    size: tuple[int, int],
    maps: Mapping[str, Map],
    layers: Sequence[str],
    sources: Sequence[Path],
    wanted: Wanted,
    report: verify.Report,
) -> None:
    """Writes `model.json`: all that is known of the network, and no path."""
    record = {
        "format": converted.FORMAT,
        "description": wanted.description or f"converted from {Path(sources[-1]).name}",
        "licence": wanted.licence,
        "preprocess": asdict(wanted.preprocess),
        "layers": dict.fromkeys(layers, 1.0),
        "min_size": max(maps[name].min_size for name in layers),
        "size": list(size),
        "head": head(maps, labelled=bool(wanted.labels)),
        "labels": list(wanted.labels),
        "blobs": {name: asdict(each) for name, each in maps.items()},
        "sources": {Path(path).name: paths.digest(path) for path in sources},
        "files": converted.hashes(home / converted.SAVED_MODEL),
        "versions": {"dreamkit": __version__, **dict(_versions())},
        "parity": report.to_dict(),
    }
    (home / converted.RECORD).write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in _VERSIONS_OF:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
